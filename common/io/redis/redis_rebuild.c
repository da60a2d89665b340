#include "common/io/redis/redis_rebuild.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/io/spawn.h"

#define WORDS_MAX 4096

extern char **environ;

struct redis_rebuild {
    uv_loop_t *loop;
    const struct settings *settings;
    const char *program;
    uv_process_t process;
    bool running;
    void (*on_ended)(void *owner, bool ok);
    void (*on_closed)(void *owner);
    void *owner;
};

struct words {
    char *items[WORDS_MAX + 1];
    size_t count;
};

static void add(struct words *words, const char *name, const char *value)
{
    char *word = mem_format("%s%s", name, value);
    if (words->count < WORDS_MAX)
        words->items[words->count++] = word;
    else
        free(word);
}

static void free_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        explicit_bzero(words->items[i], strlen(words->items[i]));
        free(words->items[i]);
    }
    free(words);
}

static struct words *make_args(const struct settings *settings)
{
    char number[32];
    struct words *args = mem_new(sizeof(struct words));
    add(args, "drover", "");
    add(args, "rebuild", "");
    add(args, "redis", "");
    if (settings->config_file)
        add(args, "--config=", settings->config_file);
    add(args, "--migration=", settings->migration);
    for (size_t i = 0; i < settings->mappings.count; i++)
        add(args, "--mapping=", settings->mappings.items[i]);
    add(args, "--only-tenant=", "");
    add(args, "--quiet", "");
    add(args, "--verifier-role=", settings->verifier_role ? settings->verifier_role : "");
    snprintf(number, sizeof number, "%" PRIu64, settings->redis_tombstone_ms);
    add(args, "--redis-tombstone-ttl=", number);
    return args;
}

/* Ours, but for what this worker has from somewhere else, and what is between it and its parent. */
static struct words *make_environment(const struct settings *settings)
{
    static const char *const OURS[] = {"DATABASE_URL=",   "DATABASE_URL_FILE=",  "REDIS_URL=",
                                       "REDIS_URL_FILE=", "DROVER_PROGRESS_FD=", "DROVER_SPAWNED="};
    struct words *environment = mem_new(sizeof(struct words));
    for (char **at = environ; *at; at++) {
        bool ours = false;
        for (size_t i = 0; i < sizeof(OURS) / sizeof(OURS[0]); i++)
            ours = ours || strncmp(*at, OURS[i], strlen(OURS[i])) == 0;
        if (!ours)
            add(environment, *at, "");
    }
    add(environment, "DATABASE_URL=", settings->database_url);
    add(environment, "REDIS_URL=", settings->redis_url);
    add(environment, "DROVER_SPAWNED=", "1");
    add(environment, spawn_parent_variable(), "");
    return environment;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct redis_rebuild *rebuild = handle->data;
    rebuild->running = false;
    if (!rebuild->on_closed)
        return;
    void (*on_closed)(void *) = rebuild->on_closed;
    void *owner = rebuild->owner;
    free(rebuild);
    on_closed(owner);
}

static void on_exit_status(uv_process_t *process, int64_t status, int number)
{
    struct redis_rebuild *rebuild = process->data;
    bool ok = status == 0 && number == 0;
    if (status == EXIT_STOPPED && number == 0)
        log_line(LOG_DEBUG, "rebuild.elsewhere", "process=%d", (int)process->pid);
    else
        log_line(ok ? LOG_INFO : LOG_WARN, "rebuild.ended", "exit=%" PRId64 " signal=%d", status,
                 number);
    if (!rebuild->on_closed)
        rebuild->on_ended(rebuild->owner, ok);
    uv_close((uv_handle_t *)process, on_handle_closed);
}

struct redis_rebuild *redis_rebuild_new(uv_loop_t *loop, const struct settings *settings,
                                        const char *program, void (*on_ended)(void *owner, bool ok),
                                        void *owner)
{
    struct redis_rebuild *rebuild = mem_new(sizeof *rebuild);
    rebuild->loop = loop;
    rebuild->settings = settings;
    rebuild->program = program;
    rebuild->on_ended = on_ended;
    rebuild->owner = owner;
    rebuild->process.data = rebuild;
    return rebuild;
}

void redis_rebuild_start(struct redis_rebuild *rebuild)
{
    if (rebuild->running)
        return;
    struct words *args = make_args(rebuild->settings);
    struct words *environment = make_environment(rebuild->settings);
    uv_stdio_container_t streams[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = 2}};
    uv_process_options_t options = {.file = rebuild->program,
                                    .args = args->items,
                                    .env = environment->items,
                                    .stdio = streams,
                                    .stdio_count = 3,
                                    .exit_cb = on_exit_status};
    rebuild->running = true;
    int status = spawn_process(rebuild->loop, &rebuild->process, &options);
    rebuild->process.data = rebuild;
    if (status != 0) { /* the handle is closed all the same; the next look starts another */
        log_line(LOG_WARN, "rebuild.not_started", "cause=%s", uv_err_name(status));
        uv_close((uv_handle_t *)&rebuild->process, on_handle_closed);
    } else {
        log_line(LOG_INFO, "rebuild.started", "process=%d", (int)rebuild->process.pid);
    }
    free_words(args);
    free_words(environment);
}

bool redis_rebuild_is_running(const struct redis_rebuild *rebuild)
{
    return rebuild->running;
}

void redis_rebuild_close(struct redis_rebuild *rebuild, void (*on_closed)(void *owner))
{
    rebuild->on_closed = on_closed;
    if (rebuild->running) {
        if (!uv_is_closing((uv_handle_t *)&rebuild->process))
            uv_process_kill(&rebuild->process, SIGTERM);
        return;
    }
    void *owner = rebuild->owner;
    free(rebuild);
    on_closed(owner);
}
