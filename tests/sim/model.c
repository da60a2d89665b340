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
    uint64_t produced_ms, committed_ms;
    int parent;                /* of a child: of keys[] */
    enum record_class told;    /* by a recovered receipt, */
    int64_t told_in;           /* or in the ordinary one that begins here; */
    uint64_t waiting;          /* of the one that begins with this record: not yet settled */
    enum record_class settled; /* CLASS_COUNT, here and in told: not */
};

/* A key, and the most that its records may make of it. */
struct key {
    char entity[8];
    int number;
    int64_t best; /* version; INT64_MIN: none */
    struct digest digest;
    int64_t seen_version; /* of the row, when it was last looked at */
    uint32_t seen_writes, seen_generation;
    struct digest seen_digest;
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
    for (int i = 0; i < WORLD_PARTITIONS_MAX; i++)
        free(model->logs[i].records);
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
    *known = (struct known){
        .kind = KIND_DEAD, .key = -1, .parent = -1, .told = CLASS_COUNT, .settled = CLASS_COUNT};
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
    struct known *known = &log->records[offset];
    known->produced_ms = model->world->now_ms;
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
    if (strcmp(message->entity, "child") == 0) {
        known->kind = KIND_CHILD;
        known->parent = key_of(model, "parent", message->parent);
    }
}

/* ---- the store --------------------------------------------------------------------------- */

static const struct memory_row *row_of(const struct model *model, const struct key *key)
{
    char id[16];
    snprintf(id, sizeof id, "k%d", key->number);
    return memory_store_find(model->world->store, key->entity, BYTES_LITERAL("t"), bytes_text(id));
}

/* A committed record is what the row says: the first one of its version, under whatever mapping; of
 * children any, as those that wait may come in behind others. */
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
        bool same = row->version == key->seen_version;
        if (same && row->generation < key->seen_generation)
            return wrong(model, "I1: %s k%d went back to generation %u at %" PRId64, key->entity,
                         key->number, (unsigned)row->generation, row->version);
        bool newer = row->generation > key->seen_generation;
        if (same && !newer && row->writes != key->seen_writes)
            return wrong(model, "I1: %s k%d was written twice at %" PRId64, key->entity,
                         key->number, row->version);
        if (same && !digest_equal(&row->digest, &key->seen_digest))
            return wrong(model, "I1: %s k%d has other content at %" PRId64, key->entity,
                         key->number, row->version);
        if ((!same || newer) && !is_committed(model, i, row))
            return wrong(model, "I2: %s k%d is no committed record of version %" PRId64,
                         key->entity, key->number, row->version);
        key->seen_version = row->version;
        key->seen_writes = row->writes;
        key->seen_generation = row->generation;
        key->seen_digest = row->digest;
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
        for (int64_t i = model->logs[p].checkpoint; i < seen->next_offset; i++)
            model->logs[p].records[i].committed_ms = model->world->now_ms;
        model->logs[p].checkpoint = seen->next_offset;
    }
    return true;
}

/* ---- dead letters ------------------------------------------------------------------------ */

/* A child is no orphan before its wait is over, and never when its parent was produced by then. */
static bool check_orphan(struct model *model, const struct log *log, const struct known *child)
{
    const struct world *world = model->world;
    uint64_t due_ms = child->committed_ms + world->settings.parent_wait_ms;
    if (child - log->records >= log->checkpoint)
        return wrong(model, "I6: an orphan is not committed");
    if (world->now_ms < due_ms && !world->settings.until_end)
        return wrong(model, "I6: an orphan of %s k%d did not wait", model->keys[child->key].entity,
                     model->keys[child->key].number);
    for (int32_t p = 0; p < world->partitions; p++)
        for (int64_t i = 0; i < model->logs[p].count; i++) {
            const struct known *other = &model->logs[p].records[i];
            if (other->key == child->parent && other->produced_ms <= due_ms)
                return wrong(model, "I6: an orphan of %s k%d has its parent at %d@%" PRId64,
                             model->keys[child->key].entity, model->keys[child->key].number, p, i);
        }
    return true;
}

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
    if (known->kind == KIND_CHILD && !known->dead_lettered &&
        !check_orphan(model, &model->logs[origin.partition], known))
        return false;
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

/* What a receipt of an ordinary batch says is possible for its records: a child may be in any class
 * but dead, as it waits for a parent that is missing. Where mappings change, a record that is there
 * already may be written again. */
