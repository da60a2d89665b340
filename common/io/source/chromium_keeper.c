/*
 * The process between a profile's owner and the reader. It makes the copy, starts the reader on it,
 * and when that has ended, or the owner has, or does not want more, removes the copy and ends.
 *
 *   descriptors 1: the document (the reader writes it)   3: words to the owner
 *
 * Its environment is what chromium_profile.c gives it, its memory is new (it was executed, not only
 * forked): nothing of its owner's secrets is in either.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/source/chromium_profile_internal.h"

#define OPENINGS_MAX 3 /* a browser that runs may remove a file while it is copied */
#define WORDS_FD 3

struct keeper {
    const char *database;
    int owner;
    struct chromium_copy copy;
    struct chromium_files files;
    pid_t reader;
    bool opened; /* the owner was told so: there is no beginning again */
    bool unwanted;
    struct chromium_word last; /* said 0: the reader ended without a word */
};

static void tell(struct keeper *keeper, const struct chromium_word *word)
{
    if (write(WORDS_FD, word, sizeof(*word)) != (ssize_t)sizeof(*word))
        keeper->unwanted = true;
}

/* ---- the reader ---- */

/* A child of a process with one thread: it may do whatever it likes. */
static void start_reader(struct keeper *keeper, int words[2])
{
    pid_t self = getpid();
    keeper->reader = fork();
    if (keeper->reader != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self)
        _exit(EXIT_FAILURE);
    close(words[0]);
    close(WORDS_FD);
    chromium_reader_run(buf_text(&keeper->copy.path), keeper->files.size, STDOUT_FILENO, words[1]);
}

static void take_word(struct keeper *keeper, const struct chromium_word *word)
{
    keeper->last = *word;
    keeper->last.text[sizeof(word->text) - 1] = '\0';
    keeper->last.cause[sizeof(word->cause) - 1] = '\0';
    if (word->said != CHROMIUM_OPENED)
        return;
    keeper->opened = true;
    keeper->last.files = keeper->files;
    tell(keeper, &keeper->last);
    keeper->last.said = 0;
}

/* Until the reader has ended (true), or the owner has closed its end of the words. */
static bool listen_to(struct keeper *keeper, int words)
{
    struct pollfd wanted[] = {{.fd = words, .events = POLLIN}, {.fd = WORDS_FD}};
    while (!keeper->unwanted) {
        struct chromium_word word;
        if (poll(wanted, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        keeper->unwanted = wanted[1].revents != 0;
        if (keeper->unwanted || !wanted[0].revents)
            continue;
        ssize_t got = read(words, &word, sizeof(word));
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof(word))
            return got == 0;
        take_word(keeper, &word);
    }
    return false;
}

static void say_how_it_ended(struct keeper *keeper, int status)
{
    char cause[sizeof(keeper->last.cause)];
    if (keeper->last.said)
        return;
    if (WIFSIGNALED(status))
        snprintf(cause, sizeof(cause), "LevelDB ended its process by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(cause, sizeof(cause), "LevelDB ended its process with %d", WEXITSTATUS(status));
    chromium_word_fail(&keeper->last, "the browser profile's database is damaged", cause);
}

static void run_reader(struct keeper *keeper)
{
    int words[2], status = 0;
    keeper->last = (struct chromium_word){0};
    if (pipe2(words, O_CLOEXEC) != 0) {
        chromium_word_fail(&keeper->last, "the browser profile cannot be read",
                           strerrordesc_np(errno));
        return;
    }
    start_reader(keeper, words);
    int failed = errno;
    close(words[1]);
    bool ended = keeper->reader > 0 && listen_to(keeper, words[0]);
    close(words[0]);
    if (keeper->reader < 0) {
        chromium_word_fail(&keeper->last, "the browser profile cannot be read",
                           strerrordesc_np(failed));
        return;
    }
    if (!ended)
        kill(keeper->reader, SIGKILL);
    while (waitpid(keeper->reader, &status, 0) < 0 && errno == EINTR)
        continue;
    say_how_it_ended(keeper, status);
}

/* ---- the process ---- */

/* A copy that was made while files were replaced does not open: it is made again. */
static void keep(struct keeper *keeper)
{
    struct error err;
    enum outcome outcome = OUT_RETRY;
    for (int i = 0; i < OPENINGS_MAX && !keeper->opened && !keeper->unwanted; i++) {
        chromium_copy_measure(keeper->database, &keeper->files);
        outcome = chromium_copy_make(keeper->database, keeper->owner, keeper->files.size,
                                     &keeper->copy, &err);
        if (outcome == OUT_REJECT) {
            chromium_word_fail(&keeper->last, err.text, err.cause);
            break;
        }
        if (outcome == OUT_OK)
            run_reader(keeper);
        chromium_copy_remove(&keeper->copy);
    }
    if (outcome == OUT_RETRY)
        chromium_word_fail(&keeper->last,
                           "the browser profile changes faster than it can be copied", NULL);
    tell(keeper, &keeper->last);
}

/* Signals are for the owner: the copy is to be removed whatever comes. */
static void be_quiet(void)
{
    static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++)
        signal(SIGNALS[i], SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a core would hold what was read */
    prctl(PR_SET_DUMPABLE, 0);
}

int chromium_keeper_run(const char *database, int owner)
{
    struct keeper keeper = {.database = database, .owner = owner};
    be_quiet();
    chromium_copy_init(&keeper.copy);
    keep(&keeper);
    chromium_copy_free(&keeper.copy);
    return keeper.last.said == CHROMIUM_ENDED ? EXIT_SUCCESS : EXIT_FAILURE;
}
