/* The two files of one report. */

#include "common/io/report_folder_internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/files.h"

enum outcome report_files_refuse(const char *path, const char *cause, struct error *err)
{
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_REPORT, "the report cannot be written there");
    error_where(err, "%s", path);
    error_cause(err, "%s", cause);
    return outcome;
}

static enum outcome write_file(const char *path, struct bytes content, struct error *err)
{
    struct error why = {0};
    return files_write(path, content, &why) == OUT_OK ? OUT_OK
                                                      : report_files_refuse(path, why.cause, err);
}

enum outcome report_files_write(const char *folder, struct bytes json, struct bytes html,
                                char **path, struct error *err)
{
    struct error why = {0};
    *path = NULL;
    if (files_make_folder(folder, &why) != OUT_OK)
        return report_files_refuse(folder, why.cause, err);
    char *json_path = mem_format("%s/" REPORT_JSON, folder);
    char *html_path = mem_format("%s/" REPORT_HTML, folder);
    enum outcome outcome = write_file(json_path, json, err);
    if (outcome == OUT_OK) {
        outcome = write_file(html_path, html, err);
        if (outcome != OUT_OK)
            unlink(html_path);
    }
    free(json_path);
    if (outcome == OUT_OK)
        *path = html_path;
    else
        free(html_path);
    return outcome;
}
