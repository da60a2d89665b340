#include "verifier/report_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/io/files.h"
#include "common/io/terminal.h"
#include "common/policy/verify_text.h"

#define REPORT_MOST (256u << 20)
#define TEXT_MOST (4u << 20)

static enum outcome write_json(const char *folder, struct buf *path, struct bytes json,
                               struct error *err)
{
    buf_append_format(path, "%s/report.json", folder);
    enum outcome outcome = files_make_folder(folder, err);
    return outcome == OUT_OK ? files_write(buf_text(path), json, err) : outcome;
}

static enum outcome print(struct bytes text, struct error *err)
{
    size_t written = fwrite(text.data, 1, text.size, stdout);
    if (written == text.size && fflush(stdout) == 0)
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_STATE_FILE, "the report could not be printed");
}

/* The verdict: all that --quiet leaves. */
static struct bytes last_line(struct bytes text)
{
    const char *before = text.size > 1 ? memrchr(text.data, '\n', text.size - 1) : NULL;
    size_t skip = before ? (size_t)(before + 1 - text.data) : 0;
    return bytes_of(text.data + skip, text.size - skip);
}

enum outcome report_file_write(const struct verify_run *run, struct error *err)
{
    struct buf json, text, path;
    const char *folder = run->settings->report_dir;
    enum outcome outcome = OUT_OK;
    buf_init(&json, REPORT_MOST);
    buf_init(&text, TEXT_MOST);
    buf_init(&path, 8192);
    verify_json_append(&run->report, &json);
    if (json.failed)
        outcome = error_set(err, OUT_FATAL, ERR_STATE_FILE, "the report is too large");
    if (outcome == OUT_OK && folder && folder[0])
        outcome = write_json(folder, &path, buf_view(&json), err);
    if (outcome == OUT_OK && run->settings->json) {
        outcome = print(buf_view(&json), err);
    } else if (outcome == OUT_OK) {
        bool colour = !run->settings->plain && terminal_colour(STDOUT_FILENO);
        verify_text_append(&run->report, path.size ? buf_text(&path) : NULL, colour, &text);
        outcome = print(run->settings->quiet ? last_line(buf_view(&text)) : buf_view(&text), err);
    }
    buf_free(&json);
    buf_free(&text);
    buf_free(&path);
    return outcome;
}
