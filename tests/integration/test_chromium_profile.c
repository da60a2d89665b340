/* A browser's profile as a document, and what the localStorage codec makes of it. The databases are
 * written here as Chromium writes them; tests/e2e/test_browser.sh has a real one. With the argument
 * `print` and a folder the program prints the document of that profile; with `write` and the folder
 * of a database it stores what comes, as a browser that runs does: lines of name, tab, value; a
 * name alone is removed; "!again" closes the database and opens it, which begins a new log, and
 * "!compact" writes its tables anew. */
#include "common/io/source/chromium_profile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leveldb/c.h>

#include "common/base/buf.h"
#include "common/io/source/byte_source.h"
#include "common/io/source/source_files.h"
#include "common/io/source/source_identity.h"
#include "common/policy/collect/collect.h"
#include "tests/support/profile_copies.h"
#include "tests/support/suite.h"

static char folder[64];

/* ---- writing a profile ---- */

static leveldb_t *database;
static leveldb_writeoptions_t *writing;

static void open_database(void)
{
    char *message = NULL;
    leveldb_options_t *options = leveldb_options_create();
    leveldb_options_set_create_if_missing(options, 1);
    database = leveldb_open(options, "p/Default/Local Storage/leveldb", &message);
    ck_assert_msg(!message, "%s", message);
    leveldb_options_destroy(options);
    writing = leveldb_writeoptions_create();
}

static void close_database(void)
{
    leveldb_writeoptions_destroy(writing);
    leveldb_close(database);
    database = NULL;
}

