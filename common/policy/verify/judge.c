#include "common/policy/verify/judge.h"

#include <string.h>

#include "common/policy/verify/diff_content.h"

#define CONTENT_MAX (512u << 20)

void judge_work_init(struct judge_work *work)
{
    mapping_work_init(&work->source);
    mapping_work_init(&work->row);
    buf_init(&work->content, CONTENT_MAX);
}

void judge_work_free(struct judge_work *work)
{
    mapping_work_free(&work->source);
    mapping_work_free(&work->row);
    buf_free(&work->content);
}

static enum outcome too_large(struct error *err)
{
    return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to compare");
}

enum outcome judge_expect(const struct mapping *mapping, const struct record *record,
                          const struct row *made, bool has_cells, struct judge_work *work,
                          struct digest *digest, struct error *err)
{
    yyjson_doc *doc = NULL;
    const struct cell *cells = has_cells ? made->cells : NULL;
    *digest = made->digest;
    if (made->deleted)
        return OUT_OK;
    if (!diff_content_changes(mapping)) /* the document is the source's own */
        return diff_content_join(mapping, &made->digest, cells, &work->content, digest)
                   ? OUT_OK
                   : too_large(err);
    enum outcome outcome = mapping_expected(mapping, record, &work->source, &doc, err);
    if (outcome == OUT_OK &&
        !diff_content_digest(mapping, yyjson_doc_get_root(doc), cells, &work->content, digest))
        outcome = too_large(err);
    yyjson_doc_free(doc);
    return outcome;
}

/* ---- a stored row ------------------------------------------------------------------------ */

static enum outcome refuse(const struct column *column, const char *text, struct error *err)
{
    enum outcome outcome = error_set(err, OUT_REJECT, ERR_VALUE_CONFLICT, "%s", text);
    error_path(err, "column %s", column->name);
    return outcome;
}

/* A tombstone is a key and a version. */
static enum outcome check_tombstone(const struct mapping *mapping, const struct row *row,
                                    struct error *err)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].key_at < 0 && row->cells[i].size >= 0)
            return refuse(&mapping->columns[i], "the row is marked as deleted, but holds a value",
                          err);
    return OUT_OK;
}

/* A soft deleted row holds what it held, but the column that says it is gone. */
static enum outcome check_soft(const struct mapping *mapping, const struct row *row,
                               struct judge_work *work, struct error *err)
{
    bool exact;
    struct cell should;
    const struct column *column = &mapping->columns[mapping->soft_column];
    arena_reset(&work->row.arena);
    enum outcome outcome =
        value_encode(&column->type, mapping->soft_value, &work->row.arena, &should, &exact, err);
    if (outcome != OUT_OK)
        return outcome;
    struct cell is = row->cells[mapping->soft_column];
    bool same = is.size == should.size && memcmp(is.data, should.data, (size_t)is.size) == 0;
    return same ? OUT_OK
                : refuse(column, "the record is deleted, but the column does not say so", err);
}

static enum outcome read_deleted(const struct mapping *mapping, const struct judge_row *row,
                                 struct judge_work *work, struct error *err)
{
    if (row->tombstone)
        return check_tombstone(mapping, &row->row, err);
    return mapping->on_delete == DELETE_SOFT ? check_soft(mapping, &row->row, work, err) : OUT_OK;
}

/* Without a document, where the row's record can be told without one. A derived cell is compared
 * with all others in the digest. */
static bool read_as_text(const struct mapping *mapping, struct judge_row *row,
                         struct judge_work *work)
{
    buf_reset(&work->row.text);
    if (!mapping_inverse_append(mapping, &row->row, &work->row, &work->row.text))
        return false;
    struct digest document = digest_of(buf_view(&work->row.text));
    return diff_content_join(mapping, &document, row->row.cells, &work->row.scratch,
                             &row->diff.digest);
}

bool judge_digest(const struct mapping *mapping, struct judge_row *row, struct judge_work *work)
{
    if (!row->row.deleted && read_as_text(mapping, row, work))
        return true;
    (void)!judge_read(mapping, row, work, NULL, NULL);
    return false;
}

