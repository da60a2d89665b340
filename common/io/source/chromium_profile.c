/*
 * The owner's side: starts the keeper, takes the document and the words. The document's end is the
 * end of all processes that could write it, so nothing is left when it is seen.
 */
#include "common/io/source/chromium_profile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/source/chromium_profile_internal.h"
#include "common/io/clock.h"
#include "common/io/stop.h"

#define KEEPER_NAME "drover-profile"
#define CHUNK_SIZE ((size_t)64 << 10)
#define PATH_BYTES_MAX 4096
#define TURN_MS 100
/* Copying and opening 1 GiB took 1.4 s. */
#define WAIT_MS 60000
#define KEEPER_END_MS 10000 /* for removing a copy */
#define FIRST_FD 10         /* of pipes: out of the way of those that the keeper gets */

struct chromium_profile {
    pid_t keeper;        /* 0: none */
    int document, words; /* -1: closed */
    unsigned wait_ms;
    uint64_t silent_since_ms; /* asked for something that did not come; 0: it came */
    struct chromium_files files;
    struct chromium_word last;
    bool ended;
    char chunk[CHUNK_SIZE];
};

static bool can_begin;

void chromium_profile_begin(int argc, char **argv)
{
    can_begin = true;
    if (argc == 3 && strcmp(argv[0], KEEPER_NAME) == 0)
        _exit(chromium_keeper_run(argv[1], (int)strtol(argv[2], NULL, 10)));
}

bool chromium_profile_is(const char *folder, struct chromium_files *files)
{
    struct buf path;
    buf_init(&path, PATH_BYTES_MAX);
    bool found =
        chromium_profile_database(folder, &path) && chromium_copy_measure(buf_text(&path), files);
    buf_free(&path);
    return found;
}

const struct chromium_files *chromium_profile_files(const struct chromium_profile *profile)
{
    return &profile->files;
}

/* ---- the keeper's start ---- */

/* What it needs, and none of the secrets beside it. */
static void pick_environment(char *picked[], size_t max)
{
    static const char *const NAMES[] = {
        "TMPDIR=", "LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "UBSAN_OPTIONS="};
    size_t count = 0;
    for (char **at = environ; *at; at++)
        for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]) && count + 1 < max; i++)
            if (strncmp(*at, NAMES[i], strlen(NAMES[i])) == 0)
                picked[count++] = *at;
    picked[count] = NULL;
}

/* 0 or errno. Signals of a terminal's group are not for it, nor what this process does with them.
 */
static int spawn(struct chromium_profile *profile, char *const words[], int document, int said)
{
    char *environment[8];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    pick_environment(environment, sizeof(environment) / sizeof(environment[0]));
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, document, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, said, 3);
    posix_spawn_file_actions_addclosefrom_np(&files, 4);
    posix_spawnattr_init(&how);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                       POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawn(&profile->keeper, "/proc/self/exe", &files, &how, words, environment);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    if (failed)
        profile->keeper = 0;
    return failed;
}

/* 0 or errno. */
static int make_pipe(int *reading, int *writing)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    *reading = ends[0];
    *writing = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_FD);
    int failed = *writing < 0 ? errno : 0;
    close(ends[1]);
    return failed;
}

static enum outcome start(struct chromium_profile *profile, char *database, struct error *err)
{
    char owner[16];
    char *words[] = {KEEPER_NAME, database, owner, NULL};
    int document = -1, said = -1;
    snprintf(owner, sizeof(owner), "%d", (int)getpid());
    int failed = make_pipe(&profile->document, &document);
    if (!failed)
        failed = make_pipe(&profile->words, &said);
    if (!failed)
        failed = spawn(profile, words, document, said);
    if (document >= 0)
        close(document);
    if (said >= 0)
        close(said);
    if (!failed)
        return OUT_OK;
    error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE,
              "the process that reads the browser profile cannot be started");
    error_cause(err, "%s", strerrordesc_np(failed));
    return OUT_REJECT;
}

/* ---- its end ---- */

/* False: it did not end within so long. */
static bool ends_within(pid_t process, int wait_ms)
{
    int handle = pidfd_open(process, 0);
    struct pollfd end = {.fd = handle, .events = POLLIN};
    int found;
    if (handle < 0)
        return true; /* a kernel without them: waited for as long as it takes */
    do
        found = poll(&end, 1, wait_ms);
    while (found < 0 && errno == EINTR);
    close(handle);
    return found != 0;
}

/* A keeper that was killed took its reader with it, but left the copy; which nobody has locked when
 * the document's last writer is gone. */
static void clean_up_after(const struct chromium_profile *profile)
{
    struct pollfd document = {.fd = profile->document};
    while (poll(&document, 1, TURN_MS * 10) < 0 && errno == EINTR)
        continue;
    chromium_copy_sweep();
}

