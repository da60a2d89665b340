/* See the header. */
#include "verifier/follow/full_pass.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/files.h"
#include "common/io/log.h"
#include "common/io/spawn.h"
#include "verifier/follow/full_result.h"
#include "verifier/follow/full_samples.h"

#define ANSWER_BYTES_MAX ((size_t)8 << 20)
#define ARENA_BYTES_MAX ((size_t)1 << 20)
#define RETRY_MS 60000   /* after one that failed, */
#define SAMPLES_MAX 1000 /* of one pass; the book keeps verify.samples of each verdict */
#define SAMPLES_BYTES_MAX ((size_t)8 << 20)
#define RETRIES_MAX 10 /* and one that was not whole: doubled each time */

struct full_pass {
    const struct settings *settings;
    uv_loop_t *loop;
    struct notes *notes;
    uv_process_t process;
    uv_pipe_t pipe;
    int open; /* handles */
    bool is_running, has_ended, is_stopped;
    struct buf answer;
    char room[16384];
    struct follow_full_pass last;
    char failure[256], not_whole[FULL_RESULT_WHY_MAX];
    unsigned not_whole_count; /* in a row */
    int64_t began_ms, not_before_ms;
    uint64_t began_at_ms; /* monotonic */
};

enum outcome full_pass_open(const struct settings *settings, uv_loop_t *loop, struct notes *notes,
                            struct full_pass **out, struct error *err)
{
    struct arena arena;
    struct full_pass *full = mem_zeroed(1, sizeof *full);
    *full = (struct full_pass){.settings = settings, .loop = loop, .notes = notes};
    buf_init(&full->answer, ANSWER_BYTES_MAX);
    arena_init(&arena, ARENA_BYTES_MAX);
    enum outcome outcome = book_full_pass(notes->book, &arena, &full->last, err);
    full->last.failure = full->last.report = (struct bytes){0};
    snprintf(full->not_whole, sizeof full->not_whole, "%.*s", BYTES_ARGS(full->last.not_whole));
    full->last.not_whole = bytes_text(full->not_whole);
    arena_free(&arena);
    *out = full;
    return outcome;
}

/* ---- the child --------------------------------------------------------------------------- */

/* This process's arguments, and those that make a full pass of it: the last of a flag counts. */
static char **make_arguments(void)
{
    static const char *const MORE[] = {
        "--no-follow", "--json", "--quiet", "--report=", "--log-level=error", "--compare-reads=0"};
    size_t size = 0, count = 0, extra = sizeof MORE / sizeof *MORE;
    char *text = NULL;
    FILE *file = fopen("/proc/self/cmdline", "r");
    for (size_t got = 1; file && got > 0; size += got) {
        text = mem_resize(text, size + 4096, 1);
        got = fread(text + size, 1, 4096, file);
    }
    if (file)
        fclose(file);
    for (size_t i = 0; i < size; i++)
        count += text[i] == '\0';
    char **arguments = mem_zeroed(count + extra + 1, sizeof *arguments);
    size_t at = 0;
    for (size_t i = 0; i < size; i += strlen(text + i) + 1)
        arguments[at++] = mem_text(text + i);
    for (size_t i = 0; i < extra; i++)
        arguments[at++] = mem_text(MORE[i]);
    free(text);
    return arguments;
}

static void free_arguments(char **arguments)
{
    for (size_t i = 0; arguments[i]; i++)
        free(arguments[i]);
    free(arguments);
}

static void on_closed(uv_handle_t *handle)
{
    struct full_pass *full = handle->data;
    if (--full->open > 0)
        return;
    full->has_ended = full->is_running;
    full->is_running = false;
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal_number)
{
    (void)status;
    (void)signal_number;
    uv_close((uv_handle_t *)process, on_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct full_pass *full = handle->data;
    (void)suggested;
    *buf = uv_buf_init(full->room, sizeof full->room);
}

static void on_data(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct full_pass *full = stream->data;
    if (count < 0)
        uv_close((uv_handle_t *)stream, on_closed);
    else
        buf_append(&full->answer, buf->base, (size_t)count);
}

static void begin(struct full_pass *full)
{
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}};
    char **arguments = make_arguments(), **environment = spawn_environment((const char *[]){NULL});
    uv_process_options_t options = {.exit_cb = on_exit_status,
                                    .file = "/proc/self/exe",
                                    .args = arguments,
                                    .env = environment,
                                    .flags = UV_PROCESS_DETACHED, /* Ctrl-C is the follower's */
                                    .stdio_count = 3,
                                    .stdio = stdio};
    buf_reset(&full->answer);
    uv_pipe_init(full->loop, &full->pipe, 0);
    full->pipe.data = full->process.data = full;
    stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    stdio[1].data.stream = (uv_stream_t *)&full->pipe;
    stdio[2].flags = UV_INHERIT_FD;
    stdio[2].data.fd = 2;
    full->open = 2;
    full->is_running = true;
    full->began_ms = clock_unix_ms();
    full->began_at_ms = clock_monotonic_ms();
    int failed = spawn_process(full->loop, &full->process, &options);
    free_arguments(arguments);
    free(environment);
    if (failed) {
        log_line(LOG_WARN, "full_pass.not_begun", "cause=\"%s\"", uv_strerror(failed));
        uv_close((uv_handle_t *)&full->process, on_closed);
        uv_close((uv_handle_t *)&full->pipe, on_closed);
        return;
    }
    log_line(LOG_INFO, "full_pass.begun", "pid=%d", (int)full->process.pid);
    uv_read_start((uv_stream_t *)&full->pipe, on_room, on_data);
}

