#!/usr/bin/env python3
"""The bound of a rate against the binomial sum in exact arithmetic.

    rate_bound.py TOOL     TOOL answers "FOUND COMPARED" lines (tests/support/rate_bound_tool.c)

The bound is the rate at which so few discrepancies, or fewer, have a probability of 1/20. So at a rate a
billionth lower the probability is above 1/20, at one a billionth higher below. Small counts with fractions of
whole numbers, larger ones with decimals of 60 digits and whole binomial coefficients: no logarithms, no
approximation of factorials. DROVER_TEST_SEED repeats a run.
"""
import os
import random
import subprocess
import sys
from decimal import Decimal, getcontext
from fractions import Fraction
from math import comb

sys.dont_write_bytecode = True
getcontext().prec = 60
ALPHA = Fraction(1, 20)


def fewer_exact(found, compared, rate):
    """P(at most `found`), times the denominator's power, which is left out of both sides by the caller."""
    top, bottom = rate.numerator, rate.denominator
    rest = bottom - top
    total = sum(comb(compared, i) * top**i * rest ** (compared - i) for i in range(found + 1))
    return Fraction(total, bottom**compared)


def fewer_decimal(found, compared, rate):
    p = Decimal(rate.numerator) / Decimal(rate.denominator)
    q = 1 - p
    total = Decimal(0)
    ways = 1
    power = q**compared
    for i in range(found + 1):
        total += Decimal(ways) * power
        ways = ways * (compared - i) // (i + 1)
        power = power * p / q
    return total


def check(found, compared, bound):
    if found >= compared:
        return bound == 1.0
    rate = Fraction(bound)
    step = rate / 10**9
    low, high = rate - step, min(rate + step, Fraction(1))
    if compared <= 400:
        # short denominators: whole numbers of a few thousand digits
        low, high = Fraction(int(low * 10**16), 10**16), Fraction(int(high * 10**16) + 1, 10**16)
        return fewer_exact(found, compared, low) > ALPHA > fewer_exact(found, compared, min(high, Fraction(1)))
    alpha = Decimal(1) / Decimal(20)
    return fewer_decimal(found, compared, low) > alpha > fewer_decimal(found, compared, high)


def main():
    seed = int(os.environ.get("DROVER_TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"seed {seed}")
    draw = random.Random(seed)
    pairs = [(0, 1), (0, 29955), (0, 29956), (1, 2), (1, 47437), (1, 10**9), (399, 400), (5, 10**12), (0, 10**15)]
    pairs += [(found, compared) for compared in (1, 2, 3, 15, 16, 17, 31) for found in range(compared + 1)]
    for _ in range(60):
        compared = draw.randint(1, 400)
        pairs.append((draw.randint(0, compared), compared))
    for _ in range(60):
        compared = int(10 ** draw.uniform(2.7, 12))
        pairs.append((min(int(10 ** draw.uniform(0, 3)), compared - 1), compared))
    asked = "".join(f"{found} {compared}\n" for found, compared in pairs)
    answers = subprocess.run([sys.argv[1]], input=asked, capture_output=True, text=True, check=True).stdout.split()
    assert len(answers) == len(pairs)
    wrong = 0
    for (found, compared), answer in zip(pairs, answers):
        if not check(found, compared, float(answer)):
            print(f"{found} of {compared}: {answer} is not the bound")
            wrong += 1
    print(f"{len(pairs)} bounds, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
