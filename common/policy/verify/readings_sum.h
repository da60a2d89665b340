#ifndef DROVER_POLICY_READINGS_SUM_H
#define DROVER_POLICY_READINGS_SUM_H

/*
 * What the readings of all sources say together at a moment, for who goes on (verify --follow): as
 * `drover verify` counts it, a record that its source's last reading rejected is missing in the
 * store, and of a source whose reading is not complete nobody knows what is in it. What a person
 * decided to be not migrated is neither. Pure.
 */

#include "common/base/json_out.h"
#include "common/policy/verify/readings.h"

#define READINGS_SUM_NAMED 20 /* sources */

struct readings_sum {
    bool is_known;             /* all that was told was read once; else there may be more */
    uint64_t beyond;           /* readings that had no room: of their sources nothing is known */
    uint64_t rejected;         /* records, of */
    uint64_t rejected_sources; /* so many */
    uint64_t incomplete;       /* sources whose last reading is not complete */
    /* The first ones of both, those that are not complete before the others; the readings'. */
    const struct readings_entry *named[READINGS_SUM_NAMED];
    size_t named_count;
};

/* Of `readings` alone; is_known and beyond are the caller's, and stay. `sum` is valid until a
 * reading is added. */
void readings_sum_of(const struct readings *readings, struct readings_sum *sum);
/* Records that are rejected of that source, unless that was decided. */
uint64_t readings_sum_rejected(const struct readings_entry *entry);
/* Nothing is rejected, and all is known. */
bool readings_sum_is_clean(const struct readings_sum *sum);
/* "3 records of 2 sources are rejected: a.json, …; the reading of b.json is not complete"; nothing
 * of a clean one. `between` stands before the first word. Names are made safe. */
void readings_sum_append_words(const struct readings_sum *sum, const char *between,
                               struct buf *out);
/* The member "sources" of an object that is open. */
void readings_sum_append_json(const struct readings_sum *sum, struct json_out *out);

#endif
