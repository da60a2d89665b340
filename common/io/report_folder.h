#ifndef DROVER_IO_REPORT_FOLDER_H
#define DROVER_IO_REPORT_FOLDER_H

/*
 * Where reports go (verify.report). Tried before any work begins, as hours of comparing end there;
 * and written last, when a failure must not take the verdict with it.
 *
 *   drover-report/
 *     shop-20261129T170255-0badcafe/   report.json, report.html: a report, never written over by
 *     shop-20261129T181003-5d1c07aa/   another one
 *     latest -> shop-20261129T181003-5d1c07aa
 *
 * `latest` is replaced in one step: who opens it finds the older report or the newer one. Where
 * the file system knows no symbolic links it is a folder with copies of both files, each replaced
 * in one step.
 *
 * Of a migration's reports the ones written last are kept. Removed is what drover made and nobody
 * touched: a folder of this user, named as a report of this migration, with nothing but a report
 * in it. Where somebody put a file beside it, the folder stays.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

/* Borrowed. */
struct report_place {
    const char *folder; /* empty or NULL: no report is written */
    const char *migration;
    const char *run; /* run_name_make */
    uint64_t keep;   /* reports of the migration, this one included; 0: all */
};

/* Makes the folder and a file in it, which is removed again. An empty folder's name (or NULL) is no
 * report: OUT_OK. OUT_FATAL DRV-Y006. */
MUST_USE enum outcome report_folder_try(const char *folder, struct error *err);
/* The same question without making anything, for who only looks: false, with the reason in `err`,
 * when it could not be written. */
bool report_folder_can_write(const char *folder, struct error *err);
/* Writes report.json and report.html, also again under the same run, points `latest` at them and
 * removes the oldest; *path is where the page is, malloc'ed, NULL without a folder. OUT_FATAL
 * DRV-Y006: an older page is then not left beside a newer report.json, and `latest` stays. */
MUST_USE enum outcome report_folder_write(const struct report_place *place, struct bytes json,
                                          struct bytes html, char **path, struct error *err);

#endif
