#ifndef DROVER_IO_REPORT_FOLDER_INTERNAL_H
#define DROVER_IO_REPORT_FOLDER_INTERNAL_H

/* The parts of report_folder.h: one report, `latest`, and the old ones. */

#include "common/io/report_folder.h"

#define REPORT_JSON "report.json"
#define REPORT_HTML "report.html"
#define REPORT_LATEST "latest"
/* Of a migration's name, in that of a folder: with the run it stays below the 255 bytes of a name.
 */
#define REPORT_MIGRATION_MAX 200

/* report_files.c */
enum outcome report_files_refuse(const char *path, const char *cause, struct error *err);
MUST_USE enum outcome report_files_write(const char *folder, struct bytes json, struct bytes html,
                                         char **path, struct error *err);

/* report_latest.c: whether `latest` may be replaced; and that it names `name`, a folder beside it.
 */
bool report_latest_is_ours(const char *folder);
MUST_USE enum outcome report_latest_point(const char *folder, const char *name, struct bytes json,
                                          struct bytes html, struct error *err);

/* report_old.c: removes what is more than place->keep; `name` is the one just written. What cannot
 * be removed stays. */
void report_old_remove(const struct report_place *place, const char *name);
/* A folder with nothing but a report, or a part of one, in it, of this user: below the folder `at`,
 * no link. Its descriptor; -1: it is none. */
int report_old_open(int at, const char *name);

#endif
