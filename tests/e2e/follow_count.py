#!/usr/bin/env python3
"""What a follower must have counted, from the topics alone, and the bounds that follow from it.

    follow_count.py counts SOURCE RESULTS WRONG          prints `compared wrong dead` of all messages
    follow_count.py document JSON COMPARED WRONG         a document of verify --follow, or its report.json

SOURCE and RESULTS are messages of the topics: `partition TAB offset TAB key TAB value-size` and
`partition TAB offset TAB value`. WRONG lists the keys whose rows somebody damaged. Each key has one message, so
that each message is compared, unless a receipt says that it is a dead letter.

The bound is held against the binomial sum in exact arithmetic (tests/unit/rate_bound.py): no line of Drover's.
"""
import json
import sys
from fractions import Fraction
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "unit"))
from rate_bound import ALPHA, fewer_decimal, fewer_exact  # noqa: E402

HALF = Fraction(6, 10**10)  # documents say nine decimals


def lines(name):
    with open(name, encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file if line.strip()]


def dead_letters(results):
    dead = set()
    for partition, _, value in results:
        receipt = json.loads(value)
        if receipt.get("kind") == "batch":
            dead.update((int(partition), item["offset"]) for item in receipt["rejected"] if item["class"] == "dead_lettered")
    return dead


def counts(source, results, wrong):
    dead = dead_letters(lines(results))
    planted = {key for (key,) in lines(wrong)}
    compared = bad = 0
    for partition, offset, key in ((int(p), int(o), k) for p, o, k, *_ in lines(source)):
        if (partition, offset) in dead:
            continue
        compared += 1
        bad += key in planted
    print(compared, bad, len(dead))


def is_bound(found, compared, upper):
    if found >= compared:
        return upper == 1
    few = fewer_exact if compared <= 400 else fewer_decimal
    low, high = max(Fraction(upper) - HALF, Fraction(0)), min(Fraction(upper) + HALF, Fraction(1))
    low, high = (Fraction(int(rate * 10**12), 10**12) for rate in (low, high))
    return few(found, compared, low) >= ALPHA >= few(found, compared, high)


def windows_of(document):
    if document["kind"] == "follow_report":
        for name, window in document["windows"].items():
            yield name, window["compared"], window["wrong"], window["rate"], window["upper"]
    else:
        for window in document["windows"]:
            yield window["window"], window["compared"], window["discrepancies"], window["rate"], window["upper"]


def check(document, compared, wrong):
    problems = []
    before = (0, 0)
    for name, has, bad, rate, upper in windows_of(document):
        if (has, bad) < before or (name in ("hour", "day", "total") and (has, bad) != (compared, wrong)):
            problems.append(f"{name}: {bad} of {has}, there are {wrong} of {compared}")
        before = (has, bad)
        if has == 0:
            if (rate, upper) != (None, None):
                problems.append(f"{name}: a rate of nothing")
        elif abs(Fraction(rate) - Fraction(bad, has)) > HALF:
            problems.append(f"{name}: the rate {rate} is not {bad} of {has}")
        elif not is_bound(bad, has, upper):
            problems.append(f"{name}: {upper} is not the bound of {bad} of {has}")
    return problems


def main():
    mode, *words = sys.argv[1:]
    if mode == "counts":
        counts(*words)
        return 0
    with open(words[0], encoding="utf-8") as file:
        problems = check(json.load(file), int(words[1]), int(words[2]))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
