#include "common/base/mem.h"
#include "common/policy/verify/diff.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CONFLICTS_MAX ((1u << 11) - 1)

static uint64_t read_be64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

struct diff_key diff_key_of(struct bytes key)
{
    struct digest digest = digest_of(key);
    struct diff_key made = {read_be64(digest.bytes), read_be64(digest.bytes + 8)};
    if (made.high == 0 && made.low == 0)
        made.low = 1; /* all zero marks a free place */
    return made;
}

bool diff_key_equal(const struct diff_key *a, const struct diff_key *b)
{
    return a->high == b->high && a->low == b->low;
}

uint32_t diff_tag_of(const struct digest *digest)
{
    return (uint32_t)hash64(bytes_of(digest->bytes, sizeof digest->bytes));
}

size_t diff_capacity(size_t bytes)
{
    return bytes / sizeof(struct diff_entry);
}

/* Linear probing stays short up to this share of used places. */
static size_t usable(size_t capacity)
{
    return capacity - capacity / 8;
}

/* A pass is planned for fewer than it can hold, as a hash does not cut ranges into equal parts: a
 * sixteenth is 20 standard deviations of the smallest table there is (8 MiB). */
static uint64_t planned(size_t capacity)
{
    size_t usable_places = usable(capacity);
    uint64_t plan = usable_places - usable_places / 16;
    return plan ? plan : 1;
}

uint32_t diff_passes(uint64_t records, size_t bytes)
{
    uint64_t plan = planned(diff_capacity(bytes));
    uint64_t passes = (records + plan - 1) / plan;
    if (passes == 0)
        return 1;
    return passes > UINT32_MAX ? UINT32_MAX : (uint32_t)passes;
}

uint32_t diff_pass_of(const struct diff_key *key, uint32_t passes)
{
    return (uint32_t)(((key->high >> 32) * passes) >> 32);
}

bool diff_in_pass(const struct diff_key *key, uint32_t pass, uint32_t passes)
{
    return diff_pass_of(key, passes) == pass;
}

static struct diff_entry *entries_new(size_t capacity)
{
    return mem_table_new(capacity * sizeof(struct diff_entry));
}

bool diff_table_init(struct diff_table *table, uint64_t records, size_t bytes)
{
    static_assert(sizeof(struct diff_entry) == 64, "diff.h promises 64 bytes a key");
    size_t capacity = diff_capacity(bytes);
    uint64_t wanted = records + records / 4 + 64;
    if (wanted < capacity)
        capacity = (size_t)wanted;
    if (capacity > UINT32_MAX)
        capacity = UINT32_MAX; /* place_of multiplies 32 bits by 32 */
    *table = (struct diff_table){entries_new(capacity), capacity, 0, usable(capacity)};
    return table->entries != NULL;
}

void diff_table_clear(struct diff_table *table)
{
    /* gives the pages back to the system, which memset would not */
    mem_table_free(table->entries, table->capacity * sizeof *table->entries);
    table->entries = mem_sure(entries_new(table->capacity));
    table->used = 0;
}

void diff_table_free(struct diff_table *table)
{
    mem_table_free(table->entries, table->capacity * sizeof *table->entries);
    *table = (struct diff_table){0};
}

static bool is_free(const struct diff_entry *entry)
{
    return entry->key.high == 0 && entry->key.low == 0;
}

static size_t first_place(const struct diff_table *table, const struct diff_key *key)
{
    return (size_t)(((key->low >> 32) * table->capacity) >> 32);
}

void diff_prefetch(const struct diff_table *table, const struct diff_key *key)
{
    if (table->capacity)
        __builtin_prefetch(&table->entries[first_place(table, key)], 1);
}

/* The key's entry, or the free place where it belongs. There is always a free place. */
static struct diff_entry *place_of(const struct diff_table *table, const struct diff_key *key)
{
    size_t at = first_place(table, key);
    for (;;) {
        struct diff_entry *entry = &table->entries[at];
        if (is_free(entry) || diff_key_equal(&entry->key, key))
            return entry;
        if (++at == table->capacity)
            at = 0;
    }
}

bool diff_table_grow(struct diff_table *table)
{
    size_t capacity = table->capacity < UINT32_MAX / 2 ? table->capacity * 2 : UINT32_MAX;
    if (capacity == table->capacity)
        return false;
    struct diff_table grown = {entries_new(capacity), capacity, table->used, usable(capacity)};
    if (!grown.entries)
        return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (!is_free(&table->entries[i]))
            *place_of(&grown, &table->entries[i].key) = table->entries[i];
    mem_table_free(table->entries, table->capacity * sizeof *table->entries);
    *table = grown;
    return true;
}

struct diff_entry *diff_find(const struct diff_table *table, const struct diff_key *key)
{
    if (table->capacity == 0)
        return NULL;
    struct diff_entry *entry = place_of(table, key);
    return is_free(entry) ? NULL : entry;
}

static void stand_for(struct diff_entry *entry, enum diff_stands stands)
{
    entry->stands_low = stands & 1;
    entry->stands_high = stands >> 1;
}

