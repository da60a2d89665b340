/*
 * The original files against the topic: the record that wins a key in the files must be the one
 * that wins it in the topic.
 *
 * Usually the files are read first, into a table of their own, and the messages are compared as
 * they are read for the rows (source_check_begin). That takes room for both tables, and files
 * without two records of one key whose order nobody knows, which need to be seen after those of the
 * topic. Else the files are read at the end, in as many passes as it takes, and the topic after
 * them once more in each (source_check_run).
 */
#include "verifier/source_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/key_file.h"
#include "common/io/source/source_guard.h"
#include "common/io/source/source_intake.h"
#include "common/model/json/canonical.h"
#include "common/model/message/envelope.h"
#include "common/policy/verify/verify_secrets.h"
#include "verifier/expected.h"
#include "verifier/samples.h"

#define PASSES_MAX 4096u
#define MASKED_MAX (512u << 20)
#define NAMES_MAX (64u << 20)
#define NAME_BYTES ((size_t)64 << 10)
#define UNKNOWN_ENTITY BYTES_LITERAL("(none)")

/* A record of the files with the version of the one that leads its key, and other content: what the
 * store has when that one was refused. */
struct equal_version {
    struct diff_key key;
    int64_t version;
    struct digest digest;
};
#define EQUALS_MAX (64u << 10) /* 3 MiB; who writes a version twice does so seldom */

/* One reading of the files. Every pass reads all of them and keeps the keys of its range. */
struct source_check {
    struct verify_run *run;
    struct diff_table *table; /* own, or run's when that one is done with */
    struct diff_table own;
    struct source_rules rules;
    struct source_files files;
    uint32_t pass, passes;
    uint32_t readings;       /* of the files, before this one */
    uint64_t *rejected;      /* by mapping; the last one of no mapping */
    bool full;               /* the table took no more, or an own one is not enough */
    size_t ambiguous_before; /* samples that the topic gave */

    size_t file; /* being read */
    struct source_reading *reading;
    struct source_intake *intake;
    struct buf masked;
    int64_t order;      /* records before: a later one wins where the mapping has no version */
    bool whole;         /* the file being read, until now */
    struct bytes *read; /* sorted: what a message may call the files that were read whole */
    size_t read_count;
    struct arena names;
    struct equal_version *equals; /* in the files' order, and by key once the topic is read */
    size_t equal_count, equal_room;

    /* Secrets are taken out as the producer takes them. Without its key, with any key, and what
     * stands for secrets is not compared. */
    struct secret_ring *ring;
    bool has_key;
    struct source_guard guard;
};

static size_t mapping_at(const struct source_check *check, const struct mapping *mapping)
{
    size_t at = 0;
    while (at < check->run->mappings.count && check->run->mappings.items[at] != mapping)
        at++;
    return at;
}

/* ---- the files */

/* `tenant`: as far as it was found; else all of the run's may have one. */
static void reject(struct source_check *check, const struct source_record *found,
                   struct bytes tenant, const struct error *why)
{
    if (!tenant.size)
        tenant = buf_view(&check->rules.fixed);
    if (check->pass != 0 || !scope_has_rejected(&check->run->scope, tenant))
        return;
    size_t at = mapping_at(check, found->mapping);
    check->rejected[at]++;
    struct record record = {
        .entity = found->mapping ? bytes_text(found->mapping->entity) : UNKNOWN_ENTITY,
        .origin = found->origin,
    };
    verify_report_count_code(&check->run->report, VERDICT_REJECTED, why->code, 1);
    struct verify_sample *sample =
        samples_add(check->run, VERDICT_REJECTED, why->code, &record, 0, 0);
    if (!sample)
        return;
    sample->has_place = false;
    samples_reason(check->run, sample, why->code, why->path);
}