/* What kept it from being whole (a source that is being read, a file that is half written) may be
 * over soon: the next one begins before its time. */
static void take_whole(struct full_pass *full, struct follow_full_pass *pass, const char *why)
{
    bool is_whole = pass->not_whole.size == 0;
    snprintf(full->not_whole, sizeof full->not_whole, "%s", why);
    pass->not_whole = bytes_text(full->not_whole);
    full->not_before_ms = clock_unix_ms() + ((int64_t)RETRY_MS << full->not_whole_count);
    full->not_whole_count = is_whole                               ? 0
                            : full->not_whole_count == RETRIES_MAX ? RETRIES_MAX
                                                                   : full->not_whole_count + 1;
    log_quoted(pass->problems || !is_whole ? LOG_WARN : LOG_INFO, "full_pass.ended", "not_whole",
               full->not_whole, "problems=%llu duration_ms=%llu",
               (unsigned long long)pass->problems, (unsigned long long)pass->duration_ms);
}

/* Of one that failed those of the one before: what that found is not shown to be over. */
static enum outcome keep(struct full_pass *full, const struct follow_full_pass *pass,
                         struct error *err)
{
    struct arena arena;
    struct follow_sample *samples = NULL;
    size_t count = 0;
    enum outcome outcome = OUT_OK;
    arena_init(&arena, SAMPLES_BYTES_MAX);
    if (pass->failure.size)
        outcome = book_samples(full->notes->book, true, &arena, &samples, &count, err);
    else
        count = full_samples_read(buf_view(&full->answer), clock_unix_ms(), SAMPLES_MAX, &arena,
                                  &samples);
    if (outcome == OUT_OK)
        outcome = book_add_full_pass(full->notes->book, pass, samples, count, err);
    arena_free(&arena);
    return outcome;
}

/* What one that could not be ended found is not known: the next one begins soon. */
static enum outcome take_result(struct full_pass *full, struct error *err)
{
    struct error why = {0};
    struct follow_full_pass pass = {.began_ms = full->began_ms,
                                    .duration_ms = clock_monotonic_ms() - full->began_at_ms};
    full->has_ended = false;
    if (full->is_stopped)
        return OUT_OK;
    char not_whole[FULL_RESULT_WHY_MAX] = "";
    if (full_result_read(buf_view(&full->answer), &pass, not_whole, &why) != OUT_OK) {
        snprintf(full->failure, sizeof full->failure, "%s", why.text);
        pass.failure = bytes_text(full->failure);
        memcpy(pass.counts, full->last.counts,
               sizeof pass.counts); /* found, and not shown to be over */
        pass.problems = full->last.problems;
        pass.not_whole = full->last.not_whole;
        full->not_before_ms = clock_unix_ms() + RETRY_MS;
        log_error(LOG_WARN, "full_pass.failed", &why);
    } else {
        take_whole(full, &pass, not_whole);
    }
    full->last = pass;
    return keep(full, &pass, err);
}

/* ---- turns ------------------------------------------------------------------------------- */

enum outcome full_pass_turn(struct full_pass *full, struct error *err)
{
    int64_t now_ms = clock_unix_ms();
    bool failed = full->last.failure.size > 0;
    if (full->has_ended)
        return take_result(full, err);
    int64_t next_ms = full_result_next_ms(failed ? full->not_before_ms : full->last.began_ms,
                                          failed ? 1 : full->settings->full_every_ms, now_ms);
    if (!failed && full->last.not_whole.size && full->not_before_ms < next_ms)
        next_ms = full->not_before_ms;
    if (full->settings->full_every_ms && !full->is_running && !full->is_stopped &&
        now_ms >= next_ms)
        begin(full);
    return OUT_OK;
}

const struct follow_full_pass *full_pass_last(const struct full_pass *full)
{
    return &full->last;
}

void full_pass_stop(struct full_pass *full)
{
    if (!full)
        return;
    full->is_stopped = true;
    if (full->is_running && !uv_is_closing((uv_handle_t *)&full->process))
        uv_process_kill(&full->process, SIGKILL);
}

bool full_pass_is_open(const struct full_pass *full)
{
    return full && full->open > 0;
}

void full_pass_free(struct full_pass *full)
{
    if (!full)
        return;
    buf_free(&full->answer);
    free(full);
}
