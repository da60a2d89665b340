/* Conditions of alerts: how they are written, and when a breach begins and ends. */
#include "common/policy/alert/alert_rule.h"

#include <math.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

static struct error err;

static const struct {
    const char *text;
    struct alert_rule rule;
} WRITTEN[] = {
    {"discrepancy_rate > 0.0001 for 5m",
     {ALERT_DISCREPANCY_RATE, FOLLOW_FIVE_MINUTES, ALERT_ABOVE, 0.0001, 300000}},
    {"discrepancy_rate>0.01%for 5m",
     {ALERT_DISCREPANCY_RATE, FOLLOW_FIVE_MINUTES, ALERT_ABOVE, 0.0001, 300000}},
    {"  discrepancy_upper over 24h >= 1e-4 ",
     {ALERT_DISCREPANCY_UPPER, FOLLOW_DAY, ALERT_NOT_BELOW, 0.0001, 0}},
    {"dead_lettered over total > 0", {ALERT_DEAD_LETTERED, FOLLOW_TOTAL, ALERT_ABOVE, 0, 0}},
    {"lag_seconds>60 for 90s", {ALERT_LAG_SECONDS, FOLLOW_FIVE_MINUTES, ALERT_ABOVE, 60, 90000}},
    {"lag_records <= 5", {ALERT_LAG_RECORDS, FOLLOW_FIVE_MINUTES, ALERT_NOT_ABOVE, 5, 0}},
    {"full_pass_problems < 1", {ALERT_FULL_PASS_PROBLEMS, FOLLOW_FIVE_MINUTES, ALERT_BELOW, 1, 0}},
    {"discrepancy_rate >= 100 %",
     {ALERT_DISCREPANCY_RATE, FOLLOW_FIVE_MINUTES, ALERT_NOT_BELOW, 1, 0}},
    {"discrepancy_upper < 1", {ALERT_DISCREPANCY_UPPER, FOLLOW_FIVE_MINUTES, ALERT_BELOW, 1, 0}},
};

START_TEST(is_read)
{
    struct alert_rule rule;
    ck_assert_msg(alert_rule_parse(bytes_text(WRITTEN[_i].text), &rule, &err) == OUT_OK, "%s: %s",
                  WRITTEN[_i].text, err.text);
    const struct alert_rule *want = &WRITTEN[_i].rule;
    ck_assert_msg(rule.metric == want->metric && rule.window == want->window &&
                      rule.comparison == want->comparison &&
                      fabs(rule.limit - want->limit) < 1e-15 && rule.for_ms == want->for_ms,
                  "%s", WRITTEN[_i].text);
}
END_TEST

static const struct {
    const char *text, *said;
} REFUSED[] = {
    {"", "ends before a metric"},
    {"discrepancy_rat > 1", "\"discrepancy_rat\" in place of a metric"},
    {"discrepancy_rate", "ends before one of > >= < <="},
    {"discrepancy_rate => 1", "\"=>\" in place of"},
    {"discrepancy_rate > ", "ends before a number"},
    {"discrepancy_rate > much", "\"much\" in place of a number"},
    {"discrepancy_rate > nan", "in place of a number"},
    {"discrepancy_rate > 0x10", "in place of a number"},
    {"discrepancy_rate > -1", "in place of a number"},
    {"discrepancy_rate > 1e999", "in place of a number"},
    {"discrepancy_rate over 2m > 1", "\"2m\" in place of 1m, 5m, 1h, 24h or total"},
    {"lag_seconds over 1h > 1", "lag_seconds has no window"},
    {"lag_seconds > 1 for", "ends before a time"},
    {"lag_seconds > 1 for ever", "\"ever\" in place of a time"},
    {"lag_seconds > 1 for 8d", "at most 7d"},
    {"lag_seconds > 1 or more", "\"or\" in place of its end"},
    {"lag_seconds > 1 for 5m x", "\"x\" in place of its end"},
    {"full_pass_problems < 1 %", "a % behind full_pass_problems, which is no rate"},
    {"lag_seconds>60%for 5m", "a % behind lag_seconds, which is no rate"},
    {"dead_lettered over 1h > 0 %", "a % behind dead_lettered, which is no rate"},
    {"discrepancy_rate > 1", "a limit that discrepancy_rate can never pass: 1"},
    {"discrepancy_rate <= 100 %", "a limit that discrepancy_rate can never pass: 100 %"},
    {"discrepancy_rate >= 1.5", "a limit that discrepancy_rate can never pass: 1.5"},
    {"discrepancy_upper over 24h < 101 %", "discrepancy_upper can never pass: 101 %"},
};

