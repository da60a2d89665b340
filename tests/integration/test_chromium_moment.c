/*
 * A profile that is read while its browser writes, begins new logs and writes its tables anew: what
 * a reading holds is what the database held at one moment, and that moment is not before the
 * reading began. A manifest of one moment with a log of another would show a value that was
 * overwritten, or lack one that is there.
 *
 * Operation n writes n to key n modulo KEYS, every seventh removes it: of any moment what each key
 * holds is known. A reading may be refused, as the files change faster than they can be copied; it
 * may not be wrong.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "common/base/buf.h"
#include "common/io/source/chromium_profile.h"
#include "tests/support/profile_writer.h"
#include "tests/support/random.h"

enum { KEYS = 23, READINGS = 120, NEEDED = 10 };

static long *done; /* operations whose bytes the system has; shared with the writer */

static void write_one(leveldb_t *database, long n)
{
    char name[16], value[3000];
    snprintf(name, sizeof(name), "k%ld", n % KEYS);
    memset(value, ' ', sizeof(value));
    int size = snprintf(value, sizeof(value), "%ld.", n);
    value[size] = ' ';
    if (n % 7)
        profile_put(database, name, value, (size_t)size + random_below(2500));
    else
        profile_delete(database, name);
}

_Noreturn static void write_on(const char *folder)
{
    leveldb_t *database = profile_open(folder);
    for (long n = 1;; n++) {
        write_one(database, n);
        __atomic_store_n(done, n, __ATOMIC_SEQ_CST);
        if (random_below(60) == 0) {
            leveldb_close(database);
            database = profile_open(folder);
        } else if (random_below(60) == 0) {
            leveldb_compact_range(database, NULL, 0, NULL, 0);
        } else if (random_below(20) == 0) { /* its pace */
            usleep((useconds_t)random_below(20000));
        }
    }
}

/* What key holds after operation n; 0: nothing. */
static long held(long key, long n)
{
    long last = n - (n - key) % KEYS;
    return n < key || last <= 0 || last % 7 == 0 ? 0 : last;
}

static bool is_moment(const long found[KEYS], long n)
{
    for (long key = 0; key < KEYS; key++)
        if (found[key] != held(key, n))
            return false;
    return true;
}

/* False: it was refused. */
static bool read_profile(const char *folder, struct buf *document)
{
    struct chromium_profile *profile;
    struct bytes chunk;
    struct error err;
    buf_reset(document);
    enum outcome outcome = chromium_profile_open(folder, &profile, &err);
    if (outcome != OUT_OK)
        return false;
    do {
        outcome = chromium_profile_next(profile, &chunk, &err);
        if (outcome == OUT_OK)
            buf_append_bytes(document, chunk);
    } while (outcome == OUT_RETRY || (outcome == OUT_OK && chunk.size));
    chromium_profile_close(profile);
    return outcome == OUT_OK;
}

/* Returns the greatest operation seen. */
static long take_values(const char *text, long found[KEYS])
{
    long key, n, newest = 0;
    memset(found, 0, KEYS * sizeof(*found));
    while ((text = strstr(text, "\"name\":\"k"))) {
        ck_assert_int_eq(sscanf(text, "\"name\":\"k%ld\",\"value\":\"%ld.", &key, &n), 2);
        ck_assert(key >= 0 && key < KEYS);
        found[key] = n;
        newest = n > newest ? n : newest;
        text++;
    }
    return newest;
}

static void check_reading(const char *text, long before)
{
    long found[KEYS];
    long newest = take_values(text, found);
    bool is_one = is_moment(found, newest);
    if (!is_one || newest < before) /* the last was a removal */
        is_one = is_moment(found, ++newest);
    ck_assert_msg(is_one, "seed %lu: what was read is of no moment, newest %ld",
                  (unsigned long)random_seed, newest);
    ck_assert_msg(newest >= before, "seed %lu: %ld was read, when %ld had been written",
                  (unsigned long)random_seed, newest, before);
}

START_TEST(a_reading_is_of_one_moment)
{
    char folder[] = "/tmp/drover_moment_XXXXXX", command[80];
    struct buf document;
    int read = 0;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    random_begin((uint64_t)_i + 1);
    done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(done != MAP_FAILED);
    pid_t writer = fork();
    if (writer == 0)
        write_on(folder);
    buf_init(&document, (size_t)64 << 20);
    while (__atomic_load_n(done, __ATOMIC_SEQ_CST) == 0)
        ck_assert_int_eq(waitpid(writer, NULL, WNOHANG), 0);
    for (int i = 0; i < READINGS; i++) {
        long before = __atomic_load_n(done, __ATOMIC_SEQ_CST);
        if (!read_profile(folder, &document))
            continue;
        check_reading(buf_text(&document), before);
        read++;
    }
    kill(writer, SIGKILL);
    ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
    printf("seed %lu: %d of %d readings, %ld operations\n", (unsigned long)random_seed, read,
           READINGS, *done);
    ck_assert_int_ge(read, NEEDED);
    buf_free(&document);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(int count, char **arguments)
{
    chromium_profile_begin(count, arguments);
    Suite *suite = suite_create("chromium_moment");
    TCase *readings = tcase_create("readings");
    tcase_set_timeout(readings, 240);
    tcase_add_loop_test(readings, a_reading_is_of_one_moment, 0, 2);
    suite_add_tcase(suite, readings);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