static bool check_classes(struct model *model, const struct receipt_summary *receipt, bool has_runs)
{
    const struct log *log = &model->logs[receipt->partition];
    struct range_kinds range = kinds_of(log, receipt->first, receipt->next);
    const uint64_t *counts = receipt->counts;
    uint64_t children = range.kinds[KIND_CHILD];
    if (model->world->generations > 1)
        children += range.kinds[KIND_SAME];
    uint64_t sum = 0;
    for (int i = 0; i < CLASS_COUNT; i++)
        sum += counts[i];
    if (sum != (uint64_t)(receipt->next - receipt->first))
        return wrong(model, "I5: the receipt of %d@%" PRId64 " counts %" PRIu64 " of %" PRId64,
                     receipt->partition, receipt->first, sum, receipt->next - receipt->first);
    if (has_runs) /* check_run */
        return true;
    if (counts[CLASS_RECOVERED] || counts[CLASS_DEAD] != range.kinds[KIND_DEAD] ||
        counts[CLASS_APPLIED] < range.new_keys ||
        counts[CLASS_APPLIED] > range.new_keys + children ||
        counts[CLASS_UNCHANGED] > range.kinds[KIND_SAME] + children ||
        counts[CLASS_CONFLICT] > range.kinds[KIND_OTHER] + children ||
        counts[CLASS_SUPERSEDED] < range.kinds[KIND_OLD] ||
        counts[CLASS_WAITING] > range.kinds[KIND_CHILD])
        return wrong(
            model,
            "I5: the receipt of %d@%" PRId64 "-%" PRId64 " says applied %" PRIu64
            " unchanged %" PRIu64 " superseded %" PRIu64 " conflict %" PRIu64 " dead %" PRIu64
            " waiting %" PRIu64 "; keys with news %" PRIu64 ", same %" PRIu64 ", other %" PRIu64
            ", old %" PRIu64 ", dead %" PRIu64 ", children %" PRIu64,
            receipt->partition, receipt->first, receipt->next, counts[CLASS_APPLIED],
            counts[CLASS_UNCHANGED], counts[CLASS_SUPERSEDED], counts[CLASS_CONFLICT],
            counts[CLASS_DEAD], counts[CLASS_WAITING], range.new_keys, range.kinds[KIND_SAME],
            range.kinds[KIND_OTHER], range.kinds[KIND_OLD], range.kinds[KIND_DEAD], children);
    return true;
}

static bool take_settled(struct model *model, struct bytes json)
{
    struct error err;
    struct settled_receipt settled;
    bool ok = true;
    if (receipt_parse_settled(json, &settled, &err) != OUT_OK)
        abort();
    for (size_t i = 0; i < settled.count && ok; i++) {
        const struct settled_item *item = &settled.items[i];
        struct log *log = &model->logs[item->partition];
        struct known *known = item->offset < log->checkpoint ? &log->records[item->offset] : NULL;
        ok = known && known->kind == KIND_CHILD &&
             (known->settled == CLASS_COUNT || known->settled == item->the_class);
        if (ok)
            known->settled = item->the_class;
        else
            wrong(model, "I7: %d@%" PRId64 " is settled as %s, and cannot be", item->partition,
                  item->offset, record_class_name(item->the_class));
    }
    receipt_free_settled(&settled);
    return ok;
}

/* The class that a receipt with runs gives to one record; CLASS_COUNT: none. */
static enum record_class class_in_runs(struct bytes json, int64_t offset)
{
    uint64_t from[CLASS_COUNT] = {0}, behind[CLASS_COUNT] = {0};
    int the_class = 0;
    if (!receipt_count_from(json, offset, from) || !receipt_count_from(json, offset + 1, behind))
        return CLASS_COUNT;
    while (the_class < CLASS_COUNT && from[the_class] == behind[the_class])
        the_class++;
    return (enum record_class)the_class;
}

/* Of a receipt that was made after a crash or a lost answer: each record has its class. */
static bool check_run(struct model *model, int32_t partition, int64_t offset,
                      enum record_class told)
{
    struct known *known = &model->logs[partition].records[offset];
    bool possible = told == CLASS_RECOVERED ? known->kind != KIND_DEAD
                    : told == CLASS_DEAD    ? known->kind == KIND_DEAD || known->kind == KIND_CHILD
                    : told == CLASS_CONFLICT
                        ? known->kind == KIND_OTHER || known->kind == KIND_CHILD
                        : told == CLASS_WAITING && known->kind == KIND_CHILD;
    known->told = told;
    return possible || wrong(model, "I5: %d@%" PRId64 " is told of as %s, and is of kind %d",
                             partition, offset, record_class_name(told), (int)known->kind);
}

static bool is_recovered(struct bytes json)
{
    static const char SAYS[] = "\"recovered\":true";
    return memmem(json.data, json.size, SAYS, sizeof SAYS - 1) != NULL;
}

