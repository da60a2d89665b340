/* See the header. */
#include <inttypes.h>

#include "common/base/text.h"
#include "common/base/text_width.h"
#include "common/policy/shadow_view.h"

enum {
    LINE_LIMIT = 4096,
    NAME_WIDTH = 8,
};

struct screen {
    int width, room; /* columns; lines that may still come */
    struct buf line;
    struct buf *out;
};

static void end_line(struct screen *screen)
{
    if (screen->room > 0) {
        text_append_fit(screen->out, buf_view(&screen->line), screen->width);
        buf_append_char(screen->out, '\n');
    }
    screen->room--;
    buf_reset(&screen->line);
}

static void append_count(struct buf *out, const char *before, uint64_t count, const char *what)
{
    char text[28];
    buf_append_format(out, "%s%s%s", before, text_format_count(count, text), what);
}

/* How it is with the part's processes, where that is worth a word. */
static void begin_part(struct screen *screen, const char *name, const struct shadow_part *part)
{
    struct buf *out = &screen->line;
    buf_append_format(out, "  %-*s ", NAME_WIDTH, name);
    if (part->is_elsewhere)
        buf_append_text(out, "elsewhere · ");
    else if (part->running < part->wanted)
        buf_append_format(out, "%zu of %zu running · ", part->running, part->wanted);
    if (part->restarts)
        buf_append_format(out, "restarted %" PRIu64 " time%s · ", part->restarts,
                          part->restarts == 1 ? "" : "s");
}

static void append_verify(struct buf *out, const struct shadow_state *state)
{
    if (!state->has_compared) {
        buf_append_text(out, "nothing told yet");
        return;
    }
    append_count(out, "", state->compared, " compared");
    append_count(out, " · ", state->discrepancies, " discrepancies");
    if (state->compared)
        buf_append_format(out, " · rate at most %.3g %%", state->upper * 100);
}

static void append_work(struct buf *out, const struct shadow_state *state)
{
    char text[28];
    append_count(out, "", state->committed, " of ");
    append_count(out, "", state->total, " committed");
    append_count(out, " · lag ", state->lag, "");
    uint64_t rate = state->per_second > 0 ? (uint64_t)(state->per_second + 0.5) : 0;
    buf_append_format(out, " · %s/s", text_format_count(rate, text));
    if (state->dead)
        append_count(out, " · ", state->dead, " dead-lettered");
}

void shadow_view_append(struct buf *out, const struct shadow_state *state, int width, int height)
{
    struct screen screen = {.width = width, .room = height - 1, .out = out};
    buf_init(&screen.line, LINE_LIMIT);
    begin_part(&screen, "produce", &state->produce);
    if (state->produce.is_elsewhere) {
        buf_append_text(&screen.line, "drover produce --follow");
    } else {
        append_count(&screen.line, "", state->produced, " sent");
        if (state->rejected)
            append_count(&screen.line, " · ", state->rejected, " rejected");
    }
    end_line(&screen);
    begin_part(&screen, "work", &state->work);
    append_work(&screen.line, state);
    end_line(&screen);
    begin_part(&screen, "verify", &state->verify);
    if (state->verify.is_elsewhere)
        buf_append_text(&screen.line, "drover verify --follow");
    else
        append_verify(&screen.line, state);
    end_line(&screen);
    for (int service = 0; service < OUTAGE_SERVICES; service++) {
        if (!state->outages.of[service].is_on)
            continue;
        outage_append_line(&screen.line, &state->outages, (enum outage_service)service,
                           state->now_ms, "  ", width);
        end_line(&screen);
    }
    buf_append_format(&screen.line, "  %-*s up ", NAME_WIDTH, "");
    outage_append_time(&screen.line, state->up_ms);
    buf_append_text(&screen.line, state->is_stopping ? " · stopping" : " · Ctrl-C stops");
    end_line(&screen);
    buf_free(&screen.line);
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
                      " produced=%" PRIu64 " rejected=%" PRIu64 " committed=%" PRIu64 "/%" PRIu64
                      " lag=%" PRIu64 " dead_lettered=%" PRIu64 " per_s=%.0f",
                      state->produced, state->rejected, state->committed, state->total, state->lag,
                      state->dead, state->per_second);
    if (state->has_compared)
        buf_append_format(out, " compared=%" PRIu64 " discrepancies=%" PRIu64, state->compared,
                          state->discrepancies);
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (state->outages.of[service].is_on)
            buf_append_format(out, " %s_away_s=%" PRIu64, outage_word((enum outage_service)service),
                              (state->now_ms - state->outages.of[service].since_ms) / 1000);
}
