/* See the header. */
#include "verifier/follow/standing.h"

static void append_rate(struct json_out *out, const struct follow_numbers *numbers)
{
    struct follow_window window;
    rolling_window(numbers->rolling, FOLLOW_TOTAL, &window);
    uint64_t compared = follow_report_compared(window.counts);
    if (compared == 0) {
        json_out_null(out, "discrepancy_rate");
        json_out_null(out, "discrepancy_upper");
        return;
    }
    json_out_real(out, "discrepancy_rate",
                  (double)follow_report_wrong(window.counts) / (double)compared, 9);
    json_out_real(out, "discrepancy_upper", window.upper, 9);
}

void standing_tell(struct state_teller *teller, const struct follow_numbers *numbers, bool ended)
{
    struct json_out *out = state_teller_begin(teller);
    append_rate(out, numbers);
    json_out_count(out, "behind_messages", numbers->backlog);
    json_out_seconds(out, "behind_seconds", numbers->behind_ms);
    follow_view_append_json(out, numbers);
    json_out_bool(out, "ended", ended);
    state_teller_send(teller);
}
