/* The folder of reports: each in one of its own, `latest` always a whole one, the oldest removed,
 * and nothing that somebody else made. */
#include "common/io/report_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/io/files.h"
#include "tests/support/suite.h"
#include "verifier/follow/follow_files.h"
#include "verifier/verify_facts.h"

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/drover-report-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *at(const char *name)
{
    static char path[4][512];
    static unsigned turn;
    char *next = path[turn++ % 4];
    snprintf(next, sizeof path[0], "%s/%s", folder, name);
    return next;
}

/* The n-th run of a second each. */
static const char *run_of(int n)
{
    static char run[40];
    snprintf(run, sizeof run, "20261129T17%02d%02d-0badcafe", n / 60, n % 60);
    return run;
}

static enum outcome write_report(const char *migration, int n, uint64_t keep, struct error *err)
{
    char *path, json[300], html[300];
    const struct report_place place = {folder, migration, run_of(n), keep};
    snprintf(json, sizeof json, "json %s %d", migration, n);
    snprintf(html, sizeof html, "html %s %d", migration, n);
    enum outcome outcome =
        report_folder_write(&place, bytes_text(json), bytes_text(html), &path, err);
    ck_assert_int_eq(path != NULL, outcome == OUT_OK);
    free(path);
    return outcome;
}

static void wrote(const char *migration, int n, uint64_t keep)
{
    struct error err = {0};
    ck_assert_msg(write_report(migration, n, keep, &err) == OUT_OK, "%s: %s", err.where, err.cause);
}

/* Written so long after the first one. */
static void written_at(const char *name, int second)
{
    const struct timespec times[2] = {{1700000000 + second, 0}, {1700000000 + second, 0}};
    ck_assert_int_eq(utimensat(AT_FDCWD, at(name), times, 0), 0);
}

static void is_content(const char *name, const char *wanted)
{
    struct buf content;
    struct error err = {0};
    ck_assert_msg(files_read(at(name), 4096, &content, &err) == OUT_OK, "%s", name);
    if (wanted)
        ck_assert_str_eq(buf_text(&content), wanted);
    buf_free(&content);
}

static const char *name_of(const char *migration, int n)
{
    static char name[4][128];
    static unsigned turn;
    char *next = name[turn++ % 4];
    snprintf(next, sizeof name[0], "%s-%s", migration, run_of(n));
    return next;
}

static bool exists(const char *name)
{
    struct stat status;
    return lstat(at(name), &status) == 0;
}

