#ifndef DROVER_VERIFIER_FOLLOW_FOLLOW_H
#define DROVER_VERIFIER_FOLLOW_FOLLOW_H

/*
 * `drover verify --follow`: a verification without an end. What receipts say was committed is read
 * from the source and looked up in the store a moment later; what is wrong there is looked at again
 * before it counts.
 *
 *   receipt_intake.c  receipts, as a member of a group: followers share the partitions
 *   due.c        which offsets are to be looked at, and what is told of them
 *   follow_step.c        a step: messages, rows of one snapshot, verdicts, a page of the book
 *   row_lookup.c       the rows
 *   suspects.c   what is looked at again
 *   share.c      which keys, when not all can be
 *   follow_reads.c   reads of the old store and the new one, compared beside it
 *
 * Servers that are away are waited for. Blocking, on the caller's thread and loop.
 */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"

/* Until a signal: EXIT_OK when something was compared and nothing was wrong, EXIT_DISCREPANCY else;
 * or a failure, which `err` says. */
MUST_USE enum exit_code verify_follow_main(const struct settings *settings, struct error *err);

#endif
