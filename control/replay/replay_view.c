/* What a replay shows: while it reads, one line in place; in the end, what changed. */
#include "control/replay/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/terminal.h"
#include "common/io/terminal_live.h"
#include "worker/worker.h"

enum {
    DRAW_MS = 250,
    LINE_LIMIT = 4096,
    TALLY_TEXT_LIMIT = 1 << 20,
};

struct replay_view {
    struct replay *replay; /* whose counts are filled in the end */
    struct terminal_live live;
    bool draws;
    uint64_t drawn_ms;
    uint64_t read; /* the most that was seen: a worker that has ended holds no partitions */
};

static void append_counts(struct buf *out, const struct worker_counts *counts)
{
    static const enum record_class SHOWN[] = {CLASS_APPLIED,  CLASS_UNCHANGED, CLASS_SUPERSEDED,
                                              CLASS_CONFLICT, CLASS_DEAD,      CLASS_WAITING,
                                              CLASS_RECOVERED};
    static const char *const WORDS[] = {"applied", "unchanged", "superseded", "in conflict",
                                        "dead",    "waiting",   "recovered"};
    char number[28];
    for (size_t i = 0; i < sizeof SHOWN / sizeof SHOWN[0]; i++)
        if (i < 5 || counts->classes[SHOWN[i]])
            buf_append_format(out, "%s%s %s", i ? ", " : "",
                              text_format_count(counts->classes[SHOWN[i]], number), WORDS[i]);
    if (counts->passed_over)
        buf_append_format(out, ", %s passed over", text_format_count(counts->passed_over, number));
}

/* Of what this worker has written by now; what is elsewhere stands as it was when it was asked. */
static uint64_t read_by_now(const struct replay *replay, const struct worker *worker)
{
    uint64_t read = 0;
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_part *part = &replay->parts[i];
        const struct partition *partition =
            partitions_find(&worker->partitions, part->range.partition);
        int64_t next = part->next_offset;
        if (partition && partition->next_offset > next)
            next = partition->next_offset;
        read += next > part->range.from ? (uint64_t)(next - part->range.from) : 0;
    }
    return read;
}

static void draw(struct replay_view *view, const struct worker_counts *counts)
{
    char numbers[2][28];
    struct buf line;
    uint64_t all, before;
    replay_sum(view->replay, &all, &before);
    buf_init(&line, LINE_LIMIT);
    buf_append_format(&line, "replay %s: %d %%, %s of %s offsets\n", view->replay->id,
                      all ? (int)(view->read * 100 / all) : 100,
                      text_format_count(view->read, numbers[0]),
                      text_format_count(all, numbers[1]));
    append_counts(&line, counts);
    buf_append_char(&line, '\n');
    terminal_live_draw(&view->live, buf_view(&line));
    buf_free(&line);
}

static void see(struct replay_view *view, uint64_t read)
{
    view->read = read > view->read ? read : view->read;
}

void replay_view_on_tick(void *owner, const struct worker *worker, bool done)
{
    struct replay_view *view = owner;
    uint64_t now_ms = clock_monotonic_ms();
    see(view, read_by_now(view->replay, worker));
    if (done)
        view->replay->counts = worker->state.counts;
    if (done || !view->draws || now_ms - view->drawn_ms < DRAW_MS)
        return;
    view->drawn_ms = now_ms;
    draw(view, &worker->state.counts);
}

void replay_view_end(struct replay_view *view)
{
    uint64_t all, read;
    replay_sum(view->replay, &all, &read);
    see(view, read);
    if (view->draws) {
        draw(view, &view->replay->counts);
        terminal_live_close(&view->live);
    }
    free(view);
}

struct replay_view *replay_view_new(struct replay *replay)
{
    const struct settings *settings = replay->settings;
    struct replay_view *view = mem_new(sizeof *view);
    view->replay = replay;
    view->draws =
        terminal_is(STDERR_FILENO) && !settings->json && !settings->plain && !settings->quiet;
    if (view->draws)
        terminal_live_open(&view->live, STDERR_FILENO);
    return view;
}

/* ---- the end ----------------------------------------------------------------------------- */

