#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/io/source/chromium_profile.h"
#include "common/io/stop.h"
#include "control/cli.h"

extern char **environ;

/* A core file would hold secrets and payloads (FAULTS X02); whoever wants one raises the limit. */
static void forbid_core_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &limit);
}

/* Whoever starts a process with one of its standard streams closed would have the next file or
 * connection opened in its place: it would get what is said, and libuv does not close one of them.
 * Each is opened the wrong way round, so that using it fails as it does when it is closed: an
 * answer that went nowhere is not said to be given. */
static void open_closed_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_RUNTIME);
}

int main(int argc, char **argv)
{
    open_closed_streams();
    chromium_profile_begin(argc, argv);
    forbid_core_files();
    signal(SIGPIPE, SIG_IGN); /* a broken connection is an error of the write, not a death */
    signal(SIGXFSZ, SIG_IGN); /* so is a file that may not grow any more (ulimit -f) */
    enum exit_code code = cli_main(argc, argv, environ);
    /* An answer that did not reach the disk is no answer. */
    errno = 0;
    bool lost = fflush(stdout) != 0 || ferror(stdout);
    int why = errno;
    if (lost && output_is_unread()) { /* it has read enough: as any filter, without a word */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    if (lost && code == EXIT_OK) {
        if (why == 0 && write(STDOUT_FILENO, "\n", 1) < 0)
            why = errno; /* that of the write that failed is gone: asked once more */
        fprintf(stderr, "drover: standard output: %s\n",
                why ? strerror(why) : "not all of it was written");
        code = EXIT_RUNTIME;
    }
    if (stop_has_left_behind()) {
        fflush(stderr);
        _exit((int)code);
    }
    return (int)code;
}
