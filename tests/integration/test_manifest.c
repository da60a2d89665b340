/* The producer's manifest: what was stored comes back, and whatever happened to its files, it never
 * begins anew silently: it is refused, or it says that it lost something, or all of it is there. */
#include "producer/manifest/manifest.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "producer/manifest/resume.h"
#include "tests/support/suite.h"

enum { PARTITIONS = 3, COMMITS = 3, FILES = 3 };

static char folder[64];
static const char *const NAMES[FILES] = {"t.manifest.db", "t.manifest.db-wal", "t.manifest.lock"};
static struct {
    char *data;
    size_t size;
} kept[FILES];

static const char *path_of(const char *name)
{
    static char path[2][128];
    static unsigned turn;
    char *next = path[turn++ % 2];
    snprintf(next, sizeof path[0], "%s/%s", folder, name);
    return next;
}

static void read_file(size_t at)
{
    struct stat status;
    free(kept[at].data);
    kept[at].data = NULL;
    kept[at].size = 0;
    int fd = open(path_of(NAMES[at]), O_RDONLY);
    if (fd < 0)
        return;
    ck_assert_int_eq(fstat(fd, &status), 0);
    kept[at].size = (size_t)status.st_size;
    kept[at].data = mem_alloc(kept[at].size + 1);
    ck_assert_int_eq(read(fd, kept[at].data, kept[at].size), (ssize_t)kept[at].size);
    close(fd);
}

static void write_file(size_t at, size_t size)
{
    const char *path = path_of(NAMES[at]);
    unlink(path);
    if (!kept[at].data)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, kept[at].data, size), (ssize_t)size);
    close(fd);
}

static void write_all(void)
{
    unlink(path_of("t.manifest.db-shm"));
    for (size_t i = 0; i < FILES; i++)
        write_file(i, kept[i].size);
}

static void fill(struct manifest_source *source, uint64_t records)
{
    manifest_source_init(source, PARTITIONS);
    source->identity = (struct scan_identity){7, 8, 9000, 10, 11};
    source->looked_ns = 12;
    source->way = digest_of(BYTES_LITERAL("way"));
    snprintf(source->run, sizeof source->run, "20260101T000000-0123abcd");
    source->start_clock = 5;
    source->place = (struct manifest_place){.records = records,
                                            .at = 10 * records,
                                            .bytes = 4096,
                                            .digest = digest_of(BYTES_LITERAL("prefix")),
                                            .clock = 77,
                                            .sequences = source->place.sequences};
    for (int i = 0; i < PARTITIONS; i++)
        source->place.sequences[i] = (int64_t)records + i;
}

static void store(struct manifest *manifest, uint64_t records)
{
    struct error err;
    struct manifest_source source;
    fill(&source, records);
    ck_assert_int_eq(manifest_begin(manifest, &err), OUT_OK);
    ck_assert_int_eq(manifest_store(manifest, "a.ndjson", &source, &err), OUT_OK);
    ck_assert_int_eq(manifest_commit(manifest, &err), OUT_OK);
    manifest_source_free(&source);
}

/* A manifest of COMMITS commits in a folder of its own, its files as a killed process leaves them
 * (`closed` false) or as one that ended. */
