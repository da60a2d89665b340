#ifndef DROVER_IO_REPORT_FOLDER_H
#define DROVER_IO_REPORT_FOLDER_H

/*
 * Where a report goes (verify.report). Tried before any work begins, as hours of comparing end
 * there; and written last, when a failure must not take the verdict with it.
 */

#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

/* Makes the folder and a file in it, which is removed again. An empty folder's name (or NULL) is no
 * report: OUT_OK. OUT_FATAL DRV-Y006. */
MUST_USE enum outcome report_folder_try(const char *folder, struct error *err);
/* The same question without making anything, for who only looks: false, with the reason in `err`,
 * when it could not be written. */
bool report_folder_can_write(const char *folder, struct error *err);
/* Writes report.json and report.html; *path is where the latter is, malloc'ed, NULL without a
 * folder. OUT_FATAL DRV-Y006: an older page is then not left beside a newer report.json. */
MUST_USE enum outcome report_folder_write(const char *folder, struct bytes json, struct bytes html,
                                          char **path, struct error *err);

#endif
