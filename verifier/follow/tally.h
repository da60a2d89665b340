#ifndef DROVER_VERIFIER_FOLLOW_TALLY_H
#define DROVER_VERIFIER_FOLLOW_TALLY_H

/* What one look has found, as counts by tenant, entity and operation, for the book. Pure. Names are
 * kept from look to lookup, up to TALLY_GROUPS_MAX; what is beyond them is counted as others. */

#include "common/policy/verify/diff_groups.h"
#include "verifier/follow/book.h"

#define TALLY_GROUPS_MAX 20000

struct tally_mark {
    uint32_t group;
    uint8_t operation, class;
    uint64_t count;
};

struct tally {
    struct diff_groups groups;
    struct tally_mark *marks;
    size_t count, room;
    struct book_count *counts; /* made by tally_counts */
    size_t counts_room;
};

void tally_init(struct tally *tally);
void tally_free(struct tally *tally);
/* Before a look. */
void tally_reset(struct tally *tally);
/* `class`: a verdict or a rolling_class. */
void tally_add(struct tally *tally, const struct record *record, unsigned class, uint64_t count);
/* Every group, operation and class once; valid until the next call of any of these. */
const struct book_count *tally_counts(struct tally *tally, size_t *count);

#endif
