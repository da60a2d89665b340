/* Candidates of a key, order, groups, classification; against a naive model. */

#include "common/policy/apply/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

static struct mapping MAPPINGS[3] = {
    {.entity = "a"}, {.entity = "b"}, {.entity = "soft", .on_delete = DELETE_SOFT}};

static void add(struct batch *batch, int64_t offset, int mapping, const char *tenant,
                const char *id, int64_t version, int content)
{
    struct batch_item *item = batch_add(batch, offset);
    item->mapping = &MAPPINGS[mapping];
    item->row.tenant = bytes_text(tenant);
    item->row.id = bytes_text(id);
    item->row.version = version;
    item->row.digest.bytes[0] = (uint8_t)content;
}

static void decide(struct batch_item *item, enum record_class verdict)
{
    item->decided = true;
    item->verdict = verdict;
}

START_TEST(one_row_a_key_the_greatest_version)
{
    struct batch *batch = batch_new(10, 1u << 20);
    add(batch, 0, 0, "t", "k", 5, 1);
    add(batch, 1, 0, "t", "k", 7, 2);
    add(batch, 2, 0, "t", "k", 7, 2); /* the same again */
    add(batch, 3, 0, "t", "k", 7, 3); /* another of the same version */
    add(batch, 4, 0, "t", "k", 6, 4);
    batch_close(batch);
    ck_assert_uint_eq(batch->order_count, 1);
    ck_assert_int_eq(batch->items[batch->order[0]].offset, 1);
    ck_assert(!batch_promote(batch)); /* as if it had been written */
    decide(&batch->items[1], CLASS_APPLIED);
    batch_settle(batch);
    ck_assert(batch_is_decided(batch));
    ck_assert(batch->items[0].verdict == CLASS_SUPERSEDED);
    ck_assert(batch->items[2].verdict == CLASS_UNCHANGED);
    ck_assert(batch->items[3].verdict == CLASS_CONFLICT);
    ck_assert(batch->items[4].verdict == CLASS_SUPERSEDED);
    batch_free(batch);
}
END_TEST

static bool keeps_a(const void *owner, const struct mapping *mapping)
{
    return mapping == owner;
}

START_TEST(all_of_the_greatest_version_go_where_all_are_kept)
{
    struct batch *batch = batch_new(10, 1u << 20);
    add(batch, 0, 0, "t", "k", 5, 1);
    add(batch, 1, 0, "t", "k", 7, 2);
    add(batch, 2, 0, "t", "k", 7, 2);
    add(batch, 3, 0, "t", "k", 7, 3);
    add(batch, 4, 1, "t", "k", 7, 2); /* of a mapping that keeps one */
    add(batch, 5, 1, "t", "k", 7, 3);
    batch_close(batch);
    for (int turn = 0; turn < 2; turn++) {
        ck_assert_uint_eq(batch->order_count, 2);
        batch_promote_equals(batch, keeps_a, &MAPPINGS[0]);
        ck_assert_uint_eq(batch->order_count, 4);
        ck_assert_int_eq(batch->items[batch->order[2]].offset, 2);
        ck_assert_int_eq(batch->items[batch->order[3]].offset, 3);
        if (turn == 0)
            batch_rewind(batch);
    }
    for (size_t i = 0; i < batch->order_count; i++)
        decide(&batch->items[batch->order[i]], CLASS_APPLIED);
    ck_assert(!batch_promote(batch));
    batch_settle(batch);
    ck_assert(batch_is_decided(batch));
    ck_assert(batch->items[0].verdict == CLASS_SUPERSEDED);
    ck_assert(batch->items[3].verdict == CLASS_APPLIED);
    ck_assert(batch->items[5].verdict == CLASS_CONFLICT);
    batch_free(batch);
}
END_TEST

