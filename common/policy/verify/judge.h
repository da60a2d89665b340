#ifndef DROVER_POLICY_JUDGE_H
#define DROVER_POLICY_JUDGE_H

/*
 * What decides about one row: what a source record says the row must be, what a stored row is, and
 * how the two differ. Pure; the verifier, the rehearsal and the mutation test use the same.
 *
 *   record ─ forward ─► cells ─┐                       ┌─ cells ◄─ stored row
 *         └─ declared changes ─┴► digest ═ compare ═ digest ◄┴─ inverse ─► record
 *
 * Every cell is compared by what it says with what forward makes of the source, and the record the
 * row gives back with the source's: no cell is compared by nobody, whatever the mapping.
 */

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping.h"
#include "common/policy/verify/diff.h"
#include "common/policy/verify/diff_fields.h"

/* Memory for both sides: their documents live at the same time. Not shared between threads. */
struct judge_work {
    struct mapping_work source, row;
    struct buf content;
};

void judge_work_init(struct judge_work *work);
void judge_work_free(struct judge_work *work);

/* The digest of what `made`, the record run forward, must be when it is stored; of the record alone
 * when the store keeps no cells. OUT_REJECT: the record is too large to compare. */
MUST_USE enum outcome judge_expect(const struct mapping *mapping, const struct record *record,
                                   const struct row *made, bool has_cells, struct judge_work *work,
                                   struct digest *digest, struct error *err);

/* A stored row. */
struct judge_row {
    struct row row;       /* cells as PostgreSQL sent them (NULL: the store keeps none); deleted as
                             mapping_row_is_deleted says */
    const char *flaw;     /* of struct stored */
    bool tombstone;       /* drover_deleted itself */
    struct diff_row diff; /* key, version, deleted, claim: the caller's; the rest judge_read's */
};

/* A row with cells: runs it backwards and fills diff.digest, diff.unreadable. OUT_REJECT: no row
 * that Drover writes looks like that, `err` says why and which column: it gives no record back, a
 * tombstone holds values, a soft deleted one is not marked. `doc` may be NULL; else the caller
 * frees what it got (NULL for a deleted row). */
MUST_USE enum outcome judge_read(const struct mapping *mapping, struct judge_row *row,
                                 struct judge_work *work, yyjson_doc **doc, struct error *err);

/* The same for diff_judge alone, which gives the same verdict: a row that needs no document is read
 * without one (true), and what would be said about a row that Drover does not write is not. */
bool judge_digest(const struct mapping *mapping, struct judge_row *row, struct judge_work *work);

/* A verdict, with what people need to see why. Views into `arena` or literals. */
struct judged {
    enum verdict verdict;
    struct diff_fields fields;
    struct bytes reason; /* a sentence without values, or empty */
};

/* The recheck of one row: `entry` is what was expected, `made` the record run forward, `doc`
 * what the row gives back (NULL: none), `why` judge_read's error (code ERR_NONE: none). Differences
 * that a tolerance covers are VERDICT_TOLERANCE. */
void judge_recheck(const struct mapping *mapping, const struct diff_entry *entry,
                   const struct record *record, const struct row *made, const struct judge_row *row,
                   yyjson_doc *doc, const struct error *why, struct judge_work *work,
                   struct arena *arena, struct judged *judged);

#endif
