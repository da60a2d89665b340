#include "control/dlq/dead_letter_register.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/stop.h"

enum {
    TEXT_LIMIT = 1 << 20,
    CHECK_BACK = 1000, /* messages read again at most to tell that a topic is the same */
    TRIES = 3,
};

/* ---- opening ---- */

static void take_checkpoint(struct store_status *store, int32_t number,
                            const struct checkpoint_row *row, const char *holder)
{
    struct dead_letter_register *dead_letters =
        (struct dead_letter_register *)((char *)store -
                                        offsetof(struct dead_letter_register, store));
    if (number < 0 || number >= dead_letters->partition_count)
        return;
    struct register_partition *partition = &dead_letters->partitions[number];
    partition->next_offset = row->next_offset;
    snprintf(partition->owner, sizeof partition->owner, "%s", holder);
}

static enum outcome open_kafka(struct dead_letter_register *dead_letters, struct error *err)
{
    const struct settings *settings = dead_letters->settings;
    dead_letters->bus = kafka_bus_new(settings, NULL);
    kafka_bus_answer_within(dead_letters->bus, dead_letters->timeout_ms);
    enum outcome outcome =
        bus_partition_count(dead_letters->bus, dead_letters->topics[TOPIC_SOURCE],
                            dead_letters->timeout_ms, &dead_letters->partition_count, err);
    if (outcome == OUT_OK && dead_letters->partition_count == 0)
        outcome = kafka_topics_no_migration(settings, err);
    return outcome;
}

static enum outcome open_cache(struct dead_letter_register *dead_letters, struct error *err)
{
    const struct settings *settings = dead_letters->settings;
    char *name =
        mem_format("%s.%s%s%s", settings->prefix, settings->migration,
                   dead_letters->other ? "." : "", dead_letters->other ? dead_letters->other : "");
    enum outcome outcome =
        dead_letter_cache_open(&dead_letters->cache, settings->state_dir, name, err);
    free(name);
    return outcome;
}

/* What is sent again from there would come back without an end, or is no record at all. */
static enum outcome check_other(const struct dead_letter_register *dead_letters, const char *other,
                                struct error *err)
{
    for (int i = 0; i < TOPIC_KINDS && other; i++) {
        if (i == TOPIC_DEAD_LETTERS || strcmp(other, dead_letters->topics[i]) != 0)
            continue;
        error_set(err, OUT_FATAL, ERR_USAGE,
                  "the topic is one of the migration's own, and not of "
                  "dead letters");
        error_where(err, "--topic %.200s", other);
        return OUT_FATAL;
    }
    return OUT_OK;
}

static enum outcome begin_to_open(const struct settings *settings, int timeout_ms,
                                  struct dead_letter_register *dead_letters, struct error *err)
{
    *dead_letters = (struct dead_letter_register){.settings = settings, .timeout_ms = timeout_ms};
    buf_init(&dead_letters->text, TEXT_LIMIT);
    return topic_format_all(settings->prefix, settings->migration, dead_letters->topics, err);
}

/* `outcome`: of what came before. */
static enum outcome end_to_open(struct dead_letter_register *dead_letters, enum outcome outcome,
                                struct error *err)
{
    if (outcome == OUT_OK)
        outcome = open_cache(dead_letters, err);
    if (outcome != OUT_OK) {
        dead_letter_register_close(dead_letters);
        return outcome;
    }
    dead_letters->partitions =
        mem_zeroed((size_t)dead_letters->partition_count, sizeof *dead_letters->partitions);
    return OUT_OK;
}