START_TEST(refused_and_pending_ones_give_way_to_the_next)
{
    struct error err;
    struct batch *batch = batch_new(10, 1u << 20);
    error_set(&err, OUT_REJECT, ERR_PG_DATA, "no");
    add(batch, 0, 0, "t", "k", 5, 1);
    add(batch, 1, 0, "t", "k", 7, 2);
    add(batch, 2, 0, "t", "k", 7, 2);
    add(batch, 3, 0, "t", "k", 6, 4);
    add(batch, 4, 0, "t", "other", 1, 1);
    batch_close(batch);
    ck_assert_uint_eq(batch->order_count, 2);
    batch_reject(batch, &batch->items[1], &err);
    ck_assert(batch_promote(batch));
    ck_assert_uint_eq(batch->order_count, 3);
    ck_assert_uint_eq(batch->group_count, 2);
    ck_assert_int_eq(batch->items[batch->order[2]].offset, 2);
    batch_reject(batch, &batch->items[2], &err);
    ck_assert(batch_promote(batch));
    ck_assert_int_eq(batch->items[batch->order[3]].offset, 3);
    bool missing_parent[1] = {true};
    batch_set_pending(batch, &batch->groups[2], missing_parent);
    ck_assert(batch_promote(batch));
    ck_assert_int_eq(batch->items[batch->order[4]].offset, 0);
    ck_assert(!batch_promote(batch));
    batch_retry(batch); /* and all over again */
    ck_assert_uint_eq(batch->order_count, 2);
    ck_assert_uint_eq(batch->group_count, 1);
    ck_assert_int_eq(batch->items[batch->order[0]].offset, 1);
    ck_assert(!batch->items[1].decided && !batch->items[3].decided && !batch->items[2].tried);
    batch_free(batch);
}
END_TEST

/* What was refused has its dead letter, and the COMMIT may have taken place. */
START_TEST(an_unknown_outcome_keeps_refusals)
{
    struct error err;
    struct batch *batch = batch_new(10, 1u << 20);
    error_set(&err, OUT_REJECT, ERR_PG_DATA, "no");
    add(batch, 0, 0, "t", "k", 5, 1);
    add(batch, 1, 0, "t", "k", 7, 2);
    batch_close(batch);
    batch_reject(batch, &batch->items[1], &err);
    batch_promote(batch);
    decide(&batch->items[0], CLASS_APPLIED);
    batch->outcome_unknown = true;
    batch_retry(batch);
    ck_assert(batch->items[1].decided && batch->items[1].err && !batch->items[0].decided);
    ck_assert_uint_eq(batch->order_count, 2);
    ck_assert_int_eq(batch->attempts, 1);
    batch_free(batch);
}
END_TEST

START_TEST(groups_are_runs_of_one_table_and_tenant)
{
    struct batch *batch = batch_new(10, 1u << 20);
    add(batch, 0, 1, "t2", "x", 1, 1);
    add(batch, 1, 0, "t2", "y", 1, 1);
    add(batch, 2, 0, "t1", "z", 1, 1);
    add(batch, 3, 0, "t2", "a", 1, 1);
    struct error err;
    add(batch, 4, 0, "t1", "dead", 1, 1);
    error_set(&err, OUT_REJECT, ERR_VALUE_TYPE, "no");
    batch_reject(batch, &batch->items[4], &err);
    batch_close(batch);
    ck_assert_uint_eq(batch->group_count, 3);
    ck_assert(bytes_equal(batch->groups[0].tenant, BYTES_LITERAL("t1")));
    ck_assert_uint_eq(batch->groups[1].count, 2);
    ck_assert_int_eq(batch->items[batch->order[1]].offset, 3); /* a before y */
    ck_assert_ptr_eq(batch->groups[2].mapping, &MAPPINGS[1]);
    ck_assert_uint_eq(batch_count(batch, CLASS_DEAD), 1);
    ck_assert(!batch_is_decided(batch));
    batch_free(batch);
}
END_TEST

/* ---- against a model --------------------------------------------------------------------- */

#define KEYS 6
#define RECORDS 60

/* A record as the model sees it. `refused`: by the store, always. `is_orphan`: its parent is
 * missing.
 */
struct naive {
    int key, version, content;
    int32_t generation;
    bool deleted, refused, is_orphan;
    enum record_class verdict;
};

/* What a store holds of a key: a row, or a tombstone without columns. */
struct held {
    bool exists, deleted;
    int32_t generation;
    int version, content, columns; /* columns: content of the record they came from; 0: none */
};