START_TEST(is_refused)
{
    struct alert_rule rule;
    ck_assert_int_eq(alert_rule_parse(bytes_text(REFUSED[_i].text), &rule, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_CONF_VALUE);
    ck_assert_msg(strstr(err.text, REFUSED[_i].said) != NULL, "%s: %s", REFUSED[_i].text, err.text);
}
END_TEST

START_TEST(the_metric_that_was_meant_is_named)
{
    struct alert_rule rule;
    ck_assert(alert_rule_parse(BYTES_LITERAL("lag_second > 1"), &rule, &err) == OUT_FATAL);
    ck_assert_str_eq(err.hint, "did you mean \"lag_seconds\"?");
}
END_TEST

START_TEST(what_a_limit_is_to_be_is_said)
{
    struct alert_rule rule;
    ck_assert(alert_rule_parse(BYTES_LITERAL("lag_records >= 5 %"), &rule, &err) == OUT_FATAL);
    ck_assert_str_eq(err.cause, "only discrepancy_rate and discrepancy_upper are parts of a whole");
    ck_assert_str_eq(err.hint, "write the number alone: lag_records >= 5");
    ck_assert(alert_rule_parse(BYTES_LITERAL("discrepancy_rate > 2"), &rule, &err) == OUT_FATAL);
    ck_assert_str_eq(err.cause, "a rate is 0 to 1, which is 0 % to 100 %");
    ck_assert_str_eq(err.hint,
                     "write it as a percentage or a part of 1: discrepancy_rate > 0.01 %, "
                     "or discrepancy_rate > 0.0001");
}
END_TEST

START_TEST(any_bytes_are_read_or_refused)
{
    static const char *const WORDS[] = {
        "lag_seconds", "discrepancy_rate", ">", "over", "1h", "0.5", "%", "for", "5m", "<=",
        "\xff",        "\x1b[31m"};
    random_begin((uint64_t)_i + 1);
    for (int i = 0; i < 2000; i++) {
        char text[256] = "";
        struct alert_rule rule;
        for (uint64_t words = random_below(9); words > 0; words--) {
            strcat(text, WORDS[random_below(sizeof(WORDS) / sizeof(WORDS[0]))]);
            strcat(text, random_below(4) ? " " : "");
        }
        if (alert_rule_parse(bytes_text(text), &rule, &err) == OUT_OK)
            ck_assert_msg(rule.limit == 0.5 || rule.limit == 0.005, "%s", text);
        else
            ck_assert_ptr_null(strchr(err.text, '\x1b'));
    }
}
END_TEST

/* Against the plain rule: the state turns when the last `for` had nothing but the opposite. */
START_TEST(a_breach_is_told_once_and_its_end_once)
{
    struct alert_rule rule;
    struct alert_state state = {0};
    struct {
        uint64_t at;
        double value;
    } seen[3000];
    size_t count = 0, told = 0;
    uint64_t now_ms = 1000000;
    bool is_on = false;
    random_begin((uint64_t)_i + 1);
    ck_assert(alert_rule_parse(BYTES_LITERAL("lag_seconds > 10 for 60s"), &rule, &err) == OUT_OK);
    for (int i = 0; i < 3000; i++) {
        double value = random_below(20) == 0 ? NAN : (double)((i / 40) % 2 ? 20 : 0);
        if (random_below(10) == 0)
            value = 10 + (double)random_below(2);
        now_ms += random_below(10000);
        enum alert_change change = alert_state_step(&state, &rule, value, now_ms, (int64_t)now_ms);
        if (!isnan(value)) {
            seen[count].at = now_ms;
            seen[count++].value = value;
        }
        size_t first = count; /* of those that are otherwise than is_on, up to now */
        while (first > 0 && (seen[first - 1].value > 10) != is_on)
            first--;
        bool turns = !isnan(value) && first < count && now_ms - seen[first].at >= 60000;
        enum alert_change want = !turns ? ALERT_SAME : is_on ? ALERT_OVER : ALERT_FIRING;
        ck_assert_msg(change == want, "seed %lu, step %d: %d, not %d", (unsigned long)random_seed,
                      i, (int)change, (int)want);
        if (turns && !is_on)
            ck_assert_int_eq(state.since_ms, (int64_t)seen[first].at);
        is_on = turns ? !is_on : is_on;
        told += turns;
        if (turns)
            count = 0;
    }
    ck_assert_uint_gt(told, 10);
}
END_TEST

START_TEST(values_are_those_of_the_windows)
{
    static struct rolling rolling;
    static struct alert_values values;
    struct alert_rule rule;
    rolling_init(&rolling);
    int64_t minute = rolling_step(&rolling, 1800000000000);
    alert_values_init(&values, &rolling);
    ck_assert(alert_rule_parse(BYTES_LITERAL("discrepancy_rate > 0"), &rule, &err) == OUT_OK);
    ck_assert(isnan(alert_rule_value(&rule, &values)));
    rolling_add(&rolling, minute, VERDICT_MATCH, 75);
    rolling_add(&rolling, minute, VERDICT_MISSING, 25);
    rolling_add(&rolling, minute, VERDICT_DEAD, 7);
    rolling_step(&rolling, 1800000000000 + 10 * 60000);
    alert_values_init(&values, &rolling);
    ck_assert(isnan(alert_rule_value(&rule, &values)));
    rule.window = FOLLOW_HOUR;
    ck_assert(alert_rule_value(&rule, &values) == 0.25);
    rule.metric = ALERT_DISCREPANCY_UPPER;
    ck_assert(alert_rule_value(&rule, &values) > 0.25);
    rule.metric = ALERT_DEAD_LETTERED;
    ck_assert(alert_rule_value(&rule, &values) == 7);
    rule.metric = ALERT_LAG_SECONDS;
    ck_assert(isnan(alert_rule_value(&rule, &values)));
    values.lag_seconds = 3;
    ck_assert(alert_rule_value(&rule, &values) == 3);
    ck_assert(alert_rule_parse(BYTES_LITERAL("full_pass_not_whole > 0 for 30m"), &rule, &err) ==
              OUT_OK);
    ck_assert(isnan(alert_rule_value(&rule, &values)));
    values.full_pass_not_whole = 1;
    ck_assert(alert_rule_value(&rule, &values) == 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("alert_rule");
    TCase *tests = tcase_create("alert_rule");
    tcase_add_loop_test(tests, is_read, 0, sizeof(WRITTEN) / sizeof(WRITTEN[0]));
    tcase_add_loop_test(tests, is_refused, 0, sizeof(REFUSED) / sizeof(REFUSED[0]));
    tcase_add_test(tests, the_metric_that_was_meant_is_named);
    tcase_add_test(tests, what_a_limit_is_to_be_is_said);
    tcase_add_loop_test(tests, any_bytes_are_read_or_refused, 0, 3);
    tcase_add_loop_test(tests, a_breach_is_told_once_and_its_end_once, 0, 5);
    tcase_add_test(tests, values_are_those_of_the_windows);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