enum outcome dead_letter_register_open(const struct settings *settings, int timeout_ms,
                                       const char *other, struct dead_letter_register *dead_letters,
                                       struct error *err)
{
    enum outcome outcome = begin_to_open(settings, timeout_ms, dead_letters, err);
    if (outcome == OUT_OK)
        outcome = check_other(dead_letters, other, err);
    bool is_other = other && strcmp(other, dead_letters->topics[TOPIC_DEAD_LETTERS]) != 0;
    dead_letters->other = is_other ? other : NULL;
    if (outcome == OUT_OK && !store_of(settings)->read_status)
        outcome =
            error_set(err, OUT_FATAL, ERR_USAGE, "storage memory ends with the run that filled it");
    if (outcome == OUT_OK)
        outcome = open_kafka(dead_letters, err);
    outcome = end_to_open(dead_letters, outcome, err);
    if (outcome != OUT_OK)
        return outcome;
    dead_letters->store = (struct store_status){.settings = settings,
                                                .topic = dead_letters->topics[TOPIC_SOURCE],
                                                .partitions = dead_letters->partition_count,
                                                .timeout_ms = timeout_ms,
                                                .tell = take_checkpoint};
    return OUT_OK;
}

enum outcome dead_letter_register_open_beside(const struct settings *settings, int timeout_ms,
                                              struct bus *bus, int32_t partition_count,
                                              struct dead_letter_register *dead_letters,
                                              struct error *err)
{
    enum outcome outcome = begin_to_open(settings, timeout_ms, dead_letters, err);
    dead_letters->is_beside = true;
    dead_letters->bus = bus;
    dead_letters->partition_count = partition_count;
    return end_to_open(dead_letters, outcome, err);
}

void dead_letter_register_close(struct dead_letter_register *dead_letters)
{
    if (dead_letters->store.session)
        store_of(dead_letters->settings)->end_status(&dead_letters->store);
    dead_letter_cache_close(&dead_letters->cache);
    dead_letter_index_free(&dead_letters->index);
    free(dead_letters->kept_states);
    if (!dead_letters->is_beside)
        kafka_bus_free(dead_letters->bus);
    free(dead_letters->partitions);
    buf_free(&dead_letters->text);
    *dead_letters = (struct dead_letter_register){0};
}

const char *dead_letter_register_topic(const struct dead_letter_register *dead_letters,
                                       int at_topic)
{
    return at_topic == CACHE_OTHER_TOPIC ? dead_letters->other : dead_letters->topics[at_topic];
}

/* ---- who a message is ---- */

static bool identify(struct buf *text, const struct envelope *envelope, const struct record *record,
                     struct digest *identity)
{
    if (!record->tenant.size || !record->entity.size || (!record->id.size && !envelope->key.size))
        return false;
    buf_reset(text);
    buf_append_bytes(text, record->tenant);
    buf_append_char(text, '\0');
    buf_append_bytes(text, record->entity);
    buf_append_char(text, '\0');
    if (!record->id.size)
        buf_append_char(text, '\1'); /* a key of another form: no id begins so */
    buf_append_bytes(text, record->id.size ? record->id : envelope->key);
    *identity = digest_of(buf_view(text));
    return true;
}

static struct bytes format_place(struct buf *text, struct bytes topic, int32_t partition,
                                 int64_t offset)
{
    buf_reset(text);
    buf_append_bytes(text, topic);
    buf_append_format(text, "-%d-%" PRId64, partition, offset);
    return buf_view(text);
}

static struct bytes header_of(const struct envelope *envelope, const char *name)
{
    for (size_t i = 0; i < envelope->header_count; i++)
        if (bytes_equal(envelope->headers[i].name, bytes_text(name)))
            return envelope->headers[i].value;
    return (struct bytes){0};
}

/* ---- what was read before ---- */

static enum outcome too_many(struct error *err)
{
    return error_set(err, OUT_FATAL, ERR_DEAD_LETTERS_MANY,
                     "there are more dead letters than %u MiB of memory can tell apart",
                     DEAD_LETTER_INDEX_BYTES >> 20);
}

