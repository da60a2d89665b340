#include "tests/mutation/checker.h"

#include <stdlib.h>
#include <string.h>

#include "common/policy/apply/record_row.h"
#include "common/policy/verify/judge.h"
#include "tests/mutation/generate.h"

#define ARENA_MAX ((size_t)64 << 20)
#define TABLE_BYTES ((size_t)1 << 20)

struct message {
    const struct envelope *envelope;
    int64_t offset;
};

struct checker {
    const struct mapping *mapping;
    struct diff_table table;
    struct message messages[CHECKER_MESSAGES];
    size_t message_count;
    struct finding findings[CHECKER_FINDINGS];
    size_t finding_count;
    struct mapping_work work;
    struct judge_work judge;
    struct arena arena, names;
    struct buf key, id, stripped;
    uint64_t texts, documents, told;
};

struct checker *checker_new(void)
{
    struct checker *checker = calloc(1, sizeof *checker);
    if (!checker || !diff_table_init(&checker->table, CHECKER_MESSAGES, TABLE_BYTES))
        abort();
    mapping_work_init(&checker->work);
    judge_work_init(&checker->judge);
    arena_init(&checker->arena, ARENA_MAX);
    arena_init(&checker->names, ARENA_MAX);
    buf_init(&checker->key, 64u << 10);
    buf_init(&checker->id, 64u << 10);
    buf_init(&checker->stripped, 1u << 20);
    return checker;
}

void checker_free(struct checker *checker)
{
    diff_table_free(&checker->table);
    mapping_work_free(&checker->work);
    judge_work_free(&checker->judge);
    arena_free(&checker->arena);
    arena_free(&checker->names);
    buf_free(&checker->key);
    buf_free(&checker->id);
    buf_free(&checker->stripped);
    free(checker);
}

void checker_begin(struct checker *checker, const struct mapping *mapping)
{
    checker->mapping = mapping;
    checker->message_count = 0;
    diff_table_clear(&checker->table);
}

/* ---- the source's side: verifier/expected.c ---------------------------------------------- */

struct reading {
    struct record record;
    struct row row;
    struct diff_source source;
};

/* What is told of a message without its cells is what the mapping makes of it, and nothing of it is
 * in the rest; of one that the mapping refuses nothing is told. */
static bool is_told_alike(struct checker *checker, struct record record, bool usable,
                          const struct row *row, const struct digest *must)
{
    struct row told;
    bool alike = true;
    const struct mapping *mapping;
    struct mapping *only = (struct mapping *)checker->mapping;
    const struct mapping_set set = {&only, 1};
    if (!record_to_told_row(&set, &record, 0, &checker->work, &checker->arena, &mapping, &told))
        return true;
    checker->told++;
    alike = usable && mapping == checker->mapping && !told.cells && !told.deleted && !row->deleted;
    return alike && told.version == row->version && bytes_equal(told.id, row->id) &&
           bytes_equal(told.tenant, row->tenant) && digest_equal(&told.digest, &row->digest) &&
           digest_equal(&told.digest, must) && mapping_row_is_told(mapping, row->cells);
}

static bool read_message(struct checker *checker, const struct message *message,
                         struct reading *reading)
{
    *reading = (struct reading){0};
    arena_reset(&checker->arena);
    if (envelope_decode(message->envelope, &reading->record, NULL) != OUT_OK ||
        mapping_forward(checker->mapping, &reading->record, &checker->work, &checker->arena,
                        &reading->row, NULL) != OUT_OK)
        return false;
    buf_reset(&checker->key);
    envelope_append_key(&checker->key, reading->record.tenant, reading->record.entity,
                        reading->row.id);
    reading->source = (struct diff_source){
        .key = diff_key_of(buf_view(&checker->key)),
        .version = reading->row.version,
        .source_tag = diff_tag_of(&reading->row.digest),
        .deleted = reading->row.deleted,
        .softly = checker->mapping->on_delete == DELETE_SOFT,
        .offset = message->offset,
    };
    return judge_expect(checker->mapping, &reading->record, &reading->row, true, &checker->judge,
                        &reading->source.digest, NULL) == OUT_OK;
}

bool checker_is_told(struct checker *checker, const struct envelope *envelope)
{
    struct reading reading;
    struct message message = {envelope, 0};
    bool usable = read_message(checker, &message, &reading);
    bool told =
        is_told_alike(checker, reading.record, usable, &reading.row, &reading.source.digest);
    struct envelope stripped = *envelope;
    buf_reset(&checker->stripped);
    generate_stripped(checker->mapping, false, envelope->value, &checker->stripped);
    stripped.value = buf_view(&checker->stripped);
    message.envelope = &stripped;
    if (stripped.value.size) {
        usable = read_message(checker, &message, &reading);
        told = told &&
               is_told_alike(checker, reading.record, usable, &reading.row, &reading.source.digest);
    }
    return told;
}

bool checker_expect(struct checker *checker, const struct envelope *envelope, int64_t offset)
{
    struct reading reading;
    enum verdict verdict;
    uint64_t counts[VERDICT_COUNT] = {0};
    struct message message = {envelope, offset};
    if (!read_message(checker, &message, &reading))
        return false;
    checker->messages[checker->message_count++] = message;
    return diff_expect(&checker->table, &reading.source, counts, &verdict);
}

size_t checker_keys(const struct checker *checker)
{
    return checker->table.used;
}

