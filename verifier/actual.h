#ifndef DROVER_VERIFIER_ACTUAL_H
#define DROVER_VERIFIER_ACTUAL_H

/* The stores' side: every row of every table, in the snapshot of the cut. */

#include "verifier/verify_run.h"

/* A row no source record explains, kept to be looked at again. In report.arena. */
struct actual_extra {
    const struct verify_mapping *item;
    struct diff_key key;
    struct bytes tenant, id;
    int64_t version;
    uint32_t group;
    bool explained; /* a record behind the cut has this key */
};

/* Extra rows are counted all, kept up to a number. */
struct actual_extras {
    struct actual_extra *items;
    size_t count;
};

/* One row or record of the pass: its verdict. */
void actual_judge(struct verify_run *run, const struct verify_mapping *item,
                  const struct judge_row *row, struct actual_extras *extras);

/* Reads the tables, or the store, for run->pass, sets the table's verdicts, then calls the keys
 * nobody had a row for missing. Extra rows are counted in the report's groups. */
MUST_USE enum outcome actual_read(struct verify_run *run, struct actual_extras *extras,
                                  struct error *err);

#endif
