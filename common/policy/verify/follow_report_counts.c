/* Which verdicts of a verifier that follows are comparisons, and which of those are discrepancies.
 */
#include "common/policy/verify/follow_report.h"

bool follow_report_is_wrong(enum verdict verdict)
{
    return verdict_is_suspect(verdict) || verdict == VERDICT_UNUSABLE ||
           verdict == VERDICT_UNEXPECTED_TENANT;
}

uint64_t follow_report_wrong(const uint64_t counts[VERDICT_COUNT])
{
    uint64_t sum = 0;
    for (int i = 0; i < VERDICT_COUNT; i++)
        sum += follow_report_is_wrong((enum verdict)i) ? counts[i] : 0;
    return sum;
}

uint64_t follow_report_compared(const uint64_t counts[VERDICT_COUNT])
{
    return counts[VERDICT_MATCH] + counts[VERDICT_TOLERANCE] + follow_report_wrong(counts);
}
