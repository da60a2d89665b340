/* See the header. */
#include "common/io/spawn.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"

#define PARENT "DROVER_PARENT_PID"

extern char **environ;

int spawn_process(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *options)
{
    /* those that options names are duplicated, and kept (Linux 5.11; before it nothing is set) */
    (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    return uv_spawn(loop, process, options);
}

const char *spawn_parent_variable(void)
{
    static char variable[sizeof PARENT "=" + 20];
    snprintf(variable, sizeof variable, PARENT "=%ld", (long)getpid());
    return variable;
}

char **spawn_environment(const char *const *more)
{
    size_t count = 0, added = 0;
    while (environ[count])
        count++;
    while (more[added])
        added++;
    char **list = mem_zeroed(count + added + 2, sizeof *list);
    memcpy(list, environ, count * sizeof *list);
    list[count++] = (char *)spawn_parent_variable();
    memcpy(list + count, more, added * sizeof *list);
    return list;
}

void spawn_end_with_parent(void)
{
    const char *text = getenv(PARENT);
    int64_t parent;
    bool is_child = text && text_parse_int64(bytes_text(text), &parent);
    unsetenv(PARENT);
    if (!is_child)
        return;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != (pid_t)parent)
        raise(SIGTERM);
}
