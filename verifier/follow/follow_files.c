#include "verifier/follow/follow_files.h"

#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/report_folder.h"

enum outcome follow_files_write(const struct settings *settings, struct follow_report *report,
                                char **path, struct error *err)
{
    const struct report_place place = {.folder = settings->report_dir,
                                       .migration = settings->migration,
                                       .run = report->facts.run,
                                       .keep = settings->report_keep};
    struct buf json, html;
    *path = NULL;
    buf_init(&json, ANSWER_MAX);
    buf_init(&html, ANSWER_MAX);
    report->facts.written_ms = clock_unix_ms();
    follow_report_append_document(report, &json);
    follow_report_append_html(report, &html);
    enum outcome outcome =
        json.failed || html.failed
            ? error_set(err, OUT_FATAL, ERR_REPORT, "the report is too large")
            : report_folder_write(&place, buf_view(&json), buf_view(&html), path, err);
    buf_free(&json);
    buf_free(&html);
    return outcome;
}
