#include "common/policy/live_view.h"

#include <inttypes.h>

#include "common/base/text.h"
#include "common/base/text_width.h"
#include "common/policy/view_lines.h"

enum {
    LINE_LIMIT = 4096,
    WIDE_BAR = 22,
    NORMAL_BAR = 14,
    NARROW_BAR = 6,
    WIDE_SCREEN = 100,
    NORMAL_SCREEN = 60,
    NARROW_SCREEN = 36, /* below it there is no bar */
};

/* The order of the lines on the screen. What matters least goes first where there is no room. */
enum line {
    LINE_PRODUCE,
    LINE_WORK,
    LINE_VERIFY,
    LINE_OUTAGE,
    LINE_MACHINE = LINE_OUTAGE + OUTAGE_SERVICES,
    LINES,
};

struct screen {
    int width;
    struct buf *lines[LINES];
};

/* ---- parts of lines */

/* `part` when all of it still fits; else the line ends before it, or goes on with a shorter part.
 */
static void add(struct screen *screen, enum line line, struct buf *part)
{
    struct buf *out = screen->lines[line];
    if (text_width(buf_view(out)) + text_width(buf_view(part)) <= screen->width)
        buf_append_bytes(out, buf_view(part));
    buf_reset(part);
}

/* A full cell and its eighths, in UTF-8. */
static void append_bar(struct buf *out, double share, int cells)
{
    static const char *const EIGHTHS[] = {"·", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int eighths = (int)(share * cells * 8 + 0.5);
    for (int cell = 0; cell < cells; cell++) {
        int rest = eighths - cell * 8;
        buf_append_text(out, rest >= 8 ? "█" : EIGHTHS[rest > 0 ? rest : 0]);
    }
}

static int bar_cells(int width)
{
    if (width >= WIDE_SCREEN)
        return WIDE_BAR;
    if (width >= NORMAL_SCREEN)
        return NORMAL_BAR;
    return width >= NARROW_SCREEN ? NARROW_BAR : 0;
}

/* 100 % is said of a finished thing only. */
static void add_head(struct screen *screen, enum line line, const char *name, uint64_t done,
                     uint64_t total)
{
    struct buf *out = screen->lines[line];
    double share = total ? (double)done / (double)total : 0;
    share = share > 1 ? 1 : share;
    int percent = (int)(share * 100);
    if (percent > 99 && done < total)
        percent = 99;
    int cells = bar_cells(screen->width);
    buf_append_format(out, cells ? "  %-8s " : "%-8s", name);
    append_bar(out, share, cells);
    buf_append_format(out, " %3d%%", percent);
}

static void add_count(struct screen *screen, enum line line, struct buf *part, const char *before,
                      uint64_t count, const char *what)
{
    view_lines_append_count(part, before, count, what);
    add(screen, line, part);
}

static void add_done(struct screen *screen, enum line line, struct buf *part, uint64_t span_ms)
{
    buf_append_format(part, "  done %.1fs", (double)span_ms / 1000.0);
    add(screen, line, part);
}

/* ---- lines */

/* What became of records, in what room the line has left. */
static void add_sum(struct screen *screen, enum line line, const struct totals_set *set,
                    const uint64_t *counts, const char *unit, struct buf *part)
{
    int room = screen->width - text_width(buf_view(screen->lines[line])) - 2;
    buf_append_text(part, "  ");
    totals_append_short(part, set, counts, unit, room);
    if (part->size > 2)
        add(screen, line, part);
    buf_reset(part);
}

static void make_produce(struct screen *screen, const struct live_state *state, struct buf *part)
{
    char sizes[2][16];
    uint64_t done = state->bytes, total = state->total_bytes;
    if (state->is_produced && total == 0)
        done = total = 1; /* an unknown total, all of it read */
    add_head(screen, LINE_PRODUCE, "produce", done, total);
    add_sum(screen, LINE_PRODUCE, &TOTALS_PRODUCE, state->produce, "read", part);
    if (state->is_produced)
        add_done(screen, LINE_PRODUCE, part, state->produce_ms);
    buf_append_format(part, "  %s", text_format_size(state->bytes, sizes[0]));
    if (state->total_bytes)
        buf_append_format(part, " of %s", text_format_size(state->total_bytes, sizes[1]));
    add(screen, LINE_PRODUCE, part);
}

static void make_work(struct screen *screen, const struct live_state *state, struct buf *part)
{
    add_head(screen, LINE_WORK, "work", state->committed, state->total);
    add_sum(screen, LINE_WORK, &TOTALS_WORK, state->work, "taken", part);
    if (state->is_worked)
        add_done(screen, LINE_WORK, part, state->work_ms);
}

static void make_verify(struct screen *screen, const struct live_state *state, struct buf *part)
{
    char texts[2][28];
    add_head(screen, LINE_VERIFY, "verify", state->compared, state->to_compare);
    buf_append_format(part, "  %s of %s", text_format_count(state->compared, texts[0]),
                      text_format_count(state->to_compare, texts[1]));
    add(screen, LINE_VERIFY, part);
    buf_append_text(part, " compared");
    add(screen, LINE_VERIFY, part);
}

static bool is_any_away(const struct live_state *state)
{
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (state->outages.of[service].is_on)
            return true;
    return false;
}

/* A server that is away says why there is no answer; one that stands still does not. */
static void make_machine(struct screen *screen, const struct live_state *state, struct buf *part)
{
    char text[28], sizes[2][16];
    if (bar_cells(screen->width))
        buf_append_text(screen->lines[LINE_MACHINE], "           ");
    uint64_t rate = state->per_second > 0 ? (uint64_t)(state->per_second + 0.5) : 0;
    buf_append_format(part, "%s/s", text_format_count(rate, text));
    add(screen, LINE_MACHINE, part);
    bool old = state->age_ms >= LIVE_OLD_MS && !is_any_away(state);
    if (old) {
        buf_append_text(part, " · no answer for ");
        outage_append_time(part, state->age_ms);
        add(screen, LINE_MACHINE, part);
    } else {
        add_count(screen, LINE_MACHINE, part, " · lag ", state->lag, "");
    }
    if (state->waiting)
        add_count(screen, LINE_MACHINE, part, " · ", state->waiting, " pending in all");
    buf_append_text(part, state->is_stopping ? " · stopping" : " · Ctrl-C stops");
    add(screen, LINE_MACHINE, part);
    if (state->per_second >= 1 && state->lag && !old) {
        buf_append_text(part, " · ETA ");
        outage_append_time(part, (uint64_t)((double)state->lag / state->per_second * 1000) + 1000);
        add(screen, LINE_MACHINE, part);
    }
    buf_append_format(part, " · %zu worker%s", state->workers, state->workers == 1 ? "" : "s");
    add(screen, LINE_MACHINE, part);
    buf_append_format(part, " · %s of %s in flight",
                      text_format_size(state->in_flight_bytes, sizes[0]),
                      text_format_size(state->in_flight_max_bytes, sizes[1]));
    add(screen, LINE_MACHINE, part);
}

/* What is left out first where the terminal is low has the least. */
static const int WEIGHTS[LINES] = {
    [LINE_PRODUCE] = 2,
    [LINE_WORK] = 7,
    [LINE_VERIFY] = 6,
    [LINE_OUTAGE + OUTAGE_POSTGRES] = 5,
    [LINE_OUTAGE + OUTAGE_KAFKA] = 4,
    [LINE_OUTAGE + OUTAGE_REDIS] = 3,
    [LINE_MACHINE] = 1,
};

void live_view_append(struct buf *out, const struct live_state *state, int width, int height)
{
    struct screen screen = {.width = width};
    struct view_lines lines;
    struct buf part;
    buf_init(&part, LINE_LIMIT);
    view_lines_begin(&lines, width);
    for (int line = 0; line < LINES; line++)
        screen.lines[line] = view_lines_add(&lines, WEIGHTS[line]);
    make_produce(&screen, state, &part);
    make_work(&screen, state, &part);
    if (state->is_verifying)
        make_verify(&screen, state, &part);
    else
        make_machine(&screen, state, &part);
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (state->outages.of[service].is_on)
            outage_append_line(screen.lines[LINE_OUTAGE + service], &state->outages,
                               (enum outage_service)service, state->now_ms,
                               bar_cells(width) ? "  " : "", width);
    view_lines_end(&lines, height, out);
    buf_free(&part);
}

static void append_plain_work(struct buf *out, const struct live_state *state)
{
    buf_append_format(out, "run source_records=%" PRIu64,
                      totals_records(&TOTALS_PRODUCE, state->produce));
    totals_append_fields(out, &TOTALS_PRODUCE, state->produce);
    buf_append_format(out, " committed=%" PRIu64 "/%" PRIu64 " lag=%" PRIu64 " taken=%" PRIu64,
                      state->committed, state->total, state->lag,
                      totals_records(&TOTALS_WORK, state->work));
    totals_append_fields(out, &TOTALS_WORK, state->work);
    if (state->waiting)
        buf_append_format(out, " pending_in_all=%" PRIu64, state->waiting);
    buf_append_format(out, " per_s=%.0f", state->per_second);
}

void live_view_append_plain(struct buf *out, const struct live_state *state)
{
    if (state->is_verifying && !state->to_compare)
        buf_append_text(out, "verify begins"); /* it has not counted yet */
    else if (state->is_verifying)
        buf_append_format(out, "verify compared=%" PRIu64 " total=%" PRIu64, state->compared,
                          state->to_compare);
    else
        append_plain_work(out, state);
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (state->outages.of[service].is_on)
            buf_append_format(out, " %s_away_s=%" PRIu64, outage_word((enum outage_service)service),
                              (state->now_ms - state->outages.of[service].since_ms) / 1000);
}
