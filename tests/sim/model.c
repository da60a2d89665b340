/* See the header. */
#include "tests/sim/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/message/dead_letter.h"
#include "common/policy/apply/record_row.h"

enum { KEYS_MAX = 64, RECEIPT_MAX = 32768 };

/* What a record is among those of its key that came before it. */
enum kind {
    KIND_NEW,   /* of a greater version than all before: applied, or superseded within its batch */
    KIND_SAME,  /* of the greatest version, the same content */
    KIND_OTHER, /* of the greatest version, other content */
    KIND_OLD,   /* of a smaller version */
    KIND_DEAD,  /* no row, or one the store refuses */
    KIND_CHILD, /* its parent may be missing */
};

struct known {
    enum kind kind;
    int key; /* of keys[] */
    int64_t version;
    struct digest digest;
    bool dead_lettered; /* a dead letter of it is in the topic */
};

/* A key, and the most that its records may make of it. */
struct key {
    char entity[8];
    int number;
    int64_t best; /* version; INT64_MIN: none */
    struct digest digest;
    int64_t seen_version; /* of the row, when it was last looked at */
    uint32_t seen_writes;
};

struct log {
    struct known *records;
    int64_t count, room;
    int64_t checkpoint;      /* as last seen */
    int64_t dead_letters_to; /* dead ones below have been looked at */
    int64_t receipts_to;     /* counted by receipts up to here, */
    int64_t told_epoch;      /* the last of them by the worker of this claim */
    struct version_clock clock;
};

struct model {
    struct world *world;
    struct key keys[KEYS_MAX];
    int key_count;
    struct log logs[WORLD_PARTITIONS_MAX];
    int64_t dead_letters_read[WORLD_PARTITIONS_MAX], receipts_read[WORLD_PARTITIONS_MAX];
    uint64_t counts[CLASS_COUNT];
    uint64_t total;
    bool *settled[WORLD_PARTITIONS_MAX]; /* at the end, by offset */
    struct mapping_work work;
    struct arena arena;
    char *why;
    size_t why_size;
};

struct model *model_new(struct world *world)
{
    struct model *model = calloc(1, sizeof *model);
    if (!model)
        abort();
    model->world = world;
    mapping_work_init(&model->work);
    arena_init(&model->arena, 1u << 20);
    return model;
}

void model_free(struct model *model)
{
    for (int i = 0; i < WORLD_PARTITIONS_MAX; i++) {
        free(model->logs[i].records);
        free(model->settled[i]);
    }
    mapping_work_free(&model->work);
    arena_free(&model->arena);
    free(model);
}

