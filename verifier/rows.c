#include "verifier/rows.h"

#include "common/io/postgres/pg_stored.h"
#include "common/model/message/envelope.h"
#include "common/policy/verify/verify_copy.h"

bool rows_take(struct verify_run *run, const struct mapping *mapping, const struct cell *cells,
               struct judge_row *row)
{
    static const struct digest NONE;
    *row = (struct judge_row){0};
    if (!pg_stored_take(mapping, cells, &row->row))
        return false;
    /* own columns: version, digest, deleted */
    struct cell digest = cells[2 + mapping->column_count];
    if (!verify_copy_bool(cells[3 + mapping->column_count], &row->tombstone))
        return false;
    buf_reset(&run->judge.content);
    if (!mapping_append_id(mapping, row->row.cells, &run->judge.content))
        return false;
    buf_reset(&run->key);
    row->row.id = buf_view(&run->judge.content);
    envelope_append_key(&run->key, row->row.tenant, bytes_text(mapping->entity), row->row.id);
    row->diff = (struct diff_row){
        .key = diff_key_of(buf_view(&run->key)),
        .version = row->row.version,
        .deleted = row->row.deleted,
        .has_claim = true,
        .claimed_tag = digest.size == sizeof row->row.digest.bytes
                           ? diff_tag_of(&row->row.digest)
                           : ~diff_tag_of(&NONE), /* not even the zeros of a delete */
    };
    return !run->key.failed && !run->judge.content.failed;
}