static enum outcome load_row(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct dead_letter_register *dead_letters = owner;
    uint32_t number;
    bool known;
    if (!dead_letter_index_add(&dead_letters->index, &row->fact, &number, &known))
        return too_many(err);
    if (known || number != row->number)
        return error_set(err, OUT_FATAL, ERR_STATE_FILE, "the cache of dead letters is damaged");
    dead_letters->kept_states = mem_grown(dead_letters->kept_states, &dead_letters->kept_room,
                                          dead_letters->kept_count + 1, 1);
    dead_letters->kept_states[dead_letters->kept_count++] = (uint8_t)row->state;
    return OUT_OK;
}

/* What is changed by it is told by the state that is kept. */
static enum outcome load_decision(void *owner, const struct cache_decision *decision,
                                  struct error *err)
{
    struct dead_letter_register *dead_letters = owner;
    struct digest id = digest_of(decision->id);
    uint32_t number = dead_letter_index_find(&dead_letters->index, &id);
    (void)err;
    if (number == DEAD_LETTER_NONE)
        return OUT_OK;
    bool changed = dead_letters->index.items[number].changed;
    if (decision->was_sent)
        dead_letter_index_decide(&dead_letters->index, &id, DECISION_REPLAYED);
    dead_letter_index_decide(&dead_letters->index, &id, decision->kind);
    dead_letters->index.items[number].changed = changed;
    return OUT_OK;
}

static enum outcome load(struct dead_letter_register *dead_letters, struct error *err)
{
    dead_letter_index_free(&dead_letters->index);
    dead_letter_index_init(&dead_letters->index, DEAD_LETTER_INDEX_BYTES);
    dead_letters->kept_count = 0;
    enum outcome outcome = dead_letter_cache_all(&dead_letters->cache, load_row, dead_letters, err);
    for (size_t i = 0; i < dead_letters->index.count; i++)
        dead_letters->index.items[i].changed = false;
    return outcome;
}

/* ---- one topic ---- */

typedef enum outcome (*take_message)(struct dead_letter_register *dead_letters, int topic,
                                     const struct bus_message *message, struct error *err);

/* A topic's reading: from where each partition was read to before. */
struct topic_reading {
    struct dead_letter_register *dead_letters;
    int topic; /* as at_topic */
    struct bus_range *ranges;
    struct cache_position *positions;
    int64_t *starts; /* messages below only tell whether the topic is the same */
    size_t count;
    take_message take;
    bool *anew; /* the topic is not the one that was read */
};

static uint64_t hash_of(const struct bus_message *message)
{
    uint64_t key = hash64(message->envelope.key), value = hash64(message->envelope.value);
    return (key << 21 | key >> 43) ^ value ^ (uint64_t)message->timestamp_ms;
}

/* The last message that was read before tells whether the topic is the same. */
static bool is_known(const struct topic_reading *reading, const struct bus_message *message)
{
    const struct cache_position *position = &reading->positions[message->partition];
    if (message->offset == position->last && hash_of(message) != position->hash)
        *reading->anew = true;
    return message->offset < reading->starts[message->partition];
}

static enum outcome read_messages(struct topic_reading *reading, struct error *err)
{
    struct dead_letter_register *dead_letters = reading->dead_letters;
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    enum outcome outcome =
        bus_open_reader(dead_letters->bus, dead_letter_register_topic(dead_letters, reading->topic),
                        reading->ranges, reading->count, dead_letters->timeout_ms, &reader, err);
    while (outcome == OUT_OK &&
           (outcome = bus_reader_next(reader, dead_letters->timeout_ms, &message, err)) == OUT_OK &&
           message && !*reading->anew) {
        if (stop_signal())
            outcome = error_set(err, OUT_RETRY, ERR_KAFKA_CLIENT, "the reading was stopped");
        else if (!is_known(reading, message))
            outcome = reading->take(dead_letters, reading->topic, message, err);
        struct cache_position *position = &reading->positions[message->partition];
        if (message->offset >= position->last) {
            position->last = message->offset;
            position->hash = hash_of(message);
        }
    }
    bus_reader_close(reader);
    return outcome;
}

