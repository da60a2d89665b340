/* Alerts from the settings' file to what is told, and what is shown of them: nothing secret. */
#include "common/policy/alert/alert.h"

#include <math.h>
#include <string.h>

#include "common/model/json/json.h"
#include "tests/support/suite.h"

static struct settings {
    struct conf_rows alerts;
} settings;

static const struct conf_field FIELDS[] = {{.path = "alerts",
                                            .kind = CONF_ROWS,
                                            .offset = 0,
                                            .max = ALERTS_MAX,
                                            .choices = ALERT_KEYS,
                                            .help = "whom to tell"}};
static struct conf conf;
static struct error err;
static struct alert alerts[ALERTS_MAX];
static size_t count;

static void set_up(void)
{
    conf_init(&conf, FIELDS, 1, &settings);
}

static void tear_down(void)
{
    conf_free(&conf);
}

static enum outcome load(const char *text)
{
    bool is_yaml;
    struct error_list mistakes;
    error_list_init(&mistakes);
    enum outcome outcome =
        conf_load_yaml_all(&conf, "d.yaml", bytes_text(text), &is_yaml, &mistakes);
    if (mistakes.count > 0)
        err = mistakes.items[0];
    error_list_free(&mistakes);
    return outcome == OUT_OK ? alert_parse_all(&settings.alerts, alerts, &count, &err) : outcome;
}

static const char GOOD[] =
    "alerts:\n"
    "  - when: lag_seconds > 60\n"
    "    exec: [page, --urgent, --token, t0psecret, --db-password=t0psecret,"
    " https://u:t0psecret@h/t0psecret]\n"
    "  - {when: discrepancy_rate > 1 %, webhook: 'https://u:t0psecret@h:8/t0psecret?t0psecret=1'}\n"
    "  - {when: lag_records > 1, webhook_env: HOOK}\n"
    "  - {when: lag_records > 1, exec: page}\n";

START_TEST(are_read)
{
    ck_assert_msg(load(GOOD) == OUT_OK, "%s", err.text);
    ck_assert_uint_eq(count, 4);
    ck_assert_uint_eq(alerts[0].exec->count, 6);
    ck_assert_str_eq(alerts[0].exec->items[3], "t0psecret");
    ck_assert_str_eq(alerts[0].when, "lag_seconds > 60");
    ck_assert(alerts[1].rule.limit == 0.01 && strstr(alerts[1].webhook, "t0psecret?"));
    ck_assert_str_eq(alerts[2].webhook_env, "HOOK");
    ck_assert(alerts[3].exec->count == 1 && alerts[3].rule.metric == ALERT_LAG_RECORDS);
}
END_TEST

START_TEST(none_are_none)
{
    ck_assert(load("") == OUT_OK && count == 0);
    ck_assert(load("alerts:\n") == OUT_OK && count == 0);
    ck_assert(load("alerts: []\n") == OUT_OK && count == 0);
}
END_TEST

