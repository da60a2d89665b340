/* What a scan of a followed file allows: row by row. */

#include "common/policy/follow_scan.h"

#include "tests/support/suite.h"

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static const struct {
    const char *name;
    struct scan seen;
    enum scan_verdict want;
} SCANS[] = {
    {"whole, seen twice", {true, 0, true, 0, 0}, SCAN_ALL},
    {"whole, seen once", {true, 0, false, 0, 0}, SCAN_UPSERTS},
    {"a record could not be identified", {true, 1, true, 0, 0}, SCAN_UPSERTS},
    {"another one was not read yet", {true, 0, true, 0, 0, true}, SCAN_UPSERTS},
    {"cut", {false, 0, false, 0, 0}, SCAN_WAIT},
    {"cut, and nobody writes on", {false, 0, true, SCAN_TRIES, SCAN_TRIES}, SCAN_REPORT},
    {"cut, almost given up", {false, 0, true, SCAN_TRIES - 1, SCAN_TRIES - 1}, SCAN_WAIT},
    {"grows for long", {false, 0, false, 1, SCAN_TRIES_MAX - 1}, SCAN_WAIT},
    {"grows for ever", {false, 0, false, 1, SCAN_TRIES_MAX}, SCAN_REPORT},
    {"cut never deletes", {false, 9, true, 0, 0}, SCAN_WAIT},
};

START_TEST(scans)
{
    ck_assert_msg(scan_judge(&SCANS[_i].seen) == SCANS[_i].want, "%s", SCANS[_i].name);
}
END_TEST

static const struct {
    const char *name;
    struct poll_away away;
    enum away_verdict want;
} AWAYS[] = {
    {"just gone", {true, true, 1}, AWAY_WAIT},
    {"stays away", {true, true, SCANS_AWAY}, AWAY_DELETED},
    {"another one was not read yet", {true, true, 9, true}, AWAY_WAIT},
    {"folder gone", {false, true, 9}, AWAY_UNKNOWN},
    {"another disk in its place", {true, false, 9}, AWAY_UNKNOWN},
};

START_TEST(aways)
{
    ck_assert_msg(scan_judge_away(&AWAYS[_i].away) == AWAYS[_i].want, "%s", AWAYS[_i].name);
}
END_TEST

START_TEST(identities)
{
    const struct scan_identity one = {1, 2, 3, 4000, 5000};
    for (int member = 0; member < 5; member++) {
        struct scan_identity other = one;
        other.device += member == 0;
        other.inode += member == 1;
        other.size += member == 2;
        other.modified_ns += member == 3;
        other.changed_ns += member == 4;
        ck_assert(!scan_identity_equal(&one, &other));
    }
    ck_assert(scan_identity_equal(&one, &one));
    ck_assert(scan_is_racy(&one, 5000 + SCAN_RACY_NS - 1));
    ck_assert(!scan_is_racy(&one, 5000 + SCAN_RACY_NS));
}
END_TEST

/* Either time may be the young one; what was set far ahead, or to an end of all times, is no reason
 * to read a file at every scan. */
START_TEST(young_times)
{
    static const int64_t NOW = INT64_C(1800000000000000000), OLD = NOW - INT64_C(3600000000000);
    static const struct {
        int64_t time;
        bool racy;
    } ROWS[] = {
        {OLD, false},
        {NOW - SCAN_RACY_NS, false},
        {NOW - SCAN_RACY_NS + 1, true},
        {NOW, true},
        {NOW + SCAN_AHEAD_NS - 1, true},
        {NOW + SCAN_AHEAD_NS, false},
        {NOW + INT64_C(86400000000000), false},
        {INT64_MAX, false},
        {INT64_MIN, false},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct scan_identity written = {1, 2, 3, ROWS[i].time, OLD};
        struct scan_identity changed = {1, 2, 3, OLD, ROWS[i].time};
        ck_assert_msg(scan_is_racy(&written, NOW) == ROWS[i].racy, "written, row %zu", i);
        ck_assert_msg(scan_is_racy(&changed, NOW) == ROWS[i].racy, "changed, row %zu", i);
    }
}
END_TEST

static Suite *follow_scan_suite(void)
{
    Suite *suite = suite_create("follow_scan");
    TCase *tcase = tcase_create("follow_scan");
    tcase_add_loop_test(tcase, scans, 0, COUNT(SCANS));
    tcase_add_loop_test(tcase, aways, 0, COUNT(AWAYS));
    tcase_add_test(tcase, identities);
    tcase_add_test(tcase, young_times);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(follow_scan_suite)