/* From where a partition is read again: at the last message that was, when it is near. */
static void begin_at_last(struct topic_reading *reading, size_t at)
{
    const struct cache_position *position = &reading->positions[at];
    struct bus_range *range = &reading->ranges[at];
    reading->starts[at] = range->from;
    if (position->last >= range->from - CHECK_BACK && position->last < range->from)
        range->from = position->last;
}

static enum outcome prepare_partition(struct topic_reading *reading, size_t at, struct error *err)
{
    struct bus_range *range = &reading->ranges[at];
    struct cache_position *position = &reading->positions[at];
    enum outcome outcome = dead_letter_cache_position(&reading->dead_letters->cache, reading->topic,
                                                      range->partition, position, err);
    if (outcome != OUT_OK)
        return outcome;
    bool was_read = position->next > position->low;
    if (position->next > range->to || (was_read && position->low != range->from))
        *reading->anew = true; /* made anew, or what was read is no longer kept */
    position->low = range->from;
    range->from = position->next > range->from ? position->next : range->from;
    begin_at_last(reading, at);
    if (range->from < position->low)
        range->from = position->low;
    return OUT_OK;
}

static enum outcome keep_positions(struct topic_reading *reading, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < reading->count && outcome == OUT_OK; i++) {
        reading->positions[i].next = reading->ranges[i].to;
        outcome = dead_letter_cache_set_position(&reading->dead_letters->cache, reading->topic,
                                                 reading->ranges[i].partition,
                                                 &reading->positions[i], err);
    }
    return outcome;
}

/* All that is new in a topic whose messages are kept. */
static enum outcome read_topic(struct dead_letter_register *dead_letters, int topic,
                               take_message take, bool *anew, struct error *err)
{
    struct topic_reading reading = {
        .dead_letters = dead_letters, .topic = topic, .take = take, .anew = anew};
    enum outcome outcome =
        bus_ranges(dead_letters->bus, dead_letter_register_topic(dead_letters, topic),
                   dead_letters->timeout_ms, &reading.ranges, &reading.count, err);
    if (outcome == OUT_OK && reading.count == 0 && topic == CACHE_OTHER_TOPIC) {
        outcome = error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the topic does not exist");
        error_where(err, "%s", dead_letters->other);
        error_hint(err, "name a topic of dead letters with --topic");
    }
    reading.positions = mem_zeroed(reading.count, sizeof *reading.positions);
    reading.starts = mem_zeroed(reading.count, sizeof *reading.starts);
    bool any = false;
    for (size_t i = 0; i < reading.count && outcome == OUT_OK; i++) {
        outcome = prepare_partition(&reading, i, err);
        any = any || reading.ranges[i].from < reading.ranges[i].to;
    }
    if (outcome == OUT_OK && !*anew && any)
        outcome = read_messages(&reading, err);
    if (outcome == OUT_OK && !*anew)
        outcome = keep_positions(&reading, err);
    free(reading.ranges);
    free(reading.positions);
    free(reading.starts);
    return outcome;
}

/* ---- dead letters ---- */

static enum outcome add_row(struct dead_letter_register *dead_letters, struct dead_letter_row *row,
                            struct error *err)
{
    bool known;
    if (!dead_letter_index_add(&dead_letters->index, &row->fact, &row->number, &known))
        return too_many(err);
    return known ? dead_letter_cache_again(&dead_letters->cache, row, err)
                 : dead_letter_cache_add(&dead_letters->cache, row, err);
}

