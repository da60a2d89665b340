#ifndef DROVER_POLICY_RATE_BOUND_H
#define DROVER_POLICY_RATE_BOUND_H

/*
 * What a number of comparisons says of the rate of discrepancies: the one-sided upper bound of
 * Clopper and Pearson, the greatest rate at which it would still happen once in twenty times that
 * so few are found. Exact: without a discrepancy it is 1 - 0.05^(1/compared), so 29,956 comparisons
 * are the fewest that show a rate below 0.01 %.
 */

#include <stdint.h>

/* 0 to 1, of `found` discrepancies among `compared`; 1 when nothing was compared, or nothing else
 * was found. To a relative error of 1e-9. */
double rate_bound_upper(uint64_t found, uint64_t compared);

enum rate_gate {
    RATE_GATE_PASS,         /* the bound is below the limit */
    RATE_GATE_INCONCLUSIVE, /* neither: go on comparing */
    RATE_GATE_FAIL,         /* what was found is at or above the limit by itself */
};
/* Whether the rate is below `limit` (above 0, at most 1). */
enum rate_gate rate_bound_gate(uint64_t found, uint64_t compared, double limit);
/* "pass", "inconclusive", "fail" */
const char *rate_gate_word(enum rate_gate gate);

#endif
