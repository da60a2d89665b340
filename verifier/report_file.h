#ifndef DROVER_VERIFIER_REPORT_FILE_H
#define DROVER_VERIFIER_REPORT_FILE_H

#include "verifier/verify_run.h"

/* Writes report.json (readable by the owner alone), then the report to standard output: as a table,
 * or with --json as the same members of the answer. */
MUST_USE enum outcome report_file_write(const struct verify_run *run, struct error *err);

#endif