/* Where it is of: its id, and whether that is a place in this migration's source topic. */
static bool place_row(struct dead_letter_register *dead_letters,
                      const struct dead_letter_reading *reading, struct buf *id,
                      struct dead_letter_row *row)
{
    const char *at = dead_letter_register_topic(dead_letters, row->at_topic);
    row->topic = reading->topic;
    row->partition = reading->partition;
    row->offset = reading->offset;
    row->id = reading->id.size ? reading->id
              : reading->has_place
                  ? format_place(id, reading->topic, reading->partition, reading->offset)
                  : format_place(id, bytes_text(at), row->at_partition, row->at_offset);
    row->chain = reading->replayed_from.size ? reading->replayed_from : row->id;
    return reading->family == DEAD_LETTER_BY_DROVER && reading->has_place &&
           bytes_equal(reading->topic, bytes_text(dead_letters->topics[TOPIC_SOURCE]));
}

static enum outcome take_dead_letter(struct dead_letter_register *dead_letters, int topic,
                                     const struct bus_message *message, struct error *err)
{
    struct record record;
    struct buf id;
    const struct envelope *envelope = &message->envelope;
    const struct dead_letter_reading reading =
        dead_letter_read_all(envelope->headers, envelope->header_count);
    struct dead_letter_row row = {
        .family = reading.family,
        .at_topic = topic,
        .at_partition = message->partition,
        .at_offset = message->offset,
        .first_ms = message->timestamp_ms,
        .size = envelope->null_value ? -1 : (int64_t)envelope->value.size,
        .code = reading.code != ERR_NONE ? bytes_text(error_code_id(reading.code))
                : reading.code_text.size ? reading.code_text
                                         : BYTES_LITERAL("unknown"),
        .path = reading.path,
        .origin = header_of(envelope, HEADER_ORIGIN),
    };
    buf_init(&id, 1024);
    bool is_ours = place_row(dead_letters, &reading, &id, &row);
    bool decoded = envelope_decode(envelope, &record, NULL) == OUT_OK;
    row.tenant = record.tenant;
    row.entity = record.entity;
    row.record = record.id.size ? record.id : envelope->key;
    row.uri = record.origin.uri;
    row.fact = (struct dead_letter_fact){
        .id = digest_of(row.id),
        .chain = digest_of(row.chain),
        .partition = is_ours ? row.partition : DEAD_LETTER_NOWHERE,
        .offset = row.offset,
        .attempts = reading.attempts < INT32_MAX ? (int32_t)reading.attempts : INT32_MAX,
        .version = record.version,
        .has_version = decoded && record.has_version,
        .taken = -1};
    if (!decoded || !identify(&dead_letters->text, envelope, &record, &row.fact.identity))
        row.fact.identity = row.fact.chain;
    enum outcome outcome = add_row(dead_letters, &row, err);
    buf_free(&id);
    return outcome;
}

/* ---- decisions ---- */

static enum outcome take_decision(struct dead_letter_register *dead_letters, int topic,
                                  const struct bus_message *message, struct error *err)
{
    struct decision decision;
    enum outcome outcome = OUT_OK;
    (void)topic;
    if (decision_parse(message->envelope.value, &decision, NULL) == OUT_OK)
        for (size_t i = 0; i < decision.id_count && outcome == OUT_OK; i++) {
            struct digest id = digest_of(decision.ids[i]);
            if (!decision_has_ids(decision.kind))
                break;
            dead_letter_index_decide(&dead_letters->index, &id, decision.kind);
            outcome =
                dead_letter_cache_decide(&dead_letters->cache, decision.ids[i], &decision, err);
        }
    decision_free(&decision);
    return outcome;
}

/* ---- the source topic ---- */

static enum outcome take_source(struct dead_letter_register *dead_letters, int topic,
                                const struct bus_message *message, struct error *err)
{
    struct record record;
    const struct envelope *envelope = &message->envelope;
    struct bytes chain = header_of(envelope, DEAD_LETTER_REPLAYED_FROM);
    struct dead_letter_message_seen seen = {
        .partition = message->partition, .offset = message->offset, .has_chain = chain.size > 0};
    (void)topic;
    (void)err;
    if (envelope_decode(envelope, &record, NULL) == OUT_OK) {
        seen.has_identity = identify(&dead_letters->text, envelope, &record, &seen.identity);
        seen.version = record.version;
        seen.has_version = record.has_version;
    }
    if (seen.has_chain)
        seen.chain = digest_of(chain);
    seen.place =
        digest_of(format_place(&dead_letters->text, bytes_text(dead_letters->topics[TOPIC_SOURCE]),
                               message->partition, message->offset));
    dead_letter_index_see(&dead_letters->index, &seen,
                          dead_letters->partitions[message->partition].next_offset);
    return OUT_OK;
}

