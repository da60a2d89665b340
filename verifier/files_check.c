/*
 * Storage file: what lies in the store's folder, file by file. The verdicts are over records as
 * they lie there (file_stored_open); this names the files that are not as they were written, those
 * that are not written yet, and what lies among them that is not the store's.
 */
#include "common/io/filestore/file_store.h"
#include "common/io/stores.h"
#include "verifier/beside.h"

static const char WHOLE[] = "its records are the same";

static void count(struct verify_files *counts, const struct file_found *found)
{
    switch (found->state) {
    case FILE_RIGHT:
        counts->match++;
        break;
    case FILE_PENDING:
        counts->unwritten++;
        break;
    case FILE_EDITED:
        counts->edited++;
        break;
    case FILE_MISSING:
        counts->missing++;
        break;
    case FILE_UNOWNED:
        counts->foreign++;
        break;
    case FILE_UNREADABLE:
        counts->unreadable++;
        break;
    }
}

/* "edited since it was written: 1 record differs, 2 are not there" */
static struct bytes explain(struct verify_report *report, const struct file_found *found)
{
    struct buf text;
    buf_init(&text, 1024);
    buf_append_text(&text, found->reason);
    if (found->state == FILE_EDITED && !found->changed && !found->gone && !found->more)
        buf_append_format(&text, "; %s", WHOLE);
    if (found->changed)
        buf_append_format(&text, "; records that differ: %zu", found->changed);
    if (found->gone)
        buf_append_format(&text, "; records that are not there: %zu", found->gone);
    if (found->more)
        buf_append_format(&text, "; records that the store does not have: %zu", found->more);
    struct bytes copy = verify_report_copy(report, buf_view(&text));
    buf_free(&text);
    return copy;
}

static void take_file(void *owner, const struct file_found *found)
{
    struct verify_run *run = owner;
    struct verify_report *report = &run->report;
    count(&report->beside.files, found);
    if (found->state == FILE_RIGHT)
        return;
    bool missing = found->state == FILE_MISSING || found->state == FILE_PENDING;
    struct verify_sample *sample =
        verify_report_sample_beside(report, VERIFY_LIST_FILES,
                                    missing                        ? VERDICT_MISSING
                                    : found->state == FILE_UNOWNED ? VERDICT_EXTRA
                                                                   : VERDICT_DIFFERENT);
    if (!sample)
        return;
    sample->tenant = verify_report_copy(report, found->tenant);
    sample->entity = verify_report_copy(report, found->entity);
    sample->file = verify_report_copy(report, found->path);
    sample->key = diff_key_of(found->path);
    sample->reason = explain(report, found);
}

enum outcome beside_files(struct verify_run *run, struct error *err)
{
    if (!store_of(run->settings)->has_files)
        return OUT_OK;
    run->report.beside.files.compared = true;
    return file_stored_walk(run->settings, &run->mappings, take_file, run, err);
}
