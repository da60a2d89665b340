#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/answer.h"
#include "common/base/mem.h"
#include "control/run/run.h"

extern char **environ;

enum {
    LINE_LIMIT = 1 << 20,
    STDIO_COUNT = 5, /* the last one only where there are more arguments */
    PROGRESS = 2,    /* the third stream */
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct run_child *child = handle->data;
    child->open--;
    if (child->open == 0 && child->started) {
        child->ended = true;
        child->run->on_child_end(child->run, child);
    }
}

static void on_stream_closed(uv_handle_t *handle)
{
    struct run_stream *stream = handle->data;
    buf_free(&stream->line);
    handle->data = stream->child;
    on_handle_closed(handle);
}

static void take_line(struct run_stream *stream)
{
    struct run_child *child = stream->child;
    if (stream == &child->streams[PROGRESS])
        run_numbers_parse(&child->numbers, buf_view(&stream->line));
    else if (stream == &child->streams[0] && child->run->settings->json)
        answer_pass_on(child->run->settings->answer, buf_view(&stream->line));
    else
        run_view_print(child->run, buf_view(&stream->line));
    buf_reset(&stream->line);
}

/* The verifier's answer is ours: to standard output, as it is. */
static void pass_on(struct run *run, const char *data, size_t size)
{
    run_view_end(run);
    fwrite(data, 1, size, stdout);
    fflush(stdout);
}

static void on_data(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
    struct run_stream *stream = handle->data;
    struct run_child *child = stream->child;
    if (count < 0) {
        if (stream->line.size)
            take_line(stream);
        uv_close((uv_handle_t *)handle, on_stream_closed);
        return;
    }
    if (child->role == RUN_VERIFY && stream == &child->streams[0]) {
        pass_on(child->run, buf->base, (size_t)count);
        return;
    }
    for (ssize_t i = 0; i < count; i++) {
        if (buf->base[i] == '\n')
            take_line(stream);
        else
            buf_append_char(&stream->line, buf->base[i]);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct run_stream *stream = handle->data;
    (void)suggested;
    *buf = uv_buf_init(stream->room, sizeof(stream->room));
}

void run_child_let_go(struct run_child *child)
{
    if (child->is_held)
        uv_close((uv_handle_t *)&child->hold, on_handle_closed);
    child->is_held = false;
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal_number)
{
    struct run_child *child = process->data;
    child->code = signal_number ? 128 + signal_number : (int)status;
    run_child_let_go(child);
    uv_close((uv_handle_t *)process, on_handle_closed);
}

/* Ours, where to tell progress, and where more arguments are. The caller frees the list, not its
 * items. */
static char **make_environment(bool held, bool more_arguments)
{
    static char progress[] = "DROVER_PROGRESS_FD=3";
    static char arguments[] = "DROVER_ARGS_FD=4";
    static char hold[] = "DROVER_HELD=1";
    size_t count = 0;
    while (environ[count])
        count++;
    char **copy = mem_zeroed(count + 4, sizeof(char *));
    memcpy(copy, environ, count * sizeof(char *));
    copy[count++] = progress;
    if (more_arguments)
        copy[count++] = arguments;
    if (held)
        copy[count] = hold;
    return copy;
}

static void open_streams(struct run *run, struct run_child *child, uv_stdio_container_t *stdio)
{
    bool keyboard = child->role == RUN_PRODUCE;
    stdio[0].flags = keyboard ? UV_INHERIT_FD : UV_IGNORE;
    stdio[0].data.fd = STDIN_FILENO;
    if (child->is_held) {
        uv_pipe_init(&run->loop, &child->hold, 0);
        child->hold.data = child;
        stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
        stdio[0].data.stream = (uv_stream_t *)&child->hold;
        child->open++;
    }
    for (int i = 0; i < RUN_STREAMS; i++) {
        struct run_stream *stream = &child->streams[i];
        stream->child = child;
        buf_init(&stream->line, LINE_LIMIT);
        uv_pipe_init(&run->loop, &stream->pipe, 0);
        stream->pipe.data = stream;
        stdio[i + 1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
        stdio[i + 1].data.stream = (uv_stream_t *)&stream->pipe;
        child->open++;
    }
}

/* A session of its own, so that Ctrl-C reaches this process alone, which ends things in order. */
enum outcome run_child_start(struct run *run, struct run_child *child, struct error *err)
{
    uv_stdio_container_t stdio[STDIO_COUNT];
    int more;
    memset(stdio, 0, sizeof(stdio));
    if (run_args_more(run, child->role, &more, err) != OUT_OK)
        return OUT_FATAL;
    child->run = run;
    child->process.data = child;
    child->is_held = child->role == RUN_VERIFY;
    open_streams(run, child, stdio);
    uv_process_options_t options = {
        .exit_cb = on_exit_status,
        .file = "/proc/self/exe",
        .args = run_args_make(run, child->role),
        .env = make_environment(child->is_held, more >= 0),
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = STDIO_COUNT - (more < 0),
        .stdio = stdio,
    };
    stdio[STDIO_COUNT - 1].flags = UV_INHERIT_FD;
    stdio[STDIO_COUNT - 1].data.fd = more;
    child->open++;
    int failed = uv_spawn(&run->loop, &child->process, &options);
    run_args_free(options.args);
    if (more >= 0)
        close(more);
    free(options.env);
    if (failed) {
        run_child_let_go(child);
        for (int i = 0; i < RUN_STREAMS; i++)
            uv_close((uv_handle_t *)&child->streams[i].pipe, on_stream_closed);
        uv_close((uv_handle_t *)&child->process, on_handle_closed);
        enum outcome outcome =
            error_set(err, OUT_FATAL, ERR_INTERNAL, "a process cannot be started");
        error_cause(err, "%s", uv_strerror(failed));
        return outcome;
    }
    child->started = true;
    for (int i = 0; i < RUN_STREAMS; i++)
        uv_read_start((uv_stream_t *)&child->streams[i].pipe, on_room, on_data);
    return OUT_OK;
}

void run_child_signal(struct run_child *child, int signal_number)
{
    bool alive = child->started && !uv_is_closing((uv_handle_t *)&child->process);
    if (alive)
        uv_process_kill(&child->process, signal_number);
}