static const struct {
    const char *text, *where, *said;
} REFUSED[] = {
    {"alerts: 1", "d.yaml:1:9", "must be a list of maps"},
    {"alerts: [lag_seconds > 1]", "d.yaml:1:10", "must be a list of maps"},
    {"alerts:\n  - when: lag_seconds > 1\n    exce: page", "d.yaml:3:5", "not \"exce\""},
    {"alerts:\n  - when: {a: b}\n    exec: page", "d.yaml:2:11", "single value, not a map"},
    {"alerts:\n  - when: a\n    exec: [[page]]", "d.yaml:3:12", "single value, not a list"},
    {"alerts:\n  - exec: page", "d.yaml:2:5", "no condition"},
    {"alerts:\n  - when: lag > 1\n    exec: page", "d.yaml:2:5", "\"lag\" in place of a metric"},
    {"alerts:\n  - when: lag_seconds > 1", "d.yaml:2:5", "must tell one"},
    {"alerts:\n  - {when: lag_seconds > 1, exec: a, webhook: 'http://h'}", "d.yaml:2:5",
     "must tell one"},
    {"alerts:\n  - {when: lag_seconds > 1, webhook: ftp://h}", "d.yaml:2:5", "http or https URL"},
    {"alerts:\n  - {when: lag_seconds > 1, webhook: [http://h, http://i]}", "d.yaml:2:5",
     "http or https URL"},
    {"alerts:\n  - {when: lag_seconds > 1, webhook: 'ftp://u:t0psecret@h/t0psecret'}", "d.yaml:2:5",
     "an alert's webhook is no http or https URL"},
    {"alerts:\n  - {when: lag_seconds > 1, webhook: 'https:///services/t0psecret'}", "d.yaml:2:5",
     "an alert's webhook names no host"},
    {"alerts:\n  - {when: lag_seconds > 1, webhook: 'https://u:t0psecret@:8/t0psecret'}",
     "d.yaml:2:5", "an alert's webhook names no host"},
    {"alerts:\n  - {when: lag_seconds > 1, webhook: 'https://u:t0p/secret@h/'}", "d.yaml:2:5",
     "an alert's webhook has a port that is no number"},
    {"alerts:\n  - {when: full_pass_problems < 1 %, exec: a}", "d.yaml:2:5", "which is no rate"},
    {"alerts:\n  - {when: discrepancy_rate > 1, exec: a}", "d.yaml:2:5", "can never pass"},
    {"alerts:\n  - {when: lag_seconds > 1, exec: []}", "d.yaml:2:5", "names no program"},
    {"alerts:\n  - {when: lag_seconds > 1, exec: ['']}", "d.yaml:2:5", "names no program"},
    {"alerts:\n  - {when: lag_seconds > 1, webhook_env: }", "d.yaml:2:5", "name of one variable"},
};

START_TEST(are_refused)
{
    ck_assert_msg(load(REFUSED[_i].text) == OUT_FATAL, "%s", REFUSED[_i].text);
    ck_assert_msg(strstr(err.text, REFUSED[_i].said) != NULL, "%s: %s", REFUSED[_i].text, err.text);
    ck_assert_str_eq(err.where, REFUSED[_i].where);
    ck_assert_int_eq(err.code, ERR_CONF_VALUE);
    char said[2048];
    error_format(&err, said, sizeof(said));
    ck_assert_msg(!strstr(said, "t0p"), "%s", said); /* no part of a URL */
}
END_TEST

START_TEST(there_is_a_greatest_number)
{
    struct buf text;
    buf_init(&text, 65536);
    buf_append_text(&text, "alerts:\n");
    for (int i = 0; i <= ALERTS_MAX; i++) {
        ck_assert(i == 0 || load(buf_text(&text)) == OUT_OK);
        buf_append_text(&text, "  - {when: lag_seconds > 1, exec: a}\n");
    }
    ck_assert_int_eq(load(buf_text(&text)), OUT_FATAL);
    ck_assert_ptr_nonnull(strstr(err.text, "more than 32"));
    buf_free(&text);
}
END_TEST

START_TEST(the_environment_does_not_set_them)
{
    char *const environment[] = {"DROVER_ALERTS=x", NULL};
    struct error_list mistakes;
    error_list_init(&mistakes);
    ck_assert(conf_load_env_all(&conf, environment, NULL, &mistakes) == OUT_FATAL);
    ck_assert_ptr_nonnull(strstr(mistakes.items[0].text, "in the file alone"));
    error_list_free(&mistakes);
    char *const told[] = {"DROVER_ALERT_STATE=firing",
                          NULL}; /* drover called by an alert's program */
    error_list_init(&mistakes);
    ck_assert(conf_load_env_all(&conf, told, NULL, &mistakes) == OUT_OK);
    error_list_free(&mistakes);
}
END_TEST