static void lead(struct diff_entry *entry, const struct diff_source *source)
{
    assert(source->group < DIFF_GROUPS_MAX);
    assert(source->partition >= 0 && (uint32_t)source->partition < DIFF_PARTITIONS_MAX);
    *entry = (struct diff_entry){
        .key = source->key,
        .version = source->version,
        .digest = source->digest,
        .source_tag = source->source_tag,
        .reading = source->reading,
        .offset = source->offset,
        .partition = (uint32_t)source->partition & (DIFF_PARTITIONS_MAX - 1),
        .verdict = VERDICT_UNDECIDED,
        .deleted = source->deleted,
        .may_be_gone = source->may_be_gone,
        .broken_box = source->broken_box,
        .group = source->group,
    };
    stand_for(entry, source->history ? STANDS_FOR_NONE : STANDS_FOR_EQUAL);
}

static bool same_content(const struct diff_entry *entry, const struct diff_source *source)
{
    return entry->deleted == source->deleted && entry->source_tag == source->source_tag &&
           (entry->deleted || digest_equal(&entry->digest, &source->digest));
}

uint32_t diff_reading_of(const struct mapping *mapping, const struct record *record)
{
    struct bytes run = record->run, uri = record->origin.uri;
    if (mapping->version_source != VERSION_STAMPED || !run.size || !uri.size ||
        record_run_follows(run))
        return 0;
    uint32_t reading = (uint32_t)(hash64(run) * 31 + hash64(uri));
    return reading ? reading : 1;
}

bool diff_is_ambiguous(const struct diff_entry *leader, const struct diff_source *source)
{
    return source->reading && leader->reading == source->reading && !leader->deleted &&
           !source->deleted && leader->version != source->version && !same_content(leader, source);
}

#define KEPT_AT 8 /* where the half begins that diff_content_kept makes */

void diff_keep_columns(struct digest *digest, const struct digest *before,
                       const struct diff_source *source)
{
    if (source->deleted && source->softly)
        memcpy(digest->bytes + KEPT_AT, before->bytes + KEPT_AT, sizeof digest->bytes - KEPT_AT);
}

/* Of a record that was deleted before it was ever seen nothing is known. */
static bool columns_are_kept(const struct diff_entry *entry, const struct diff_row *row)
{
    static const struct digest UNKNOWN;
    size_t size = sizeof entry->digest.bytes - KEPT_AT;
    const uint8_t *must = entry->digest.bytes + KEPT_AT;
    return !row->softly || memcmp(must, UNKNOWN.bytes, size) == 0 ||
           memcmp(must, row->digest.bytes + KEPT_AT, size) == 0;
}

/* What was in conflict with a version that no longer counts is merely superseded; but of two
 * records of one reading neither is newer than the other. */
static void free_conflicts(struct diff_entry *entry, const struct diff_entry *before,
                           bool ambiguous, uint64_t counts[VERDICT_COUNT])
{
    if (ambiguous && before->ambiguous) {
        uint32_t sum = before->conflicts + entry->conflicts;
        entry->conflicts = sum < CONFLICTS_MAX ? sum : CONFLICTS_MAX;
        return;
    }
    counts[before->ambiguous ? VERDICT_AMBIGUOUS : VERDICT_CONFLICT] -= before->conflicts;
    counts[VERDICT_SUPERSEDED] += before->conflicts;
    /* one of them was counted in the place of a leader that stood for none; this one does */
    if (before->conflicts && !diff_stands_of(before) && !diff_stands_of(entry)) {
        counts[VERDICT_SUPERSEDED]--;
        stand_for(entry, STANDS_FOR_OLDER);
    }
}

static void replace(struct diff_entry *entry, const struct diff_source *source,
                    uint64_t counts[VERDICT_COUNT])
{
    const struct diff_entry before = *entry;
    bool ambiguous = diff_is_ambiguous(entry, source);
    bool stood = diff_stands_of(&before) != STANDS_FOR_NONE;
    lead(entry, source);
    diff_keep_columns(&entry->digest, &before.digest, source);
    entry->ambiguous = ambiguous;
    if (stood && source->history) {
        stand_for(entry, STANDS_FOR_OLDER);
    } else if (stood) {
        counts[ambiguous ? VERDICT_AMBIGUOUS : VERDICT_SUPERSEDED]++;
        entry->conflicts = ambiguous;
    }
    free_conflicts(entry, &before, ambiguous, counts);
}

/* Of a reading whose two records of the key came before, when it was the latest: they have the
 * versions that they had. */
static bool is_ambiguous_again(const struct diff_entry *entry, const struct diff_source *source)
{
    return entry->ambiguous && diff_stands_of(entry) == STANDS_FOR_NONE && source->reading &&
           !source->deleted && !same_content(entry, source);
}

static enum verdict class_of(const struct diff_entry *entry, const struct diff_source *source)
{
    if (source->version < entry->version)
        return is_ambiguous_again(entry, source) ? VERDICT_AMBIGUOUS : VERDICT_SUPERSEDED;
    return same_content(entry, source) ? VERDICT_UNCHANGED : VERDICT_CONFLICT;
}