static enum outcome append_canonical(const struct mapping *mapping, struct bytes payload,
                                     struct buf *content, struct error *err)
{
    yyjson_doc *doc = NULL;
    if (mapping->unicode == JSON_UNICODE_REJECT && canonical_append_text(content, payload))
        return OUT_OK;
    enum outcome outcome = json_parse(payload, mapping->unicode, NULL, &doc, err);
    if (outcome == OUT_OK)
        canonical_append(content, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return outcome;
}

/* The digest of the payload alone: that is what must be the same in file and topic. */
static enum outcome digest_payload(struct source_check *check, const struct mapping *mapping,
                                   struct bytes payload, struct digest *digest, struct error *err)
{
    struct buf *content = &check->run->judge.content;
    buf_reset(content);
    buf_reset(&check->masked);
    enum outcome outcome = append_canonical(mapping, payload, content, err);
    if (outcome != OUT_OK)
        return outcome;
    if (!check->has_key)
        verify_secrets_append(&check->masked, buf_view(content));
    if (content->failed || check->masked.failed)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to compare");
    *digest = digest_of(buf_view(check->has_key ? content : &check->masked));
    return OUT_OK;
}

/* Nothing in the canonical form can stand for a secret: each of those has a '$', which JSON spells
 * as it is, or with a \u. */
static bool has_no_mark(struct bytes payload)
{
    const char *at = payload.data, *end = at + payload.size;
    if (memchr(at, '$', payload.size))
        return false;
    while ((at = memchr(at, '\\', (size_t)(end - at))) && at + 1 < end && at[1] != 'u')
        at += 2;
    return !at;
}

/* The same of a message; usually it is the digest that the mapping has taken. */
static bool digest_message(struct source_check *check, const struct expected *message,
                           struct digest *digest)
{
    struct bytes payload = message->record.payload;
    if (message->row.id.size && payload.size && (check->has_key || has_no_mark(payload))) {
        *digest = message->row.digest;
        return true;
    }
    return digest_payload(check, message->mapping, payload, digest, NULL) == OUT_OK;
}

/* Counted with the messages, where the topic has them; here both places are known. */
static void ambiguous(struct source_check *check, const struct record *record,
                      const struct diff_entry *first, uint32_t group)
{
    struct verify_report *report = &check->run->report;
    if (check->table == &check->own) {
        check->full = true;
        return;
    }
    bool counted = report->groups.items[group].counts[VERDICT_AMBIGUOUS] > 0;
    if (!counted) { /* an older topic, a producer that names no run */
        report->groups.items[group].counts[VERDICT_AMBIGUOUS]++;
        report->source_count++;
    }
    struct verify_sample *sample =
        samples_add(check->run, VERDICT_AMBIGUOUS, ERR_NONE, record, 0, 0);
    if (!sample)
        return;
    sample->has_place = false;
    samples_reason_ambiguous(check->run, sample, first);
}

static void keep_equal(struct source_check *check, const struct diff_key *key, int64_t version,
                       const struct digest *digest)
{
    if (check->equal_count == EQUALS_MAX)
        return;
    check->equals =
        mem_grown(check->equals, &check->equal_room, check->equal_count + 1, sizeof *check->equals);
    check->equals[check->equal_count++] = (struct equal_version){*key, version, *digest};
}

static int compare_equals(const void *left, const void *right)
{
    const struct equal_version *a = left, *b = right;
    if (a->key.high != b->key.high)
        return a->key.high < b->key.high ? -1 : 1;
    return (a->key.low > b->key.low) - (a->key.low < b->key.low);
}

/* Whether a file has this very record behind the one that leads its key. */
static bool is_equal_of_files(const struct source_check *check, const struct diff_key *key,
                              int64_t version, const struct digest *digest)
{
    size_t low = 0, high = check->equal_count;
    const struct equal_version wanted = {.key = *key};
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_equals(&check->equals[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < check->equal_count && diff_key_equal(&check->equals[low].key, key); low++)
        if (check->equals[low].version == version &&
            digest_equal(&check->equals[low].digest, digest))
            return true;
    return false;
}

static void expect(struct source_check *check, const struct diff_key *key,
                   const struct record *record, const struct source_record *found,
                   const struct digest *digest)
{
    struct verify_run *run = check->run;
    struct diff_groups *groups = &run->report.groups;
    uint64_t ignored[VERDICT_COUNT] = {0}; /* the files' own repeats are no records of the topic */
    enum verdict verdict;
    size_t file = check->file < DIFF_PARTITIONS_MAX ? check->file : DIFF_PARTITIONS_MAX - 1;
    struct diff_source source = {
        .key = *key,
        .version = record->version,
        .digest = *digest,
        .source_tag = diff_tag_of(digest),
        .reading = found->mapping->version_source == VERSION_STAMPED ? (uint32_t)file + 1 : 0,
        .partition = (int32_t)file,
        .offset = diff_pack_place(found->origin.line, found->origin.column),
    };
    if (!diff_in_pass(&source.key, check->pass, check->passes))
        return;
    source.group = diff_groups_find(groups, record->tenant, record->entity);
    const struct diff_entry *leader = source.reading ? diff_find(check->table, &source.key) : NULL;
    if (leader && diff_is_ambiguous(leader, &source))
        ambiguous(check, record, leader, source.group);
    if (!diff_expect(check->table, &source, ignored, &verdict))
        check->full = true;
    else if (verdict == VERDICT_CONFLICT)
        keep_equal(check, key, record->version, digest);
}

static void take_record(struct source_check *check, const struct source_record *found)
{
    struct error why = {0};
    struct digest digest;
    struct record record;
    struct diff_key key;
    check->order++;
    enum outcome outcome = source_intake_record(check->intake, found, check->order, &record, &why);
    if (outcome == OUT_OK && !scope_has(&check->run->scope, &record))
        return;
    if (outcome == OUT_OK) {
        key = verify_run_key(check->run, record.tenant, record.entity, record.id);
        diff_prefetch(check->table, &key); /* until the content's digest is known */
    }
    if (outcome == OUT_OK)
        outcome =
            source_guard_apply(&check->guard, &check->rules, source_reading_form(check->reading),
                               found->mapping, &record, NULL, &why);
    if (outcome == OUT_OK)
        outcome = digest_payload(check, found->mapping, record.payload, &digest, &why);
    if (outcome == OUT_OK)
        expect(check, &key, &record, found, &digest);
    if (outcome != OUT_OK)
        reject(check, found, record.tenant, &why);
}

static void warn_file(struct source_check *check, const struct error *why)
{
    check->whole = false;
    check->run->report.broken = check->run->report.broken_otherwise = true;
    if (check->readings)
        return;
    verify_report_warn(&check->run->report, "%s: %s: %s", check->files.items[check->file].path,
                       error_code_id(why->code), why->text);
}

static enum outcome read_records(struct source_check *check, struct error *err)
{
    struct source_record found;
    struct error why = {0};
    while (!check->full) {
        switch (source_reading_next(check->reading, &found, &why)) {
        case SOURCE_RECORD:
            take_record(check, &found);
            break;
        case SOURCE_REJECTED:
            reject(check, &found, (struct bytes){0}, &why);
            break;
        case SOURCE_WITHHELD: /* counted by the producer's own word */
        case SOURCE_NOTE:
        case SOURCE_TURN:
            break;
        case SOURCE_BROKEN:
            warn_file(check, &why);
            break;
        case SOURCE_END:
            return OUT_OK;
        case SOURCE_FATAL:
            *err = why;
            return OUT_FATAL;
        }
    }
    return OUT_OK;
}

static enum outcome read_file(struct source_check *check, const struct source_file *file,
                              struct error *err)
{
    if (strcmp(file->path, "-") == 0)
        return error_set(err, OUT_FATAL, ERR_SOURCE_KIND,
                         "standard input cannot be read a second time");
    enum outcome outcome = source_reading_open(&check->rules, file, &check->reading, err);
    if (outcome == OUT_OK)
        outcome = read_records(check, err);
    source_reading_close(check->reading);
    check->reading = NULL;
    return outcome;
}

static int compare_names(const void *left, const void *right)
{
    const struct bytes *a = left, *b = right;
    return bytes_compare(*a, *b);
}

static void add_name(struct source_check *check, const char *path)
{
    struct buf spelled;
    buf_init(&spelled, NAME_BYTES);
    envelope_append_uri(&spelled, bytes_text(path));
    struct bytes copy = arena_copy(&check->names, buf_view(&spelled));
    if (copy.data)
        check->read[check->read_count++] = copy;
    buf_free(&spelled);
}

/* A producer calls a file as it was given to it, spelled as in drover-origin. */
static void note_read(struct source_check *check)
{
    const char *path = check->files.items[check->file].path;
    char *real = realpath(path, NULL);
    if (check->whole) {
        add_name(check, path);
        add_name(check, real ? real : path);
    }
    free(real);
}

static enum outcome read_files(struct source_check *check, struct error *err)
{
    enum outcome outcome = OUT_OK;
    check->order = 0;
    source_intake_free(check->intake);
    check->intake = source_intake_new(&check->rules, &check->run->judge.source);
    check->read_count = 0;
    check->equal_count = 0;
    arena_reset(&check->names);
    for (check->file = 0; check->file < check->files.count && outcome == OUT_OK; check->file++) {
        check->whole = true;
        outcome = read_file(check, &check->files.items[check->file], err);
        if (outcome == OUT_REJECT) {
            warn_file(check, err);
            outcome = OUT_OK;
        }
        note_read(check);
    }
    check->readings++;
    if (check->read_count)
        qsort(check->read, check->read_count, sizeof *check->read, compare_names);
    return outcome;
}

/* ---- the topic */

static uint32_t tag_version(int64_t version)
{
    return (uint32_t)hash64(bytes_of((const char *)&version, sizeof version));
}

/* What the table says of a key while the topic is read, in an entry's own words:
 *   version    of the topic's newest record so far
 *   verdict    UNDECIDED: no record of the topic has the key yet; MATCH: the newest says what the
 *              files say; OVERTAKEN: it says something else; SUPERSEDED: so it does, and it is
 *              of another source, in which case the files' own need only be in the topic too;
 *              GONE, ELSEWHERE: no file has the key
 *   marked     that newest record is a dead letter
 *   seen       the files have the key, and partition and offset are its place there
 *   source_tag of the version that the files' record brings, where the mapping has one
 *   ambiguous  the topic has that very record, version and content */
static void begin_topic(struct source_check *check)
{
    size_t at = 0;
    if (check->equal_count)
        qsort(check->equals, check->equal_count, sizeof *check->equals, compare_equals);
    for (struct diff_entry *entry; (entry = diff_next(check->table, &at));) {
        entry->seen = 1;
        entry->marked = 0;
        entry->ambiguous = 0;
        entry->source_tag = tag_version(entry->version);
        entry->verdict = VERDICT_UNDECIDED;
        entry->version = INT64_MIN;
        entry->deleted = 0;
    }
}

/* Whether the files that were read now are where the record came from: the file is among them, and
 * what is given from outside (tenant, user) is what it was then. */
static bool came_from_here(const struct source_check *check, const struct record *record)
{
    const struct settings *settings = check->run->settings;
    struct bytes user = bytes_text(settings->user ? settings->user : "");
    struct bytes tenant = buf_view(&check->rules.fixed);
    if (tenant.size && !bytes_equal(tenant, record->tenant))
        return false;
    if (user.size && record->user.size && !bytes_equal(user, record->user))
        return false;
    return check->read_count && bsearch(&record->origin.uri, check->read, check->read_count,
                                        sizeof *check->read, compare_names);
}

/* A key that no file has. */
static void take_other(struct source_check *check, const struct diff_key *key,
                       const struct record *record, int64_t version,
                       const struct bus_message *message)
{
    uint64_t ignored[VERDICT_COUNT] = {0};
    enum verdict verdict;
    struct verify_run *run = check->run;
    if (expected_find_dead(run, message) || !diff_in_pass(key, check->pass, check->passes))
        return;
    struct diff_source source = {
        .key = *key,
        .version = version,
        .deleted = record->operation == OP_DELETE,
        .partition = message->partition,
        .offset = message->offset,
        .group = diff_groups_find(&run->report.groups, record->tenant, record->entity),
    };
    if (!diff_expect(check->table, &source, ignored, &verdict)) {
        check->full = true;
        return;
    }
    struct diff_entry *entry = diff_find(check->table, key);
    if (verdict != VERDICT_UNDECIDED || !entry)
        return;
    entry->seen = 0;
    entry->verdict = came_from_here(check, record) ? VERDICT_GONE : VERDICT_ELSEWHERE;
}

/* Which the files' record brings itself; of a stamped one the file's time alone says when it was.
 */
static bool has_files_version(const struct diff_entry *entry, int64_t version)
{
    return !entry->reading && entry->source_tag == tag_version(version);
}

/* What the newest record of a key says that the files do not. One that brings a later version of
 * its own, from a source that was not read, took over from the files' rightly. */
static enum verdict differs(const struct source_check *check, const struct diff_entry *entry,
                            const struct expected *newest)
{
    bool by_version = !entry->reading && !has_files_version(entry, newest->source.version);
    return by_version && !entry->deleted && !came_from_here(check, &newest->record)
               ? VERDICT_SUPERSEDED
               : VERDICT_OVERTAKEN;
}

static void answer(struct source_check *check, const struct bus_message *message,
                   const struct expected *found)
{
    struct verify_run *run = check->run;
    const struct record *record = &found->record;
    const struct diff_key *key = &found->source.key;
    int64_t version = found->source.version;
    struct digest digest = {{0}};
    struct diff_entry *entry = diff_find(check->table, key);
    if (!entry || !entry->seen) {
        take_other(check, key, record, version, message);
        return;
    }
    /* The first of equal ones is the one that was written, if it was not refused. */
    bool dead = expected_find_dead(run, message);
    bool refused = entry->marked && version == entry->version; /* the one that led until now */
    bool leads =
        entry->verdict == VERDICT_UNDECIDED || version > entry->version || (refused && !dead);
    if (!leads && (entry->ambiguous || !has_files_version(entry, version)))
        return;
    bool deleted = record->operation == OP_DELETE;
    bool readable = !deleted && digest_message(check, found, &digest);
    bool same = readable && digest_equal(&entry->digest, &digest);
    entry->ambiguous |= same && has_files_version(entry, version);
    if (!leads)
        return;
    entry->marked = dead;
    entry->version = version;
    entry->deleted = deleted;
    same = same || (readable && refused && is_equal_of_files(check, key, version, &digest));
    entry->verdict = same ? VERDICT_MATCH : differs(check, entry, found);
}

/* A message while the topic is read for the rows; `made` NULL: nobody knows yet what it is. */
static void see(void *owner, const struct bus_message *message, const struct expected *made)
{
    struct source_check *check = owner;
    struct expected found;
    if (check->full)
        return;
    if (!made && expected_identify_any(check->run, message, &found))
        made = &found;
    if (made && scope_has(&check->run->scope, &made->record))
        answer(check, message, made);
}

static enum outcome take_message(void *owner, const struct bus_message *message, struct error *err)
{
    struct source_check *check = owner;
    (void)err;
    expected_tick(check->run, message);
    see(check, message, NULL);
    return OUT_OK;
}

static enum outcome read_topic(struct source_check *check, struct error *err)
{
    struct verify_run *run = check->run;
    /* from the topic's head again */
    memset(run->clocks, 0, run->report.partition_count * sizeof *run->clocks);
    return verify_run_read(run, verify_run_ranges(run), take_message, check, err);
}

/* Of what the files have the place there, of all others that in the topic. */
static void add_sample(struct source_check *check, const struct diff_entry *entry,
                       enum verdict verdict)
{
    const struct diff_group *group = &check->run->report.groups.items[entry->group];
    struct record record = {.tenant = group->tenant, .entity = group->entity};
    if (entry->seen) {
        record.origin.uri = bytes_text(check->files.items[entry->partition].path);
        diff_unpack_place(entry->offset, &record.origin.line, &record.origin.column);
    }
    struct verify_sample *sample = samples_add(check->run, verdict, ERR_NONE, &record,
                                               (int32_t)entry->partition, entry->offset);
    if (!sample)
        return;
    sample->has_place = !entry->seen;
    sample->key = entry->key;
    sample->has_actual = verdict == VERDICT_OVERTAKEN;
    sample->actual_version = entry->version;
    sample->reason = bytes_text(
        verdict == VERDICT_UNPRODUCED ? "no record of the topic has this key"
        : verdict == VERDICT_GONE
            ? "the source it came from was read again and no longer has this key"
        : verdict == VERDICT_ELSEWHERE ? "none of the sources that were read has this key"
        : entry->deleted               ? "the newest record of this key in the topic deletes it"
                         : "the newest record of this key in the topic has other content");
}

static enum verdict answer_of(const struct diff_entry *entry)
{
    if (entry->verdict == VERDICT_UNDECIDED)
        return VERDICT_UNPRODUCED;
    if (entry->verdict == VERDICT_SUPERSEDED && !entry->ambiguous)
        return VERDICT_OVERTAKEN; /* nobody sent the files' own */
    return (enum verdict)entry->verdict;
}

static void count_answers(struct source_check *check)
{
    size_t at = 0;
    struct verify_report *report = &check->run->report;
    for (struct diff_entry *entry; (entry = diff_next(check->table, &at));) {
        uint64_t *counts = report->groups.items[entry->group].counts;
        enum verdict verdict = answer_of(entry);
        bool superseded = verdict == VERDICT_SUPERSEDED; /* counted with the topic's records */
        if (verdict == VERDICT_MATCH || superseded || (!entry->seen && entry->deleted))
            continue; /* what is deleted and in no file is as it should be */
        counts[verdict]++;
        report->source_count += verdict == VERDICT_UNPRODUCED; /* the others are of the topic */
        add_sample(check, entry, verdict);
    }
}

/* ---- both */

/* The files are read anew. */
static void forget_rejected(struct source_check *check)
{
    memset(check->rejected, 0, (check->run->mappings.count + 1) * sizeof *check->rejected);
    verify_report_forget(&check->run->report, VERDICT_REJECTED, 0);
}

/* How many records the files hold is not known before. When they do not fit, the table first gets
 * all of its share of the memory, then the work is done in twice the passes. */
static enum outcome make_room(struct source_check *check, struct error *err)
{
    size_t max = diff_capacity(VERIFY_TABLE_SHARE(check->run->memory_max));
    if (check->pass != 0 || check->passes >= PASSES_MAX)
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                         "the files' keys do not fit the memory planned for them");
    forget_rejected(check);
    verify_report_forget(&check->run->report, VERDICT_AMBIGUOUS, check->ambiguous_before);
    if (check->run->table.capacity < max)
        return verify_run_make_table(check->run, max, err);
    check->passes *= 2;
    return OUT_OK;
}

static enum outcome read_pass(struct source_check *check, struct error *err)
{
    for (;;) {
        check->full = false;
        diff_table_clear(&check->run->table);
        enum outcome outcome = read_files(check, err);
        begin_topic(check);
        if (outcome == OUT_OK && !check->full)
            outcome = read_topic(check, err);
        if (outcome != OUT_OK || !check->full)
            return outcome;
        outcome = make_room(check, err);
        if (outcome != OUT_OK)
            return outcome;
    }
}

static void count_rejected(struct source_check *check)
{
    struct diff_groups *groups = &check->run->report.groups;
    for (size_t i = 0; i <= check->run->mappings.count; i++) {
        if (!check->rejected[i])
            continue;
        struct bytes entity = i == check->run->mappings.count
                                  ? UNKNOWN_ENTITY
                                  : bytes_text(check->run->mappings.items[i]->entity);
        uint32_t group = diff_groups_find(groups, VERIFY_AT_SOURCE, entity);
        groups->items[group].counts[VERDICT_REJECTED] += check->rejected[i];
        check->run->report.source_count += check->rejected[i];
    }
}

static enum outcome compare(struct source_check *check, struct error *err)
{
    /* usually the files hold what the topic holds */
    enum outcome outcome = verify_run_make_table(check->run, check->run->report.source_count, err);
    check->passes = 1;
    for (check->pass = 0; check->pass < check->passes && outcome == OUT_OK; check->pass++) {
        outcome = read_pass(check, err);
        if (outcome == OUT_OK)
            count_answers(check);
    }
    if (outcome == OUT_OK)
        count_rejected(check);
    return outcome;
}

static enum outcome open_keys(struct source_check *check, struct error *err)
{
    check->ring = mem_zeroed(1, sizeof *check->ring);
    enum outcome outcome = key_file_load(check->run->settings, check->ring, &check->has_key, err);
    if (outcome == OUT_OK && !check->has_key)
        secret_ring_generate(check->ring);
    source_guard_init(&check->guard, check->ring);
    return outcome;
}

void source_check_free(struct source_check *check)
{
    if (!check)
        return;
    diff_table_free(&check->own);
    source_files_free(&check->files);
    source_rules_free(&check->rules);
    source_guard_free(&check->guard);
    secret_ring_wipe(check->ring);
    free(check->ring);
    source_intake_free(check->intake);
    buf_free(&check->masked);
    arena_free(&check->names);
    free(check->read);
    free(check->equals);
    free(check->rejected);
    free(check);
}

static enum outcome check_open(struct verify_run *run, struct source_check **made,
                               struct error *err)
{
    struct source_check *check = *made = mem_zeroed(1, sizeof *check);
    check->run = run;
    check->passes = 1; /* of all keys, if there is room */
    check->rejected = mem_zeroed(run->mappings.count + 1, sizeof *check->rejected);
    buf_init(&check->masked, MASKED_MAX);
    arena_init(&check->names, NAMES_MAX);
    enum outcome outcome = open_keys(check, err);
    if (outcome == OUT_OK)
        outcome = source_rules_init(&check->rules, run->settings, &run->mappings, err);
    if (outcome == OUT_OK)
        outcome =
            source_files_collect(&run->settings->verify_sources, &check->rules, &check->files, err);
    check->read = mem_zeroed(2 * check->files.count, sizeof *check->read);
    return outcome;
}

/* A table of that many records; false: the share of the memory does not hold two of them. */
static bool make_own(struct source_check *check, uint64_t records)
{
    size_t half = VERIFY_TABLE_SHARE(check->run->memory_max) / 2;
    bool made = diff_table_init(&check->own, records, half);
    if (made && check->own.capacity < diff_capacity(half))
        check->table = &check->own;
    else
        diff_table_free(&check->own);
    return check->table != NULL;
}

/* Into the own table. */
static enum outcome read_first(struct source_check *check, uint64_t records, struct error *err)
{
    if (!make_own(check, records))
        return OUT_OK; /* at the end there is the other one */
    enum outcome outcome = read_files(check, err);
    begin_topic(check);
    return outcome;
}

/* Whether the share of the memory holds both tables. */
static bool has_room(const struct verify_run *run)
{
    size_t count = run->table.capacity + run->source_check->own.capacity;
    return run->report.passes == 1 &&
           count * sizeof(struct diff_entry) <= VERIFY_TABLE_SHARE(run->memory_max);
}

static bool is_wanted(const struct verify_run *run)
{
    return !run->options.read_once && run->settings->verify_sources.count > 0;
}

enum outcome source_check_read_ahead(struct verify_run *run, uint64_t messages, struct error *err)
{
    if (!is_wanted(run) || messages == 0)
        return OUT_OK;
    enum outcome outcome = check_open(run, &run->source_check, err);
    return outcome == OUT_OK ? read_first(run->source_check, messages, err) : outcome;
}

static uint64_t committed(const struct verify_report *report)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < report->partition_count; i++)
        sum += (uint64_t)(report->partitions[i].snapshot_end - report->partitions[i].low);
    return sum;
}

enum outcome source_check_begin(struct verify_run *run, struct error *err)
{
    if (!is_wanted(run))
        return OUT_OK;
    enum outcome outcome = OUT_OK;
    if (!run->source_check)
        outcome = check_open(run, &run->source_check, err);
    struct source_check *check = run->source_check;
    if (outcome == OUT_OK && !check->readings)
        outcome = read_first(check, committed(&run->report), err);
    if (outcome == OUT_OK && check->readings && !check->full && has_room(run))
        run->watcher = (struct verify_watcher){see, check, check->table};
    return outcome;
}

enum outcome source_check_run(struct verify_run *run, struct error *err)
{
    struct source_check *check = run->source_check;
    if (!check)
        return OUT_OK;
    if (run->watcher.see && !check->full) {
        count_answers(check);
        count_rejected(check);
        return OUT_OK;
    }
    run->watcher = (struct verify_watcher){0};
    diff_table_free(&check->own);
    forget_rejected(check);
    check->table = &run->table;
    check->ambiguous_before = run->report.sample_counts[VERDICT_AMBIGUOUS];
    return compare(check, err);
}
