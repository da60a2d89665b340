/* What a replay reads: found, kept with its checkpoints, and forgotten when it is read. */
#include "control/replay/replay.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/policy/apply/sequence.h"
#include "control/moment.h"
#include "control/partition_words.h"

enum {
    SERVER_MS = 8000,
    TEXT_LIMIT = 1 << 16,
};

/* ---- its name ---------------------------------------------------------------------------- */

static void append_word(struct buf *out, const char *word)
{
    buf_append_json(out, bytes_text(word ? word : ""));
}

/* The same words are the same replay. */
static void make_id(const struct settings *settings, char id[REPLAY_ID_SIZE])
{
    struct buf text;
    buf_init(&text, 1u << 20);
    append_word(&text, settings->migration);
    for (size_t i = 0; i < settings->replay_partitions.count; i++)
        append_word(&text, settings->replay_partitions.items[i]);
    append_word(&text, settings->replay_from);
    append_word(&text, settings->replay_to);
    append_word(&text, settings->replay_tenant);
    append_word(&text, settings->replay_entity);
    append_word(&text, settings->replay_rewrite ? "rewrite" : "");
    snprintf(id, REPLAY_ID_SIZE, "%08" PRIx32, (uint32_t)hash64(buf_view(&text)));
    buf_free(&text);
}

static enum outcome name_it(struct replay *replay, struct error *err)
{
    const struct settings *settings = replay->settings;
    if (!settings->replay_id)
        make_id(settings, replay->id);
    else if (strlen(settings->replay_id) < REPLAY_ID_SIZE &&
             strspn(settings->replay_id, "0123456789abcdef") == strlen(settings->replay_id))
        snprintf(replay->id, sizeof replay->id, "%s", settings->replay_id);
    else
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "--resume takes the name of a replay, as it "
                         "said it when it began");
    int size =
        snprintf(replay->group, sizeof replay->group, "%s.replay.%s", settings->group, replay->id);
    if (size < 0 || (size_t)size >= sizeof replay->group)
        return error_set(err, OUT_FATAL, ERR_CONF_VALUE, "the name of the group is too long");
    return OUT_OK;
}

/* ---- its ranges -------------------------------------------------------------------------- */

/* An offset, or a time: then the first message of each partition that is not older. `offsets` by
 * partition. */
static enum outcome take_place(struct replay *replay, const char *flag, const char *text,
                               int64_t *offsets, struct error *err)
{
    int64_t offset, at_ms;
    if (text_parse_int64(bytes_text(text), &offset) && offset >= 0) {
        for (int32_t i = 0; i < replay->partition_count; i++)
            offsets[i] = offset;
        return OUT_OK;
    }
    if (!moment_parse(text, &at_ms)) {
        error_set(err, OUT_FATAL, ERR_USAGE, "%s takes an offset, or a time", flag);
        error_where(err, "%.60s", text);
        error_hint(err, "an offset, or " MOMENT_FORMS);
        return OUT_FATAL;
    }
    if (bus_offsets_at(replay->bus, replay->topics[TOPIC_SOURCE], at_ms, offsets,
                       replay->partition_count, SERVER_MS))
        return OUT_OK;
    return error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE,
                     "Kafka did not say which messages are of that time");
}

/* What the workers have taken, unless it is said how far; never beyond what is there. */
static enum outcome end_at_workers(struct replay *replay, int64_t *to, struct error *err)
{
    struct checkpoint_image image;
    enum outcome outcome = OUT_OK;
    checkpoint_image_init(&image);
    for (int32_t i = 0; i < replay->partition_count && outcome == OUT_OK; i++) {
        const struct checkpoint_place place = {replay->settings->group,
                                               replay->topics[TOPIC_SOURCE], i};
        outcome = checkpoint_editor_read(replay->editor, &place, &image, err);
        to[i] = image.next_offset;
    }
    checkpoint_image_free(&image);
    return outcome;
}