/* ---- the store's side: verifier/actual.c, recheck.c --------------------------------------- */

bool checker_key(struct checker *checker, const struct table_row *row, struct diff_key *key)
{
    buf_reset(&checker->id);
    if (!mapping_append_id(checker->mapping, row->cells, &checker->id))
        return false;
    buf_reset(&checker->key);
    envelope_append_key(&checker->key, row->tenant, bytes_text(checker->mapping->entity),
                        buf_view(&checker->id));
    *key = diff_key_of(buf_view(&checker->key));
    return !checker->key.failed && !checker->id.failed;
}

static struct finding *add_finding(struct checker *checker, const struct diff_key *key,
                                   enum verdict verdict)
{
    if (checker->finding_count == CHECKER_FINDINGS)
        abort();
    struct finding *finding = &checker->findings[checker->finding_count++];
    *finding = (struct finding){.key = *key, .verdict = verdict};
    return finding;
}

static bool read_again(struct checker *checker, int64_t offset, struct reading *reading)
{
    for (size_t i = 0; i < checker->message_count; i++)
        if (checker->messages[i].offset == offset)
            return read_message(checker, &checker->messages[i], reading);
    return false;
}

/* The recheck: what is still wrong is named. */
static void recheck(struct checker *checker, struct diff_entry *entry, struct judge_row *row,
                    struct finding *finding)
{
    struct reading reading;
    struct judged judged;
    struct error why = {0};
    yyjson_doc *doc = NULL;
    if (!read_again(checker, entry->offset, &reading))
        return;
    bool alike = row->row.deleted == (entry->deleted != 0);
    if (alike && judge_read(checker->mapping, row, &checker->judge, &doc, &why) == OUT_OK)
        why = (struct error){0};
    judge_recheck(checker->mapping, entry, &reading.record, &reading.row, row, doc, &why,
                  &checker->judge, &checker->names, &judged);
    finding->verdict = judged.verdict;
    finding->fields = judged.fields;
    yyjson_doc_free(doc);
}

/* What is read without a document says what the document says: the same verdict, and when the row
 * gives a record back, the same digest. */
static bool is_told_the_same(struct checker *checker, const struct judge_row *row,
                             const struct diff_entry *entry)
{
    struct judge_row by_text = *row, by_document = *row;
    struct judge_work *work = &checker->judge;
    bool told = judge_digest(checker->mapping, &by_text, work);
    bool gives = judge_read(checker->mapping, &by_document, work, NULL, NULL) == OUT_OK;
    checker->texts += told;
    checker->documents += !told && !row->row.deleted;
    if (gives && !digest_equal(&by_text.diff.digest, &by_document.diff.digest))
        return false;
    return diff_judge(entry, &by_text.diff) == diff_judge(entry, &by_document.diff);
}

static void take_row(struct checker *checker, const struct table_row *row)
{
    struct diff_entry *entry;
    struct judge_row made = {
        .row = {.cells = row->cells,
                .tenant = row->tenant,
                .version = row->version,
                .digest = row->digest,
                .deleted =
                    mapping_row_is_deleted(checker->mapping, row->deleted,
                                           bytes_of(row->digest.bytes, sizeof row->digest.bytes))},
        .tombstone = row->deleted,
        .diff = {.version = row->version,
                 .has_claim = true,
                 .claimed_tag = diff_tag_of(&row->digest)},
    };
    made.diff.deleted = made.row.deleted;
    if (!checker_key(checker, row, &made.diff.key)) {
        add_finding(checker, &made.diff.key, VERDICT_UNUSABLE);
        return;
    }
    entry = diff_find(&checker->table, &made.diff.key);
    if (entry && made.row.deleted == (entry->deleted != 0) && entry->version == made.row.version) {
        if (!is_told_the_same(checker, &made, entry)) {
            add_finding(checker, &made.diff.key, VERDICT_AMBIGUOUS); /* no edit wants it */
            return;
        }
        judge_digest(checker->mapping, &made, &checker->judge);
    }
    enum verdict verdict = diff_actual(&checker->table, &made.diff, &entry);
    if (verdict == VERDICT_MATCH)
        return;
    struct finding *finding = add_finding(checker, &made.diff.key, verdict);
    if (entry)
        recheck(checker, entry, &made, finding);
}

void checker_count(const struct checker *checker, uint64_t *texts, uint64_t *documents,
                   uint64_t *told)
{
    *told = checker->told;
    *texts = checker->texts;
    *documents = checker->documents;
}

size_t checker_rows(struct checker *checker, const struct table_row *rows, size_t count,
                    const struct finding **findings, size_t *matches)
{
    size_t at = 0;
    checker->finding_count = 0;
    arena_reset(&checker->names);
    for (struct diff_entry *entry; (entry = diff_next(&checker->table, &at));)
        entry->verdict = VERDICT_UNDECIDED;
    for (size_t i = 0; i < count; i++)
        take_row(checker, &rows[i]);
    at = *matches = 0;
    for (struct diff_entry *entry; (entry = diff_next(&checker->table, &at));) {
        *matches += entry->verdict == VERDICT_MATCH;
        if (entry->verdict == VERDICT_UNDECIDED)
            add_finding(checker, &entry->key, VERDICT_MISSING);
    }
    *findings = checker->findings;
    return checker->finding_count;
}
