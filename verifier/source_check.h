#ifndef DROVER_VERIFIER_SOURCE_CHECK_H
#define DROVER_VERIFIER_SOURCE_CHECK_H

/*
 * --source: the original files, read again. Each key's last record of the files must be in the
 * source topic with the same content, whatever version it was given; what is not was never
 * produced, or the file has changed since. What the rules of the files refuse is counted here
 * instead of being taken from the producers' receipts.
 */

#include "verifier/verify_run.h"

/* Adds `not produced` and `rejected` to the report's groups and its source count. A file that
 * cannot be read whole makes the report broken. */
MUST_USE enum outcome source_check_run(struct verify_run *run, struct error *err);

#endif
