/* What a replay reads: found, and forgotten when it is read. */
#include "control/replay/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/log.h"
#include "common/io/mappings.h"
#include "common/model/message/offsets_gone.h"
#include "control/entity_word.h"
#include "control/replay/replay_kept.h"
#include "control/replay/replay_ranges.h"

enum { TEXT_LIMIT = 1 << 16 };

#define SERVER_MS REPLAY_SERVER_MS

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
    snprintf(replay->go_on, sizeof replay->go_on, "drover replay --resume %s", replay->id);
    return OUT_OK;
}

/* ---- found ------------------------------------------------------------------------------- */

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
    replay->plan.filter = (struct replay_filter){bytes_text(settings->replay_tenant),
                                                 bytes_text(settings->replay_entity)};
    return store->open_editor(settings, SERVER_MS, &replay->editor, err);
}

/* Under which mappings it is read. */
static enum outcome read_mappings(struct replay *replay, struct error *err)
{
    struct mapping_set mappings;
    enum outcome outcome = mapping_set_load(replay->settings, &mappings, err);
    if (outcome != OUT_OK)
        return outcome;
    mapping_set_pin(&mappings, store_of(replay->settings)->has_stage, replay->pin);
    replay->plan.mappings = bytes_text(replay->pin);
    outcome = entity_word_check(&mappings, replay->settings->replay_entity, err);
    mapping_set_free(&mappings);
    return outcome;
}

/* ---- what is gone ------------------------------------------------------------------------ */

/* Each of them, as far as there is room. */
static void list_gone(const struct replay *replay, struct error *err)
{
    char list[sizeof err->cause] = "";
    size_t size = 0;
    for (size_t i = 0; i < replay->count && size < sizeof list - 1; i++) {
        const struct replay_part *part = &replay->parts[i];
        if (part->gone_from >= part->gone_to)
            continue;
        int more = snprintf(list + size, sizeof list - size,
                            "%spartition %" PRId32 ": %" PRId64 " to %" PRId64, size ? ", " : "",
                            part->range.partition, part->gone_from, part->gone_to - 1);
        size += more > 0 ? (size_t)more : 0;
    }
    error_cause(err, "%s", list);
}

static void accept_gone(const struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_part *part = &replay->parts[i];
        if (part->gone_from < part->gone_to)
            log_line(LOG_WARN, "gap.accepted", "partition=%" PRId32 " from=%" PRId64 " to=%" PRId64,
                     part->range.partition, part->gone_from, part->gone_to - 1);
    }
}

/* Nothing is read around unasked. */
static enum outcome check_gone(struct replay *replay, struct error *err)
{
    const struct replay_part *first = NULL;
    uint64_t partitions = 0;
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_part *part = &replay->parts[i];
        if (part->gone_from >= part->gone_to)
            continue;
        first = first ? first : part;
        partitions++;
        replay->gone += (uint64_t)(part->gone_to - part->gone_from);
    }
    if (!first)
        return OUT_OK;
    if (replay->settings->accept_gap) {
        accept_gone(replay);
        return OUT_OK;
    }
    if (partitions == 1)
        offsets_gone(err, first->gone_from, first->gone_to, first->gone_were);
    else
        error_set(err, OUT_FATAL, ERR_KAFKA_OFFSET,
                  "%" PRIu64 " offsets of %" PRIu64
                  " partitions are gone from the topic, and were %s",
                  replay->gone, partitions, first->gone_were);
    error_where(err, "%s-%" PRId32, replay->topics[TOPIC_SOURCE], first->range.partition);
    if (partitions > 1)
        list_gone(replay, err);
    error_hint(err,
               "drover produce --again SOURCE… (it is safe) sends them once more; the same replay "
               "with --accept-gap reads what there is");
    return OUT_FATAL;
}

/* Nothing of those is there to be read. */
static void drop_empty(struct replay *replay)
{
    size_t count = 0;
    for (size_t i = 0; i < replay->count; i++)
        if (replay->parts[i].range.from < replay->parts[i].range.to)
            replay->parts[count++] = replay->parts[i];
    replay->count = count;
}

enum outcome replay_find(struct replay *replay, struct error *err)
{
    buf_init(&replay->texts, TEXT_LIMIT);
    enum outcome outcome = name_it(replay, err);
    if (outcome == OUT_OK)
        outcome = open_all(replay, err);
    if (outcome == OUT_OK)
        outcome = read_mappings(replay, err);
    if (outcome == OUT_OK && !replay->settings->replay_id)
        outcome = replay_ranges_plan(replay, err);
    if (outcome == OUT_OK)
        outcome = replay_kept_find(replay, err);
    if (outcome == OUT_OK)
        outcome = check_gone(replay, err);
    drop_empty(replay);
    return outcome;
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
