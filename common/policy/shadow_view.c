/* See the header. */
#include <inttypes.h>

#include "common/base/plural.h"
#include "common/base/text.h"
#include "common/policy/shadow_view.h"
#include "common/policy/view_lines.h"

enum { NAME_WIDTH = 8 };

/* How it is with the part's processes, where that is worth a word. */
static struct buf *begin_part(struct view_lines *lines, const char *name,
                              const struct shadow_part *part)
{
    struct buf *out = view_lines_add(lines, 0);
    buf_append_format(out, "  %-*s ", NAME_WIDTH, name);
    if (part->is_elsewhere)
        buf_append_text(out, "elsewhere · ");
    else if (part->running < part->wanted)
        buf_append_format(out, "%zu of %zu running · ", part->running, part->wanted);
    if (part->restarts)
        buf_append_format(out, "restarted %" PRIu64 " time%s · ", part->restarts,
                          plural_end(part->restarts));
    return out;
}

static void append_verify(struct buf *out, const struct shadow_state *state)
{
    if (!state->has_compared) {
        buf_append_text(out, "nothing told yet");
        return;
    }
    view_lines_append_count(out, "", state->compared, " compared");
    view_lines_append_count(out, " · ", state->discrepancies,
                            state->discrepancies == 1 ? " discrepancy" : " discrepancies");
    if (state->compared)
        buf_append_format(out, " · rate at most %.3g %%", state->upper * 100);
    if (!state->has_full_pass)
        return;
    view_lines_append_count(out, " · full pass: ", state->full_pass_problems,
                            state->full_pass_problems == 1 ? " problem" : " problems");
    if (state->full_pass_not_whole)
        buf_append_text(out, ", not whole");
}

static void append_work(struct buf *out, const struct shadow_state *state)
{
    char text[28];
    view_lines_append_count(out, "", state->committed, " of ");
    view_lines_append_count(out, "", state->total, " committed");
    view_lines_append_count(out, " · lag ", state->lag, "");
    uint64_t rate = state->per_second > 0 ? (uint64_t)(state->per_second + 0.5) : 0;
    buf_append_format(out, " · %s/s", text_format_count(rate, text));
    if (state->dead)
        view_lines_append_count(out, " · ", state->dead, " dead-lettered");
}

void shadow_view_append(struct buf *out, const struct shadow_state *state, int width, int height)
{
    struct view_lines lines;
    view_lines_begin(&lines, width);
    struct buf *line = begin_part(&lines, "produce", &state->produce);
    if (state->produce.is_elsewhere) {
        buf_append_text(line, "drover produce --follow");
    } else {
        view_lines_append_count(line, "", state->produced, " sent");
        if (state->has_rejected && state->rejected)
            view_lines_append_count(line, " · ", state->rejected, " rejected");
    }
    append_work(begin_part(&lines, "work", &state->work), state);
    line = begin_part(&lines, "verify", &state->verify);
    if (state->verify.is_elsewhere)
        buf_append_text(line, "drover verify --follow");
    else
        append_verify(line, state);
    view_lines_add_outages(&lines, 0, &state->outages, state->now_ms, "  ");
    line = view_lines_add(&lines, 0);
    buf_append_format(line, "  %-*s up ", NAME_WIDTH, "");
    outage_append_time(line, state->up_ms);
    buf_append_text(line, state->is_stopping ? " · stopping" : " · Ctrl-C stops");
    view_lines_end(&lines, height, out);
}

static void append_plain_part(struct buf *out, const char *name, const struct shadow_part *part)
{
    if (!part->is_elsewhere)
        buf_append_format(out, " %s=%zu/%zu", name, part->running, part->wanted);
    if (part->restarts)
        buf_append_format(out, " %s_restarts=%" PRIu64, name, part->restarts);
}

void shadow_view_append_plain(struct buf *out, const struct shadow_state *state)
{
    buf_append_text(out, "shadow");
    append_plain_part(out, "produce", &state->produce);
    append_plain_part(out, "work", &state->work);
    append_plain_part(out, "verify", &state->verify);
    buf_append_format(out,
                      " produced=%" PRIu64 " committed=%" PRIu64 "/%" PRIu64 " lag=%" PRIu64
                      " dead_lettered=%" PRIu64 " per_s=%.0f",
                      state->produced, state->committed, state->total, state->lag, state->dead,
                      state->per_second);
    if (state->has_compared)
        buf_append_format(out, " compared=%" PRIu64 " discrepancies=%" PRIu64, state->compared,
                          state->discrepancies);
    if (state->has_rejected)
        buf_append_format(out, " rejected=%" PRIu64, state->rejected);
    if (state->has_full_pass)
        buf_append_format(out, " full_pass_problems=%" PRIu64, state->full_pass_problems);
    if (state->full_pass_not_whole)
        buf_append_text(out, " full_pass_not_whole=1");
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (state->outages.of[service].is_on)
            buf_append_format(out, " %s_away_s=%" PRIu64, outage_word((enum outage_service)service),
                              (state->now_ms - state->outages.of[service].since_ms) / 1000);
}
