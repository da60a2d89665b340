#include "control/replay/replay_kept.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/io/log.h"
#include "common/model/message/offsets_gone.h"
#include "common/policy/apply/sequence.h"

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- found ------------------------------------------------------------------------------- */

/* A worker is called host-pid. One of another host may live or not: it is fenced when it does. */
static bool lives_here(const char *owner)
{
    char host[64] = "host", path[64], name[16] = "";
    int64_t pid = 0;
    gethostname(host, sizeof host - 1);
    size_t size = strlen(host);
    if (strncmp(owner, host, size) != 0 || owner[size] != '-' ||
        !text_parse_int64(bytes_text(owner + size + 1), &pid) || pid <= 0 ||
        pid == (int64_t)getpid() || kill((pid_t)pid, 0) != 0)
        return false;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/comm", pid);
    FILE *file = fopen(path, "re");
    bool read = file && fgets(name, sizeof name, file);
    if (file)
        fclose(file);
    return read && strncmp(name, "drover", 6) == 0;
}

static enum outcome refuse_another(const struct replay *replay,
                                   const struct checkpoint_image *image, struct error *err)
{
    if (!image->exists || !lives_here(image->owner))
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_REPLAYED, "the replay %s is being read by %s", replay->id,
                     image->owner);
}

static struct replay_part *part_of(struct replay *replay, int32_t number)
{
    for (size_t i = 0; i < replay->count; i++)
        if (replay->parts[i].range.partition == number)
            return &replay->parts[i];
    return &replay->parts[replay->count++];
}

/* From the checkpoint on, and from where the numbers are seen. */
static void find_gone(const struct replay *replay, struct replay_part *part)
{
    const struct replay_range *range = &part->range;
    int64_t low = replay->topic[range->partition].from;
    int64_t numbers_at = replay_numbers_at(range, part->next_offset);
    if (part->next_offset < range->to)
        replay_part_lost(part, min(part->next_offset, numbers_at), min(low, range->to),
                         OFFSETS_NOT_READ);
}

static void take_kept(struct replay *replay, int32_t number, const struct checkpoint_image *image,
                      size_t *kept)
{
    struct replay_range range;
    struct replay_plan plan;
    if (!image->exists ||
        !replay_plan_parse(buf_view(&image->sequences), &range, &plan, &replay->texts))
        return;
    if (!bytes_equal(plan.mappings, bytes_text(replay->pin))) {
        replay->has_other_mappings = true;
        return;
    }
    struct replay_part *part = part_of(replay, number);
    range.partition = number;
    *part = (struct replay_part){.range = range, .next_offset = image->next_offset, .kept = true};
    find_gone(replay, part);
    replay->plan.parts = max(replay->plan.parts, plan.parts);
    if (replay->settings->replay_id) /* else it is what was said again */
        replay->plan.filter = plan.filter;
    (*kept)++;
}

/* By its name alone it must be there, whole, and readable. */
static enum outcome check_named(const struct replay *replay, size_t kept, struct error *err)
{
    if (!replay->settings->replay_id)
        return OUT_OK;
    if (replay->has_other_mappings) {
        error_set(err, OUT_FATAL, ERR_MAPPING,
                  "the replay %s was begun under other mappings than these", replay->id);
        error_hint(err, "type drover replay with what it was asked for, without --resume: it "
                        "begins anew under these; or give it the mappings of then");
        return OUT_FATAL;
    }
    if (kept == 0) {
        error_set(err, OUT_FATAL, ERR_USAGE, "there is no replay %s to go on with", replay->id);
        error_hint(err, "it has ended, or is of another group");
        return OUT_FATAL;
    }
    if ((int64_t)kept >= replay->plan.parts)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_USAGE,
              "of the replay %s only %zu of %" PRId64 " partitions are "
              "kept: it was interrupted while it was being made, or taken away",
              replay->id, kept, replay->plan.parts);
    error_hint(err, "type drover replay with what it was asked for, without --resume: it makes the "
                    "rest and reads all of it");
    return OUT_FATAL;
}

