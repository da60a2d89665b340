#include "verifier/rows.h"

#include "common/io/pg_stored.h"
#include "common/model/envelope.h"
#include "common/policy/diff_content.h"

bool rows_take(struct verify_run *run, const struct mapping *mapping, const struct cell *cells,
               struct rows_row *row)
{
    *row = (struct rows_row){0};
    if (!pg_stored_take(mapping, cells, &row->row))
        return false;
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
