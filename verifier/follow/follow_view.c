/* See the header. */
#include "verifier/follow/follow_view.h"

#include <inttypes.h>

static bool is_wrong(unsigned class)
{
    return class == VERDICT_UNUSABLE ||
           (class < VERDICT_COUNT && verdict_is_suspect((enum verdict) class));
}

uint64_t follow_numbers_wrong(const struct follow_numbers *numbers)
{
    uint64_t wrong = 0;
    for (unsigned class = 0; class < ROLLING_CLASSES; class ++)
        wrong += is_wrong(class) ? numbers->total[class] : 0;
    return wrong;
}

uint64_t follow_numbers_compared(const struct follow_numbers *numbers)
{
    return numbers->total[VERDICT_MATCH] + numbers->total[VERDICT_TOLERANCE] +
           follow_numbers_wrong(numbers);
}

void follow_view_append_line(struct buf *out, const struct follow_numbers *numbers)
{
    uint64_t wrong = follow_numbers_wrong(numbers);
    buf_append_format(out, "compared %" PRIu64, follow_numbers_compared(numbers));
    buf_append_format(out, " · %" PRIu64 " discrepanc%s", wrong, wrong == 1 ? "y" : "ies");
    for (unsigned class = 0; class < VERDICT_COUNT; class ++)
        if (is_wrong(class) && numbers->total[class])
            buf_append_format(out, " · %" PRIu64 " %s", numbers->total[class],
                              verdict_name((enum verdict) class));
    static const enum verdict BESIDE[] = {VERDICT_SUPERSEDED, VERDICT_OVERTAKEN, VERDICT_DEAD,
                                          VERDICT_WAITING, VERDICT_CONFLICT};
    for (size_t i = 0; i < sizeof BESIDE / sizeof *BESIDE; i++)
        if (numbers->total[BESIDE[i]])
            buf_append_format(out, " · %" PRIu64 " %s", numbers->total[BESIDE[i]],
                              verdict_name(BESIDE[i]));
    if (numbers->total[ROLLING_NOT_COMPARED])
        buf_append_format(out, " · %" PRIu64 " not compared", numbers->total[ROLLING_NOT_COMPARED]);
    if (numbers->total[ROLLING_NOT_RECHECKED])
        buf_append_format(out, " · %" PRIu64 " not looked at again",
                          numbers->total[ROLLING_NOT_RECHECKED]);
    buf_append_format(out, " · behind %" PRIu64, numbers->backlog);
    if (numbers->suspects)
        buf_append_format(out, " · %" PRIu64 " looked at again", numbers->suspects);
    if (numbers->share < 1)
        buf_append_format(out, " · %.4g %% of the keys", 100 * numbers->share);
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (numbers->outages->of[service].is_on)
            buf_append_format(out, " · %s is away", outage_title((enum outage_service)service));
}

void follow_view_append_json(struct json_out *out, const struct follow_numbers *numbers)
{
    json_out_count(out, "compared", follow_numbers_compared(numbers));
    json_out_count(out, "discrepancies", follow_numbers_wrong(numbers));
    json_out_list(out, "verdicts");
    for (unsigned class = 0; class < VERDICT_COUNT; class ++) {
        if (!numbers->total[class])
            continue;
        json_out_object(out, NULL);
        json_out_text(out, "verdict", verdict_name((enum verdict) class));
        json_out_count(out, "count", numbers->total[class]);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_count(out, "not_compared", numbers->total[ROLLING_NOT_COMPARED]);
    json_out_count(out, "not_rechecked", numbers->total[ROLLING_NOT_RECHECKED]);
    json_out_count(out, "behind", numbers->backlog);
    json_out_count(out, "suspects", numbers->suspects);
    json_out_real(out, "share", numbers->share, 6);
    json_out_count(out, "partitions", numbers->partitions);
    json_out_list(out, "outages");
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (numbers->outages->of[service].is_on)
            json_out_text(out, NULL, outage_word((enum outage_service)service));
    json_out_end(out);
}