enum outcome replay_kept_find(struct replay *replay, struct error *err)
{
    struct checkpoint_image image;
    enum outcome outcome = OUT_OK;
    size_t kept = 0;
    checkpoint_image_init(&image);
    for (int32_t i = 0; i < replay->partition_count && outcome == OUT_OK; i++) {
        const struct checkpoint_place place = {replay->group, replay->topics[TOPIC_SOURCE], i};
        outcome = checkpoint_editor_read(replay->editor, &place, &image, err);
        if (outcome == OUT_OK)
            outcome = refuse_another(replay, &image, err);
        if (outcome == OUT_OK)
            take_kept(replay, i, &image, &kept);
    }
    checkpoint_image_free(&image);
    return outcome == OUT_OK ? check_named(replay, kept, err) : outcome;
}

/* ---- made -------------------------------------------------------------------------------- */

/* A partition's checkpoints: the workers', and the replay's as it was and as it is to be. */
struct making {
    struct replay *replay;
    struct replay_part *part;
    struct checkpoint_image workers, was, now;
    struct sequences sequences;
    struct log_place clock;
};

/* Messages that bring no version have the one of the partition's clock, which is what all before
 * them made it: so reading begins at a place whose clock is known, or at the topic's head. */
static void keep_clock(const struct replay_part *part, int64_t low,
                       const struct checkpoint_image *workers, struct log_place *place)
{
    struct sequences ignored;
    struct log_place known = LOG_PLACE_NONE;
    *place = LOG_PLACE_NONE;
    if (!workers->exists || !sequence_parse(buf_view(&workers->sequences), &ignored, &known) ||
        known.from.end < 0)
        return;
    place->from = known.from.end <= part->range.from && known.from.end >= low
                      ? known.from
                      : (struct log_mark){low, 0};
    place->next = place->from;
}

static bool parse(const struct checkpoint_image *image, struct sequences *sequences,
                  struct log_place *place)
{
    *sequences = (struct sequences){0};
    *place = LOG_PLACE_NONE;
    return !image->exists || sequence_parse(buf_view(&image->sequences), sequences, place);
}

/* All runs are taken as they come, up to the topic's end of now. */
static void forget_numbers(struct making *making)
{
    making->sequences =
        (struct sequences){.open_until = making->replay->topic[making->part->range.partition].to};
}

/* The numbers are the workers', where they are known better than here: what they have passed, or
 * was given up for them, is no gap of the replay either. */
static enum outcome take_numbers(struct making *making, struct error *err)
{
    struct replay_range *range = &making->part->range;
    struct log_place place;
    int64_t low = making->replay->topic[range->partition].from;
    bool accepts = making->replay->settings->accept_gap;
    bool theirs = !making->was.exists ||
                  making->workers.next_offset >= replay_numbers_at(range, making->was.next_offset);
    if (theirs)
        range->numbers_from = making->workers.next_offset;
    bool ok = parse(theirs ? &making->workers : &making->was, &making->sequences, &place);
    if (replay_numbers_at(range, making->now.next_offset) >= range->to) {
        making->sequences = (struct sequences){0};
        return OUT_OK;
    }
    if (!ok && !accepts) {
        error_set(err, OUT_FATAL, ERR_SEQUENCES,
                  "the stored sequence numbers of partition %" PRId32 " cannot be read",
                  range->partition);
        return OUT_FATAL;
    }
    int64_t true_at =
        replay_numbers_at(range, making->was.exists ? making->was.next_offset : range->from);
    if (!ok || true_at < low)
        forget_numbers(making);
    if (true_at < low)
        range->numbers_from = low;
    return OUT_OK;
}

static void make_image(struct making *making)
{
    struct buf *text = &making->now.sequences;
    sequence_append(&making->sequences, &making->clock, text);
    text->size--;
    if (text->data[text->size - 1] != '{')
        buf_append_char(text, ',');
    replay_plan_append(text, &making->part->range, &making->replay->plan);
    buf_append_char(text, '}');
}

