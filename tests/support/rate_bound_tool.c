/* Reads lines of "FOUND COMPARED", writes the bound of each with all its digits: for
 * tests/unit/rate_bound.py. */
#include <inttypes.h>
#include <stdio.h>

#include "common/policy/rate/rate_bound.h"

int main(void)
{
    uint64_t found, compared;
    while (scanf("%" SCNu64 " %" SCNu64, &found, &compared) == 2)
        printf("%.17g\n", rate_bound_upper(found, compared));
    return 0;
}