/* [from, to) of a partition that is needed. */
static enum outcome choose_range(struct topic_reading *reading, size_t at, bool *any,
                                 struct error *err)
{
    const struct dead_letter_register *dead_letters = reading->dead_letters;
    const struct register_partition *partition = &dead_letters->partitions[at];
    struct bus_range *range = &reading->ranges[at];
    int64_t wanted = dead_letter_index_wanted(&dead_letters->index, (int32_t)at);
    int64_t to = dead_letters->to_end ? partition->high : partition->next_offset;
    *range = (struct bus_range){(int32_t)at, wanted, to < partition->high ? to : partition->high};
    if (range->from < partition->low)
        range->from = partition->low;
    enum outcome outcome = dead_letter_cache_position(&reading->dead_letters->cache, TOPIC_SOURCE,
                                                      (int32_t)at, &reading->positions[at], err);
    if (outcome == OUT_OK && reading->positions[at].last >= partition->high)
        *reading->anew = true;
    bool wants = range->from < range->to;
    if (wants)
        begin_at_last(reading, at);
    else
        range->to = range->from;
    if (range->from < partition->low)
        range->from = partition->low;
    *any = *any || wants;
    return outcome;
}

static enum outcome read_source(struct dead_letter_register *dead_letters, bool *anew,
                                struct error *err)
{
    size_t count = (size_t)dead_letters->partition_count;
    struct topic_reading reading = {.dead_letters = dead_letters,
                                    .topic = TOPIC_SOURCE,
                                    .ranges = mem_zeroed(count, sizeof *reading.ranges),
                                    .positions = mem_zeroed(count, sizeof *reading.positions),
                                    .starts = mem_zeroed(count, sizeof *reading.starts),
                                    .count = count,
                                    .take = take_source,
                                    .anew = anew};
    enum outcome outcome = OUT_OK;
    bool any = false;
    dead_letter_index_begin(&dead_letters->index);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = choose_range(&reading, i, &any, err);
    if (outcome == OUT_OK && any && !*anew)
        outcome = read_messages(&reading, err);
    for (size_t i = 0; i < count && outcome == OUT_OK && any && !*anew; i++) {
        int64_t committed = dead_letters->partitions[i].next_offset;
        if (reading.ranges[i].from >= reading.ranges[i].to)
            continue;
        dead_letter_index_seen(&dead_letters->index, (int32_t)i,
                               committed < reading.ranges[i].to ? committed : reading.ranges[i].to);
        outcome = dead_letter_cache_set_position(&dead_letters->cache, TOPIC_SOURCE, (int32_t)i,
                                                 &reading.positions[i], err);
    }
    free(reading.ranges);
    free(reading.positions);
    free(reading.starts);
    return outcome;
}

/* ---- all of it ---- */

enum outcome dead_letter_register_read_checkpoint(struct dead_letter_register *dead_letters,
                                                  struct error *err)
{
    struct bus_range *ranges = NULL;
    for (int32_t i = 0; i < dead_letters->partition_count; i++)
        dead_letters->partitions[i] = (struct register_partition){0};
    enum outcome outcome = store_of(dead_letters->settings)->read_status(&dead_letters->store, err);
    if (outcome == OUT_OK)
        outcome = bus_ranges_known(dead_letters->bus, dead_letters->topics[TOPIC_SOURCE],
                                   (size_t)dead_letters->partition_count, dead_letters->timeout_ms,
                                   &ranges, err);
    for (int32_t i = 0; i < dead_letters->partition_count && outcome == OUT_OK; i++) {
        dead_letters->partitions[i].low = ranges[i].from;
        dead_letters->partitions[i].high = ranges[i].to;
    }
    free(ranges);
    return outcome;
}