static void add_part(struct replay *replay, int32_t number, int64_t from, int64_t to)
{
    const struct bus_range *topic = &replay->topic[number];
    struct replay_part *part = &replay->parts[replay->count];
    to = to < topic->to ? to : topic->to;
    *part = (struct replay_part){.range = {number, from > topic->from ? from : topic->from, to},
                                 .gone = from >= 0 && from < topic->from ? topic->from - from : 0};
    part->next_offset = part->range.from;
    if (part->range.from < part->range.to)
        replay->count++;
}

static enum outcome plan(struct replay *replay, struct error *err)
{
    const struct settings *settings = replay->settings;
    size_t count = (size_t)replay->partition_count;
    int64_t *from = mem_zeroed(count, sizeof *from), *to = mem_zeroed(count, sizeof *to);
    bool *chosen = mem_zeroed(count, sizeof *chosen);
    enum outcome outcome = partition_words_choose(&settings->replay_partitions, "--partition ",
                                                  chosen, replay->partition_count, err);
    for (size_t i = 0; i < count; i++)
        from[i] = -1;
    if (outcome == OUT_OK && settings->replay_from)
        outcome = take_place(replay, "--from", settings->replay_from, from, err);
    if (outcome == OUT_OK && settings->replay_to)
        outcome = take_place(replay, "--to", settings->replay_to, to, err);
    else if (outcome == OUT_OK)
        outcome = end_at_workers(replay, to, err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        if (chosen[i])
            add_part(replay, (int32_t)i, from[i], to[i]);
    replay->filter = (struct replay_filter){bytes_text(settings->replay_tenant),
                                            bytes_text(settings->replay_entity)};
    free(from);
    free(to);
    free(chosen);
    return outcome;
}

/* ---- its checkpoints --------------------------------------------------------------------- */

static struct replay_part *part_of(struct replay *replay, int32_t number)
{
    for (size_t i = 0; i < replay->count; i++)
        if (replay->parts[i].range.partition == number)
            return &replay->parts[i];
    struct replay_part *part = &replay->parts[replay->count++];
    *part = (struct replay_part){.range.partition = number};
    return part;
}

/* What an earlier call began is what is read. */
static void take_kept(struct replay *replay, int32_t number, const struct checkpoint_image *image)
{
    struct replay_range range = {.partition = number};
    struct replay_filter filter;
    if (!image->exists ||
        !replay_plan_parse(buf_view(&image->sequences), &range, &filter, &replay->texts))
        return;
    struct replay_part *part = part_of(replay, number);
    range.partition = number;
    *part = (struct replay_part){.range = range, .next_offset = image->next_offset, .kept = true};
    snprintf(part->owner, sizeof part->owner, "%s", image->owner);
    replay->filter = filter;
}

static enum outcome find_kept(struct replay *replay, struct error *err)
{
    struct checkpoint_image image;
    enum outcome outcome = OUT_OK;
    checkpoint_image_init(&image);
    for (int32_t i = 0; i < replay->partition_count && outcome == OUT_OK; i++) {
        const struct checkpoint_place place = {replay->group, replay->topics[TOPIC_SOURCE], i};
        outcome = checkpoint_editor_read(replay->editor, &place, &image, err);
        if (outcome == OUT_OK)
            take_kept(replay, i, &image);
    }
    checkpoint_image_free(&image);
    return outcome;
}

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

static enum outcome refuse_another(const struct replay *replay, struct error *err)
{
    for (size_t i = 0; i < replay->count; i++) {
        if (!lives_here(replay->parts[i].owner))
            continue;
        error_set(err, OUT_FATAL, ERR_REPLAYED, "the replay %s is being read by %s", replay->id,
                  replay->parts[i].owner);
        return OUT_FATAL;
    }
    return OUT_OK;
}

static enum outcome open_all(struct replay *replay, struct error *err)
{
    const struct settings *settings = replay->settings;
    const struct store *store = store_of(settings);
    size_t count = 0;
    if (!store->open_editor)
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "storage memory ends with the run that filled it");
    enum outcome outcome =
        topic_format_all(settings->prefix, settings->migration, replay->topics, err);
    replay->bus = kafka_bus_new(settings, NULL);
    kafka_bus_answer_within(replay->bus, SERVER_MS);
    if (outcome == OUT_OK)
        outcome = bus_ranges(replay->bus, replay->topics[TOPIC_SOURCE], SERVER_MS, &replay->topic,
                             &count, err);
    if (outcome == OUT_OK && count == 0)
        outcome = kafka_topics_no_migration(settings, err);
    if (outcome != OUT_OK)
        return outcome;
    replay->partition_count = (int32_t)count;
    replay->parts = mem_zeroed(count + 1, sizeof *replay->parts); /* one may turn out empty */
    return store->open_editor(settings, SERVER_MS, &replay->editor, err);
}

