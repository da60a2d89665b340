#include "common/policy/histogram.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* Which bucket a value is in: 0, then one for each power of two. */
static unsigned bucket_of(const struct histogram *histogram, uint64_t value)
{
    uint64_t first = ((uint64_t)2 << histogram->half_bits) - 1; /* all of bucket 0 */
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | first);
    return bits - (histogram->half_bits + 1);
}

/* Bucket 0 has both halves; the lower half of any other is the bucket before it. */
static size_t place_of(const struct histogram *histogram, uint64_t value)
{
    unsigned bucket = bucket_of(histogram, value);
    return ((size_t)bucket << histogram->half_bits) + (size_t)(value >> bucket);
}

/* The greatest value of a place. */
static uint64_t last_of(const struct histogram *histogram, size_t place)
{
    size_t half = (size_t)1 << histogram->half_bits;
    unsigned bucket = place < 2 * half ? 0 : (unsigned)(place / half) - 1;
    uint64_t step = place - ((uint64_t)bucket << histogram->half_bits);
    return ((step + 1) << bucket) - 1;
}

void histogram_init(struct histogram *histogram, uint64_t highest, unsigned digits)
{
    uint64_t apart = 2; /* values below it have a place each */
    assert(digits >= 1 && digits <= 5);
    for (unsigned i = 0; i < digits; i++)
        apart *= 10;
    assert(highest >= apart && highest <= UINT64_MAX / 2);
    *histogram = (struct histogram){.highest = highest};
    while ((uint64_t)2 << histogram->half_bits < apart)
        histogram->half_bits++;
    histogram->size = place_of(histogram, highest) + 1;
    histogram->counts = mem_zeroed(histogram->size, sizeof *histogram->counts);
}

void histogram_free(struct histogram *histogram)
{
    free(histogram->counts);
    *histogram = (struct histogram){0};
}

void histogram_reset(struct histogram *histogram)
{
    memset(histogram->counts, 0, histogram->size * sizeof *histogram->counts);
    histogram->count = histogram->above = histogram->min = histogram->max = 0;
    histogram->sum = 0;
}

static void widen(struct histogram *histogram, uint64_t min, uint64_t max)
{
    if (histogram->count == 0 || min < histogram->min)
        histogram->min = min;
    if (histogram->count == 0 || max > histogram->max)
        histogram->max = max;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    bool above = value > histogram->highest;
    widen(histogram, value, value);
    histogram->counts[place_of(histogram, above ? histogram->highest : value)]++;
    histogram->count++;
    histogram->above += above;
    histogram->sum += (double)value;
}

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    assert(histogram->highest == from->highest && histogram->half_bits == from->half_bits);
    if (from->count == 0)
        return;
    widen(histogram, from->min, from->max);
    for (size_t i = 0; i < from->size; i++)
        histogram->counts[i] += from->counts[i];
    histogram->count += from->count;
    histogram->above += from->above;
    histogram->sum += from->sum;
}

/* Rounded up, so that what is found covers the share asked for; but a product that is a whole
 * number and comes out one ulp above it is not the next one. */
static uint64_t rank_of(const struct histogram *histogram, double percent)
{
    double rank = ceil(nextafter(percent / 100 * (double)histogram->count, 0));
    return rank < 1 ? 1 : (uint64_t)rank;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t rank = rank_of(histogram, percent < 100 ? percent : 100), seen = 0;
    for (size_t i = 0; i < histogram->size; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) {
            uint64_t value = last_of(histogram, i);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return 0;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? histogram->sum / (double)histogram->count : 0;
}
