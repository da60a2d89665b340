/*
 * Damaged profiles, generated, and processes that are killed while one is read: it costs that
 * source alone, and nothing is left. `write FOLDER` writes a sound profile, `assert FOLDER` one
 * that LevelDB asserts on; for the scripts of tests/e2e.
 */
#include "common/io/source/chromium_profile.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/base/buf.h"
#include "common/io/source/chromium_profile_internal.h"
#include "common/io/clock.h"
#include "tests/support/profile_copies.h"
#include "tests/support/profile_writer.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

#define LIMIT_MS 30000
#define FILES_MAX 32

static char folder[64];

static void enter_folder(void)
{
    strcpy(folder, "/tmp/drover_damage_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave_folder(void)
{
    char command[80];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* ---- what may be left ---- */

/* A child of `parent`, 0: none. */
static pid_t child_of(pid_t parent)
{
    DIR *all = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;
    while (!found && (entry = readdir(all))) {
        char path[300], text[512] = "";
        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        int fd = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
        if (fd < 0)
            continue;
        ssize_t size = read(fd, text, sizeof(text) - 1);
        close(fd);
        char *behind = size > 0 ? strrchr(text, ')') : NULL;
        int of = 0;
        if (behind && sscanf(behind, ") %*c %d", &of) == 1 && of == parent)
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    closedir(all);
    return found;
}

static void assert_nothing_left(void)
{
    ck_assert_uint_eq(count_copies_of(getpid()), 0);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

/* Waits for a condition of the system: what other processes do. */
#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        uint64_t began = clock_monotonic_ms();                                                     \
        while (!(condition)) {                                                                     \
            ck_assert_msg(clock_monotonic_ms() - began < LIMIT_MS, "not in time: " #condition);    \
            usleep(5000);                                                                          \
        }                                                                                          \
    } while (0)

/* ---- reading ---- */

static enum outcome read_rest(struct chromium_profile *profile, struct buf *out, struct error *err)
{
    struct bytes chunk;
    enum outcome outcome;
    do {
        outcome = chromium_profile_next(profile, &chunk, err);
        if (outcome == OUT_OK && out)
            buf_append_bytes(out, chunk);
    } while (outcome == OUT_RETRY || (outcome == OUT_OK && chunk.size));
    return outcome;
}

static enum outcome read_all(const char *path, struct buf *out, struct error *err)
{
    struct chromium_profile *profile = NULL;
    enum outcome outcome = chromium_profile_open(path, &profile, err);
    if (outcome == OUT_OK)
        outcome = read_rest(profile, out, err);
    chromium_profile_close(profile);
    return outcome;
}

static bool is_whole(struct buf *document)
{
    static const char BEGIN[] = "{\"cookies\":[],\"origins\":[", END[] = "]}\n";
    size_t end = sizeof(END) - 1;
    return strncmp(buf_text(document), BEGIN, sizeof(BEGIN) - 1) == 0 &&
           memcmp(buf_text(document) + document->size - end, END, end) == 0;
}

/* ---- the files, as they were ---- */

static struct file {
    char name[64];
    char *bytes;
    size_t size;
} files[FILES_MAX];
static size_t file_count;

static void path_of(const char *name, char *path, size_t size)
{
    snprintf(path, size, "p/" PROFILE_LEVELDB "/%s", name);
}

static void load_files(void)
{
    DIR *all = opendir("p/" PROFILE_LEVELDB);
    struct dirent *entry;
    file_count = 0;
    while ((entry = readdir(all))) {
        struct file *file = &files[file_count];
        char path[400];
        if (!chromium_profile_holds_data(entry->d_name))
            continue;
        ck_assert_uint_lt(file_count, FILES_MAX);
        path_of(entry->d_name, path, sizeof(path));
        snprintf(file->name, sizeof(file->name), "%.60s", entry->d_name);
        int fd = open(path, O_RDONLY);
        struct stat status;
        ck_assert_int_eq(fstat(fd, &status), 0);
        file->size = (size_t)status.st_size;
        file->bytes = malloc(file->size + 1);
        ck_assert_int_eq(read(fd, file->bytes, file->size), (ssize_t)file->size);
        close(fd);
        file_count++;
    }
    closedir(all);
}

static void store_file(const char *name, const char *bytes, size_t size)
{
    char path[400];
    path_of(name, path, sizeof(path));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void store_files(void)
{
    for (size_t i = 0; i < file_count; i++)
        store_file(files[i].name, files[i].bytes, files[i].size);
}

static struct file *some_file(const char *part)
{
    for (int tries = 0; tries < 10000; tries++) {
        struct file *file = &files[random_below(file_count)];
        if (strstr(file->name, part) && file->size > 0)
            return file;
    }
    ck_abort_msg("no file %s", part);
}

/* ---- LevelDB's checksums, so that wrong content is believed ---- */

static uint32_t crc32c(const char *bytes, size_t size)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8; /* as LevelDB masks it */
}

static void put_le32(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (8 * i));
}

/* Records of a log or MANIFEST: checksum, size, type, payload; in blocks of 32 KiB. */
static size_t record_at(const char *bytes, size_t size, size_t at, size_t *next)
{
    size_t left = 32768 - at % 32768;
    if (left < 7)
        at += left;
    if (at + 7 > size)
        return SIZE_MAX;
    size_t length = (unsigned char)bytes[at + 4] | (size_t)(unsigned char)bytes[at + 5] << 8;
    *next = at + 7 + length;
    return *next <= size ? at : SIZE_MAX;
}

static void change_record(char *bytes, size_t size)
{
    size_t starts[512], ends[512], count = 0, next = 0;
    for (size_t at = record_at(bytes, size, 0, &next); at != SIZE_MAX && count < 512;
         at = record_at(bytes, size, next, &next)) {
        starts[count] = at;
        ends[count++] = next;
    }
    if (count == 0)
        return;
    size_t which = random_below(count);
    char *record = bytes + starts[which];
    size_t length = ends[which] - starts[which] - 7;
    for (uint64_t i = 0; length && i <= random_below(4); i++)
        record[7 + random_below(length)] = (char)random_below(256);
    put_le32(record, crc32c(record + 6, length + 1));
}

static uint64_t varint(const char **at, const char *end)
{
    uint64_t value = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        unsigned char byte = (unsigned char)*(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            break;
    }
    return value;
}

/* The index block of a table, which says where its blocks are and how large. */
static void change_index(char *bytes, size_t size)
{
    if (size < 48)
        return;
    const char *at = bytes + size - 48, *end = bytes + size - 8;
    varint(&at, end);
    varint(&at, end);
    uint64_t begin = varint(&at, end);
    uint64_t length = varint(&at, end);
    if (begin + length + 5 > size)
        return;
    for (uint64_t i = 0; length && i <= random_below(4); i++)
        bytes[begin + random_below(length)] = (char)random_below(256);
    put_le32(bytes + begin + length + 1, crc32c(bytes + begin, length + 1));
}

/* ---- damage ---- */

enum damage { FLIPPED, CUT, OVERWRITTEN, RECORD, INDEX, REMOVED, EXCHANGED, DAMAGES };

static void damage_one(enum damage damage)
{
    char path[400];
    struct file *file = some_file(damage == INDEX    ? ".ldb"
                                  : damage == RECORD ? (random_below(3) ? "MANIFEST" : ".log")
                                  : random_below(3)  ? ""
                                  : random_below(2)  ? "MANIFEST"
                                                     : "CURRENT");
    size_t size = file->size;
    char *bytes = malloc(size);
    memcpy(bytes, file->bytes, size);
    switch (damage) {
    case FLIPPED:
        for (uint64_t i = 0; i <= random_below(8); i++)
            bytes[random_below(size)] ^= (char)(1 << random_below(8));
        break;
    case CUT:
        size = random_below(size);
        break;
    case OVERWRITTEN:
        for (size_t i = 0, at = random_below(size); i < 8 && at + i < size; i++)
            bytes[at + i] = (char)random_below(256);
        break;
    case RECORD:
        change_record(bytes, size);
        break;
    case INDEX:
        change_index(bytes, size);
        break;
    default:
        break;
    }
    store_file(file->name, bytes, size);
    free(bytes);
    path_of(file->name, path, sizeof(path));
    if (damage == REMOVED)
        ck_assert_int_eq(unlink(path), 0);
    if (damage == EXCHANGED) {
        struct file *other = some_file("");
        store_file(file->name, other->bytes, other->size);
    }
}

/* Every damage ends as a document or as DRV-S012, in time; nothing is left, nothing grows. */
START_TEST(damage_costs_the_source_alone)
{
    bool full = getenv("DROVER_TEST_FULL") != NULL;
    unsigned documents = 0, refused = 0, deaths = 0;
    struct rusage use;
    random_begin(clock_monotonic_ns());
    profile_write("p", 4, 40, 3000);
    load_files();
    for (int i = 0; i < (full ? 4000 : 150); i++) {
        struct buf out;
        struct error err = {0};
        store_files();
        enum damage damage = (enum damage)random_below(DAMAGES);
        damage_one(damage);
        buf_init(&out, (size_t)64 << 20);
        uint64_t began = clock_monotonic_ms();
        enum outcome outcome = read_all("p", &out, &err);
        ck_assert_msg(clock_monotonic_ms() - began < LIMIT_MS, "seed %lu case %d took %lu ms",
                      random_seed, i, clock_monotonic_ms() - began);
        ck_assert_msg(outcome == OUT_OK ? is_whole(&out)
                                        : outcome == OUT_REJECT && err.code == ERR_SOURCE_PROFILE,
                      "seed %lu case %d: outcome %d %s", random_seed, i, outcome, err.text);
        documents += outcome == OUT_OK;
        refused += outcome != OUT_OK;
        deaths += strstr(err.cause, "ended its process") != NULL;
        assert_nothing_left();
        buf_free(&out);
    }
    getrusage(RUSAGE_CHILDREN, &use);
    printf("seed %lu: %u documents, %u refused, %u of them by LevelDB's death; at most %ld MiB a "
           "process\n",
           random_seed, documents, refused, deaths, use.ru_maxrss / 1024);
    ck_assert_int_lt(use.ru_maxrss / 1024, 700); /* 512 and what a sanitizer takes */
    for (size_t i = 0; i < file_count; i++)
        free(files[i].bytes);
}
END_TEST

/* A version edit of two files that overlap below level 0, with the checksum it should have. */
static void write_overlap(const char *manifest, const char *bytes, size_t size)
{
    static const char EDIT[] =
        /* new file: level 2, number, size, smallest and largest key: text, 8 bytes of sequence */
        "\7\2\x64\x0A\x0A"
        "aa\1\0\0\0\0\0\0\0"
        "\x0A"
        "zz\1\0\0\0\0\0\0\0"
        "\7\2\x65\x0A\x0A"
        "bb\1\0\0\0\0\0\0\0"
        "\x0A"
        "yy\1\0\0\0\0\0\0\0";
    size_t length = sizeof(EDIT) - 1;
    char *all = malloc(size + 7 + length);
    memcpy(all, bytes, size);
    char *record = all + size;
    record[4] = (char)length;
    record[5] = 0;
    record[6] = 1; /* whole */
    memcpy(record + 7, EDIT, length);
    put_le32(record, crc32c(record + 6, length + 1));
    store_file(manifest, all, size + 7 + length);
    free(all);
}

static void write_assert(void)
{
    profile_write("p", 2, 20, 3000);
    load_files();
    struct file *manifest = some_file("MANIFEST");
    write_overlap(manifest->name, manifest->bytes, manifest->size);
    for (size_t i = 0; i < file_count; i++)
        free(files[i].bytes);
}

START_TEST(an_assertion_is_said)
{
    struct error err = {0};
    write_assert();
    ck_assert_int_eq(read_all("p", NULL, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SOURCE_PROFILE);
    ck_assert_msg(strstr(err.cause, "signal 6"), "%s: %s", err.text, err.cause);
    assert_nothing_left();
}
END_TEST

/* ---- processes that are killed ---- */

static struct chromium_profile *open_large(unsigned wait_ms)
{
    struct chromium_profile *profile = NULL;
    struct error err;
    struct bytes chunk;
    enum outcome outcome;
    if (access("p", F_OK) != 0)
        profile_write("p", 1, 20, 100000); /* more than a pipe holds */
    ck_assert_int_eq(chromium_profile_open_within("p", wait_ms, &profile, &err), OUT_OK);
    ck_assert_uint_eq(count_copies_of(getpid()), 1);
    do
        outcome = chromium_profile_next(profile, &chunk, &err);
    while (outcome == OUT_RETRY);
    ck_assert_int_eq(outcome, OUT_OK);
    return profile;
}

START_TEST(the_owner_is_killed)
{
    int ready[2];
    char byte;
    profile_write("p", 1, 20, 100000); /* LevelDB's thread would be missing in a forked process */
    ck_assert_int_eq(pipe(ready), 0);
    pid_t owner = fork();
    if (owner == 0) {
        (void)open_large(LIMIT_MS);
        (void)!write(ready[1], "!", 1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    pid_t keeper = child_of(owner);
    pid_t reader = child_of(keeper);
    ck_assert_int_gt(keeper, 0);
    ck_assert_int_gt(reader, 0);
    ck_assert_uint_eq(count_copies_of(owner), 1);
    if (_i == 1)
        kill(reader, SIGSTOP);
    kill(owner, SIGKILL);
    waitpid(owner, NULL, 0);
    WAIT_UNTIL(count_copies_of(owner) == 0);
    WAIT_UNTIL(kill(keeper, 0) != 0 && kill(reader, 0) != 0);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

/* 0: the keeper is killed, 1: the reader is, 2: the reader stands still. */
START_TEST(a_part_is_killed)
{
    static const char *const WORDS[] = {"ended from outside", "damaged", "gave nothing for"};
    struct error err = {0};
    struct chromium_profile *profile = open_large(_i == 2 ? 1000 : LIMIT_MS);
    pid_t keeper = child_of(getpid());
    pid_t reader = child_of(keeper);
    ck_assert_int_gt(reader, 0);
    kill(_i == 0 ? keeper : reader, _i == 2 ? SIGSTOP : SIGKILL);
    ck_assert_int_eq(read_rest(profile, NULL, &err), OUT_REJECT);
    ck_assert_msg(strstr(err.text, WORDS[_i]), "%s", err.text);
    chromium_profile_close(profile);
    WAIT_UNTIL(kill(reader, 0) != 0);
    assert_nothing_left();
}
END_TEST

/* Closed before its end: nothing goes on behind the owner's back. */
START_TEST(it_is_closed_early)
{
    struct chromium_profile *profile = open_large(LIMIT_MS);
    pid_t keeper = child_of(getpid());
    pid_t reader = child_of(keeper);
    chromium_profile_close(profile);
    ck_assert_int_ne(kill(keeper, 0), 0);
    ck_assert_int_ne(kill(reader, 0), 0);
    assert_nothing_left();
}
END_TEST

static bool file_holds(pid_t process, const char *name, const char *text)
{
    char path[64], bytes[1 << 16];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)process, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false; /* of another user, as it is not dumpable */
    ssize_t size = read(fd, bytes, sizeof(bytes));
    close(fd);
    return size > 0 && memmem(bytes, (size_t)size, text, strlen(text));
}

static size_t count_descriptors(pid_t process)
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)process);
    DIR *all = opendir(path);
    while (all && readdir(all))
        count++;
    if (all)
        closedir(all);
    return count;
}

START_TEST(it_inherits_no_secrets)
{
    int left_open = open("/dev/null", O_RDONLY); /* by some library, without O_CLOEXEC */
    setenv("DATABASE_URL", "postgresql://u:Canary-91@h/d", 1);
    struct chromium_profile *profile = open_large(LIMIT_MS);
    pid_t keeper = child_of(getpid());
    pid_t reader = child_of(keeper);
    ck_assert(file_holds(getpid(), "comm", "integration"));
    ck_assert(!file_holds(keeper, "environ", "Canary-91"));
    ck_assert(!file_holds(reader, "environ", "Canary-91"));
    ck_assert_uint_le(count_descriptors(keeper), 2 + 4 + 2); /* . .. 0-3, lock, words */
    chromium_profile_close(profile);
    close(left_open);
    assert_nothing_left();
}
END_TEST

static Suite *chromium_damage_suite(void)
{
    Suite *suite = suite_create("chromium_damage");
    TCase *tests = tcase_create("damage");
    tcase_add_checked_fixture(tests, enter_folder, leave_folder);
    tcase_set_timeout(tests, 1800);
    tcase_add_test(tests, damage_costs_the_source_alone);
    tcase_add_test(tests, an_assertion_is_said);
    tcase_add_loop_test(tests, the_owner_is_killed, 0, 2);
    tcase_add_loop_test(tests, a_part_is_killed, 0, 3);
    tcase_add_test(tests, it_is_closed_early);
    tcase_add_test(tests, it_inherits_no_secrets);
    suite_add_tcase(suite, tests);
    return suite;
}

/* For scripts: Check's assertions work in a test only. */
static bool sound;

START_TEST(a_profile_is_written)
{
    if (sound)
        profile_write("p", 2, 20, 3000);
    else
        write_assert();
}
END_TEST

static int run(Suite *suite, enum print_output how)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, how);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    chromium_profile_begin(count, arguments);
    if (count != 3)
        return run(chromium_damage_suite(), CK_NORMAL);
    Suite *suite = suite_create("writer");
    TCase *writer = tcase_create("writer");
    tcase_add_test(writer, a_profile_is_written);
    suite_add_tcase(suite, writer);
    sound = strcmp(arguments[1], "write") == 0;
    return chdir(arguments[2]) == 0 ? run(suite, CK_SILENT) : EXIT_FAILURE;
}