static enum record_class write_naive(struct held *held, const struct naive *record, bool soft)
{
    if (record->refused)
        return CLASS_DEAD;
    if (record->is_orphan)
        return CLASS_WAITING;
    if (held->exists && held->version > record->version)
        return CLASS_SUPERSEDED;
    if (held->exists && held->version == record->version) {
        if (held->content != record->content || held->deleted != record->deleted)
            return CLASS_CONFLICT;
        if (held->generation == record->generation)
            return CLASS_UNCHANGED;
        held->generation = record->generation;
        return CLASS_APPLIED;
    }
    bool keeps = record->deleted && soft;
    *held = (struct held){.exists = true,
                          .deleted = record->deleted,
                          .generation = record->generation,
                          .version = record->version,
                          .content = record->content,
                          .columns = !record->deleted ? record->content + 1
                                     : keeps          ? held->columns
                                                      : 0};
    return CLASS_APPLIED;
}

/* A digest's first byte; a delete's is 0, as in a row. */
static int content_of(const struct naive *record)
{
    return record->deleted ? 0 : record->content + 1;
}

/* The sink under test: tries what order says, promotes until there is nothing more. */
static void write_batch(struct batch *batch, struct naive *all, struct held held[KEYS], bool soft,
                        bool hopeful)
{
    struct error err;
    size_t at = 0;
    error_set(&err, OUT_REJECT, ERR_PG_DATA, "no");
    while (hopeful && batch_promote(batch))
        ;
    batch_rewind(batch);
    do {
        for (; at < batch->order_count; at++) {
            struct batch_item *item = &batch->items[batch->order[at]];
            struct naive *record = &all[item->offset];
            struct held before = held[record->key];
            enum record_class verdict = write_naive(&held[record->key], record, soft);
            if (verdict == CLASS_DEAD)
                batch_reject(batch, item, &err);
            else if (verdict == CLASS_APPLIED || verdict == CLASS_WAITING)
                decide(item, verdict);
            else {
                struct digest digest = {0};
                digest.bytes[0] = (uint8_t)(before.deleted ? 0 : before.content + 1);
                batch_decide_stored(item, before.version, before.generation,
                                    bytes_of(digest.bytes, 16));
                ck_assert_int_eq(item->verdict, verdict);
            }
        }
    } while (batch_promote(batch));
    batch_settle(batch);
}

/* Writes in the order of offsets, one by one. */
static void write_one_by_one(const struct naive *all, int count, struct held held[KEYS], bool soft)
{
    for (int i = 0; i < count; i++)
        write_naive(&held[all[i].key], &all[i], soft);
}

static bool same_held(const struct held *a, const struct held *b)
{
    return a->exists == b->exists && a->generation == b->generation && a->deleted == b->deleted &&
           a->version == b->version && a->content == b->content && a->columns == b->columns;
}

static bool has_delete(const struct batch *batch, const struct naive *all, int key)
{
    for (size_t i = 0; i < batch->count; i++)
        if (all[batch->items[i].offset].key == key && all[batch->items[i].offset].deleted)
            return true;
    return false;
}

/* All of a key, one over the other: what the store says of each, and the last one applied. */
static void check_replayed(const struct batch *batch, const struct naive *all, struct held held,
                           int key)
{
    const struct batch_item *applied = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        if (all[item->offset].key != key)
            continue;
        enum record_class want = write_naive(&held, &all[item->offset], true);
        if (want != CLASS_APPLIED) {
            ck_assert_int_eq(item->verdict, want);
            continue;
        }
        if (applied)
            ck_assert_int_eq(applied->verdict, CLASS_SUPERSEDED);
        applied = item;
    }
    if (applied)
        ck_assert_int_eq(applied->verdict, CLASS_APPLIED);
}

/* Classes of one batch, from its own records and what was there before: the candidates of a key
 * from the top, one by one; those below the first that the store takes against the store. */
static void check_classes(const struct batch *batch, const struct naive *all,
                          const struct held before[KEYS], bool soft)
{
    for (int key = 0; key < KEYS && soft; key++)
        if (has_delete(batch, all, key))
            check_replayed(batch, all, before[key], key);
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        const struct naive *record = &all[item->offset];
        const struct naive *best = NULL;
        ck_assert(item->decided);
        if (soft && has_delete(batch, all, record->key))
            continue;
        for (size_t j = 0; j < batch->count; j++) {
            const struct naive *other = &all[batch->items[j].offset];
            if (other->key == record->key && !other->refused && !other->is_orphan &&
                (!best || other->version > best->version))
                best = other;
        }
        struct held held = before[record->key];
        enum record_class want;
        if (best && (record->version < best->version ||
                     (record->version == best->version && record > best))) {
            /* not tried, whatever it is */
            if (held.exists && held.version >= best->version)
                want = write_naive(&held,
                                   &(struct naive){.version = record->version,
                                                   .content = record->content,
                                                   .deleted = record->deleted},
                                   false);
            else if (record->version < best->version)
                want = CLASS_SUPERSEDED;
            else
                want = record->content == best->content && record->deleted == best->deleted
                           ? CLASS_UNCHANGED
                           : CLASS_CONFLICT;
        } else {
            want = write_naive(&held, record, false);
        }
        ck_assert_msg(item->verdict == want, "offset %d of key %d: %s, wanted %s",
                      (int)item->offset, record->key, record_class_name(item->verdict),
                      record_class_name(want));
    }
}

