#include "verifier/report_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/report_folder.h"
#include "common/io/terminal.h"
#include "common/policy/verify/verify_text.h"

#define TEXT_MOST (4u << 20)

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

/* What is printed goes first: the verdict is there whatever becomes of the file. */
enum outcome report_file_write(const struct verify_run *run, struct error *err)
{
    struct buf json, text;
    char *path = NULL;
    struct error of_file = {0};
    buf_init(&json, ANSWER_MOST);
    buf_init(&text, TEXT_MOST);
    verify_json_append_document(&run->report, clock_unix_ms(), &json);
    enum outcome written =
        json.failed
            ? error_set(&of_file, OUT_FATAL, ERR_REPORT, "the report is too large")
            : report_folder_write(run->settings->report_dir, buf_view(&json), &path, &of_file);
    enum outcome outcome = OUT_OK;
    if (run->settings->json) {
        verify_json_append(&run->report, answer_body(run->settings->answer));
    } else {
        char folder[PATH_MAX];
        const struct verify_text_options options = {
            .report_path = path,
            .folder = getcwd(folder, sizeof folder),
            .colour = !run->settings->plain && terminal_colour(STDOUT_FILENO),
            .width = terminal_text_width(STDOUT_FILENO),
        };
        verify_text_append(&run->report, &options, &text);
        outcome = print(run->settings->quiet ? last_line(buf_view(&text)) : buf_view(&text), err);
    }
    if (written != OUT_OK && outcome == OUT_OK) {
        *err = of_file;
        outcome = written;
    }
    free(path);
    buf_free(&json);
    buf_free(&text);
    return outcome;
}
