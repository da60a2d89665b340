#ifndef DROVER_MODEL_MAPPING_H
#define DROVER_MODEL_MAPPING_H

/*
 * A mapping: one entity's record form and table, compiled once from YAML to a column program that
 * runs forward (source JSON -> row) and backwards (row -> source JSON). docs/mappings.md is the
 * reference of the YAML.
 *
 * How exactness works. Each source member a column takes leaves the record; what no column takes
 * stays, in the rest column. When a cell would not give back its member as it was (a timestamp with
 * an offset, null instead of absent, a second alternative of `from`), the member ALSO stays in
 * rest; and a member that one column needs there no other column takes, nor anything inside it or
 * around it. Backwards, a member found in rest for a column must encode to the very cell stored,
 * and then wins; if it does not, the cell was changed, and the cell's value is what comes out. So
 * source -> row -> source is canonically equal but for declared defaults and respelled decode: json
 * members, always; no member is invented. A mapping without rest refuses such records (DRV-V008)
 * instead of losing something. Where columns have members in common a changed cell need not show in
 * the document: mapping_check_row looks at each cell.
 */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/base/error_list.h"
#include "common/model/json/canonical.h"
#include "common/model/mapping/mapping_types.h"
#include "common/model/message/record.h"

/* Compiles `text`, the content of `file` (kept for messages). Errors are OUT_FATAL, DRV-C003/C007,
 * DRV-M…, with file:line:column and a suggestion for misspelt keys. Caller owns *mapping. */
MUST_USE enum outcome mapping_parse(const char *file, struct bytes text, struct mapping **mapping,
                                    struct error *err);
/* The same, but every mistake is added to the list. OUT_FATAL when there was one: *mapping is then
 * what could be made of it, for its entity and table alone (NULL: the file is no YAML); the caller
 * frees it. */
MUST_USE enum outcome mapping_parse_all(const char *file, struct bytes text,
                                        struct mapping **mapping, struct error_list *mistakes);
void mapping_free(struct mapping *mapping);

/* One record as a row: `cells` in the order of mapping->columns. */
struct row {
    struct cell *cells;
    struct bytes tenant;
    struct bytes id;
    int64_t version;
    bool deleted;
    int32_t generation;   /* of the mapping that made it: of one version and content the greater is
                             newer */
    struct digest digest; /* of the canonical source record; zero for a delete */
    struct bytes json;    /* what the row gives back, in canonical form, when mapping_forward was to
                             keep it and knew it without going back; else empty */
};

/* Memory a run of the program needs; reused from record to record. Not shared between threads. */
struct mapping_work {
    struct buf text;
    struct buf scratch;
    struct arena arena;                  /* cells that live for one call */
    void *pool;                          /* for yyjson */
    struct members members;              /* of the last root that was parsed */
    uint16_t hints[MAPPING_COLUMNS_MAX]; /* where columns' members were among them */
    uint64_t *taken;                     /* a bit a value of a document */
    size_t taken_words;
    struct json_picker *picker;
    struct canonical_order order; /* of the last text's members */
    bool keep_json;               /* mapping_forward sets row.json; false at first */
};

void mapping_work_init(struct mapping_work *work);
void mapping_work_free(struct mapping_work *work);

/* Forward. `record` needs payload, tenant, operation, version/has_version, source_key, index; its
 * id is not believed but computed: row.id is always made of the key's cells, also a delete's, whose
 * id, in whichever spelling, is parsed into them (the other cells are NULL). The record's version
 * goes before the member that the mapping names; without either it is refused: who knows the place
 * in the log of a mapping without `version` puts it in. Row memory lives in `arena`, a default's
 * cell in the mapping, a text's in the payload where that is what arena->lasting says. OUT_REJECT
 * with DRV-J/V/E codes, the path and the column; a key that is empty is DRV-V001. */
MUST_USE enum outcome mapping_forward(const struct mapping *mapping, const struct record *record,
                                      struct mapping_work *work, struct arena *arena,
                                      struct row *row, struct error *err);

/* The same for who asks no cells: all of `row` but them, without making a document. False, with
 * `row` as it was, when only mapping_forward can tell; what it takes here mapping_forward takes,
 * with nothing left for the rest. `record` has its version. Uses work's text and scratch. */