static enum outcome decide(struct making *making, struct error *err)
{
    const struct replay_range *range = &making->part->range;
    const struct checkpoint_image *was = &making->was;
    struct checkpoint_image *now = &making->now;
    struct sequences ignored;
    int64_t low = making->replay->topic[range->partition].from;
    int64_t at = was->exists ? max(was->next_offset, min(low, range->to)) : range->from;
    now->exists = true;
    now->next_offset = at;
    now->redis_next = was->exists ? max(was->redis_next, min(low, at)) : at;
    now->results_next = was->exists ? max(was->results_next, min(low, at)) : at;
    if (!was->exists)
        keep_clock(making->part, low, &making->workers, &making->clock);
    else if (!parse(was, &ignored, &making->clock))
        making->clock = LOG_PLACE_NONE;
    enum outcome outcome = take_numbers(making, err);
    if (outcome == OUT_OK)
        make_image(making);
    return outcome;
}

static enum outcome move(struct making *making, const struct checkpoint_place *place,
                         struct error *err)
{
    const struct checkpoint_image *was = &making->was, *now = &making->now;
    struct replay_part *part = making->part;
    bool moved = false;
    bool same = was->exists && was->next_offset == now->next_offset &&
                bytes_equal(buf_view(&was->sequences), buf_view(&now->sequences));
    enum outcome outcome =
        same ? OUT_OK
             : checkpoint_editor_move(making->replay->editor, place, was, now, &moved, err);
    if (outcome == OUT_OK && !same && !moved)
        outcome = error_set(err, OUT_FATAL, ERR_REPLAYED,
                            "another call has just begun the replay %s", making->replay->id);
    part->next_offset = now->next_offset;
    part->kept = part->kept || outcome == OUT_OK;
    return outcome;
}

static enum outcome make_part(struct replay *replay, struct replay_part *part, struct error *err)
{
    const int32_t number = part->range.partition;
    const char *source = replay->topics[TOPIC_SOURCE];
    const struct checkpoint_place workers = {replay->settings->group, source, number};
    const struct checkpoint_place place = {replay->group, source, number};
    struct making making = {.replay = replay, .part = part};
    struct checkpoint_image *const images[] = {&making.workers, &making.was, &making.now};
    for (int i = 0; i < 3; i++)
        checkpoint_image_init(images[i]);
    enum outcome outcome = checkpoint_editor_read(replay->editor, &workers, &making.workers, err);
    if (outcome == OUT_OK && part->kept)
        outcome = checkpoint_editor_read(replay->editor, &place, &making.was, err);
    if (outcome == OUT_OK)
        outcome = decide(&making, err);
    if (outcome == OUT_OK)
        outcome = move(&making, &place, err);
    for (int i = 0; i < 3; i++)
        checkpoint_image_free(images[i]);
    return outcome;
}

enum outcome replay_kept_forget(struct replay *replay, struct error *err)
{
    return checkpoint_editor_forget(replay->editor, replay->group, replay->topics[TOPIC_SOURCE],
                                    replay->partition_count, err);
}

enum outcome replay_kept_make(struct replay *replay, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (replay->has_other_mappings) {
        log_line(LOG_INFO, "replay.anew", "id=%s why=mappings", replay->id);
        outcome = replay_kept_forget(replay, err);
    }
    replay->plan.parts = (int64_t)replay->count;
    for (size_t i = 0; i < replay->count && outcome == OUT_OK; i++)
        outcome = make_part(replay, &replay->parts[i], err);
    return outcome;
}

enum outcome replay_kept_look(struct replay *replay, bool *done, struct error *err)
{
    struct checkpoint_image image;
    enum outcome outcome = OUT_OK;
    *done = true;
    checkpoint_image_init(&image);
    for (size_t i = 0; i < replay->count && outcome == OUT_OK; i++) {
        struct replay_part *part = &replay->parts[i];
        const struct checkpoint_place place = {replay->group, replay->topics[TOPIC_SOURCE],
                                               part->range.partition};
        outcome = checkpoint_editor_read(replay->editor, &place, &image, err);
        part->next_offset = image.next_offset;
        *done = *done && image.exists && image.next_offset >= part->range.to;
    }
    checkpoint_image_free(&image);
    return outcome;
}
