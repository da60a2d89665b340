#ifndef DROVER_MODEL_MAPPING_VALUE_H
#define DROVER_MODEL_MAPPING_VALUE_H

/* One column's step of the program, shared by forward, inverse and identify. Internal to
 * mapping_*.c. */

#include "common/model/mapping/mapping.h"
#include "common/model/mapping/secret_mark.h"

/* Where a column's value was found in a document. */
struct found_member {
    yyjson_val *val;    /* NULL: none of the pointers leads anywhere */
    size_t pointer;     /* which of column->pointers */
    bool through_array; /* an array is on the way: the member cannot leave the record */
    bool others;        /* a later alternative is there as well */
};

struct found_member column_find(const struct column *column, yyjson_val *root);
/* The same in a document whose root's members are sorted. `hint`: members_find's, of the column. */
struct found_member column_find_sorted(const struct column *column, yyjson_val *root,
                                       const struct members *members, uint16_t *hint);

/* Encodes a found, non-null value: decode: json, type, allow, min, max. *exact: the cell gives the
 * very value back. *respelled (decode: json only, never with exact): it gives back a string that
 * holds the same JSON in its canonical spelling. */
MUST_USE enum outcome column_encode(const struct column *column, yyjson_val *val,
                                    struct arena *arena, struct cell *cell, bool *exact,
                                    bool *respelled, struct error *err);

/*
 * What becomes of the member a column reads. A column that reads a member which does not come back
 * from its cell as it was needs it in the rest; and a member that one column needs there is taken
 * by none, nor is anything inside it or around it. So the inverse finds in the rest exactly what
 * the way there found in the record, whatever the pointers of a mapping have in common.
 */
enum member_fate {
    MEMBER_ABSENT,    /* no pointer leads anywhere */
    MEMBER_KEPT,      /* stays in the rest */
    MEMBER_TAKEN,     /* leaves the record: the cell gives it back */
    MEMBER_RESPELLED, /* the same, in the canonical spelling: decode: json, declared */
};

struct reading {
    struct found_member found;
    enum member_fate fate;
};

/* What the column's own reading says: `exact` and `respelled` as column_encode gave them. */
enum member_fate member_fate_of(const struct found_member *found, bool exact, bool respelled);
/* Keeps what others need. Readings of columns that are none of members stay as they are
 * (MEMBER_ABSENT); `readings` is in the order of mapping->columns. */
void members_settle(const struct mapping *mapping, struct reading *readings);
/* Where several columns read a member, a default of one cannot come back as a member: the others
 * were made without it. So absent and present must stay apart, and a member that is there with the
 * default's value is kept. */
bool is_default_of_shared(const struct column *column, struct cell cell);
/* Two cells of a type say the same: the same bytes, or two spellings of the same value (jsonb and
 * arrays come back from PostgreSQL in another one). Values are made in `doc`. */
bool cells_same(const struct value_type *type, struct cell a, struct cell b, yyjson_mut_doc *doc);
/* The JSON value that a non-null cell gives back, made in `doc`; NULL when the cell is malformed.
 * `scratch` is reset. */
yyjson_mut_val *column_decode(const struct column *column, struct cell cell, yyjson_mut_doc *doc,
                              struct buf *scratch);
/* True when the member kept in rest encodes to the cell stored; cells in work's arena, values in
 * `doc`. */
bool column_agrees(const struct column *column, yyjson_val *kept, struct cell cell,
                   yyjson_mut_doc *doc, struct mapping_work *work);

/* Decodes one reference token (~1 = '/', ~0 = '~') of a pointer into `out`, cut to `size`; returns
 * where the next begins. */
const char *pointer_token(const char *pointer, char *out, size_t size, struct bytes *token);
/* Fills the mapping's `identity`, once all else of it is there. */
void members_of_identity(struct mapping *mapping);
/* True when the two pointers name the same member or one inside the other. */
bool pointers_touch(const char *a, const char *b);

/* The cells that a document gives: of members, $value and rest (derived columns are left alone).
 * `members`: the root's, sorted; or NULL. `cells` has room for every column. Same failures as
 * mapping_forward. */
MUST_USE enum outcome document_cells(const struct mapping *mapping, yyjson_val *root,
                                     const struct members *members, struct mapping_work *work,
                                     struct arena *arena, struct cell *cells, struct error *err);

/* A mark that the column cannot hold: it is left empty, and the mark stays in the rest. */
bool mark_is_beside(const struct column *column, yyjson_val *val);
/* OUT_REJECT DRV-X008 when a member to be sealed or withheld is there as it is. */
MUST_USE enum outcome marks_check(const struct mapping *mapping, yyjson_val *root,
                                  struct error *err);

/* Fills mapping->members, once the columns know which of them share; then what they tell. */
void members_plan(struct mapping *mapping);
void members_judge(struct mapping *mapping);

/* Puts the column's place into err: the member, and table.column of the mapping. */
void column_blame(const struct mapping *mapping, const struct column *column, size_t pointer,
                  struct error *err);

/* Parses the payload with the work's pool when it fits; work->members are the root's. */
MUST_USE enum outcome work_parse(struct mapping_work *work, struct bytes text,
                                 enum json_unicode unicode, yyjson_doc **doc, struct error *err);

/* The members that say who a record is, of a payload that is sound and usual; a view of it, until
 * the work's next use. NULL: work_parse must be asked. */
yyjson_val *work_pick(struct mapping_work *work, const struct mapping *mapping,
                      struct bytes payload);

/* The same of all members; work->members are the root's. */
yyjson_val *work_pick_all(struct mapping_work *work, struct bytes payload);

/* True for a column whose value is not in the payload ($key, $index, $tenant_context …). */
bool column_is_derived(const struct column *column);
/* The cell of such a column. */
MUST_USE enum outcome column_derive(const struct mapping *mapping, const struct column *column,
                                    const struct record *record, struct bytes tenant,
                                    struct arena *arena, struct cell *cell, struct error *err);

/* Key cells from an id, in any percent-encoding and spelling: the inverse for deletes. */
MUST_USE enum outcome mapping_parse_id(const struct mapping *mapping, struct bytes id,
                                       struct arena *arena, struct cell *cells, struct error *err);

#endif