static enum outcome keep_changes(struct dead_letter_register *dead_letters, struct error *err)
{
    struct dead_letter_index *index = &dead_letters->index;
    enum outcome outcome = OUT_OK;
    for (uint32_t i = 0; i < index->count && outcome == OUT_OK; i++) {
        enum dead_letter_state state = dead_letter_index_state(index, i);
        bool is_kept = i < dead_letters->kept_count && dead_letters->kept_states[i] == state;
        if (index->items[i].changed || !is_kept)
            outcome =
                dead_letter_cache_update(&dead_letters->cache, i, &index->items[i], state, err);
    }
    return outcome;
}

static enum outcome read_all(struct dead_letter_register *dead_letters, bool *anew,
                             struct error *err)
{
    enum outcome outcome = load(dead_letters, err);
    if (outcome == OUT_OK && !dead_letters->is_beside)
        outcome = dead_letter_register_read_checkpoint(dead_letters, err);
    if (outcome == OUT_OK)
        outcome = read_topic(dead_letters, TOPIC_DEAD_LETTERS, take_dead_letter, anew, err);
    if (outcome == OUT_OK && !*anew && dead_letters->other)
        outcome = read_topic(dead_letters, CACHE_OTHER_TOPIC, take_dead_letter, anew, err);
    if (outcome == OUT_OK && !*anew) /* also about letters that are known only now */
        outcome = dead_letter_cache_decisions(&dead_letters->cache, NULL, load_decision,
                                              dead_letters, err);
    if (outcome == OUT_OK && !*anew)
        outcome = read_topic(dead_letters, TOPIC_CONTROL, take_decision, anew, err);
    if (outcome == OUT_OK && !*anew)
        outcome = read_source(dead_letters, anew, err);
    return outcome == OUT_OK && !*anew ? keep_changes(dead_letters, err) : outcome;
}

/* One reading in a transaction: what is half read is not kept. */
static enum outcome try_to_read(struct dead_letter_register *dead_letters, bool clear, bool *anew,
                                struct error *err)
{
    *anew = false;
    enum outcome outcome = dead_letter_cache_begin(&dead_letters->cache, err);
    if (outcome == OUT_OK && clear)
        outcome = dead_letter_cache_clear(&dead_letters->cache, err);
    if (outcome == OUT_OK)
        outcome = read_all(dead_letters, anew, err);
    if (outcome == OUT_OK && !*anew)
        return dead_letter_cache_commit(&dead_letters->cache, err);
    dead_letter_cache_forget(&dead_letters->cache);
    return outcome;
}

enum outcome dead_letter_register_read(struct dead_letter_register *dead_letters, bool to_end,
                                       struct error *err)
{
    bool anew = false;
    enum outcome outcome = OUT_OK;
    dead_letters->to_end = to_end;
    for (int i = 0; i < TRIES; i++) {
        outcome = try_to_read(dead_letters, i > 0 && anew, &anew, err);
        dead_letters->read_anew = dead_letters->read_anew || anew;
        if (outcome != OUT_OK && err->code == ERR_STATE_FILE) {
            outcome = dead_letter_cache_replace(&dead_letters->cache, err);
            dead_letters->read_anew = true;
            if (outcome != OUT_OK)
                return outcome;
            *err = (struct error){0}; /* a new one takes its place */
            anew = true;
            continue;
        }
        if (outcome != OUT_OK || !anew)
            return outcome;
    }
    return outcome != OUT_OK ? outcome
                             : error_set(err, OUT_RETRY, ERR_KAFKA_CLIENT,
                                         "the topics were made anew while they were read");
}