static void end_keeper(struct chromium_profile *profile)
{
    int status = 0;
    if (profile->words >= 0)
        close(profile->words); /* tells it that no more is wanted */
    profile->words = -1;
    if (profile->keeper && !ends_within(profile->keeper, KEEPER_END_MS))
        kill(profile->keeper, SIGKILL);
    while (profile->keeper && waitpid(profile->keeper, &status, 0) < 0 && errno == EINTR)
        continue;
    if (profile->keeper && WIFSIGNALED(status))
        clean_up_after(profile);
    profile->keeper = 0;
    if (profile->document >= 0)
        close(profile->document);
    profile->document = -1;
}

void chromium_profile_close(struct chromium_profile *profile)
{
    if (!profile)
        return;
    end_keeper(profile);
    free(profile);
}

/* ---- what it says ---- */

static enum outcome damaged(const struct chromium_word *word, struct error *err)
{
    error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE, "%s", word->text);
    error_cause(err, "%s", word->cause);
    error_hint(err, "close the browser and copy the profile again, or leave this source out");
    return OUT_REJECT;
}

static enum outcome gone(struct error *err)
{
    error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE,
              "the process that reads the browser profile was ended from outside");
    error_hint(err, "run again; when it happens again, see whether the machine has memory left");
    return OUT_REJECT;
}

static enum outcome silent(const struct chromium_profile *profile, struct error *err)
{
    error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE,
              "reading the browser profile gave nothing for %u s", profile->wait_ms / 1000);
    error_hint(err, "close the browser and copy the profile again, or leave this source out");
    return OUT_REJECT;
}

/* Looks once for bytes of `fd`; OUT_RETRY: none came. *size 0: it was closed. */
static enum outcome take(struct chromium_profile *profile, int fd, void *to, size_t max,
                         size_t *size, struct error *err)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    ssize_t got = poll(&wanted, 1, TURN_MS) > 0 ? read(fd, to, max) : -1;
    uint64_t now_ms = clock_monotonic_ms();
    *size = got > 0 ? (size_t)got : 0;
    if (got >= 0 || profile->silent_since_ms == 0)
        profile->silent_since_ms = got >= 0 ? 0 : now_ms;
    if (got >= 0)
        return OUT_OK;
    return now_ms - profile->silent_since_ms < profile->wait_ms ? OUT_RETRY : silent(profile, err);
}

static enum outcome take_word(struct chromium_profile *profile, struct error *err)
{
    struct chromium_word *word = &profile->last;
    size_t size;
    enum outcome outcome = take(profile, profile->words, word, sizeof(*word), &size, err);
    if (outcome != OUT_OK)
        return outcome;
    if (size != sizeof(*word))
        return gone(err);
    return word->said == CHROMIUM_FAILED ? damaged(word, err) : OUT_OK;
}

static enum outcome wait_until_open(struct chromium_profile *profile, struct error *err)
{
    enum outcome outcome;
    do
        outcome = take_word(profile, err);
    while (outcome == OUT_RETRY && !stop_is_overdue());
    if (outcome == OUT_RETRY)
        return error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE,
                         "stopped before the browser profile was open");
    profile->files = profile->last.files;
    return outcome;
}

/* ---- open, next ---- */

enum outcome chromium_profile_open_within(const char *folder, unsigned wait_ms,
                                          struct chromium_profile **out, struct error *err)
{
    struct buf path;
    struct chromium_profile *profile = mem_new(sizeof(*profile));
    assert(can_begin);
    profile->document = profile->words = -1;
    profile->wait_ms = wait_ms;
    buf_init(&path, PATH_BYTES_MAX);
    enum outcome outcome = OUT_REJECT;
    if (chromium_profile_database(folder, &path))
        outcome = start(profile, (char *)(uintptr_t)buf_text(&path), err);
    else
        error_set(err, OUT_REJECT, ERR_SOURCE_PROFILE, "the folder is no browser profile");
    if (outcome == OUT_OK)
        outcome = wait_until_open(profile, err);
    buf_free(&path);
    if (outcome == OUT_OK)
        *out = profile;
    else
        chromium_profile_close(profile);
    return outcome;
}

enum outcome chromium_profile_open(const char *folder, struct chromium_profile **profile,
                                   struct error *err)
{
    return chromium_profile_open_within(folder, WAIT_MS, profile, err);
}

enum outcome chromium_profile_next(struct chromium_profile *profile, struct bytes *chunk,
                                   struct error *err)
{
    size_t size = 0;
    *chunk = (struct bytes){0};
    if (profile->ended)
        return OUT_OK;
    enum outcome outcome =
        take(profile, profile->document, profile->chunk, sizeof(profile->chunk), &size, err);
    if (outcome == OUT_OK && size == 0) {
        outcome = take_word(profile, err); /* it was written before the document's end */
        profile->ended = outcome == OUT_OK;
    }
    *chunk = bytes_of(profile->chunk, size);
    return outcome;
}
