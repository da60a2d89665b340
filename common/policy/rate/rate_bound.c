/*
 * The bound is the rate p at which P(at most `found` of `compared`) is 0.05. That probability falls
 * with p, and its logarithm is concave, so Newton's steps from a guess end where it is; a bracket
 * keeps them from leaving. The largest term of the sum is computed after Loader ("Fast and Accurate
 * Computation of Binomial Probabilities", 2000), which loses no digits to differences of large
 * logarithms; the others follow from it by their ratios.
 */
#include "common/policy/rate/rate_bound.h"

#include <math.h>
#include <stdbool.h>

#define ALPHA 0.05 /* one in twenty */

static const double HALF_LOG_2PI = 0.91893853320467274178;

/* log n! less Stirling's approximation of it. */
static double stirling_error(double n)
{
    if (n <= 15) {
        double factorial = 1;
        for (int i = 2; i <= (int)n; i++)
            factorial *= i;
        return log(factorial) - (n + 0.5) * log(n) + n - HALF_LOG_2PI;
    }
    double square = n * n;
    return (1 / 12.0 -
            (1 / 360.0 - (1 / 1260.0 - (1 / 1680.0 - 1 / 1188.0 / square) / square) / square) /
                square) /
           n;
}

/* x log(x / mean) + mean - x, also where they are near each other. */
static double deviance(double x, double mean)
{
    double apart = (x - mean) / (x + mean);
    if (fabs(apart) >= 0.1)
        return x * log(x / mean) + mean - x;
    double sum = (x - mean) * apart, power = 2 * x * apart, before;
    int odd = 1;
    do {
        before = sum;
        power *= apart * apart;
        odd += 2;
        sum += power / odd;
    } while (sum != before);
    return sum;
}

/* Logarithm of P(exactly k of n), 0 < k < n. */
static double log_term(double k, double n, double p)
{
    return stirling_error(n) - stirling_error(k) - stirling_error(n - k) - deviance(k, n * p) -
           deviance(n - k, n * (1 - p)) - HALF_LOG_2PI + 0.5 * log(n / (k * (n - k)));
}

/* P(at most k of n) by P(exactly k of n); p above k/n, so that the terms fall. */
static double sum_of_terms(double k, double n, double p)
{
    double sum = 1, term = 1, odds = (1 - p) / p;
    for (double i = k; i >= 1 && term > sum * 1e-17; i--) {
        term *= i / (n - i + 1) * odds;
        sum += term;
    }
    return sum;
}

double rate_bound_upper(uint64_t found, uint64_t compared)
{
    if (found >= compared)
        return 1;
    double k = (double)found, n = (double)compared;
    if (found == 0)
        return -expm1(log(ALPHA) / n);
    double low = k / n, high = 1;
    double p = (k + 1.35 + 1.645 * sqrt(k + 0.7)) / n; /* near it when the rate is small */
    for (int i = 0; i < 200; i++) {
        if (!(p > low && p < high))
            p = low + (high - low) / 2;
        double terms = sum_of_terms(k, n, p);
        double excess = log_term(k, n, p) + log(terms) - log(ALPHA);
        *(excess > 0 ? &low : &high) = p;
        double next = p + excess * (1 - p) * terms / (n - k);
        bool is_there = fabs(next - p) <= 1e-12 * p;
        p = next;
        if (is_there)
            break;
    }
    return p;
}

enum rate_gate rate_bound_gate(uint64_t found, uint64_t compared, double limit)
{
    if (compared == 0)
        return RATE_GATE_INCONCLUSIVE;
    if (rate_bound_upper(found, compared) < limit)
        return RATE_GATE_PASS;
    return (double)found / (double)compared >= limit ? RATE_GATE_FAIL : RATE_GATE_INCONCLUSIVE;
}

const char *rate_gate_word(enum rate_gate gate)
{
    static const char *const WORDS[] = {
        [RATE_GATE_PASS] = "pass",
        [RATE_GATE_INCONCLUSIVE] = "inconclusive",
        [RATE_GATE_FAIL] = "fail",
    };
    return WORDS[gate];
}