static void count_conflict(struct diff_entry *entry, enum verdict class)
{
    bool same_kind = (class == VERDICT_AMBIGUOUS) == (entry->ambiguous != 0);
    if (same_kind && entry->conflicts < CONFLICTS_MAX)
        entry->conflicts++;
}

/* A record that does not lead: its class, unless the leader, which is history, stands for it. It
 * stands for the best of them, and for none that is a problem. */
static void count_loser(struct diff_entry *entry, enum verdict class,
                        uint64_t counts[VERDICT_COUNT])
{
    enum diff_stands stands = diff_stands_of(entry);
    bool is_problem = class == VERDICT_CONFLICT || class == VERDICT_AMBIGUOUS;
    enum diff_stands could = class == VERDICT_UNCHANGED ? STANDS_FOR_EQUAL : STANDS_FOR_OLDER;
    if (is_problem) {
        counts[class]++;
        count_conflict(entry, class);
    } else if (stands >= could) {
        counts[class]++;
    } else {
        counts[VERDICT_SUPERSEDED] += stands == STANDS_FOR_OLDER;
        stand_for(entry, could);
    }
}

bool diff_expect(struct diff_table *table, const struct diff_source *source,
                 uint64_t counts[VERDICT_COUNT], enum verdict *verdict)
{
    *verdict = VERDICT_UNDECIDED;
    if (table->used >= table->max)
        return false;
    struct diff_entry *entry = place_of(table, &source->key);
    if (is_free(entry)) {
        table->used++;
        lead(entry, source);
        return true;
    }
    if (source->version > entry->version) {
        replace(entry, source, counts);
        return true;
    }
    *verdict = class_of(entry, source);
    if (!source->history)
        count_loser(entry, *verdict, counts);
    return true;
}

bool diff_stand_in(struct diff_entry *entry)
{
    if (diff_stands_of(entry) != STANDS_FOR_NONE)
        return false;
    stand_for(entry, STANDS_FOR_OLDER);
    return true;
}

bool diff_lag(struct diff_table *table, const struct diff_key *key, enum diff_lags lags,
              uint32_t group)
{
    if (table->used >= table->max)
        return false;
    struct diff_entry *entry = place_of(table, key);
    if (is_free(entry)) {
        table->used++;
        *entry = (struct diff_entry){
            .key = *key, .verdict = VERDICT_LAGGING, .group = group & (DIFF_GROUPS_MAX - 1)};
    }
    if (lags > entry->lags)
        entry->lags = lags & 3;
    return true;
}

bool diff_counts_leader(const struct diff_entry *entry, bool has_other, bool *more)
{
    bool stands = diff_stands_of(entry) != STANDS_FOR_NONE;
    bool has_verdict = has_other || entry->conflicts;
    bool counts = stands || !has_verdict || verdict_is_problem((enum verdict)entry->verdict);
    *more = counts && !stands;
    return counts;
}

#define COLUMN_BITS 24

int64_t diff_pack_place(uint64_t line, uint64_t column)
{
    const uint64_t column_max = (1u << COLUMN_BITS) - 1, line_max = INT64_MAX >> COLUMN_BITS;
    uint64_t kept = line < line_max ? line : line_max;
    return (int64_t)(kept << COLUMN_BITS | (column < column_max ? column : column_max));
}

void diff_unpack_place(int64_t packed, uint64_t *line, uint64_t *column)
{
    *line = (uint64_t)packed >> COLUMN_BITS;
    *column = (uint64_t)packed & ((1u << COLUMN_BITS) - 1);
}

enum verdict diff_judge(const struct diff_entry *entry, const struct diff_row *row)
{
    enum verdict differs = row->older_mapping ? VERDICT_BY_MAPPING : VERDICT_DIFFERENT;
    if (row->version < entry->version)
        return VERDICT_STALE;
    if (row->version > entry->version)
        return VERDICT_TARGET_NEWER;
    if (row->deleted != (entry->deleted != 0) || row->unreadable)
        return differs;
    if (row->has_claim && row->claimed_tag != entry->source_tag)
        return VERDICT_DIFFERENT;
    if (row->deleted)
        return columns_are_kept(entry, row) ? VERDICT_MATCH : differs;
    if (digest_equal(&entry->digest, &row->digest))
        return VERDICT_MATCH;
    return differs;
}

enum verdict diff_actual(struct diff_table *table, const struct diff_row *row,
                         struct diff_entry **entry)
{
    *entry = diff_find(table, &row->key);
    if (*entry && (*entry)->verdict != VERDICT_UNDECIDED)
        *entry = NULL; /* a second row of one key: the first took the place */
    if (!*entry)
        return VERDICT_EXTRA;
    enum verdict verdict = diff_judge(*entry, row);
    (*entry)->verdict = verdict;
    return verdict;
}

struct diff_entry *diff_next(const struct diff_table *table, size_t *at)
{
    while (*at < table->capacity) {
        struct diff_entry *entry = &table->entries[(*at)++];
        if (!is_free(entry))
            return entry;
    }
    return NULL;
}
