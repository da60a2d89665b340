#ifndef DROVER_POLICY_VERIFY_NEXT_H
#define DROVER_POLICY_VERIFY_NEXT_H

/*
 * What to type next: after a verdict, and where dead letters are open. Lines for people, commands
 * in them as they can be typed; which migration is meant is added by who prints them.
 */

#include "common/base/buf.h"
#include "common/policy/verify/verify_report.h"

#define VERIFY_NEXT_MAX 2048 /* bytes of it */

/* Begins with "Next:"; of a match nothing. */
void verify_next_append(const struct verify_report *report, struct buf *out);
/* The ways out of an open dead letter; `id` NULL: of all of them. Begins with "Next:". */
void verify_next_append_dead(const char *id, struct buf *out);

#endif