static int count_entries(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    int hidden = 0;
    rewinddir(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        hidden += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                  entry->d_name[0] == '.';
    closedir(dir);
    ck_assert_int_eq(hidden, 0);
    return count;
}

START_TEST(test_each_report_has_a_folder_and_latest_is_the_last)
{
    char target[256];
    wrote("shop", 1, 20);
    wrote("shop", 2, 20);
    wrote("other", 3, 20);
    wrote("shop", 1, 20); /* written again, as one that goes on is */
    ck_assert_int_eq(count_entries(), 4);
    ssize_t size = readlink(at("latest"), target, sizeof target - 1);
    ck_assert_int_gt(size, 0);
    target[size] = '\0';
    ck_assert_str_eq(target, name_of("shop", 1)); /* relative: the folder may be moved */
    is_content("latest/report.json", "json shop 1");
    is_content("latest/report.html", "html shop 1");
    is_content("other-20261129T170003-0badcafe/report.html", "html other 3");
}
END_TEST

START_TEST(test_the_oldest_are_removed)
{
    for (int n = 1; n <= 6; n++) {
        wrote("shop", n, 0);
        written_at(name_of("shop", n), n);
    }
    written_at(name_of("shop", 1), 100); /* begun first, but written last: one that follows */
    wrote("shop", 7, 3);
    ck_assert(exists(name_of("shop", 7)));
    ck_assert(exists(name_of("shop", 1)));
    ck_assert(exists(name_of("shop", 6)));
    for (int n = 2; n <= 5; n++)
        ck_assert_msg(!exists(name_of("shop", n)), "%d is still there", n);
    is_content("latest/report.json", "json shop 7");
}
END_TEST

/* The clock may have been set back. */
START_TEST(test_the_new_one_stays_whatever_its_time)
{
    for (int n = 10; n < 15; n++) {
        wrote("shop", n, 0);
        written_at(name_of("shop", n), 2000000000 - 1700000000 + n);
    }
    wrote("shop", 1, 1);
    ck_assert(exists(name_of("shop", 1)));
    ck_assert_int_eq(count_entries(), 2);
}
END_TEST

static void touch(const char *name)
{
    int fd = open(at(name), O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(test_what_is_not_its_own_stays)
{
    char path[256];
    wrote("shop", 1, 0); /* with a note beside it */
    snprintf(path, sizeof path, "%s/signed.txt", name_of("shop", 1));
    touch(path);
    wrote("shop-eu", 2, 0); /* another migration, whose name begins so */
    ck_assert_int_eq(mkdir(at("shop-20261129"), 0700), 0);
    ck_assert_int_eq(mkdir(at("shop-20261129T170003-0BADCAFE"), 0700), 0);
    ck_assert_int_eq(mkdir(at("shop-20261129T170003-0badcafe-2"), 0700), 0);
    touch("shop-20261129T170004-0badcafe"); /* a file */
    ck_assert_int_eq(mkdir(at("elsewhere"), 0700), 0);
    touch("elsewhere/report.json");
    ck_assert_int_eq(symlink("elsewhere", at("shop-20261129T170005-0badcafe")), 0);
    bool is_root = geteuid() == 0;
    wrote("shop", 6, 0);
    if (is_root) /* who else may give a folder away */
        ck_assert_int_eq(chown(at(name_of("shop", 6)), 12345, 12345), 0);
    int before = count_entries();
    wrote("shop", 7, 1);
    ck_assert_int_eq(count_entries(), before + (is_root ? 1 : 0));
    ck_assert(exists("elsewhere/report.json"));
    snprintf(path, sizeof path, "%s/report.json", name_of("shop", 1));
    ck_assert(exists(path));
}
END_TEST

START_TEST(test_somebody_elses_latest_is_told_before_and_stays)
{
    struct error err = {0};
    ck_assert_int_eq(report_folder_try(folder, &err), OUT_OK);
    touch("latest");
    ck_assert_int_eq(report_folder_try(folder, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_REPORT);
    ck_assert(!report_folder_can_write(folder, &err));
    ck_assert_int_eq(write_report("shop", 1, 20, &err), OUT_FATAL);
    is_content("latest", "");
    ck_assert_int_eq(unlink(at("latest")), 0);
    ck_assert_int_eq(mkdir(at("latest"), 0700), 0);
    touch("latest/mine");
    ck_assert_int_eq(report_folder_try(folder, &err), OUT_FATAL);
    ck_assert(!report_folder_can_write(folder, &err));
    ck_assert_int_eq(write_report("shop", 2, 20, &err), OUT_FATAL);
    ck_assert(exists("latest/mine"));
}
END_TEST

/* As long as Kafka lets it be. */
START_TEST(test_a_long_name_of_a_migration)
{
    char name[240];
    memset(name, 'm', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int n = 1; n <= 3; n++)
        wrote(name, n, 2);
    ck_assert_int_eq(count_entries(), 3);
    is_content("latest/report.html", NULL);
}
END_TEST

/* While it goes on, and at its end: one report, with its facts. */
START_TEST(test_a_verification_that_follows)
{
    static struct settings settings;
    static struct follow_report report;
    static struct verify_facts texts;
    struct mapping_set mappings = {0};
    struct error err = {0};
    char *path;
    settings = (struct settings){
        .report_dir = folder, .migration = "shop", .storage = STORE_MEMORY, .report_keep = 20};
    report = (struct follow_report){
        .migration = "shop", .topic = "t", .group = "g", .id = "1", .share = 1};
    report.windows[FOLLOW_TOTAL].counts[VERDICT_MATCH] = 7;
    verify_facts_take(&texts, &settings, &mappings, NULL, &report.facts);
    ck_assert_int_eq(follow_files_write(&settings, &report, &path, &err), OUT_OK);
    free(path);
    struct buf before, after;
    ck_assert_int_eq(files_read(at("latest/report.json"), 1u << 20, &before, &err), OUT_OK);
    ck_assert_ptr_nonnull(strstr(buf_text(&before), "\"ended\":null"));
    ck_assert_ptr_nonnull(strstr(buf_text(&before), "\"exit_code\":null"));
    report.facts.ended_ms = report.facts.began_ms;
    ck_assert_int_eq(follow_files_write(&settings, &report, &path, &err), OUT_OK);
    ck_assert_ptr_nonnull(strstr(path, texts.run));
    free(path);
    ck_assert_int_eq(files_read(at("latest/report.json"), 1u << 20, &after, &err), OUT_OK);
    ck_assert_ptr_nonnull(strstr(buf_text(&after), "\"exit_code\":0"));
    ck_assert_int_eq(count_entries(), 2);
    buf_free(&before);
    buf_free(&after);
}
END_TEST

/* A link to nowhere: its report was removed by hand. */
START_TEST(test_a_dangling_latest_is_replaced)
{
    struct error err = {0};
    ck_assert_int_eq(symlink("gone", at("latest")), 0);
    ck_assert_int_eq(report_folder_try(folder, &err), OUT_OK);
    wrote("shop", 1, 20);
    is_content("latest/report.json", "json shop 1");
}
END_TEST

/* As vfat answers, of this process and from here on. */
static bool forbid_links(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_symlink
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_symlink, 1, 0),
#endif
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_symlinkat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

START_TEST(test_without_links_latest_is_a_copy)
{
    struct error err = {0};
    struct stat status;
    ck_assert(forbid_links());
    ck_assert_int_eq(symlink("a", at("b")), -1);
    ck_assert_int_eq(errno, EPERM);
    for (int n = 1; n <= 3; n++) {
        wrote("shop", n, 2);
        written_at(name_of("shop", n), n);
    }
    ck_assert_int_eq(lstat(at("latest"), &status), 0);
    ck_assert(S_ISDIR(status.st_mode));
    is_content("latest/report.json", "json shop 3");
    is_content("latest/report.html", "html shop 3");
    ck_assert_int_eq(report_folder_try(folder, &err), OUT_OK);
    ck_assert_int_eq(count_entries(), 3); /* two reports and latest */
}
END_TEST

static Suite *report_folder_suite(void)
{
    Suite *suite = suite_create("report_folder");
    TCase *tcase = tcase_create("folder");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_each_report_has_a_folder_and_latest_is_the_last);
    tcase_add_test(tcase, test_the_oldest_are_removed);
    tcase_add_test(tcase, test_the_new_one_stays_whatever_its_time);
    tcase_add_test(tcase, test_what_is_not_its_own_stays);
    tcase_add_test(tcase, test_somebody_elses_latest_is_told_before_and_stays);
    tcase_add_test(tcase, test_a_verification_that_follows);
    tcase_add_test(tcase, test_a_long_name_of_a_migration);
    tcase_add_test(tcase, test_a_dangling_latest_is_replaced);
    tcase_add_test(tcase, test_without_links_latest_is_a_copy);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(report_folder_suite)
