/* See the header. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/spawn.h"
#include "control/child/child.h"

enum {
    LINE_LIMIT = 1 << 20,
    STDIO_COUNT = 5,        /* the last one only where there are more arguments */
    WORKER_EXTRA_MS = 4000, /* a worker's stop beyond its drain (docs/architecture.md) */
    PRODUCE_STOP_MS = 10000,
    STOP_SLACK_MS = 3000,
    DRAIN_MS = 1000, /* for what the child wrote before its end */
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    child->open--;
    if (child->open == 1 && child->is_draining) {
        child->is_draining = false;
        uv_close((uv_handle_t *)&child->drain, on_handle_closed);
    }
    if (child->open == 0 && child->started) {
        child->ended = true;
        child->owner->on_end(child->owner->self, child);
    }
}

static void on_stream_closed(uv_handle_t *handle)
{
    struct child_pipe *stream = handle->data;
    buf_free(&stream->line);
    handle->data = stream->child;
    on_handle_closed(handle);
}

static void take_line(struct child_pipe *stream)
{
    struct child *child = stream->child;
    enum child_stream which = (enum child_stream)(stream - child->streams);
    if (which == CHILD_PROGRESS)
        child_numbers_parse(&child->numbers, buf_view(&stream->line));
    else
        child->owner->on_line(child->owner->self, child, which, buf_view(&stream->line));
    buf_reset(&stream->line);
}

static void on_data(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
    struct child_pipe *stream = handle->data;
    struct child *child = stream->child;
    if (count < 0) {
        if (stream->line.size)
            take_line(stream);
        uv_close((uv_handle_t *)handle, on_stream_closed);
        return;
    }
    if (child->is_raw && stream == &child->streams[CHILD_OUTPUT]) {
        struct bytes output = {buf->base, (size_t)count};
        child->owner->on_output(child->owner->self, child, output);
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
    struct child_pipe *stream = handle->data;
    (void)suggested;
    *buf = uv_buf_init(stream->room, sizeof(stream->room));
}

void child_let_go(struct child *child)
{
    if (child->is_held)
        uv_close((uv_handle_t *)&child->hold, on_handle_closed);
    child->is_held = false;
}

/* Whoever has the other ends is not the child. */
static void on_drained(uv_timer_t *timer)
{
    struct child *child = timer->data;
    for (int i = 0; i < CHILD_STREAMS; i++) {
        struct child_pipe *stream = &child->streams[i];
        if (uv_is_closing((uv_handle_t *)&stream->pipe))
            continue;
        if (stream->line.size)
            take_line(stream);
        uv_close((uv_handle_t *)&stream->pipe, on_stream_closed);
    }
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal_number)
{
    struct child *child = process->data;
    child->code = signal_number ? 128 + signal_number : (int)status;
    child_let_go(child);
    uv_timer_init(child->owner->loop, &child->drain);
    uv_timer_start(&child->drain, on_drained, DRAIN_MS, 0);
    child->drain.data = child;
    child->is_draining = true;
    child->open++;
    uv_close((uv_handle_t *)process, on_handle_closed);
}

static void open_streams(struct child *child, uv_stdio_container_t *stdio)
{
    stdio[0].flags = child->has_keyboard ? UV_INHERIT_FD : UV_IGNORE;
    stdio[0].data.fd = STDIN_FILENO;
    if (child->is_held) {
        uv_pipe_init(child->owner->loop, &child->hold, 0);
        child->hold.data = child;
        stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
        stdio[0].data.stream = (uv_stream_t *)&child->hold;
        child->open++;
    }
    for (int i = 0; i < CHILD_STREAMS; i++) {
        struct child_pipe *stream = &child->streams[i];
        stream->child = child;
        buf_init(&stream->line, LINE_LIMIT);
        uv_pipe_init(child->owner->loop, &stream->pipe, 0);
        stream->pipe.data = stream;
        stdio[i + 1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
        stdio[i + 1].data.stream = (uv_stream_t *)&stream->pipe;
        child->open++;
    }
}

enum outcome child_start(struct child *child, const struct child_owner *owner, char **args,
                         int more, struct error *err)
{
    uv_stdio_container_t stdio[STDIO_COUNT];
    memset(stdio, 0, sizeof(stdio));
    child->owner = owner;
    child->process.data = child;
    child->started = child->ended = child->is_draining = false;
    child->code = 0;
    child->numbers = (struct child_numbers){0};
    open_streams(child, stdio);
    const char *variables[4] = {"DROVER_PROGRESS_FD=3"};
    size_t count = 1;
    if (more >= 0) /* where more arguments are */
        variables[count++] = "DROVER_ARGS_FD=4";
    if (child->is_held)
        variables[count] = "DROVER_HELD=1";
    uv_process_options_t options = {
        .exit_cb = on_exit_status,
        .file = "/proc/self/exe",
        .args = args,
        .env = spawn_environment(variables),
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = STDIO_COUNT - (more < 0),
        .stdio = stdio,
    };
    stdio[STDIO_COUNT - 1].flags = UV_INHERIT_FD;
    stdio[STDIO_COUNT - 1].data.fd = more;
    child->open++;
    int failed = spawn_process(child->owner->loop, &child->process, &options);
    free(options.env);
    if (failed) {
        child_let_go(child);
        for (int i = 0; i < CHILD_STREAMS; i++)
            uv_close((uv_handle_t *)&child->streams[i].pipe, on_stream_closed);
        uv_close((uv_handle_t *)&child->process, on_handle_closed);
        enum outcome outcome =
            error_set(err, OUT_FATAL, ERR_INTERNAL, "a process cannot be started");
        error_cause(err, "%s", uv_strerror(failed));
        return outcome;
    }
    child->started = true;
    for (int i = 0; i < CHILD_STREAMS; i++)
        uv_read_start((uv_stream_t *)&child->streams[i].pipe, on_room, on_data);
    return OUT_OK;
}

void child_signal(struct child *child, int signal_number)
{
    bool alive = child->started && !uv_is_closing((uv_handle_t *)&child->process);
    if (alive)
        uv_process_kill(&child->process, signal_number);
}

uint64_t child_stop_ms(uint64_t drain_ms)
{
    uint64_t worker_ms = drain_ms + WORKER_EXTRA_MS;
    return (worker_ms > PRODUCE_STOP_MS ? worker_ms : PRODUCE_STOP_MS) + STOP_SLACK_MS;
}

void child_kill(const struct child *child)
{
    if (child_is_running(child))
        kill(child->process.pid, SIGKILL);
}
