#ifndef DROVER_TESTS_MUTATION_EDIT_H
#define DROVER_TESTS_MUTATION_EDIT_H

/* One change that a hand or a fault makes to a table, and what a verdict must say of it. */

#include "tests/mutation/world.h"

/* What must be found of one key. */
struct wanted {
    struct diff_key key;
    uint32_t verdicts; /* bits: any of these */
    bool named;        /* a member or a column is to be named, and only touched ones */
};

struct edit {
    struct table_row rows[CHECKER_ROWS]; /* the table after it; cells shared where unchanged */
    size_t row_count;
    char text[200]; /* for people: which kind, on what */
    char kind[80];  /* for counting: the same without names and values */
    struct wanted wanted[2];
    size_t wanted_count;
    bool touched[MAPPING_COLUMNS_MAX]; /* columns that may be named */
    bool any_path;                     /* the whole record was changed */
    char member[300];                  /* pointer of a member of rest that was; or "" */
    const char *own;                   /* Drover's column that was; or NULL */
};

/* A random edit of the world's rows. False when the one that was drawn cannot be made here. */
bool edit_make(struct world *world, struct checker *checker, struct edit *edit);
/* Compares what was found. False: it is not exactly what was wanted. */
bool edit_check(const struct world *world, const struct edit *edit, const struct finding *findings,
                size_t count);

#endif