static void append_json(struct json_out *out, const struct replay *replay, bool done)
{
    const struct worker_counts *counts = &replay->counts;
    uint64_t all, read;
    replay_sum(replay, &all, &read);
    json_out_text(out, "replay", replay->id);
    json_out_text(out, "group", replay->group);
    json_out_bool(out, "dry_run", replay->settings->dry_run);
    json_out_bool(out, "done", done);
    json_out_count(out, "offsets", all);
    json_out_count(out, "offsets_read", read);
    json_out_list(out, "partitions");
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_part *part = &replay->parts[i];
        json_out_object(out, NULL);
        json_out_int(out, "partition", part->range.partition);
        json_out_int(out, "from", part->range.from);
        json_out_int(out, "to", part->range.to);
        json_out_int(out, "next_offset", part->next_offset);
        json_out_int(out, "gone", part->gone_to - part->gone_from);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_count(out, "read", counts->taken + counts->passed_over);
    json_out_count(out, "passed_over", counts->passed_over);
    json_out_object(out, "counts");
    for (int i = 0; i < CLASS_COUNT; i++)
        if (i != CLASS_REJECTED && i != CLASS_WITHHELD)
            json_out_count(out, record_class_name((enum record_class)i), counts->classes[i]);
    json_out_end(out);
    json_out_count(out, "dead_letters_resolved", replay->resolved);
    dead_letter_tally_append_json(&replay->dead, out, "dead_letters_by_code");
    json_out_seconds(out, "duration_seconds", clock_monotonic_ms() - replay->began_ms);
}

static void print_ranges(const struct replay *replay)
{
    char number[28];
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_part *part = &replay->parts[i];
        uint64_t count = (uint64_t)(part->range.to - part->range.from);
        printf("partition %" PRId32 ": %s offset%s, %" PRId64 " to %" PRId64, part->range.partition,
               text_format_count(count, number), count == 1 ? "" : "s", part->range.from,
               part->range.to - 1);
        if (part->next_offset > part->range.from)
            printf(", read up to %" PRId64, part->next_offset);
        printf("\n");
    }
}

/* What was accepted. */
static void print_gone(const struct replay *replay)
{
    char number[28];
    if (replay->gone)
        printf("%s offset%s that %s asked for %s gone from the topic\n",
               text_format_count(replay->gone, number), replay->gone == 1 ? "" : "s",
               replay->gone == 1 ? "was" : "were", replay->gone == 1 ? "is" : "are");
}

/* Which codes, and where to look. */
static void print_dead(const struct replay *replay)
{
    struct buf text;
    if (!replay->dead.total)
        return;
    buf_init(&text, TALLY_TEXT_LIMIT);
    dead_letter_tally_append(&replay->dead, &text);
    printf("dead letters of it:\n%sNext:  drover dlq list\n", buf_text(&text));
    buf_free(&text);
}

static void print_nothing(const struct replay *replay)
{
    const char *from = replay->settings->replay_from;
    if (replay->nothing == REPLAY_NOTHING_YET)
        printf("nothing to read: the topic ends before --from %s\n", from);
    else if (replay->nothing == REPLAY_NOTHING_TAKEN)
        printf("nothing to read: the workers have not come as far%s%s yet, and read it themselves; "
               "--to reads beyond them\n",
               from ? " as --from " : "", from ? from : "");
    else
        printf("nothing to read: there is no message in what was asked for\n");
}

void replay_show(const struct replay *replay, bool done)
{
    const struct worker_counts *counts = &replay->counts;
    char numbers[2][28];
    struct buf line;
    uint64_t all, read, taken = counts->taken + counts->passed_over;
    if (replay->settings->json) {
        append_json(answer_body(replay->settings->answer), replay, done);
        return;
    }
    replay_sum(replay, &all, &read);
    if (replay->count == 0) {
        print_nothing(replay);
        print_gone(replay);
        return;
    }
    if (replay->settings->dry_run) {
        print_ranges(replay);
        print_gone(replay);
        printf("%s offsets would be read by replay %s\n", text_format_count(all - read, numbers[0]),
               replay->id);
        return;
    }
    buf_init(&line, LINE_LIMIT);
    append_counts(&line, counts);
    printf("replay %s: %s record%s read: %s\n", replay->id, text_format_count(taken, numbers[0]),
           taken == 1 ? "" : "s", buf_text(&line));
    if (replay->resolved)
        printf("%s dead letter%s landed: resolved\n",
               text_format_count(replay->resolved, numbers[0]), replay->resolved == 1 ? "" : "s");
    print_gone(replay);
    if (done && taken < all)
        printf("%s offsets in all; the others were read by earlier calls, or are no messages\n",
               text_format_count(all, numbers[0]));
    if (!done)
        printf("%s of %s offsets are read: the same command goes on, or drover replay --resume "
               "%s\n",
               text_format_count(read, numbers[0]), text_format_count(all, numbers[1]), replay->id);
    print_dead(replay);
    buf_free(&line);
}
