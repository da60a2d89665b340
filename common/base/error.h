#ifndef DROVER_BASE_ERROR_H
#define DROVER_BASE_ERROR_H

/*
 * What a failure is: the outcome says what the caller must do next, the code is stable and
 * documented (error_codes.h), the texts are for people. Neither payloads nor secrets may be
 * written into an error: it is logged, sent to dead letters and shown in reports. Names of the data
 * (keys, members, paths) may: what looks like a secret in them (token_shape.h) is masked here.
 *
 * Return it or log it, never both. Cores never log.
 */

#include <stddef.h>

#include "common/base/attributes.h"
#include "common/base/error_codes.h"

/* What a caller must do next. A failure that does not say this is not an answer. */
enum outcome {
    OUT_OK = 0,
    OUT_RETRY,  /* the same call may succeed later: broker away, deadlock */
    OUT_REJECT, /* this record can never succeed: dead letters, or rejected at the source */
    OUT_FATAL,  /* this process must drain and stop: bad config, lost identity */
};

/* Exit codes of the program (docs/architecture.md lists when each is used). */
enum exit_code {
    EXIT_OK = 0,
    EXIT_RUNTIME = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_UNREACHABLE = 4,
    EXIT_DISCREPANCY = 5,
    EXIT_REFUSED = 6,
    EXIT_STOPPED = 7,
};

struct error {
    enum outcome outcome;
    enum error_code code;
    char text[240];  /* one sentence */
    char where[240]; /* file:line:column, topic-partition@offset, table.column; or empty */
    char cause[240]; /* what the other side said, or empty */
    char hint[240];  /* what to do; empty = the code's own advice */
    char path[120];  /* JSON path of the offending member, or empty */
};

/* Fills `err` (which may be NULL; earlier where/cause/hint/path are cleared), returns `outcome`.
 * Texts that do not fit are cut at a UTF-8 boundary. */
enum outcome error_set(struct error *err, enum outcome outcome, enum error_code code,
                       const char *format, ...) PRINTF_LIKE(4, 5);

/* Each adds one part to an error already set; `err` may be NULL. */
void error_where(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
void error_cause(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
void error_hint(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
void error_path(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* "DRV-J002" and the one-line meaning and advice of a code. Never NULL. */
const char *error_code_id(enum error_code code);
const char *error_code_meaning(enum error_code code);
const char *error_code_advice(enum error_code code);
/* The exit code a command ends with when it stops for this code. */
enum exit_code error_code_exit(enum error_code code);
/* Finds a code by its id ("DRV-J002", any case); false when there is none. */
int error_code_find(const char *id, enum error_code *code);

/* Writes the whole error as the lines people see (error[DRV-…]: text / cause / where / try), no
 * newline at the end, at most `size` bytes with the NUL. Returns the length written. */
size_t error_format(const struct error *err, char *out, size_t size);

#endif
