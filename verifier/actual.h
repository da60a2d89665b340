#ifndef DROVER_VERIFIER_ACTUAL_H
#define DROVER_VERIFIER_ACTUAL_H

/*
 * The store's side: every row of every table in the snapshot, or every record of another
 * store, as a row to be judged. Stores that keep documents are compared by them alone.
 */

#include "verifier/verify_run.h"

/* A row no source record explains, kept to be rechecked. In report.arena. */
struct actual_extra {
    const struct mapping *mapping;
    struct diff_key key;
    struct bytes tenant, id; /* empty: the store keeps no texts */
    int64_t version;
    uint32_t group;
    bool explained; /* a record behind the snapshot has this key */
};

/* Extra rows are counted all, kept up to VERIFY_RECHECK_MAX. */
struct actual_extras {
    struct actual_extra *items;
    size_t count;
};

/* Reads the tables, or the store, for run->pass, sets the table's verdicts, then calls the keys
 * nobody had a row for missing. Extra rows are counted in the report's groups. */
MUST_USE enum outcome actual_read(struct verify_run *run, struct actual_extras *extras,
                                  struct error *err);

/* A row of a table, cells as pg_store_reader.h selects them: fills all of `row` but what judge_read
 * finds. Views into the cells and run's buffers until the next row. False when a column of Drover's
 * own is malformed. */
MUST_USE bool actual_take_cells(struct verify_run *run, const struct mapping *mapping,
                                const struct cell *cells, struct judge_row *row);
/* A stored record of a mapping as a row; `doc` may be NULL, else the caller frees what it got (NULL
 * when it is deleted or cannot be read back). */
void actual_take_stored(struct verify_run *run, const struct stored_record *stored, bool readable,
                        struct judge_row *row, yyjson_doc **doc);
/* A record's digest with that of its hash's fields, on both sides of the comparison; *digest stays
 * when there are none. */
void actual_join_fields(struct bytes fields, struct digest *digest);

#endif