static void make(bool closed)
{
    struct manifest *manifest;
    struct error err;
    strcpy(folder, "/tmp/drover-manifest-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(manifest_open(folder, "t", &manifest, &err), OUT_OK);
    for (uint64_t i = 1; i <= COMMITS; i++)
        store(manifest, 100 * i);
    if (!closed)
        for (size_t i = 0; i < FILES; i++)
            read_file(i);
    manifest_close(manifest);
    if (closed)
        for (size_t i = 0; i < FILES; i++)
            read_file(i);
}

static void leave(void)
{
    unlink(path_of("t.manifest.db-shm"));
    for (size_t i = 0; i < FILES; i++)
        unlink(path_of(NAMES[i]));
    rmdir(folder);
}

/* Records of the place that is known; -1 refused, -2 not known and it says that something was lost,
 * -3 not known and it says nothing. */
static int64_t look(uint64_t *lost)
{
    struct manifest *manifest;
    struct manifest_source source;
    struct error err = {0};
    bool known = false;
    int64_t result = -1;
    *lost = 0;
    if (manifest_open(folder, "t", &manifest, &err) == OUT_OK) {
        *lost = manifest_lost(manifest);
        if (manifest_find(manifest, "a.ndjson", &known, &source, &err) == OUT_OK)
            result = known ? (int64_t)source.place.records : *lost ? -2 : -3;
        if (known)
            manifest_source_free(&source);
        manifest_close(manifest);
    }
    if (result == -1) {
        ck_assert_int_eq(err.code, ERR_STATE_FILE);
        ck_assert(err.where[0] && err.cause[0] && err.hint[0]);
    }
    return result;
}

/* Each of the headers, and of the rest some; DROVER_TEST_FULL: each. */
static size_t step(size_t at, size_t wide)
{
    return getenv("DROVER_TEST_FULL") || at % 4096 < 32 ? 1 : wide;
}

static void expect_not_silent(int64_t found, uint64_t lost, const char *what, size_t at)
{
    bool whole = found == 100 * COMMITS;
    ck_assert_msg(found == -1 || found == -2 || whole || (found > 0 && lost > 0),
                  "%s at byte %zu: record %lld, %llu commits lost", what, at, (long long)found,
                  (unsigned long long)lost);
}

START_TEST(what_was_stored_comes_back)
{
    struct manifest *manifest;
    struct manifest_source source, stored;
    struct error err;
    bool known;
    make(true);
    ck_assert_int_eq(manifest_open(folder, "t", &manifest, &err), OUT_OK);
    ck_assert_uint_eq(manifest_lost(manifest), 0);
    ck_assert_int_eq(manifest_find(manifest, "b.ndjson", &known, &source, &err), OUT_OK);
    ck_assert(!known);
    ck_assert_int_eq(manifest_find(manifest, "a.ndjson", &known, &source, &err), OUT_OK);
    ck_assert(known);
    fill(&stored, 100 * COMMITS);
    ck_assert(scan_identity_equal(&source.identity, &stored.identity));
    ck_assert_str_eq(source.run, stored.run);
    ck_assert_int_eq(source.partitions, PARTITIONS);
    ck_assert_uint_eq(source.place.records, stored.place.records);
    ck_assert_uint_eq(source.place.at, stored.place.at);
    ck_assert_int_eq(source.place.clock, 77);
    ck_assert_int_eq(source.start_clock, 5);
    ck_assert(digest_equal(&source.place.digest, &stored.place.digest));
    ck_assert_mem_eq(source.place.sequences, stored.place.sequences, PARTITIONS * sizeof(int64_t));
    manifest_source_free(&source);
    manifest_source_free(&stored);
    manifest_close(manifest);
    leave();
}
END_TEST

START_TEST(the_greatest_tip_of_all_runs_is_the_last)
{
    const struct manifest_tip early[] = {{10, 3}, {-1, -1}, {30, 9}};
    const struct manifest_tip late[] = {{12, 0}, {-1, -1}, {20, 1}};
    struct manifest_last last[PARTITIONS];
    struct manifest *manifest;
    struct error err;
    make(true);
    ck_assert_int_eq(manifest_open(folder, "t", &manifest, &err), OUT_OK);
    ck_assert_int_eq(manifest_store_tips(manifest, "early", early, PARTITIONS, &err), OUT_OK);
    ck_assert_int_eq(manifest_store_tips(manifest, "late", late, PARTITIONS, &err), OUT_OK);
    ck_assert_int_eq(manifest_find_last(manifest, last, PARTITIONS, &err), OUT_OK);
    ck_assert_int_eq(last[0].tip.offset, 12);
    ck_assert_str_eq(last[0].run, "late");
    ck_assert_int_eq(last[1].tip.offset, -1);
    ck_assert_int_eq(last[2].tip.sequence, 9);
    ck_assert_str_eq(last[2].run, "early");
    manifest_close(manifest);
    leave();
}
END_TEST

/* One that ended: the database. One that was killed: what it had committed lies in the log beside
 * it. */
START_TEST(cut_at_every_byte)
{
    size_t which = (size_t)_i;
    uint64_t lost;
    make(which == 0);
    ck_assert_uint_gt(kept[which].size, 0);
    for (size_t size = 0; size < kept[which].size; size += step(size, 97)) {
        write_all();
        write_file(which, size);
        int64_t found = look(&lost);
        expect_not_silent(found, lost, NAMES[which], size);
    }
    write_all();
    ck_assert_int_eq(look(&lost), 100 * COMMITS);
    leave();
}
END_TEST

/* A byte of the database or of the log is another one. */
START_TEST(every_byte_changed)
{
    size_t which = (size_t)_i;
    uint64_t lost;
    make(which == 0);
    for (size_t at = 0; at < kept[which].size; at += step(at, 211)) {
        kept[which].data[at] ^= 0x5a;
        write_all();
        kept[which].data[at] ^= 0x5a;
        expect_not_silent(look(&lost), lost, NAMES[which], at);
    }
    leave();
}
END_TEST

static void change(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path_of(NAMES[0]), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

START_TEST(what_somebody_did_to_it)
{
    static const struct {
        const char *name, *sql;
    } ROWS[] = {
        {"newer", "UPDATE meta SET value = 2 WHERE name = 'format'"},
        {"older", "UPDATE meta SET value = 0 WHERE name = 'format'"},
        {"no format", "DELETE FROM meta WHERE name = 'format'"},
        {"another database", "DROP TABLE meta; DROP TABLE source; CREATE TABLE x (y)"},
        {"a row edited", "UPDATE source SET records = records + 1"},
        {"a run edited", "UPDATE source SET run = 'r'"},
        {"sequences cut", "UPDATE source SET next = substr(next, 1, 8)"},
    };
    uint64_t lost;
    make(true);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        write_all();
        change(ROWS[i].sql);
        ck_assert_msg(look(&lost) == -1, "%s is taken", ROWS[i].name);
    }
    leave();
}
END_TEST

START_TEST(gone_empty_and_garbage)
{
    uint64_t lost;
    make(true);
    write_all();
    unlink(path_of(NAMES[0]));
    ck_assert_int_eq(look(&lost), -1);
    write_all();
    write_file(0, 0);
    ck_assert_int_eq(look(&lost), -1);
    write_all();
    memset(kept[0].data, 'x', kept[0].size);
    write_file(0, kept[0].size);
    ck_assert_int_eq(look(&lost), -1);
    leave();
}
END_TEST

/* ---- who reads a source ---- */

START_TEST(a_source_is_taken_once)
{
    struct manifest *first, *second;
    struct scan_identity identity = {.device = 1, .inode = 2}, other = {.device = 1, .inode = 3};
    struct error err;
    make(true);
    ck_assert_int_eq(manifest_open(folder, "t", &first, &err), OUT_OK);
    ck_assert_int_eq(manifest_open(folder, "t", &second, &err), OUT_OK);
    ck_assert_int_eq(manifest_take(first, "/a", &identity, &err), OUT_OK);
    ck_assert_int_eq(manifest_say_taken(first, &err), OUT_OK);
    ck_assert_int_eq(manifest_take(second, "/b", &other, &err), OUT_OK);
    ck_assert_int_eq(manifest_take(second, "/a", &other, &err), OUT_FATAL); /* by its name */
    ck_assert_int_eq(err.code, ERR_SOURCE_TAKEN);
    char process[40];
    snprintf(process, sizeof process, "process %ld on ", (long)getpid());
    ck_assert_msg(strncmp(err.cause, process, strlen(process)) == 0, "%s", err.cause);
    ck_assert_int_eq(manifest_take(second, "/c", &identity, &err), OUT_FATAL); /* the file itself */
    manifest_close(first);
    ck_assert_int_eq(manifest_take(second, "/a", &identity, &err), OUT_OK);
    manifest_close(second);
    leave();
}
END_TEST

/* Those of all processes on the lock's file. */
static int locks(void)
{
    struct stat file;
    char inode[40], line[256];
    int count = 0;
    ck_assert_int_eq(stat(path_of(NAMES[2]), &file), 0);
    snprintf(inode, sizeof inode, ":%lu ", (unsigned long)file.st_ino);
    FILE *all = fopen("/proc/locks", "r");
    ck_assert_ptr_nonnull(all);
    while (fgets(line, sizeof line, all))
        count += strstr(line, inode) != NULL;
    fclose(all);
    return count;
}

static int rows(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *row;
    ck_assert_int_eq(sqlite3_open(path_of(NAMES[0]), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
    int count = sqlite3_column_int(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return count;
}

static struct manifest *take_many(int from, int count)
{
    struct manifest *manifest;
    struct error err;
    char path[40];
    ck_assert_int_eq(manifest_open(folder, "t", &manifest, &err), OUT_OK);
    for (int i = from; i < from + count; i++) {
        struct scan_identity identity = {.device = 1, .inode = (uint64_t)i};
        snprintf(path, sizeof path, "/many/%d", i);
        ck_assert_int_eq(manifest_take(manifest, path, &identity, &err), OUT_OK);
        ck_assert_int_eq(manifest_take(manifest, path, &identity, &err), OUT_OK); /* twice */
    }
    ck_assert_int_eq(manifest_say_taken(manifest, &err), OUT_OK);
    return manifest;
}

/* The system walks all locks of a file for each one more. */
START_TEST(many_sources_are_one_lock)
{
    make(true);
    struct manifest *first = take_many(0, 100), *second = take_many(100, 100);
    ck_assert_int_eq(locks(), 2);
    ck_assert_int_eq(rows("SELECT count(*) FROM taken"), 400);
    manifest_close(first);
    manifest_close(second);
    leave();
}
END_TEST

/* Killed between any two steps, it takes nothing with it. */
START_TEST(who_was_killed_has_taken_nothing)
{
    make(true);
    pid_t child = fork();
    if (child == 0) {
        take_many(0, 100);
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(rows("SELECT count(*) FROM taken"), 200);
    struct manifest *manifest = take_many(50, 100);
    ck_assert_int_eq(rows("SELECT count(*) FROM taken"), 200);
    ck_assert_int_eq(rows("SELECT count(*) FROM producer"), 1);
    manifest_close(manifest);
    leave();
}
END_TEST

/* ---- what is to be done ---- */

START_TEST(decides)
{
    enum { SECOND = 1000000000 };
    const struct scan_identity before = {1, 2, 300, 4 * (int64_t)SECOND, 5 * (int64_t)SECOND};
    static const struct {
        const char *name;
        bool complete, stamped, again;
        int64_t size, modified, changed, inode, way, partitions, looked;
        enum resume what;
        enum resume_reason reason;
    } ROWS[] = {
        {"the same", 1, 0, 0, 0, 0, 0, 0, 0, 0, 9, RESUME_SKIP, REASON_NONE},
        {"looked at within its times' tick", 1, 0, 0, 0, 0, 0, 0, 0, 0, 5, RESUME_COMPARE,
         REASON_NONE},
        {"another inode", 1, 0, 0, 0, 0, 0, 1, 0, 0, 9, RESUME_COMPARE, REASON_NONE},
        {"touched", 1, 0, 0, 0, SECOND, SECOND, 0, 0, 0, 9, RESUME_COMPARE, REASON_NONE},
        {"touched, versions by time", 1, 1, 0, 0, SECOND, SECOND, 0, 0, 0, 9, RESUME_ANEW,
         REASON_TIME},
        {"mode changed, versions by time", 1, 1, 0, 0, 0, SECOND, 0, 0, 0, 9, RESUME_COMPARE,
         REASON_NONE},
        {"grew", 1, 0, 0, 1, SECOND, SECOND, 0, 0, 0, 9, RESUME_ANEW, REASON_CHANGED},
        {"shrank", 1, 0, 0, -1, SECOND, SECOND, 0, 0, 0, 9, RESUME_ANEW, REASON_SHRANK},
        {"other mapping", 1, 0, 0, 0, 0, 0, 0, 1, 0, 9, RESUME_ANEW, REASON_WAY},
        {"other partitions", 1, 0, 0, 0, 0, 0, 0, 0, 1, 9, RESUME_SKIP, REASON_NONE},
        {"--again", 1, 0, 1, 0, 0, 0, 0, 0, 0, 9, RESUME_ANEW, REASON_ASKED},
        {"interrupted", 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, RESUME_GO_ON, REASON_NONE},
        {"interrupted at once", 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, RESUME_ANEW, REASON_NOTHING},
        {"interrupted, touched", 0, 0, 0, 0, SECOND, SECOND, 0, 0, 0, 9, RESUME_ANEW,
         REASON_CHANGED},
        {"interrupted, copied", 0, 0, 0, 0, 0, SECOND, 1, 0, 0, 9, RESUME_GO_ON, REASON_NONE},
        {"interrupted, grew", 0, 0, 0, 1, 0, 0, 0, 0, 0, 9, RESUME_ANEW, REASON_CHANGED},
        {"interrupted, shrank", 0, 0, 0, -1, 0, 0, 0, 0, 0, 9, RESUME_ANEW, REASON_SHRANK},
        {"interrupted, other partitions", 0, 0, 0, 0, 0, 0, 0, 0, 1, 9, RESUME_ANEW,
         REASON_PARTITIONS},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct manifest_source known = {.identity = before,
                                        .looked_ns = ROWS[i].looked * SECOND,
                                        .partitions = PARTITIONS,
                                        .complete = ROWS[i].complete,
                                        .place.clock = ROWS[i].stamped,
                                        .place.records = ROWS[i].reason != REASON_NOTHING};
        struct resume_now now = {.identity = before,
                                 .partitions = PARTITIONS + (int)ROWS[i].partitions,
                                 .again = ROWS[i].again};
        enum resume_reason reason;
        now.identity.size += (uint64_t)ROWS[i].size;
        now.identity.modified_ns += ROWS[i].modified;
        now.identity.changed_ns += ROWS[i].changed;
        now.identity.inode += (uint64_t)ROWS[i].inode;
        now.way.bytes[0] = (uint8_t)ROWS[i].way;
        enum resume what = manifest_resume(&known, &now, &reason);
        ck_assert_msg(what == ROWS[i].what && reason == ROWS[i].reason, "%s: %d, %d", ROWS[i].name,
                      what, reason);
    }
}
END_TEST

static Suite *manifest_suite(void)
{
    Suite *suite = suite_create("manifest");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, getenv("DROVER_TEST_FULL") ? 7200 : 250);
    tcase_add_test(tcase, what_was_stored_comes_back);
    tcase_add_test(tcase, the_greatest_tip_of_all_runs_is_the_last);
    tcase_add_loop_test(tcase, cut_at_every_byte, 0, 2);
    tcase_add_loop_test(tcase, every_byte_changed, 0, 2);
    tcase_add_test(tcase, what_somebody_did_to_it);
    tcase_add_test(tcase, gone_empty_and_garbage);
    tcase_add_test(tcase, a_source_is_taken_once);
    tcase_add_test(tcase, many_sources_are_one_lock);
    tcase_add_test(tcase, who_was_killed_has_taken_nothing);
    tcase_add_test(tcase, decides);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(manifest_suite)
