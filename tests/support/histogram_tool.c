/* Values of standard input, one a line, into the histogram; then a line for each percentile of the
 * arguments: histogram_tool HIGHEST DIGITS PERCENT... Beside them: count, least, greatest, mean. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/policy/histogram.h"

int main(int argc, char **argv)
{
    struct histogram histogram;
    uint64_t value;
    if (argc < 3)
        return 2;
    histogram_init(&histogram, strtoull(argv[1], NULL, 10), (unsigned)strtoul(argv[2], NULL, 10));
    while (scanf("%" SCNu64, &value) == 1)
        histogram_record(&histogram, value);
    for (int i = 3; i < argc; i++)
        printf("%" PRIu64 "\n", histogram_percentile(&histogram, strtod(argv[i], NULL)));
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %.9g\n", histogram.count, histogram.min,
           histogram.max, histogram_mean(&histogram));
    histogram_free(&histogram);
    return 0;
}