/* An ordinary receipt with records that wait says which they are. */
static bool check_waiting(struct model *model, struct bytes json,
                          const struct receipt_summary *receipt)
{
    uint64_t counts[CLASS_COUNT] = {0};
    if (receipt->counts[CLASS_WAITING] == 0)
        return true;
    if (!receipt_count_from(json, receipt->first, counts) ||
        memcmp(counts, receipt->counts, sizeof counts) != 0)
        return wrong(model, "I5: the receipt of %d@%" PRId64 " does not say which records wait",
                     receipt->partition, receipt->first);
    for (int64_t i = receipt->first; i < receipt->next; i++)
        if (class_in_runs(json, i) == CLASS_WAITING &&
            model->logs[receipt->partition].records[i].kind != KIND_CHILD)
            return wrong(model, "I5: %d@%" PRId64 " waits and is no child", receipt->partition, i);
    return true;
}

static bool take_receipt(struct model *model, const struct bus_message *message)
{
    struct error err;
    struct receipt_summary receipt;
    struct bytes json = message->envelope.value;
    if (receipt_parse(json, &receipt, &err) != OUT_OK)
        return wrong(model, "I5: a receipt cannot be read: %s", err.text);
    if (receipt.is_settled)
        return take_settled(model, json);
    struct log *log = &model->logs[receipt.partition];
    if (receipt.next <= log->receipts_to) /* told again */
        return true;
    if (receipt.first < log->receipts_to && receipt.epoch < log->told_epoch)
        return true; /* of a worker that was frozen: the claim after its own tells all of it again
                      */
    log->told_epoch = receipt.epoch;
    bool has_runs = is_recovered(json) && class_in_runs(json, receipt.first) != CLASS_COUNT;
    if (!check_classes(model, &receipt, has_runs) ||
        (!has_runs && !check_waiting(model, json, &receipt)))
        return false;
    if (receipt.first > log->receipts_to) /* one before was refused: what it said is told again */
        return true;
    if (receipt.first < log->receipts_to && !has_runs)
        return wrong(model,
                     "I5: receipts of %d overlap at %" PRId64 ": told up to %" PRId64 ", %.*s",
                     receipt.partition, receipt.first, log->receipts_to, BYTES_ARGS(json));
    for (int64_t i = log->receipts_to; i < receipt.next && has_runs; i++)
        if (!check_run(model, receipt.partition, i, class_in_runs(json, i)))
            return false;
    for (int64_t i = receipt.first; i < receipt.next && !has_runs; i++)
        log->records[i].told_in = receipt.first;
    if (!has_runs)
        log->records[receipt.first].waiting = receipt.counts[CLASS_WAITING];
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

/* Every record is told of once; who waited there is settled, and nobody else. After a crash one may
 * be told of as what it had become meanwhile, recovered, a conflict or dead, and be settled all the
 * same. */
static bool check_settled(struct model *model, int32_t partition)
{
    struct log *log = &model->logs[partition];
    for (int64_t i = 0; i < log->count; i++) {
        struct known *known = &log->records[i];
        bool settled = known->settled != CLASS_COUNT, has_run = known->told != CLASS_COUNT;
        bool may_be = known->told == CLASS_RECOVERED || known->told == CLASS_CONFLICT ||
                      known->told == CLASS_DEAD;
        if (settled && !has_run && log->records[known->told_in].waiting-- == 0)
            return wrong(model, "I7: %d@%" PRId64 " is settled and did not wait", partition, i);
        if (has_run && !may_be && settled != (known->told == CLASS_WAITING))
            return wrong(model, "I7: %d@%" PRId64 " is told of as %s and is %ssettled", partition,
                         i, record_class_name(known->told), settled ? "" : "not ");
        bool is_dead = (settled ? known->settled : known->told) == CLASS_DEAD;
        if (known->kind == KIND_CHILD && (settled || has_run) && is_dead != known->dead_lettered)
            return wrong(model, "I6: %d@%" PRId64 " is %sdead and has %s dead letter", partition, i,
                         is_dead ? "" : "not ", known->dead_lettered ? "a" : "no");
    }
    for (int64_t i = 0; i < log->count; i++)
        if (log->records[i].waiting)
            return wrong(model, "I7: %" PRIu64 " that were told of at %d@%" PRId64 " still wait",
                         log->records[i].waiting, partition, i);
    return true;
}

bool model_check_end(struct model *model, char *why, size_t size)
{
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
    for (int32_t p = 0; p < model->world->partitions; p++)
        if (!check_settled(model, p))
            return false;
    return true;
}
