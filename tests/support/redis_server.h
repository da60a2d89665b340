#ifndef DROVER_TESTS_REDIS_SERVER_H
#define DROVER_TESTS_REDIS_SERVER_H

/* A Redis of the test's own: on a free port, in a folder of its own, nothing saved; and a blocking
 * connection to look into it. It ends with the test's process. */

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REDIS_SERVER_WORDS 32

struct redis_server {
    pid_t pid;
    int port;
    char folder[64], url[64];
    redisContext *control;
};

/* A cluster's server listens 10,000 above as well. */
#define REDIS_PORT_MAX 55535

static inline int redis_server_free_port(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    do {
        address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert(bind(fd, (struct sockaddr *)&address, size) == 0);
        ck_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
        close(fd);
    } while (ntohs(address.sin_port) > REDIS_PORT_MAX);
    return ntohs(address.sin_port);
}

/* It listens before it is ready, and may end in between (a cluster's second port was taken). */
static inline bool redis_server_answers(redisContext *control)
{
    redisReply *reply = redisCommandArgv(control, 1, (const char *[]){"PING"}, NULL);
    if (reply)
        freeReplyObject(reply);
    return reply != NULL;
}

/* False when the server has ended: somebody took its port meanwhile. */
static inline bool redis_server_connect(struct redis_server *server)
{
    for (int tries = 0; tries < 1000; tries++) {
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            return false;
        server->control = redisConnect("127.0.0.1", server->port);
        if (server->control && !server->control->err && redis_server_answers(server->control))
            return true;
        if (server->control)
            redisFree(server->control);
        usleep(10000); /* it has just been started, and tells nobody when it listens */
    }
    return false;
}

/* `options`: words of its command line, NULL-terminated, or NULL. */
static inline bool redis_server_try(struct redis_server *server, const char *const *options)
{
    char port[8];
    const char *words[REDIS_SERVER_WORDS] = {
        "redis-server", "--port", port,    "--bind",       "127.0.0.1",
        "--save",       "",       "--dir", server->folder, "--enable-debug-command",
        "local"};
    size_t count = 11;
    snprintf(port, sizeof port, "%d", server->port);
    for (size_t i = 0; options && options[i]; i++)
        words[count++] = options[i];
    server->pid = fork();
    ck_assert(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execvp(words[0], (char *const *)words);
        _exit(127);
    }
    return redis_server_connect(server);
}

/* Again on the same port, after a kill. */
static inline void redis_server_launch(struct redis_server *server, const char *const *options)
{
    ck_assert_msg(redis_server_try(server, options), "redis-server did not start");
}

/* A free port may be taken before the server has it: then another one. */
static inline void redis_server_start(struct redis_server *server, const char *const *options)
{
    bool started = false;
    *server = (struct redis_server){0};
    snprintf(server->folder, sizeof server->folder, "/tmp/drover-redis-XXXXXX");
    ck_assert(mkdtemp(server->folder) != NULL);
    for (int tries = 0; tries < 5 && !started; tries++) {
        server->port = redis_server_free_port();
        started = redis_server_try(server, options);
    }
    ck_assert_msg(started, "redis-server did not start");
    snprintf(server->url, sizeof server->url, "redis://127.0.0.1:%d", server->port);
}

static inline void redis_server_kill(struct redis_server *server)
{
    redisFree(server->control);
    server->control = NULL;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

static inline void redis_server_stop(struct redis_server *server)
{
    if (server->control)
        redis_server_kill(server);
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", server->folder); /* a cluster leaves a file */
    ck_assert_int_eq(system(command), 0);
}

/* Until the server answers nobody: a pause or a sleep has begun. */
static inline void redis_server_wait_silent(const struct redis_server *server)
{
    const struct timeval max = {.tv_usec = 20000};
    for (int tries = 0; tries < 1000; tries++) {
        redisContext *context = redisConnectWithTimeout("127.0.0.1", server->port, max);
        ck_assert(context && !context->err && redisSetTimeout(context, max) == REDIS_OK);
        redisReply *reply = redisCommandArgv(context, 1, (const char *[]){"PING"}, NULL);
        bool silent = reply == NULL;
        freeReplyObject(reply);
        redisFree(context);
        if (silent)
            return;
    }
    ck_abort_msg("the server goes on answering");
}

/* The words' answer as text: "(nil)" for nothing, "(error) …"; valid until the next call. */
static inline const char *redis_server_ask(struct redis_server *server, int count,
                                           const char *const *words)
{
    static char text[4096];
    redisReply *reply = redisCommandArgv(server->control, count, (const char **)words, NULL);
    ck_assert_msg(reply != NULL, "%s", server->control->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
        snprintf(text, sizeof text, "(error) %s", reply->str);
    else if (reply->type == REDIS_REPLY_INTEGER)
        snprintf(text, sizeof text, "%lld", reply->integer);
    else if (reply->type == REDIS_REPLY_ARRAY)
        snprintf(text, sizeof text, "(%zu)", reply->elements);
    else
        snprintf(text, sizeof text, "%s", reply->str ? reply->str : "(nil)");
    freeReplyObject(reply);
    return text;
}

#define REDIS_ASK(server, ...)                                                                     \
    redis_server_ask(server, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),        \
                     (const char *[]){__VA_ARGS__})

#endif