/* However records are cut into batches, the same is written as one by one, and each batch's classes
 * are what its records and the store say. */
START_TEST(what_is_written_does_not_depend_on_the_batch_size)
{
    static const char *const IDS[KEYS] = {"k0", "k1", "k2", "k3", "k4", "k5"};
    struct naive all[RECORDS];
    struct held want[KEYS] = {0};
    bool soft = _i % 2;
    int parents = _i % 3; /* 0: no record misses one */
    srand((unsigned)_i + 1);
    for (int i = 0; i < RECORDS; i++) {
        all[i] = (struct naive){.key = rand() % KEYS,
                                .version = 1 + rand() % 12,
                                .content = rand() % 2,
                                .refused = rand() % 4 == 0,
                                .deleted = rand() % 4 == 0};
        all[i].is_orphan = parents && rand() % 6 == 0;
        if (all[i].deleted)
            all[i].content = 0;
    }
    write_one_by_one(all, RECORDS, want, soft);
    for (int size = 1; size <= RECORDS; size++) {
        struct held held[KEYS] = {0};
        struct batch *batch = batch_new((size_t)size, 1u << 20);
        for (int first = 0; first < RECORDS; first += size) {
            struct held before[KEYS];
            for (int i = first; i < first + size && i < RECORDS; i++) {
                add(batch, i, soft ? 2 : 0, "t", IDS[all[i].key], all[i].version,
                    content_of(&all[i]));
                batch->items[batch->count - 1].row.deleted = all[i].deleted;
            }
            memcpy(before, held, sizeof held);
            batch_close(batch);
            write_batch(batch, all, held, soft, size % 2);
            check_classes(batch, all, before, soft);
            batch_reset(batch);
        }
        batch_free(batch);
        for (int key = 0; key < KEYS; key++)
            ck_assert_msg(same_held(&held[key], &want[key]),
                          "seed %d, batches of %d, key %d: version %d columns %d, wanted %d %d",
                          _i + 1, size, key, held[key].version, held[key].columns,
                          want[key].version, want[key].columns);
    }
}
END_TEST

/* The same when the mapping has changed, and all comes again behind what is there: of a version
 * that came with several contents the first one is written again, none of the others. */
START_TEST(nor_when_the_mapping_has_changed)
{
    static const char *const IDS[KEYS] = {"k0", "k1", "k2", "k3", "k4", "k5"};
    struct naive all[2 * RECORDS];
    struct held want[KEYS] = {0}, old[KEYS] = {0};
    bool soft = _i % 2;
    int conflicts = 0;
    srand((unsigned)_i + 1);
    for (int i = 0; i < RECORDS; i++)
        all[i] = (struct naive){.key = rand() % KEYS,
                                .version = 1 + rand() % 2,
                                .content = rand() % 3,
                                .deleted = rand() % 4 == 0,
                                .refused = rand() % 6 == 0};
    for (int i = 0; i < RECORDS; i++)
        if (all[i].deleted)
            all[i].content = 0;
    for (int i = 0; i < RECORDS; i++) {
        all[RECORDS + i] = all[rand() % RECORDS];
        all[RECORDS + i].generation = 1;
    }
    write_one_by_one(all, RECORDS, old, soft);
    memcpy(want, old, sizeof want);
    write_one_by_one(all + RECORDS, RECORDS, want, soft);
    for (int size = 1; size <= RECORDS; size += 1 + size / 4) {
        struct held held[KEYS];
        struct batch *batch = batch_new((size_t)size, 1u << 20);
        memcpy(held, old, sizeof held);
        for (int first = RECORDS; first < 2 * RECORDS; first += size) {
            for (int i = first; i < first + size && i < 2 * RECORDS; i++) {
                add(batch, i, soft ? 2 : 0, "t", IDS[all[i].key], all[i].version,
                    content_of(&all[i]));
                struct row *row = &batch->items[batch->count - 1].row;
                row->deleted = all[i].deleted;
                row->generation = 1;
            }
            batch_close(batch);
            write_batch(batch, all, held, soft, size % 2);
            ck_assert(batch_is_decided(batch));
            conflicts += (int)batch_count(batch, CLASS_CONFLICT);
            batch_reset(batch);
        }
        batch_free(batch);
        for (int key = 0; key < KEYS; key++)
            ck_assert_msg(same_held(&held[key], &want[key]),
                          "seed %d, batches of %d, key %d: version %d content %d generation %d",
                          _i + 1, size, key, held[key].version, held[key].content,
                          held[key].generation);
    }
    ck_assert_int_gt(conflicts, 0);
}
END_TEST

