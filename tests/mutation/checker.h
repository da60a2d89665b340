#ifndef DROVER_TESTS_MUTATION_CHECKER_H
#define DROVER_TESTS_MUTATION_CHECKER_H

/*
 * What `drover verify` says of a table's rows, in process: the messages of a topic on one side,
 * rows as PostgreSQL would send them on the other. The decisions are the product's (common/policy);
 * here they are only called in the order in which verifier/ calls them.
 */

#include "common/model/message/envelope.h"
#include "common/model/mapping/mapping.h"
#include "common/policy/verify/diff.h"
#include "common/policy/verify/diff_fields.h"

enum { CHECKER_MESSAGES = 64, CHECKER_ROWS = 64, CHECKER_FINDINGS = 2 * CHECKER_ROWS };

/* A row of the table. */
struct table_row {
    struct bytes tenant;
    struct cell *cells;
    int64_t version;
    struct digest digest;
    bool deleted; /* drover_deleted */
};

/* Something that is no match. */
struct finding {
    struct diff_key key;
    enum verdict verdict;
    struct diff_fields fields; /* what was named */
};

struct checker;

struct checker *checker_new(void);
void checker_free(struct checker *checker);
/* Forgets everything: another mapping. */
void checker_begin(struct checker *checker, const struct mapping *mapping);
/* The next message below the snapshot, not dead-lettered; lives until checker_begin. False when the
 * verifier calls the record unusable. */
bool checker_expect(struct checker *checker, const struct envelope *message, int64_t offset);
/* False: what is told of the message without its cells is not what the mapping makes of it. */
bool checker_is_told(struct checker *checker, const struct envelope *message);
/* Keys the source has. */
size_t checker_keys(const struct checker *checker);
/* All rows against all that was expected. Findings live until the next call; returns how many.
 * *matches: keys whose row is right. */
size_t checker_rows(struct checker *checker, const struct table_row *rows, size_t count,
                    const struct finding **findings, size_t *matches);
/* Rows that were judged by the text of their record, and by the document; messages that were told
 * without their cells. */
void checker_count(const struct checker *checker, uint64_t *texts, uint64_t *documents,
                   uint64_t *told);
/* The key of a row; false when its cells give none. */
bool checker_key(struct checker *checker, const struct table_row *row, struct diff_key *key);

#endif
