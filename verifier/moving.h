#ifndef DROVER_VERIFIER_MOVING_H
#define DROVER_VERIFIER_MOVING_H

/*
 * The recheck of a store that has no snapshot: workers go on while it is read, so a record may be
 * newer than every message that was read. What looks wrong there is not wrong yet:
 *
 *   records as found ─► the topic's ends ─► messages up to them: one makes exactly this ─►
 * explained none does, and it is found once more as it was ─► proven wrong;  changed ─► again
 *
 * A message is in the topic before a worker can write its record, so ends that are asked for after
 * the record was read have it. Bounded: as many records as are rechecked, a few rounds; what
 * changes in each of them is neither right nor wrong, but for rows that nobody sent, which stay so.
 */

#include "verifier/actual.h"

enum moving_end {
    MOVING_OPEN,      /* changed each time, or there was no room to keep it */
    MOVING_EXPLAINED, /* a later message makes what is there, or it is as it should be by now */
    MOVING_GONE,      /* it is not there any more, and no record says that it should */
    MOVING_PROVEN,    /* found twice alike, and no message makes it */
};

struct moving_record {
    const struct mapping *mapping;
    struct diff_key key;
    struct bytes tenant, id;
    struct diff_entry *entry;   /* a suspect; else NULL */
    struct actual_extra *extra; /* a row that no message explained; else NULL */
    bool found;
    struct diff_row row; /* what was found last */
    enum moving_end end;
};

struct moving;

/* The run's store is read as it moves: it has no snapshot, and is not given by somebody. */
bool moving_is_needed(const struct verify_run *run);
/* For one pass of run, which outlives it. */
struct moving *moving_new(struct verify_run *run);
void moving_free(struct moving *moving);

/* One that looked wrong; tenant and id are copied. False: there is no room for it. */
MUST_USE bool moving_add(struct moving *moving, const struct moving_record *record);
/* Decides about each. `from`: by partition, where the messages begin that were not compared. */
MUST_USE enum outcome moving_decide(struct moving *moving, const struct verify_partition *from,
                                    struct error *err);
/* By key, after moving_decide; NULL: it was not added. */
const struct moving_record *moving_find(const struct moving *moving, const struct diff_key *key);
/* The next one from *at on; NULL at the end. */
struct moving_record *moving_next(struct moving *moving, size_t *at);
/* The same as it was found then. */
bool moving_is_same(const struct moving_record *record, bool found, const struct diff_row *row);

#endif