START_TEST(what_the_store_may_have_is_tried_when_the_mapping_has_changed)
{
    static const int WANT[] = {1, 4, 5};
    struct batch *batch = batch_new(10, 1u << 20);
    add(batch, 0, 0, "t", "k", 5, 1);
    add(batch, 1, 0, "t", "k", 7, 2);
    add(batch, 2, 0, "t", "one content", 7, 2);
    add(batch, 3, 0, "t", "one content", 7, 2);
    add(batch, 4, 0, "t", "k", 7, 3);
    add(batch, 5, 0, "t", "k", 7, 2);
    for (size_t i = 0; i < batch->count; i++)
        batch->items[i].row.generation = 1;
    batch_close(batch);
    while (batch_promote(batch))
        ;
    ck_assert_uint_eq(batch->order_count, 4);
    for (size_t i = 0, at = 0; i < batch->order_count; i++)
        if (batch->order[i] != 2)
            ck_assert_uint_eq(batch->order[i], WANT[at++]);
    decide(&batch->items[2], CLASS_APPLIED);
    decide(&batch->items[1], CLASS_CONFLICT);
    decide(&batch->items[4], CLASS_APPLIED);
    decide(&batch->items[5], CLASS_CONFLICT);
    batch_settle(batch);
    ck_assert(batch->items[0].verdict == CLASS_SUPERSEDED);
    ck_assert(batch->items[3].verdict == CLASS_UNCHANGED);
    batch_free(batch);
}
END_TEST

START_TEST(rows_not_written_are_classified)
{
    struct row row = {.version = 5};
    struct digest other = {.bytes = {1}};
    struct bytes same = bytes_of(row.digest.bytes, 16);
    ck_assert_int_eq(batch_classify(&row, 6, 0, same), CLASS_SUPERSEDED);
    ck_assert_int_eq(batch_classify(&row, 5, 0, same), CLASS_UNCHANGED);
    ck_assert_int_eq(batch_classify(&row, 5, 0, bytes_of(other.bytes, 16)), CLASS_CONFLICT);
    ck_assert_int_eq(batch_classify(&row, 5, 0, bytes_of("", 0)), CLASS_CONFLICT);
    row.generation = 2;
    ck_assert_int_eq(batch_classify(&row, 5, 3, same), CLASS_SUPERSEDED);
    ck_assert_int_eq(batch_classify(&row, 5, 3, bytes_of(other.bytes, 16)), CLASS_CONFLICT);
    ck_assert_int_eq(batch_classify(&row, 5, 2, same), CLASS_UNCHANGED);
    ck_assert_int_eq(batch_classify(&row, 5, 2, bytes_of(other.bytes, 16)), CLASS_CONFLICT);
    ck_assert_int_eq(batch_classify(&row, 5, 1, same), CLASS_UNCHANGED); /* written before */
    ck_assert_int_eq(batch_classify(&row, 5, 1, bytes_of(other.bytes, 16)), CLASS_CONFLICT);
    ck_assert_int_eq(batch_classify(&row, 4, 9, same), CLASS_APPLIED);
}
END_TEST