static bool wrong(struct model *model, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(model->why, model->why_size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- what was produced ------------------------------------------------------------------- */

static int key_of(struct model *model, const char *entity, int number)
{
    for (int i = 0; i < model->key_count; i++)
        if (model->keys[i].number == number && strcmp(model->keys[i].entity, entity) == 0)
            return i;
    if (model->key_count == KEYS_MAX)
        abort();
    struct key *key = &model->keys[model->key_count];
    *key = (struct key){.number = number, .best = INT64_MIN, .seen_version = INT64_MIN};
    snprintf(key->entity, sizeof key->entity, "%s", entity);
    return model->key_count++;
}

/* The row of a message, as every role makes it; false when none can be made. */
static bool make_row(struct model *model, const struct bus_message *message, struct row *row)
{
    struct error err;
    struct record record;
    const struct mapping *mapping;
    int64_t log_version = 0;
    arena_reset(&model->arena);
    if (envelope_decode(&message->envelope, &record, &err) != OUT_OK)
        return false;
    if (!record.has_version)
        log_version = version_in_log(&model->logs[message->partition].clock, message->timestamp_ms,
                                     message->offset);
    return record_to_row(model->world->set, &record, log_version, &model->work, &model->arena,
                         &mapping, row, &err) == OUT_OK;
}

/* Calls `take` with the messages [from, end) of a topic's partition; false as soon as it does. */
static bool read_topic(struct model *model, const char *topic, int32_t partition, int64_t from,
                       bool (*take)(struct model *model, const struct bus_message *message),
                       int64_t *next)
{
    struct error err;
    struct bus_reader *reader;
    const struct bus_message *message;
    int64_t ends[WORLD_PARTITIONS_MAX];
    struct bus *bus = bus_memory_bus(model->world->bus);
    bool ok = bus_ends(bus, topic, ends, model->world->partitions, 0);
    struct bus_range range = {partition, from, ok ? ends[partition] : 0};
    if (!ok || range.from >= range.to)
        return ok;
    if (bus_open_reader(bus, topic, &range, 1, 0, &reader, &err) != OUT_OK)
        return wrong(model, "%s cannot be read: %s", topic, err.text);
    while (ok && bus_reader_next(reader, 0, &message, &err) == OUT_OK && message)
        ok = take(model, message);
    bus_reader_close(reader);
    *next = range.to;
    return ok;
}

static struct known *add_known(struct log *log)
{
    if (log->count == log->room) {
        log->room = log->room ? log->room * 2 : 64;
        log->records = realloc(log->records, (size_t)log->room * sizeof *log->records);
        if (!log->records)
            abort();
    }
    struct known *known = &log->records[log->count++];
    *known = (struct known){.kind = KIND_DEAD, .key = -1};
    return known;
}

static bool take_produced(struct model *model, const struct bus_message *message)
{
    struct row row;
    struct log *log = &model->logs[message->partition];
    struct known *known = add_known(log);
    if (!make_row(model, message, &row))
        return true;
    known->version = row.version;
    known->digest = row.digest;
    known->kind = KIND_NEW;
    return true;
}

void model_note(struct model *model, const struct world_message *message, int64_t offset)
{
    int64_t next;
    char why[200];
    struct log *log = &model->logs[message->partition];
    model->why = why;
    model->why_size = sizeof why;
    if (!read_topic(model, WORLD_SOURCE, message->partition, offset, take_produced, &next) ||
        log->count != offset + 1)
        abort();
    model->total++;
    struct known *known = &log->records[offset];
    if (known->kind == KIND_DEAD)
        return;
    if (message->n == WORLD_POISON && !message->deleted) {
        known->kind = KIND_DEAD;
        return;
    }
    known->key = key_of(model, message->entity, message->key);
    struct key *key = &model->keys[known->key];
    if (known->version > key->best) {
        key->best = known->version;
        key->digest = known->digest;
    } else if (known->version < key->best) {
        known->kind = KIND_OLD;
    } else {
        known->kind = digest_equal(&known->digest, &key->digest) ? KIND_SAME : KIND_OTHER;
    }
    if (strcmp(message->entity, "child") == 0)
        known->kind = KIND_CHILD;
}

/* ---- the store --------------------------------------------------------------------------- */

static const struct memory_row *row_of(const struct model *model, const struct key *key)
{
    char id[16];
    snprintf(id, sizeof id, "k%d", key->number);
    return memory_store_find(model->world->store, key->entity, BYTES_LITERAL("t"), bytes_text(id));
}

/* A committed record is what the row says: the first one of its version; of children any, as those
 * that wait may come in behind others. */
static bool is_committed(const struct model *model, int key, const struct memory_row *row)
{
    for (int32_t p = 0; p < model->world->partitions; p++) {
        const struct log *log = &model->logs[p];
        for (int64_t i = 0; i < log->count && i < log->checkpoint; i++) {
            const struct known *known = &log->records[i];
            if (known->key != key || known->version != row->version)
                continue;
            if (digest_equal(&known->digest, &row->digest))
                return true;
            if (known->kind != KIND_CHILD)
                return false;
        }
    }
    return false;
}

static bool check_rows(struct model *model)
{
    for (int i = 0; i < model->key_count; i++) {
        struct key *key = &model->keys[i];
        const struct memory_row *row = row_of(model, key);
        if (!row && key->seen_version == INT64_MIN)
            continue;
        if (!row)
            return wrong(model, "I1: the row of %s k%d is gone", key->entity, key->number);
        if (row->version < key->seen_version)
            return wrong(model, "I1: %s k%d went back from %" PRId64 " to %" PRId64, key->entity,
                         key->number, key->seen_version, row->version);
        if (row->version == key->seen_version && row->writes != key->seen_writes)
            return wrong(model, "I1: %s k%d was written twice at %" PRId64, key->entity,
                         key->number, row->version);
        if (row->version != key->seen_version && !is_committed(model, i, row))
            return wrong(model, "I2: %s k%d is no committed record of version %" PRId64,
                         key->entity, key->number, row->version);
        key->seen_version = row->version;
        key->seen_writes = row->writes;
    }
    return true;
}

static bool check_checkpoints(struct model *model)
{
    for (int32_t p = 0; p < model->world->partitions; p++) {
        const struct memory_checkpoint *seen = memory_store_checkpoint(model->world->store, p);
        if (!seen)
            continue;
        if (seen->next_offset < model->logs[p].checkpoint)
            return wrong(model, "I3: the checkpoint of %d went back", p);
        model->logs[p].checkpoint = seen->next_offset;
    }
    return true;
}

/* ---- dead letters ------------------------------------------------------------------------ */

static bool take_dead_letter(struct model *model, const struct bus_message *message)
{
    struct dead_letter_origin origin = dead_letter_read(&message->envelope);
    if (!origin.has_place || origin.partition < 0 || origin.partition >= model->world->partitions ||
        origin.offset >= model->logs[origin.partition].count)
        return wrong(model, "I6: a dead letter of no record");
    struct known *known = &model->logs[origin.partition].records[origin.offset];
    if (known->kind != KIND_DEAD && known->kind != KIND_CHILD)
        return wrong(model, "I6: a dead letter of %d@%" PRId64 ", which is good", origin.partition,
                     origin.offset);
    known->dead_lettered = true;
    return true;
}

static bool check_dead_letters(struct model *model)
{
    for (int32_t p = 0; p < model->world->partitions; p++)
        if (!read_topic(model, WORLD_DEAD_LETTERS, p, model->dead_letters_read[p], take_dead_letter,
                        &model->dead_letters_read[p]))
            return false;
    for (int32_t p = 0; p < model->world->partitions; p++) {
        struct log *log = &model->logs[p];
        for (; log->dead_letters_to < log->checkpoint; log->dead_letters_to++) {
            const struct known *known = &log->records[log->dead_letters_to];
            if (known->kind == KIND_DEAD && !known->dead_lettered)
                return wrong(model, "I4: %d@%" PRId64 " is dead, committed and has no dead letter",
                             p, log->dead_letters_to);
        }
    }
    return true;
}

/* ---- receipts ---------------------------------------------------------------------------- */

/* How many records of each kind a range has, and how many keys have a new one. */
struct range_kinds {
    uint64_t kinds[KIND_CHILD + 1];
    uint64_t new_keys;
};

static struct range_kinds kinds_of(const struct log *log, int64_t first, int64_t next)
{
    struct range_kinds range = {0};
    uint64_t keys = 0; /* KEYS_MAX bits */
    for (int64_t i = first; i < next; i++) {
        const struct known *known = &log->records[i];
        range.kinds[known->kind]++;
        if (known->kind == KIND_NEW && !(keys >> known->key & 1)) {
            keys |= (uint64_t)1 << known->key;
            range.new_keys++;
        }
    }
    return range;
}

/* What a receipt of an ordinary batch says is possible for its records. */
static bool check_classes(struct model *model, const struct receipt_summary *receipt)
{
    const struct log *log = &model->logs[receipt->partition];
    struct range_kinds range = kinds_of(log, receipt->first, receipt->next);
    const uint64_t *counts = receipt->counts;
    uint64_t sum = 0;
    for (int i = 0; i < CLASS_COUNT; i++)
        sum += counts[i];
    if (sum != (uint64_t)(receipt->next - receipt->first))
        return wrong(model, "I5: the receipt of %d@%" PRId64 " counts %" PRIu64 " of %" PRId64,
                     receipt->partition, receipt->first, sum, receipt->next - receipt->first);
    if (counts[CLASS_RECOVERED] || range.kinds[KIND_CHILD])
        return true;
    if (counts[CLASS_DEAD] != range.kinds[KIND_DEAD] || counts[CLASS_APPLIED] != range.new_keys ||
        counts[CLASS_UNCHANGED] > range.kinds[KIND_SAME] ||
        counts[CLASS_CONFLICT] > range.kinds[KIND_OTHER] ||
        counts[CLASS_SUPERSEDED] < range.kinds[KIND_OLD])
        return wrong(model,
                     "I5: the receipt of %d@%" PRId64 "-%" PRId64 " says applied %" PRIu64
                     " unchanged %" PRIu64 " superseded %" PRIu64 " conflict %" PRIu64
                     " dead %" PRIu64 "; keys with news %" PRIu64 ", same %" PRIu64
                     ", other %" PRIu64 ", old %" PRIu64 ", dead %" PRIu64,
                     receipt->partition, receipt->first, receipt->next, counts[CLASS_APPLIED],
                     counts[CLASS_UNCHANGED], counts[CLASS_SUPERSEDED], counts[CLASS_CONFLICT],
                     counts[CLASS_DEAD], range.new_keys, range.kinds[KIND_SAME],
                     range.kinds[KIND_OTHER], range.kinds[KIND_OLD], range.kinds[KIND_DEAD]);
    return true;
}

static void take_settled(struct model *model, struct bytes json)
{
    struct error err;
    struct settled_receipt settled;
    if (receipt_parse_settled(json, &settled, &err) != OUT_OK)
        abort();
    for (size_t i = 0; i < settled.count; i++) {
        const struct settled_item *item = &settled.items[i];
        struct log *log = &model->logs[item->partition];
        bool **marks = &model->settled[item->partition];
        if (!*marks && !(*marks = calloc(4096, 1)))
            abort();
        if (item->offset >= log->count || item->offset >= 4096)
            abort();
        if ((*marks)[item->offset])
            continue;
        (*marks)[item->offset] = true;
        model->counts[item->the_class]++;
        model->counts[CLASS_WAITING]--;
    }
    receipt_free_settled(&settled);
}

static bool take_receipt(struct model *model, const struct bus_message *message)
{
    struct error err;
    struct receipt_summary receipt;
    struct bytes json = message->envelope.value;
    if (receipt_parse(json, &receipt, &err) != OUT_OK)
        return wrong(model, "I5: a receipt cannot be read: %s", err.text);
    if (receipt.is_settled) {
        take_settled(model, json);
        return true;
    }
    struct log *log = &model->logs[receipt.partition];
    if (receipt.next <= log->receipts_to) /* told again */
        return true;
    if (receipt.first < log->receipts_to && receipt.epoch < log->told_epoch)
        return true; /* of a worker that was frozen: the claim after its own tells all of it again
                      */
    log->told_epoch = receipt.epoch;
    if (!check_classes(model, &receipt))
        return false;
    if (receipt.first > log->receipts_to) /* one before was refused: what it said is told again */
        return true;
    if (receipt.first == log->receipts_to) {
        for (int i = 0; i < CLASS_COUNT; i++)
            model->counts[i] += receipt.counts[i];
    } else if (!receipt_count_from(json, log->receipts_to, model->counts)) {
        return wrong(model,
                     "I5: receipts of %d overlap at %" PRId64 ": told up to %" PRId64 ", %.*s",
                     receipt.partition, receipt.first, log->receipts_to, BYTES_ARGS(json));
    }
    log->receipts_to = receipt.next;
    return true;
}

static bool check_receipts(struct model *model)
{
    for (int32_t p = 0; p < model->world->partitions; p++)
        if (!read_topic(model, WORLD_RESULTS, p, model->receipts_read[p], take_receipt,
                        &model->receipts_read[p]))
            return false;
    for (int32_t p = 0; p < model->world->partitions; p++) {
        const struct memory_checkpoint *seen = memory_store_checkpoint(model->world->store, p);
        if (seen && seen->results_next > model->logs[p].receipts_to)
            return wrong(model,
                         "I5: %d is told up to %" PRId64 ", receipts are there up to %" PRId64, p,
                         seen->results_next, model->logs[p].receipts_to);
    }
    return true;
}

bool model_check(struct model *model, char *why, size_t size)
{
    model->why = why;
    model->why_size = size;
    return check_checkpoints(model) && check_rows(model) && check_dead_letters(model) &&
           check_receipts(model);
}

/* ---- the end ----------------------------------------------------------------------------- */

/* Of a child what counts is what did not end as an orphan: its parent may have come too late.
 * INT64_MIN: nothing. */
static int64_t best_of(const struct model *model, int key)
{
    int64_t best = INT64_MIN;
    for (int32_t p = 0; p < model->world->partitions; p++)
        for (int64_t i = 0; i < model->logs[p].count; i++) {
            const struct known *known = &model->logs[p].records[i];
            if (known->key == key && !known->dead_lettered && known->version > best)
                best = known->version;
        }
    return best;
}

static bool check_key(struct model *model, int number)
{
    const struct key *key = &model->keys[number];
    const struct memory_row *row = row_of(model, key);
    int64_t best = best_of(model, number);
    int64_t version = row ? row->version : INT64_MIN;
    if (version != best)
        return wrong(model, "I6: %s k%d is of version %" PRId64 ", not %" PRId64, key->entity,
                     key->number, version, best);
    return true; /* I2 has looked at what it says */
}

bool model_check_end(struct model *model, char *why, size_t size)
{
    uint64_t sum = 0;
    if (!model_check(model, why, size))
        return false;
    for (int32_t p = 0; p < model->world->partitions; p++)
        if (model->logs[p].checkpoint != model->logs[p].count ||
            model->logs[p].receipts_to != model->logs[p].count)
            return wrong(
                model, "I6: of %d %" PRId64 " are produced, %" PRId64 " written, %" PRId64 " told",
                p, model->logs[p].count, model->logs[p].checkpoint, model->logs[p].receipts_to);
    for (int i = 0; i < model->key_count; i++)
        if (!check_key(model, i))
            return false;
    /* More may be settled than was told of as pending: a worker crashed, and before the receipt of
     * their batch was made again they had got in, or were dead. There they count a second time. */
    uint64_t *counts = model->counts, twice = 0 - counts[CLASS_WAITING];
    if (twice <= counts[CLASS_RECOVERED] + counts[CLASS_DEAD])
        counts[CLASS_WAITING] = 0;
    else
        twice = 0;
    for (int i = 0; i < CLASS_COUNT; i++)
        sum += counts[i];
    if (sum - twice != model->total || counts[CLASS_WAITING])
        return wrong(model,
                     "I7: %" PRIu64 " records are counted of %" PRIu64 ", %" PRIu64 " are waiting",
                     sum, model->total, counts[CLASS_WAITING]);
    return true;
}
