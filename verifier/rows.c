#include "verifier/rows.h"

#include "common/model/envelope.h"
#include "common/model/schema_sql.h"
#include "common/policy/diff_content.h"
#include "common/policy/verify_copy.h"

#define OWN_COLUMNS 4 /* isolation_key before, version, digest and deleted behind */
#define DIGEST_SIZE 16

void rows_append_select(struct buf *out, const struct mapping *mapping)
{
    buf_append_text(out, "SELECT t.isolation_key");
    for (size_t i = 0; i < mapping->column_count; i++) {
        bool array = mapping->columns[i].type.array;
        buf_append_text(out, array ? ", to_jsonb(t." : ", t.");
        schema_sql_identifier(out, mapping->columns[i].name);
        buf_append_text(out, array ? ")" : "");
    }
    buf_append_text(out, ", t.drover_version, t.drover_digest, t.drover_deleted FROM ");
    schema_sql_table_name(out, mapping);
    buf_append_text(out, " AS t");
}

size_t rows_cell_count(const struct mapping *mapping)
{
    return mapping->column_count + OWN_COLUMNS;
}

bool rows_take(struct verify_run *run, const struct mapping *mapping, const struct cell *cells,
               struct rows_row *row)
{
    const struct cell *own = cells + 1 + mapping->column_count;
    *row = (struct rows_row){0};
    if (cells[0].size < 0 || !verify_copy_int64(own[0], &row->row.version) ||
        !verify_copy_bool(own[2], &row->row.deleted))
        return false;
    row->row.cells = (struct cell *)(cells + 1); /* mapping.h reads them only */
    row->row.tenant = bytes_of(cells[0].data, (size_t)cells[0].size);
    if (own[1].size == DIGEST_SIZE)
        memcpy(row->row.digest.bytes, own[1].data, DIGEST_SIZE);
    row->claimed_tag = diff_tag_of(&row->row.digest);

    buf_reset(&run->content);
    if (!mapping_append_id(mapping, row->row.cells, &run->content))
        return false;
    buf_reset(&run->key);
    row->row.id = buf_view(&run->content);
    envelope_append_key(&run->key, row->row.tenant, bytes_text(mapping->entity), row->row.id);
    row->diff = (struct diff_row){
        .key = diff_key_of(buf_view(&run->key)),
        .version = row->row.version,
        .deleted = row->row.deleted,
    };
    return !run->key.failed && !run->content.failed;
}

enum outcome rows_give_back(struct verify_run *run, const struct mapping *mapping,
                            struct rows_row *row, yyjson_doc **doc, struct error *err)
{
    yyjson_doc *made = NULL;
    enum outcome outcome = mapping_inverse(mapping, &row->row, &run->row_work, &made, err);
    if (outcome == OUT_OK &&
        !diff_content_digest(mapping, yyjson_doc_get_root(made), row->row.cells,
                             &run->row_work.scratch, &row->diff.digest))
        outcome = error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the row is too large to compare");
    row->diff.unreadable = outcome != OUT_OK;
    if (doc && outcome == OUT_OK)
        *doc = made;
    else
        yyjson_doc_free(made);
    return outcome;
}
