#ifndef DROVER_VERIFIER_FOLLOW_NOTES_H
#define DROVER_VERIFIER_FOLLOW_NOTES_H

/* What a follower has found so far, and how far it is. */

#include "common/io/settings.h"
#include "verifier/follow/book.h"

struct notes {
    uint64_t total[ROLLING_CLASSES]; /* of all pages */
    struct book_position *positions; /* by partition; -1: not known */
    size_t count;
};

MUST_USE enum outcome notes_open(struct notes *notes, const struct settings *settings,
                                 size_t partitions, struct error *err);
void notes_close(struct notes *notes);
MUST_USE enum outcome notes_add(struct notes *notes, const struct book_page *page,
                                struct error *err);

#endif