enum outcome judge_read(const struct mapping *mapping, struct judge_row *row,
                        struct judge_work *work, yyjson_doc **doc, struct error *err)
{
    yyjson_doc *made = NULL;
    enum outcome outcome;
    if (row->row.deleted) {
        outcome = read_deleted(mapping, row, work, err);
        row->diff.softly = mapping->on_delete == DELETE_SOFT && !row->tombstone;
        if (outcome == OUT_OK && row->diff.softly &&
            !diff_content_kept(mapping, row->row.cells, &work->row.scratch, &row->diff.digest))
            outcome = error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the row is too large to compare");
    } else {
        outcome = mapping_inverse(mapping, &row->row, &work->row, &made, err);
        if (outcome == OUT_OK &&
            !diff_content_digest(mapping, yyjson_doc_get_root(made), row->row.cells,
                                 &work->row.scratch, &row->diff.digest))
            outcome = error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the row is too large to compare");
    }
    row->diff.unreadable = outcome != OUT_OK;
    if (doc)
        *doc = NULL;
    if (doc && outcome == OUT_OK)
        *doc = made;
    else
        yyjson_doc_free(made);
    return outcome;
}

/* ---- the recheck --------------------------------------------------------------------- */

/* Both documents member by member, then the cells. */
static void name_members(const struct mapping *mapping, const struct record *record,
                         const struct row *made, const struct judge_row *row, yyjson_doc *doc,
                         struct judge_work *work, struct arena *arena, struct diff_fields *fields)
{
    yyjson_doc *expected = NULL;
    if (mapping_expected(mapping, record, &work->source, &expected, NULL) != OUT_OK)
        return;
    struct diff_side source = {yyjson_doc_get_root(expected), made->cells};
    struct diff_side stored = {yyjson_doc_get_root(doc), row->row.cells};
    diff_fields_find(mapping, source, stored, arena, fields);
    yyjson_doc_free(expected);
}

/* A member's pointer, or "column NAME". */
static struct bytes path_of(const struct error *why, struct arena *arena)
{
    struct buf text;
    buf_init(&text, 1024);
    if (why->path[0] != '/' && strncmp(why->path, "column ", 7) != 0)
        buf_append_text(&text, "column ");
    buf_append_text(&text, why->path);
    struct bytes copy = arena_copy(arena, buf_view(&text));
    buf_free(&text);
    return copy;
}

void judge_recheck(const struct mapping *mapping, const struct diff_entry *entry,
                   const struct record *record, const struct row *made, const struct judge_row *row,
                   yyjson_doc *doc, const struct error *why, struct judge_work *work,
                   struct arena *arena, struct judged *judged)
{
    struct diff_fields *fields = &judged->fields;
    bool other_claim = row->diff.has_claim && row->diff.claimed_tag != entry->source_tag;
    *judged = (struct judged){.verdict = diff_judge(entry, &row->diff)};
    if (judged->verdict == VERDICT_MATCH)
        return;
    if (why->code != ERR_NONE) {
        judged->reason = arena_copy(arena, bytes_text(why->text));
        if (why->path[0])
            diff_fields_note(fields, path_of(why, arena));
    } else if (doc && !entry->deleted) {
        name_members(mapping, record, made, row, doc, work, arena, fields);
    }
    if (judged->verdict == VERDICT_TARGET_NEWER) {
        judged->reason = BYTES_LITERAL("no source record has the stored version");
        return;
    }
    if (judged->verdict != VERDICT_DIFFERENT && judged->verdict != VERDICT_BY_MAPPING)
        return;
    if (row->row.deleted != (entry->deleted != 0)) {
        diff_fields_note(fields, BYTES_LITERAL("column drover_deleted"));
        judged->reason = bytes_text(
            entry->deleted ? "the source record is a delete, the row is not marked as deleted"
                           : "the row is marked as deleted, the source record is not a delete");
    } else if (other_claim) {
        diff_fields_note(fields, BYTES_LITERAL("column drover_digest"));
        if (!judged->reason.size)
            judged->reason = BYTES_LITERAL("the digest beside the row is not the source record's");
    } else if (row->diff.softly && !judged->reason.size) {
        judged->reason = BYTES_LITERAL("a column is not what it was when the record was deleted");
    } else if (fields->total && fields->tolerated == fields->total) {
        judged->verdict = VERDICT_TOLERANCE;
    }
    if (judged->verdict == VERDICT_BY_MAPPING && !judged->reason.size)
        judged->reason = BYTES_LITERAL("it was written under an older mapping");
}
