/* See the header. */
#include "common/io/alert/alert_exec.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/alert/alert_output.h"
#include "common/io/spawn.h"

enum { VARIABLES = 9 };

struct alert_exec {
    struct alert_exec_conf conf;
    uv_process_t process;
    uv_pipe_t input;
    uv_timer_t timer;
    struct alert_output output; /* when it is kept */
    uv_write_t write;
    struct buf message;
    int open; /* handles */
    bool is_running;
    char cause[80]; /* empty: it ended well */
};

/* ---- its environment ---- */

static bool is_kept(const char *variable, const struct alert *alert)
{
    static const char *const DROPPED[] = {"DROVER_", "DATABASE_URL", "REDIS_URL", "PGPASSWORD"};
    for (size_t i = 0; i < sizeof(DROPPED) / sizeof(DROPPED[0]); i++)
        if (strncmp(variable, DROPPED[i], strlen(DROPPED[i])) == 0)
            return false;
    size_t size = alert->webhook_env ? strlen(alert->webhook_env) : 0;
    return size == 0 || strncmp(variable, alert->webhook_env, size) != 0;
}

static char *number_variable(const char *name, double value)
{
    return isnan(value) ? mem_format("%s=", name) : mem_format("%s=%.10g", name, value);
}

/* Its own first, of which each is freed. */
static char **make_environment(const struct alert_message *message)
{
    size_t count = 0, inherited = 0;
    char id[17];
    while (environ[inherited])
        inherited++;
    char **list = mem_zeroed(VARIABLES + inherited + 1, sizeof(*list));
    alert_message_id(message, id);
    list[count++] = mem_format("DROVER_ALERT_ID=%s", id);
    list[count++] = mem_format("DROVER_ALERT_STATE=%s", alert_state_word(message->state));
    list[count++] = mem_format("DROVER_ALERT_TEST=%s", message->is_test ? "true" : "false");
    list[count++] = mem_format("DROVER_ALERT_MIGRATION=%s", message->migration);
    list[count++] = mem_format("DROVER_ALERT_VERIFIER=%s", message->verifier);
    list[count++] = mem_format("DROVER_ALERT_WHEN=%s", message->alert->when);
    list[count++] =
        mem_format("DROVER_ALERT_METRIC=%s", alert_metric_word(message->alert->rule.metric));
    list[count++] = number_variable("DROVER_ALERT_VALUE", message->value);
    list[count++] = number_variable("DROVER_ALERT_LIMIT", message->alert->rule.limit);
    for (size_t i = 0; i < inherited; i++)
        if (is_kept(environ[i], message->alert))
            list[count++] = environ[i];
    return list;
}

static void free_environment(char **list)
{
    for (size_t i = 0; i < VARIABLES; i++)
        free(list[i]);
    free(list);
}

/* ---- its end ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct alert_exec *exec = handle->data;
    if (--exec->open > 0)
        return;
    exec->conf.on_ended(exec->conf.owner, exec->cause[0] ? exec->cause : NULL,
                        exec->conf.keep_output ? &exec->output : NULL);
    if (exec->conf.keep_output)
        alert_output_free(&exec->output);
    buf_free(&exec->message);
    free(exec);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

static void close_all(struct alert_exec *exec)
{
    close_handle((uv_handle_t *)&exec->process);
    close_handle((uv_handle_t *)&exec->input);
    close_handle((uv_handle_t *)&exec->timer);
    if (exec->conf.keep_output && !uv_is_closing((uv_handle_t *)&exec->output.pipe)) {
        alert_output_drain(&exec->output);
        close_handle((uv_handle_t *)&exec->output.pipe);
    }
}

static void on_exit_status(uv_process_t *process, int64_t status, int number)
{
    struct alert_exec *exec = process->data;
    exec->is_running = false;
    if (!exec->cause[0] && number)
        snprintf(exec->cause, sizeof(exec->cause), "the program ended by signal %d", number);
    else if (!exec->cause[0] && status)
        snprintf(exec->cause, sizeof(exec->cause), "the program ended with %" PRId64, status);
    close_all(exec);
}

static void kill_it(struct alert_exec *exec, const char *cause)
{
    if (!exec->is_running)
        return;
    if (!exec->cause[0])
        snprintf(exec->cause, sizeof(exec->cause), "%s", cause);
    uv_kill(-exec->process.pid, SIGKILL); /* it leads a group of its own */
}

static void on_late(uv_timer_t *timer)
{
    kill_it(timer->data, "the program did not end in time");
}

void alert_exec_kill(struct alert_exec *exec)
{
    kill_it(exec, "given up: the verifier ends");
}

/* A program that reads nothing is none the worse for it. */
static void on_written(uv_write_t *write, int status)
{
    struct alert_exec *exec = write->data;
    (void)status;
    close_handle((uv_handle_t *)&exec->input);
}

/* ---- its begin ---- */

/* `output`: where it prints; negative: nowhere. */
static int spawn(struct alert_exec *exec, const struct alert_message *message, uv_file output)
{
    const struct conf_list *words = message->alert->exec;
    char **args = mem_zeroed(words->count + 1, sizeof(*args));
    memcpy(args, words->items, words->count * sizeof(*args));
    char **environment = make_environment(message);
    const uv_stdio_flags printed = output < 0 ? UV_IGNORE : UV_INHERIT_FD;
    uv_stdio_container_t streams[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&exec->input},
        {.flags = printed, .data.fd = output},
        {.flags = printed, .data.fd = output}};
    const uv_process_options_t options = {.file = args[0],
                                          .args = args,
                                          .env = environment,
                                          .flags = UV_PROCESS_DETACHED,
                                          .stdio = streams,
                                          .stdio_count = 3,
                                          .exit_cb = on_exit_status};
    int failed = spawn_process(exec->conf.loop, &exec->process, &options);
    free_environment(environment);
    free(args);
    return failed;
}

struct alert_exec *alert_exec_start(const struct alert_exec_conf *conf,
                                    const struct alert_message *message)
{
    struct alert_exec *exec = mem_new(sizeof(*exec));
    exec->conf = *conf;
    buf_init(&exec->message, ALERT_MESSAGE_MAX);
    alert_message_append(message, &exec->message);
    buf_append_char(&exec->message, '\n');
    uv_pipe_init(conf->loop, &exec->input, 0);
    uv_timer_init(conf->loop, &exec->timer);
    exec->open = 3;
    exec->process.data = exec->input.data = exec->timer.data = exec->write.data = exec;
    uv_file output = -1;
    if (conf->keep_output && alert_output_open(&exec->output, conf->loop, &output) == 0) {
        exec->output.pipe.data = exec;
        exec->open++;
    }
    exec->conf.keep_output = output >= 0;
    int failed = spawn(exec, message, output);
    if (output >= 0)
        close(output);
    if (failed) { /* the process' handle is to be closed all the same */
        snprintf(exec->cause, sizeof(exec->cause), "the program cannot be started: %s",
                 uv_strerror(failed));
        close_all(exec);
        return exec;
    }
    exec->is_running = true;
    uv_timer_start(&exec->timer, on_late, conf->timeout_ms, 0);
    const uv_buf_t text = {.base = (char *)exec->message.data, .len = exec->message.size};
    if (uv_write(&exec->write, (uv_stream_t *)&exec->input, &text, 1, on_written) != 0)
        close_handle((uv_handle_t *)&exec->input);
    return exec;
}
