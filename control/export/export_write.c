/* The sorted texts of an export: files below <to>/<tenant>, or one text on standard output. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/io/files.h"
#include "common/policy/export/export_writer.h"
#include "control/export/export_run.h"

#define FLUSH_BYTES (1u << 20)

struct writing {
    struct export_run *run;
    struct export_writer writer;
    struct file_output *output; /* NULL: no file is open */
    char folder[PATH_MAX];      /* empty: standard output */
    struct buf file;            /* name of the open one */
};

static enum outcome flush(struct writing *writing, struct error *err)
{
    struct buf *out = &writing->writer.out;
    if (out->failed)
        return error_set(err, OUT_FATAL, ERR_EXPORT, "a record is too large to be written");
    enum outcome outcome = file_output_write(writing->output, buf_view(out), err);
    writing->run->bytes += out->size;
    buf_reset(out);
    return outcome;
}

static enum outcome finish_file(struct writing *writing, struct error *err)
{
    if (!writing->output)
        return OUT_OK;
    export_writer_finish(&writing->writer);
    enum outcome outcome = flush(writing, err);
    if (outcome == OUT_OK)
        outcome = file_output_commit(writing->output, err);
    file_output_close(writing->output);
    writing->output = NULL;
    return outcome;
}

static enum outcome begin_file(struct writing *writing, const struct export_record_text *part,
                               struct error *err)
{
    char path[PATH_MAX];
    struct export_run *run = writing->run;
    enum outcome outcome = finish_file(writing, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_reset(&writing->file);
    buf_append_bytes(&writing->file, part->file);
    int size = snprintf(path, sizeof path, "%s/%s", writing->folder, buf_text(&writing->file));
    if (size < 0 || (size_t)size >= sizeof path)
        return error_set(err, OUT_FATAL, ERR_STATE_FILE, "the path of the export is too long");
    outcome = file_output_open(writing->folder[0] ? path : NULL, &writing->output, err);
    buf_append_text(&run->files, writing->folder[0] ? path : "-");
    buf_append_char(&run->files, '\0');
    run->file_count++;
    export_writer_begin(&writing->writer, part->layout);
    return outcome;
}

static enum outcome write_text(struct writing *writing, const struct export_record_text *part,
                               struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (!writing->output || !bytes_equal(buf_view(&writing->file), part->file))
        outcome = begin_file(writing, part, err);
    if (outcome != OUT_OK)
        return outcome;
    if (!export_writer_add(&writing->writer, part))
        export_run_problem(writing->run, EXPORT_DROPPED, "", part->id,
                           "does not fit what else is under its key", part->key);
    return writing->writer.out.size < FLUSH_BYTES ? OUT_OK : flush(writing, err);
}

/* Isolation keys are made of safe characters, but one may be "." or "..". */
static enum outcome make_folder(struct writing *writing, struct error *err)
{
    struct export_run *run = writing->run;
    const char *tenant = buf_text(&run->tenant), *to = run->settings->export_to;
    bool dots = strcmp(tenant, ".") == 0 || strcmp(tenant, "..") == 0;
    if (strcmp(to, "-") == 0)
        return OUT_OK;
    int size = snprintf(writing->folder, sizeof writing->folder, "%s/%s%s", to, dots ? "%2E" : "",
                        tenant + (dots ? 1 : 0));
    if (size < 0 || (size_t)size >= sizeof writing->folder)
        return error_set(err, OUT_FATAL, ERR_STATE_FILE, "the path of the export is too long");
    return files_make_folder(writing->folder, err);
}

/* Several files cannot be one text. */
static enum outcome check_count(struct writing *writing, struct error *err)
{
    size_t count;
    enum outcome outcome = export_sort_files(writing->run->sort, &count, err);
    if (outcome != OUT_OK || writing->folder[0] || count < 2)
        return outcome;
    outcome = error_set(err, OUT_FATAL, ERR_USAGE,
                        "the export is %zu files, and standard output takes one", count);
    error_hint(err, "give --to DIR, or choose with --entity, --user and --origin");
    return outcome;
}

enum outcome export_write(struct export_run *run, struct error *err)
{
    struct writing writing = {.run = run};
    struct export_record_text part;
    bool more = true;
    export_writer_init(&writing.writer);
    buf_init(&writing.file, 1u << 20);
    enum outcome outcome = make_folder(&writing, err);
    if (outcome == OUT_OK)
        outcome = check_count(&writing, err);
    while (outcome == OUT_OK && more) {
        outcome = export_sort_next(run->sort, &part, &more, err);
        if (outcome == OUT_OK && more)
            outcome = write_text(&writing, &part, err);
    }
    if (outcome == OUT_OK)
        outcome = finish_file(&writing, err);
    file_output_close(writing.output);
    export_writer_free(&writing.writer);
    buf_free(&writing.file);
    return outcome;
}
