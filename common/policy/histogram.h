#ifndef DROVER_POLICY_HISTOGRAM_H
#define DROVER_POLICY_HISTOGRAM_H

/*
 * Counts of values in buckets whose width grows with the value, so that a percentile is right to a
 * number of significant digits whatever the magnitude, in memory that is known from the start: the
 * log-linear histogram of HdrHistogram (http://hdrhistogram.github.io/HdrHistogram/, whose form in
 * JavaScript the tests compare it with).
 *
 *   bucket 0   values 0 … 2^k - 1, each by itself         k: 2^k >= 2 * 10^digits
 *   bucket n   2^(k+n-1) … 2^(k+n) - 1, by steps of 2^n   half as many counts as bucket 0
 *
 * Pure. Units are the caller's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct histogram {
    uint64_t *counts;
    size_t size;        /* of them */
    unsigned half_bits; /* k - 1 */
    uint64_t highest;   /* greatest value that is told from greater ones */
    uint64_t count;     /* values recorded */
    uint64_t above;     /* of them: greater than `highest`; in percentiles they are `highest` */
    uint64_t min, max;  /* exact, also of those; of none: 0 */
    double sum;
};

/* `digits` 1 to 5: a percentile is at most one part in 10^digits above the value it stands for.
 * `highest` >= 2 * 10^digits. With 3 digits: 8 KiB for each power of two from 1,024 to `highest`.
 */
void histogram_init(struct histogram *histogram, uint64_t highest, unsigned digits);
void histogram_free(struct histogram *histogram);
/* Forgets the values. */
void histogram_reset(struct histogram *histogram);

void histogram_record(struct histogram *histogram, uint64_t value);
/* Adds all of `from`, which was made with the same `highest` and digits. */
void histogram_merge(struct histogram *histogram, const struct histogram *from);

/* The value that `percent` (0 to 100) of the values are not above: the greatest that falls into
 * the same place, but never more than the greatest one recorded. 0 of none. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);
/* 0 of none. */
double histogram_mean(const struct histogram *histogram);

#endif
