#ifndef DROVER_VERIFIER_FOLLOW_FILES_H
#define DROVER_VERIFIER_FOLLOW_FILES_H

/* The report of a verification that follows, into its folder (report_folder.h). It may be written
 * while the verification goes on, and again at its end: under one run it is one report. */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/policy/verify/follow_report.h"

/* Needs facts.run (verify_facts_take, once); sets facts.written_ms. *path is where the page is,
 * malloc'ed, NULL without a folder or after a failure. OUT_FATAL DRV-Y006. */
MUST_USE enum outcome follow_files_write(const struct settings *settings,
                                         struct follow_report *report, char **path,
                                         struct error *err);

#endif