MUST_USE bool mapping_forward_text(const struct mapping *mapping, const struct record *record,
                                   struct mapping_work *work, struct arena *arena, struct row *row);
/* True when the record that the row gives back tells what is in every cell but those of the key:
 * two such rows that give back the same record have the same cells. */
bool mapping_row_is_told(const struct mapping *mapping, const struct cell *cells);

/* What the producer needs of a record, without making cells for the rest: checks the JSON, appends
 * tenant (isolation key of the one the record names; skipped when `tenant` is NULL, or the mapping
 * names no member), id and version (*has_version false: to be stamped). `record->tenant` is the one
 * given from outside, or empty: it is for records that name none, and a record that names another
 * is OUT_REJECT DRV-T004. */
MUST_USE enum outcome mapping_identify(const struct mapping *mapping, const struct record *record,
                                       struct mapping_work *work, struct buf *tenant,
                                       struct buf *id, int64_t *version, bool *has_version,
                                       struct error *err);

/* Appends what decides on the messages a producer makes of the entity's records: two mappings with
 * the same bytes make the same ones, whatever their other columns are. */
void mapping_append_intake(const struct mapping *mapping, struct buf *out);
/* Whether a column takes the record's place in its list. */
bool mapping_uses_index(const struct mapping *mapping);

/* Backwards. The source record as a JSON document the caller frees (yyjson_doc_free); numbers raw.
 * `record_row.cells` as PostgreSQL sent them; id is not needed. OUT_REJECT DRV-V007 when a cell is
 * malformed, which only somebody else can have written; a derived cell ($tenant_context …) that is
 * not what the tenant gives is DRV-V010 with its column in path. No row that mapping_forward made
 * is refused. */
MUST_USE enum outcome mapping_inverse(const struct mapping *mapping, const struct row *row,
                                      struct mapping_work *work, yyjson_doc **doc,
                                      struct error *err);

/* Appends the canonical form of what mapping_inverse gives, without making the document. False,
 * with whatever of it in `out`, when only mapping_inverse can tell: columns share members, the rest
 * holds another value than a cell, a cell is malformed. Derived columns are not looked at, as
 * nothing comes out of them. `out` is none of work's but `text`. */
MUST_USE bool mapping_inverse_append(const struct mapping *mapping, const struct row *row,
                                     struct mapping_work *work, struct buf *out);

/* Is it a row that mapping_forward writes? `root` is what mapping_inverse gave for it: run forward
 * again it must give each cell of the row, by value, rest and $value included. OUT_REJECT DRV-V010
 * with the first column that it does not in path (another DRV-V code and a member's path when the
 * document can be no record of the mapping): a changed cell that no document shows, because another
 * column has the same member; a member added to the rest that a column has; SQL NULL for a null.
 * Derived columns ($key, $index, $user …) are not looked at: no document holds them. Not for
 * deleted rows. Uses work, not root's memory. */
MUST_USE enum outcome mapping_check_row(const struct mapping *mapping, const struct row *row,
                                        yyjson_val *root, struct mapping_work *work,
                                        struct error *err);
/* Two cells of a column hold the same value: equal bytes, or two spellings of one value as
 * PostgreSQL writes them (jsonb, arrays, numerics of another scale, numbers that an as: loose text
 * took). NULL equals only NULL. */
MUST_USE bool mapping_same_cell(const struct column *column, struct cell a, struct cell b);

/* The source record with declared changes applied (defaults filled): what mapping_inverse must
 * give back. For comparing; the caller frees. Same failures as mapping_forward's parsing. */
MUST_USE enum outcome mapping_expected(const struct mapping *mapping, const struct record *record,
                                       struct mapping_work *work, yyjson_doc **doc,
                                       struct error *err);

/* Is a row as it is stored a deleted record's? on_delete: {column, value} leaves the row in sight
 * of its tenant, drover_deleted false, with an all-zero digest and the columns as they were, the
 * column changed; a record that was deleted before it was ever written is a tombstone as with the
 * other policies. Such a row has no inverse: what it says is that the record is gone. */
bool mapping_row_is_deleted(const struct mapping *mapping, bool drover_deleted,
                            struct bytes digest);

/* Appends the id of a row from its key cells. */
MUST_USE bool mapping_append_id(const struct mapping *mapping, const struct cell *cells,
                                struct buf *out);

#endif