static void enter_folder(void)
{
    strcpy(folder, "/tmp/drover_profile_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(mkdir("p", 0700), 0);
    ck_assert_int_eq(mkdir("p/Default", 0700), 0);
    ck_assert_int_eq(mkdir("p/Default/Local Storage", 0700), 0);
    open_database();
}

static void leave_folder(void)
{
    char command[80];
    if (database)
        close_database();
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static size_t make_key(char *out, const char *origin, const char *name, size_t size)
{
    size_t length = strlen(origin);
    out[0] = '_';
    memcpy(out + 1, origin, length + 1);
    memcpy(out + length + 2, name, size);
    return length + 2 + size;
}

static void put_raw(const char *key, size_t key_size, const char *value, size_t value_size)
{
    char *message = NULL;
    leveldb_put(database, writing, key, key_size, value, value_size, &message);
    ck_assert_msg(!message, "%s", message);
}

/* name and value with their first byte; sizes of literals. */
#define PUT(origin, name, value) put(origin, name, sizeof(name) - 1, value, sizeof(value) - 1)

static void put(const char *origin, const char *name, size_t name_size, const char *value,
                size_t value_size)
{
    char key[256];
    put_raw(key, make_key(key, origin, name, name_size), value, value_size);
}

static void erase(const char *origin, const char *name)
{
    char key[256];
    char *message = NULL;
    leveldb_delete(database, writing, key, make_key(key, origin, name, strlen(name)), &message);
    ck_assert_msg(!message, "%s", message);
}

/* ---- reading it ---- */

static enum outcome read_all(const char *path, struct buf *out, struct error *err)
{
    struct byte_source *source;
    struct bytes chunk;
    enum outcome outcome = byte_source_open(path, &source, err);
    if (outcome != OUT_OK)
        return outcome;
    ck_assert(!byte_source_is_stream(source));
    do {
        outcome = byte_source_next(source, &chunk, err);
        buf_append_bytes(out, chunk);
        ck_assert_uint_le(byte_source_done(source), byte_source_size(source));
    } while (outcome == OUT_RETRY || (outcome == OUT_OK && chunk.size));
    if (outcome == OUT_OK)
        ck_assert_uint_eq(byte_source_done(source), byte_source_size(source));
    byte_source_close(source);
    return outcome;
}

#define BEGIN "{\"cookies\":[],\"origins\":["
#define END "]}\n"

static void assert_reads(const char *path, const char *wanted)
{
    struct buf out;
    struct error err;
    buf_init(&out, (size_t)64 << 20);
    ck_assert_msg(read_all(path, &out, &err) == OUT_OK, "%s: %s", err.text, err.cause);
    ck_assert_str_eq(buf_text(&out), wanted);
    buf_free(&out);
}

/* Of this process: others may be at work beside it. */
static size_t count_copies(void)
{
    return count_copies_of(getpid());
}

START_TEST(decodes_by_the_first_byte)
{
    PUT("https://a", "\1theme", "\1dark");
    PUT("https://a", "\1latin", "\1\xE9\xFF\x80\"\\\n\x1F");
    PUT("https://a", "\0\xAC\x20", "\0a\0\xAC\x20");  /* U+20AC */
    PUT("https://a", "\1pair", "\0\x3D\xD8\x00\xDE"); /* U+1F600 */
    PUT("https://a", "\1lone",
        "\0\x00\xD8x\0\x00\xDE\x00\xD8\x00\xD8"); /* high, x, low, two high */
    PUT("https://a", "\1none", "\1");
    PUT("https://a", "\1nul", "\0\0\0b\0");
    put_raw("VERSION", 7, "1", 1);
    put_raw("META:https://a", 14, "x", 1);
    put_raw("METAACCESS:https://a", 20, "x", 1);
    close_database();
    assert_reads("p",
                 BEGIN "{\"origin\":\"https://a\",\"localStorage\":["
                       "{\"name\":\"\xE2\x82\xAC\",\"value\":\"a\xE2\x82\xAC\"},"
                       "{\"name\":\"latin\",\"value\":\"\xC3\xA9\xC3\xBF\xC2\x80\\\"\\\\\\u000a"
                       "\\u001f\"},"
                       "{\"name\":\"lone\",\"value\":\"\\ud800x\\ude00\\ud800\\ud800\"},"
                       "{\"name\":\"none\",\"value\":\"\"},"
                       "{\"name\":\"nul\",\"value\":\"\\u0000b\"},"
                       "{\"name\":\"pair\",\"value\":\"\xF0\x9F\x98\x80\"},"
                       "{\"name\":\"theme\",\"value\":\"dark\"}]}" END);
}
END_TEST

/* Fault row L06. */
START_TEST(what_was_deleted_stays_away)
{
    PUT("o", "\1gone", "\1secret");
    PUT("o", "\1kept", "\1old");
    close_database(); /* into a file of its own */
    open_database();
    erase("o", "\1gone");
    PUT("o", "\1kept", "\1new");
    PUT("o", "\1short", "\1x");
    erase("o", "\1short");
    close_database();
    assert_reads("p", BEGIN "{\"origin\":\"o\",\"localStorage\":["
                            "{\"name\":\"kept\",\"value\":\"new\"}]}" END);
}
END_TEST

/* Fault row L09: a partition is part of the origin. */
START_TEST(origins_stay_apart)
{
    PUT("https://a", "\1k", "\0001");
    PUT("https://a", "\1k", "\1one");
    PUT("https://a/^0https://b", "\1k", "\1two");
    PUT("https://b", "\1k", "\1three");
    close_database();
    assert_reads("p", BEGIN
                 "{\"origin\":\"https://a\",\"localStorage\":[{\"name\":\"k\",\"value\":\"one\"}]},"
                 "{\"origin\":\"https://a/^0https://b\",\"localStorage\":[{\"name\":\"k\","
                 "\"value\":\"two\"}]},"
                 "{\"origin\":\"https://b\",\"localStorage\":[{\"name\":\"k\",\"value\":\"three\"}"
                 "]}" END);
}
END_TEST

/* Strings that cannot be told become entries without a value: their reader rejects them. */
START_TEST(unknown_forms_are_not_guessed)
{
    PUT("o", "\1a", "\2x");
    PUT("o", "\1b", "\0xyz");
    PUT("o", "\1c", "");
    PUT("o", "\7d", "\1x");
    PUT("o", "\1e", "\1x");
    put_raw("_nonul", 6, "x", 1);
    close_database();
    assert_reads("p", BEGIN "{\"origin\":\"o\",\"localStorage\":[{\"name\":\"a\"},{\"name\":\"b\"},"
                            "{\"name\":\"c\"},{\"name\":\"e\",\"value\":\"x\"},{}]}" END);
}
END_TEST

START_TEST(empty_and_by_every_path)
{
    static const char *const PATHS[] = {"p", "p/", "p/Default", "p/Default/Local Storage/leveldb"};
    close_database();
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
        assert_reads(PATHS[i], BEGIN END);
}
END_TEST

/* A large value comes in pieces, a pair never in two. */
START_TEST(large_values)
{
    enum { PAIRS = 1000000 };
    char *value = malloc(1 + (size_t)PAIRS * 4);
    ck_assert_ptr_nonnull(value);
    value[0] = 0;
    for (size_t i = 0; i < PAIRS; i++)
        memcpy(value + 1 + i * 4, "\x3D\xD8\x00\xDE", 4);
    put("o", "\1k", 2, value, 1 + (size_t)PAIRS * 4);
    free(value);
    close_database();
    struct buf out;
    struct error err;
    buf_init(&out, (size_t)64 << 20);
    ck_assert_int_eq(read_all("p", &out, &err), OUT_OK);
    const char *at = strstr(buf_text(&out), "\"value\":\"");
    ck_assert_ptr_nonnull(at);
    at += strlen("\"value\":\"");
    size_t same = 0;
    for (size_t i = 0; i < PAIRS; i++)
        same += memcmp(at + i * 4, "\xF0\x9F\x98\x80", 4) == 0;
    ck_assert_uint_eq(same, PAIRS);
    ck_assert_str_eq(at + (size_t)PAIRS * 4, "\"}]}" END);
    buf_free(&out);
}
END_TEST

/* The browser runs and holds its lock: the copy is read, nothing is waited for or touched. */
START_TEST(a_locked_profile_is_read)
{
    PUT("o", "\1k", "\1v");
    size_t before = count_copies();
    assert_reads("p", BEGIN "{\"origin\":\"o\",\"localStorage\":["
                            "{\"name\":\"k\",\"value\":\"v\"}]}" END);
    PUT("o", "\1k", "\1w"); /* it still works */
    assert_reads("p", BEGIN "{\"origin\":\"o\",\"localStorage\":["
                            "{\"name\":\"k\",\"value\":\"w\"}]}" END);
    ck_assert_uint_eq(count_copies(), before);
}
END_TEST

/* A copy whose process was killed is removed by the next one; one that is in use is not. */
START_TEST(what_was_left_is_removed)
{
    static const char LEFT[] = "/dev/shm/drover-profile-1-left00";
    struct chromium_profile *profile;
    struct error err;
    char *large =
        calloc(1, 1 << 20); /* more than a pipe holds: the copy is in use until it is read */
    ck_assert_ptr_nonnull(large);
    large[0] = 1;
    put("p", "\1large", 6, large, 1 << 20);
    free(large);
    PUT("o", "\1k", "\1v");
    close_database();
    ck_assert_int_eq(mkdir(LEFT, 0700), 0);
    int fd =
        open("/dev/shm/drover-profile-1-left00/000001.log", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(chromium_profile_open("p", &profile, &err), OUT_OK);
    ck_assert_int_ne(access(LEFT, F_OK), 0);
    ck_assert_uint_eq(count_copies(), 1);
    struct buf out;
    buf_init(&out, (size_t)64 << 20);
    ck_assert_int_eq(read_all("p", &out, &err), OUT_OK);
    buf_free(&out);
    ck_assert_uint_eq(count_copies(), 1);
    chromium_profile_close(profile);
    ck_assert_uint_eq(count_copies(), 0);
}
END_TEST

static void damage(const char *ending, off_t at)
{
    DIR *open_folder = opendir("p/Default/Local Storage/leveldb");
    struct dirent *entry;
    ck_assert_ptr_nonnull(open_folder);
    while ((entry = readdir(open_folder)))
        if (strstr(entry->d_name, ending)) {
            int fd = openat(dirfd(open_folder), entry->d_name, O_RDWR | O_CLOEXEC);
            ck_assert_int_ge(fd, 0);
            ck_assert_int_eq(pwrite(fd, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, at), 8);
            close(fd);
        }
    closedir(open_folder);
}

START_TEST(damage_is_said)
{
    char value[4000];
    struct buf out;
    struct error err;
    memset(value, 1, sizeof(value));
    for (char name[] = "\1a"; name[1] <= 'z'; name[1]++)
        put("o", name, 2, value, sizeof(value));
    close_database();
    open_database(); /* the log becomes a table */
    PUT("o", "\1k", "\1v");
    close_database();
    if (_i == 0)
        damage("MANIFEST", 20);
    else
        damage(_i == 1 ? ".ldb" : ".log", 8);
    buf_init(&out, 1 << 20);
    size_t before = count_copies();
    ck_assert_int_eq(read_all("p", &out, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SOURCE_PROFILE);
    ck_assert_uint_eq(count_copies(), before);
    buf_free(&out);
}
END_TEST

START_TEST(a_profile_is_one_source)
{
    struct source_files files;
    struct error err;
    struct chromium_files profile;
    const char *arguments[] = {"p", "other.json"};
    struct conf_list list = {arguments, 2};
    PUT("o", "\1k", "\1v");
    close_database();
    FILE *file = fopen("p/Default/extra.json", "we"); /* a profile has files of its own */
    ck_assert_ptr_nonnull(file);
    fclose(file);
    file = fopen("other.json", "we");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    ck_assert_int_eq(utimensat(AT_FDCWD, "other.json", past, 0), 0);
    ck_assert_int_eq(source_files_collect(&list, NULL, &files, &err), OUT_OK);
    ck_assert_uint_eq(files.count, 2);
    ck_assert_str_eq(files.items[1].path, "p");
    ck_assert(chromium_profile_is("p", &profile));
    ck_assert_int_eq(files.items[1].modified_ns, profile.modified_ns);
    ck_assert_uint_eq(files.items[1].size, profile.size);
    ck_assert(profile.modified_ns > 0 && profile.size > 0);
    source_files_free(&files);
    ck_assert(!chromium_profile_is(".", &profile));
    ck_assert(!chromium_profile_is("missing", &profile));
    struct byte_source *source;
    ck_assert_int_eq(byte_source_open("p", &source, &err), OUT_OK);
    ck_assert_int_eq(byte_source_modified_ms(source), profile.modified_ns / 1000000);
    byte_source_close(source);
}
END_TEST

/* What LevelDB appends inside its files changes no folder's times. */
START_TEST(an_entry_makes_another_identity)
{
    static const char *const NAMES[] = {"p", "p/Default", "p/Default/Local Storage/leveldb"};
    struct scan_identity before, after;
    uint64_t device[3], inode[3];
    for (int round = 0; round < 20; round++) {
        PUT("o", "\1k", "\1v");
        ck_assert(source_identity_read("p", &before));
        ck_assert(source_identity_read("p", &after));
        ck_assert(scan_identity_equal(&before, &after));
        PUT("o", "\1k", "\1w");
        ck_assert(source_identity_read("p", &after));
        ck_assert(!scan_identity_equal(&before, &after));
    }
    for (int i = 0; i < 3; i++) {
        char *watched = source_identity_folder(NAMES[i]);
        ck_assert_str_eq(watched, NAMES[2]);
        free(watched);
        ck_assert(source_identity_place(NAMES[i], &device[i], &inode[i]));
        ck_assert(device[i] == device[0] && inode[i] == inode[0]);
    }
    close_database();
    ck_assert_int_eq(system("rm -rf 'p/Default/Local Storage/leveldb'"), 0);
    errno = 0;
    ck_assert(!source_identity_read("p", &after));
    ck_assert_int_eq(errno, ENOENT); /* a folder as any other */
}
END_TEST

/* LevelDB puts other files in place of its own: another identity, the same source and content. */
START_TEST(other_files_are_the_same_source)
{
    static const char WANTED[] = BEGIN "{\"origin\":\"o\",\"localStorage\":["
                                       "{\"name\":\"k\",\"value\":\"v\"}]}" END;
    struct scan_identity before, after;
    uint64_t device, inode, device_after, inode_after;
    PUT("o", "\1k", "\1v");
    ck_assert(source_identity_place("p", &device, &inode));
    for (int round = 0; round < 6; round++) {
        ck_assert(source_identity_read("p", &before));
        if (round % 2 == 0) {
            close_database();
            open_database(); /* a new log and manifest; the old log became a table */
        } else {
            leveldb_compact_range(database, NULL, 0, NULL, 0);
        }
        PUT("o", "\1k", "\1v");
        ck_assert(source_identity_read("p", &after));
        ck_assert(!scan_identity_equal(&before, &after));
        ck_assert(source_identity_place("p", &device_after, &inode_after));
        ck_assert(device_after == device && inode_after == inode);
        assert_reads("p", WANTED);
    }
}
END_TEST

START_TEST(it_is_detected)
{
    struct buf out;
    struct error err;
    close_database();
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(read_all("p", &out, &err), OUT_OK);
    ck_assert_int_eq(collect_detect(buf_view(&out), true, NULL, 0), COLLECT_LOCALSTORAGE);
    buf_free(&out);
}
END_TEST

static Suite *chromium_profile_suite(void)
{
    Suite *suite = suite_create("chromium_profile");
    TCase *profiles = tcase_create("profiles");
    tcase_add_checked_fixture(profiles, enter_folder, leave_folder);
    tcase_add_test(profiles, decodes_by_the_first_byte);
    tcase_add_test(profiles, what_was_deleted_stays_away);
    tcase_add_test(profiles, origins_stay_apart);
    tcase_add_test(profiles, unknown_forms_are_not_guessed);
    tcase_add_test(profiles, empty_and_by_every_path);
    tcase_add_test(profiles, large_values);
    tcase_add_test(profiles, a_locked_profile_is_read);
    tcase_add_test(profiles, what_was_left_is_removed);
    tcase_add_loop_test(profiles, damage_is_said, 0, 3);
    tcase_add_test(profiles, a_profile_is_one_source);
    tcase_add_test(profiles, an_entry_makes_another_identity);
    tcase_add_test(profiles, other_files_are_the_same_source);
    tcase_add_test(profiles, it_is_detected);
    suite_add_tcase(suite, profiles);
    return suite;
}

static int print(const char *path)
{
    struct chromium_profile *profile;
    struct bytes chunk;
    struct error err;
    enum outcome outcome = chromium_profile_open(path, &profile, &err);
    bool is_open = outcome == OUT_OK;
    while (outcome == OUT_OK) {
        do
            outcome = chromium_profile_next(profile, &chunk, &err);
        while (outcome == OUT_RETRY);
        if (outcome == OUT_OK && chunk.size == 0)
            break;
        if (outcome == OUT_OK && fwrite(chunk.data, 1, chunk.size, stdout) != chunk.size)
            outcome = error_set(&err, OUT_FATAL, ERR_SOURCE_READ, "cannot write");
    }
    if (is_open)
        chromium_profile_close(profile);
    if (outcome != OUT_OK)
        fprintf(stderr, "%s %s: %s\n", error_code_id(err.code), err.text, err.cause);
    return outcome == OUT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Takes the message. */
static bool is_done(char *message)
{
    if (message)
        fprintf(stderr, "%s\n", message);
    leveldb_free(message);
    return !message;
}

static bool open_writer(const char *path)
{
    char *message = NULL;
    leveldb_options_t *options = leveldb_options_create();
    leveldb_options_set_create_if_missing(options, 1);
    leveldb_options_set_write_buffer_size(options, 64 << 10); /* a new log after some 60 KiB */
    database = leveldb_open(options, path, &message);
    writing = leveldb_writeoptions_create();
    leveldb_options_destroy(options);
    return is_done(message);
}

static void close_writer(void)
{
    leveldb_writeoptions_destroy(writing);
    if (database)
        leveldb_close(database);
    database = NULL;
}

/* One entry: its name, and after a tab its value. */
static bool write_entry(const char *line)
{
    char key[256], name[128], value[4096];
    char *message = NULL;
    const char *tab = strchr(line, '\t');
    snprintf(name, sizeof(name), "\1%.*s", (int)(tab ? (size_t)(tab - line) : strlen(line)), line);
    size_t length = make_key(key, "https://app", name, strlen(name));
    int size = snprintf(value, sizeof(value), "\1%s", tab ? tab + 1 : "");
    if (size >= (int)sizeof(value)) {
        fprintf(stderr, "a value of %d bytes\n", size);
        return false;
    }
    if (tab)
        leveldb_put(database, writing, key, length, value, (size_t)size, &message);
    else
        leveldb_delete(database, writing, key, length, &message);
    return is_done(message);
}

static int write_lines(const char *path)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    bool ok = open_writer(path);
    while (ok && (size = getline(&line, &room, stdin)) > 0) {
        line[size - 1] = '\0';
        if (strcmp(line, "!again") == 0) {
            close_writer();
            ok = open_writer(path);
        } else if (strcmp(line, "!compact") == 0) {
            leveldb_compact_range(database, NULL, 0, NULL, 0);
        } else {
            ok = write_entry(line);
        }
    }
    free(line);
    close_writer();
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
    chromium_profile_begin(count, arguments);
    if (count == 3 && strcmp(arguments[1], "write") == 0)
        return write_lines(arguments[2]);
    if (count == 3 && strcmp(arguments[1], "print") == 0)
        return print(arguments[2]);
    SRunner *runner = srunner_create(chromium_profile_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
