#ifndef DROVER_VERIFIER_FOLLOW_NOTES_H
#define DROVER_VERIFIER_FOLLOW_NOTES_H

/* The follower's book, opened by the settings: what was found so far, and how far it is. */

#include "common/io/settings.h"
#include "verifier/follow/book.h"

#define NOTES_ID_SIZE 64

struct notes {
    struct book *book;
    char id[NOTES_ID_SIZE]; /* of this verifier among several */
};

/* Fails as book_open, OUT_FATAL; a book that is held is waited for a while (held_file.h). */
MUST_USE enum outcome notes_open(struct notes *notes, const struct settings *settings,
                                 struct error *err);
void notes_close(struct notes *notes);

#endif