/* Greater version, or same version, same content and greater generation, wins. */
START_TEST(what_is_held_is_not_written_over)
{
    static const struct {
        int64_t version;
        int32_t generation;
        bool same, other; /* held, when the content is */
    } STORED[] = {
        {4, 0, false, false}, {4, 9, false, false}, {5, 0, false, true}, {5, 1, false, true},
        {5, 2, true, true},   {5, 3, true, true},   {6, 0, true, true},  {6, 9, true, true},
    };
    static const struct digest OTHER = {.bytes = {1}};
    const struct row row = {.version = 5, .generation = 2};
    for (size_t i = 0; i < sizeof STORED / sizeof *STORED; i++) {
        int64_t version = STORED[i].version;
        int32_t generation = STORED[i].generation;
        ck_assert_int_eq(batch_is_held(&row, version, generation, bytes_of(row.digest.bytes, 16)),
                         STORED[i].same);
        ck_assert_int_eq(batch_is_held(&row, version, generation, bytes_of(OTHER.bytes, 16)),
                         STORED[i].other);
    }
}
END_TEST

/* ---- the order, against the whole comparison --------------------------------------------- */

static int compare_whole(const void *left, const void *right, void *items)
{
    const struct batch_item *a = (struct batch_item *)items + *(const uint32_t *)left;
    const struct batch_item *b = (struct batch_item *)items + *(const uint32_t *)right;
    int order = (a->mapping->rank > b->mapping->rank) - (a->mapping->rank < b->mapping->rank);
    order = order ? order : strcmp(a->mapping->entity, b->mapping->entity);
    order = order ? order : bytes_compare(a->row.tenant, b->row.tenant);
    order = order ? order : bytes_compare(a->row.id, b->row.id);
    order = order ? order : (a->row.version < b->row.version) - (a->row.version > b->row.version);
    return order ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

/* Ids that begin alike, end in zeros, are each other's beginning, or come again. */
static struct bytes random_text(char *memory, size_t max)
{
    size_t size = 0, stem = random_below(12);
    for (; size < stem && size < max; size++)
        memory[size] = 'k';
    for (size_t more = random_below(12); more > 0 && size < max; more--)
        memory[size++] = "\0ab\xFF"[random_below(4)];
    return bytes_of(memory, size);
}

START_TEST(sorts_as_the_whole_comparison)
{
    random_begin(20261129);
    static struct mapping mappings[4] = {
        {.entity = "p", .rank = 1}, {.entity = "a"}, {.entity = "c"}, {.entity = "b"}};
    struct batch_sorter sorter = {0};
    batch_sort(&sorter, NULL, NULL, 0);
    for (int round = 0; round < 2000; round++) {
        static struct batch_item items[300];
        static char ids[300][24], tenants[300][4];
        uint32_t sorted[300], wanted[300];
        size_t count = random_below(300), alike = 1 + random_below(40);
        for (size_t i = 0; i < count; i++) {
            struct batch_item *item = &items[i];
            *item =
                (struct batch_item){.offset = (int64_t)i, .mapping = &mappings[random_below(4)]};
            item->row.id = random_below(4) && i >= alike ? items[i % alike].row.id
                                                         : random_text(ids[i], sizeof ids[i]);
            item->row.tenant = random_text(tenants[i], random_below(sizeof tenants[i]));
            item->row.version = (int64_t)random_below(3);
            sorted[i] = wanted[i] = (uint32_t)i;
        }
        qsort_r(wanted, count, sizeof *wanted, compare_whole, items);
        batch_sort(&sorter, items, sorted, count);
        ck_assert_msg(memcmp(sorted, wanted, count * sizeof *sorted) == 0,
                      "seed %" PRIu64 ", round %d", random_seed, round);
    }
    batch_sorter_free(&sorter);
}
END_TEST

static Suite *batch_suite(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, one_row_a_key_the_greatest_version);
    tcase_add_test(tcase, all_of_the_greatest_version_go_where_all_are_kept);
    tcase_add_test(tcase, refused_and_pending_ones_give_way_to_the_next);
    tcase_add_test(tcase, an_unknown_outcome_keeps_refusals);
    tcase_add_test(tcase, groups_are_runs_of_one_table_and_tenant);
    tcase_add_loop_test(tcase, what_is_written_does_not_depend_on_the_batch_size, 0, 120);
    tcase_add_loop_test(tcase, nor_when_the_mapping_has_changed, 0, 12);
    tcase_add_test(tcase, what_the_store_may_have_is_tried_when_the_mapping_has_changed);
    tcase_add_test(tcase, rows_not_written_are_classified);
    tcase_add_test(tcase, what_is_held_is_not_written_over);
    tcase_add_test(tcase, sorts_as_the_whole_comparison);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(batch_suite)