START_TEST(are_shown_without_secrets)
{
    struct buf text;
    struct json_out out;
    ck_assert(load(GOOD) == OUT_OK);
    buf_init(&text, 65536);
    conf_append_yaml(&conf, true, &text);
    ck_assert_str_eq(buf_text(&text),
                     "alerts:\n"
                     "  - when: \"lag_seconds > 60\"  # from d.yaml:2:5\n"
                     "    exec: [page, \"--urgent\", \"--token\", \"***\", \"--db-password=***\", "
                     "\"https://h/…\"]\n"
                     "  - when: \"discrepancy_rate > 1 %\"  # from d.yaml:4:5\n"
                     "    webhook: \"https://h:8/…\"\n"
                     "  - when: \"lag_records > 1\"  # from d.yaml:5:5\n"
                     "    webhook_env: HOOK\n"
                     "  - when: \"lag_records > 1\"  # from d.yaml:6:5\n"
                     "    exec: page\n");
    buf_reset(&text);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    conf_append_json(&conf, &out, "settings");
    json_out_end(&out);
    ck_assert_ptr_null(strstr(buf_text(&text), "t0psecret"));
    ck_assert_ptr_nonnull(
        strstr(buf_text(&text), "\"key\":\"2.webhook\",\"value\":\"https://h:8/…\""));
    for (size_t i = 0; i < count; i++) {
        buf_reset(&text);
        alert_append_target(&alerts[i], "https://x/t0psecret", &text);
        ck_assert_ptr_null(strstr(buf_text(&text), "t0psecret"));
    }
    buf_free(&text);
}
END_TEST

static const struct {
    const char *value, *before, *shown;
} VALUES[] = {
    {"https://hooks.example.com", NULL, "https://hooks.example.com"},
    {"https://hooks.example.com/a/b", NULL, "https://hooks.example.com/…"},
    {"https://hooks.example.com?a=b", NULL, "https://hooks.example.com/…"},
    {"https://me@hooks.example.com", NULL, "https://hooks.example.com/…"},
    {"https://h/t?token=abc", NULL, "https://h/…"},
    {"--url=https://h/t", NULL, "--url=https://h/…"},
    {"--token=https://h/t", NULL, "--token=***"},
    {"abc", "--token", "***"},
    {"abc", "--token=x", "abc"},
    {"abc", "token", "abc"},
    {"--level=3", NULL, "--level=3"},
};

START_TEST(a_value_is_open_but_for_its_secret)
{
    struct buf text;
    buf_init(&text, 1024);
    conf_append_open(&text, VALUES[_i].value, VALUES[_i].before);
    ck_assert_str_eq(buf_text(&text), VALUES[_i].shown);
    buf_free(&text);
}
END_TEST

START_TEST(the_message_is_one_object)
{
    ck_assert(load("alerts: [{when: 'discrepancy_rate > 1 %', exec: a}]") == OUT_OK);
    struct alert_message message = {.alert = &alerts[0],
                                    .state = ALERT_FIRING,
                                    .migration = "m\n\"",
                                    .verifier = "v",
                                    .host = "h",
                                    .value = 0.25,
                                    .since_ms = 1000,
                                    .unix_ms = 2000};
    struct buf text;
    char id[17], other[17];
    buf_init(&text, ALERT_MESSAGE_MAX);
    alert_message_append(&message, &text);
    alert_message_id(&message, id);
    char want[1024];
    snprintf(want, sizeof(want),
             "{\"kind\":\"alert\",\"id\":\"%s\",\"state\":\"firing\",\"test\":false,\"migration\":"
             "\"m\\n\\\"\",\"verifier\":\"v\",\"host\":\"h\",\"when\":\"discrepancy_rate > 1 "
             "%%\",\"metric\":\"discrepancy_rate\",\"value\":0.25,\"limit\":0.01,\"since\":\"1970-"
             "01-01T00:00:01.000Z\",\"at\":\"1970-01-01T00:00:02.000Z\"}",
             id);
    ck_assert_str_eq(buf_text(&text), want);
    message.state = ALERT_OVER;
    message.value = NAN;
    message.unix_ms = 9000;
    alert_message_id(&message, other);
    ck_assert_str_eq(id, other); /* it is the breach's */
    message.since_ms = 1001;
    alert_message_id(&message, other);
    ck_assert_str_ne(id, other);
    buf_free(&text);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("alert");
    TCase *tests = tcase_create("alert");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, are_read);
    tcase_add_test(tests, none_are_none);
    tcase_add_loop_test(tests, are_refused, 0, sizeof(REFUSED) / sizeof(REFUSED[0]));
    tcase_add_test(tests, there_is_a_greatest_number);
    tcase_add_test(tests, the_environment_does_not_set_them);
    tcase_add_test(tests, are_shown_without_secrets);
    tcase_add_loop_test(tests, a_value_is_open_but_for_its_secret, 0,
                        sizeof(VALUES) / sizeof(VALUES[0]));
    tcase_add_test(tests, the_message_is_one_object);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
