#ifndef DROVER_VERIFIER_BOOK_INTERNAL_H
#define DROVER_VERIFIER_BOOK_INTERNAL_H

/* The book's parts and how its statements are run; for the files named book_* only. */

#include "common/io/held_file.h"
#include "common/io/sqlite.h"
#include "verifier/follow/book.h"

#define BOOK_TOTAL_MINUTE (-1) /* cell.minute of what counts for ever */
#define BOOK_OTHERS_ID 0       /* of a tenant or an entity */

enum book_names {
    BOOK_TENANTS,
    BOOK_ENTITIES,
    BOOK_NAMES,
};

/* How much is in the file: what the bounds are held against. */
struct book_sizes {
    uint64_t names[BOOK_NAMES];
    uint64_t totals, cells, suspects;
};

struct book {
    struct sqlite_db db; /* first: what failed knows by it whose it is */
    char *path;
    struct held_place place;
    uint64_t names_max[BOOK_NAMES];
    uint64_t cells_max, samples_max, suspects_max;
    int64_t since_ms;
    uint32_t starts;
    int64_t pruned;               /* minutes below were removed */
    int64_t ids[ROLLING_CLASSES]; /* of the classes, as the file numbers them */
    struct book_sizes sizes;
    struct rolling rolling;
};

/* The class that the file numbers so; ROLLING_CLASSES: none that is known here. */
unsigned book_class_of(const struct book *book, int64_t id);

/* BEGIN IMMEDIATE; and COMMIT, or ROLLBACK when `outcome` or the COMMIT is a failure. */
MUST_USE enum outcome book_begin(struct book *book, struct error *err);
MUST_USE enum outcome book_finish(struct book *book, enum outcome outcome, struct error *err);

/* Within a transaction: keeps a sample of the follower's or of a full pass, and drops the oldest of
 * that verdict. */
MUST_USE enum outcome book_keep_sample(struct book *book, bool of_full_pass,
                                       const struct follow_sample *sample, struct error *err);
MUST_USE enum outcome book_trim_samples(struct book *book, bool of_full_pass, struct error *err);

/* A list of `count` items in the arena; the failure is the caller's to give back. */
MUST_USE enum outcome book_list_new(const struct book *book, struct arena *arena, int64_t count,
                                    size_t size, void **list, struct error *err);
/* A row's text in the arena; false: it is full. */
MUST_USE bool book_copy_text(struct arena *arena, sqlite3_stmt *row, int at, struct bytes *text);
enum outcome book_arena_full(const struct book *book, struct error *err);

#endif