enum outcome replay_find(struct replay *replay, struct error *err)
{
    buf_init(&replay->texts, TEXT_LIMIT);
    enum outcome outcome = name_it(replay, err);
    if (outcome == OUT_OK)
        outcome = open_all(replay, err);
    if (outcome == OUT_OK && !replay->settings->replay_id)
        outcome = plan(replay, err);
    if (outcome == OUT_OK)
        outcome = find_kept(replay, err);
    if (outcome == OUT_OK && replay->settings->replay_id && replay->count == 0) {
        outcome =
            error_set(err, OUT_FATAL, ERR_USAGE, "there is no replay %s to go on with", replay->id);
        error_hint(err, "it has ended, or is of another group");
    }
    return outcome == OUT_OK ? refuse_another(replay, err) : outcome;
}

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

static enum outcome make_part(struct replay *replay, struct replay_part *part, struct error *err)
{
    const int32_t number = part->range.partition;
    const struct checkpoint_place workers = {replay->settings->group, replay->topics[TOPIC_SOURCE],
                                             number};
    const struct checkpoint_place place = {replay->group, replay->topics[TOPIC_SOURCE], number};
    const struct checkpoint_image none = {0};
    struct checkpoint_image image, now;
    struct log_place clock;
    bool made = false;
    checkpoint_image_init(&image);
    checkpoint_image_init(&now);
    enum outcome outcome = checkpoint_editor_read(replay->editor, &workers, &image, err);
    if (outcome == OUT_OK) {
        keep_clock(part, replay->topic[number].from, &image, &clock);
        now.next_offset = now.redis_next = now.results_next = part->range.from;
        sequence_append(&(struct sequences){0}, &clock, &now.sequences);
        now.sequences.size--;
        if (now.sequences.data[now.sequences.size - 1] != '{')
            buf_append_char(&now.sequences, ',');
        replay_plan_append(&now.sequences, &part->range, &replay->filter);
        buf_append_char(&now.sequences, '}');
        outcome = checkpoint_editor_move(replay->editor, &place, &none, &now, &made, err);
    }
    if (outcome == OUT_OK && !made)
        outcome = error_set(err, OUT_FATAL, ERR_REPLAYED,
                            "another call has just begun the replay %s", replay->id);
    part->kept = outcome == OUT_OK;
    checkpoint_image_free(&image);
    checkpoint_image_free(&now);
    return outcome;
}

enum outcome replay_make(struct replay *replay, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < replay->count && outcome == OUT_OK; i++)
        if (!replay->parts[i].kept)
            outcome = make_part(replay, &replay->parts[i], err);
    return outcome;
}

enum outcome replay_look(struct replay *replay, bool *done, struct error *err)
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

enum outcome replay_forget(struct replay *replay, struct error *err)
{
    return checkpoint_editor_forget(replay->editor, replay->group, replay->topics[TOPIC_SOURCE],
                                    replay->partition_count, err);
}

void replay_sum(const struct replay *replay, uint64_t *all, uint64_t *read)
{
    *all = *read = 0;
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_part *part = &replay->parts[i];
        int64_t next = part->next_offset < part->range.to ? part->next_offset : part->range.to;
        *all += (uint64_t)(part->range.to - part->range.from);
        *read += next > part->range.from ? (uint64_t)(next - part->range.from) : 0;
    }
}

void replay_close(struct replay *replay)
{
    checkpoint_editor_close(replay->editor);
    kafka_bus_free(replay->bus);
    buf_free(&replay->texts);
    free(replay->topic);
    free(replay->parts);
}
