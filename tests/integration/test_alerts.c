/*
 * Alerts on a loop, with real programs and a webhook that behaves as its path says
 * (tests/support/webhook_server.py): each is told once for a breach and once when it is over, in
 * order, and none holds up another.
 */
#include "common/io/alert/alerts.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/alert/alert_output.h"
#include "common/io/log.h"
#include "tests/support/suite.h"

static char folder[64], requests[96];
static int port;
static pid_t server;
static uv_loop_t loop;
static struct error err;

static void start_server(void)
{
    int pipes[2];
    char script[512], line[32] = "";
    snprintf(script, sizeof(script), "%s/tests/support/webhook_server.py",
             getenv("DROVER_SOURCE_DIR"));
    ck_assert_int_eq(pipe(pipes), 0);
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(pipes[1], STDOUT_FILENO);
        execlp("python3", "python3", script, requests, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    FILE *answer = fdopen(pipes[0], "r");
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), answer));
    fclose(answer);
    port = atoi(line);
}

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    snprintf(folder, sizeof(folder), "/tmp/drover_alerts_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(requests, sizeof(requests), "%s/requests", folder);
    start_server();
    ck_assert_int_eq(uv_loop_init(&loop), 0);
}

static void tear_down(void)
{
    char command[128];
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* ---- the settings of a test ---- */

static const char *keys[ALERTS_MAX][2];
static struct conf_list values[ALERTS_MAX][2];
static const char *items[ALERTS_MAX][2][4];
static char texts[ALERTS_MAX][2][256];
static struct conf_row rows[ALERTS_MAX];
static struct settings settings;

static void begin(uint64_t timeout_ms, uint64_t attempts)
{
    settings = (struct settings){.migration = "m",
                                 .alerts = {rows, 0},
                                 .alerts_timeout_ms = timeout_ms,
                                 .alerts_attempts = attempts};
}

/* `target`: a webhook's path, or what a shell does. */
static void add(const char *when, bool is_webhook, const char *target)
{
    size_t at = settings.alerts.count++;
    snprintf(texts[at][0], sizeof(texts[at][0]), "%s", when);
    if (is_webhook)
        snprintf(texts[at][1], sizeof(texts[at][1]), "http://u:pass@127.0.0.1:%d/S3CR3T%s", port,
                 target);
    else
        snprintf(texts[at][1], sizeof(texts[at][1]), "cd %s; %s", folder, target);
    keys[at][0] = "when";
    keys[at][1] = is_webhook ? "webhook" : "exec";
    items[at][0][0] = texts[at][0];
    const char *const shell[] = {"/bin/sh", "-c", texts[at][1]};
    const char *const hook[] = {texts[at][1]};
    memcpy(items[at][1], is_webhook ? hook : shell, is_webhook ? sizeof(hook) : sizeof(shell));
    values[at][0] = (struct conf_list){items[at][0], 1};
    values[at][1] = (struct conf_list){items[at][1], is_webhook ? 1 : 3};
    rows[at] = (struct conf_row){"d.yaml:1", keys[at], values[at], 2};
}

/* ---- what became of it ---- */

static struct {
    size_t index;
    enum alert_change state;
    unsigned attempts;
    char cause[80]; /* empty: it was told */
} told[64];
static size_t told_count;
static struct buf printed; /* by programs, as people see it */

static void on_told(void *owner, const struct alert_told *one)
{
    (void)owner;
    ck_assert_ptr_null(strstr(one->target, "S3CR3T"));
    ck_assert_ptr_null(strstr(one->target, "pass"));
    ck_assert(!one->cause || !strstr(one->cause, "S3CR3T"));
    ck_assert_uint_lt(told_count, 64);
    told[told_count].index = one->index;
    told[told_count].state = one->state;
    told[told_count].attempts = one->attempts;
    if (one->output)
        alert_output_append(one->output, &printed);
    snprintf(told[told_count++].cause, sizeof(told->cause), "%s", one->cause ? one->cause : "");
}

static struct alerts *open_alerts(void)
{
    struct alerts *alerts;
    const struct alerts_conf conf = {
        .loop = &loop, .settings = &settings, .verifier = "v", .on_told = on_told};
    told_count = 0;
    ck_assert_msg(alerts_open(&conf, &alerts, &err) == OUT_OK, "%s", err.text);
    return alerts;
}

static void on_closed(void *owner)
{
    *(bool *)owner = true;
}

static void close_alerts(struct alerts *alerts, uint64_t wait_ms)
{
    bool is_closed = false;
    alerts_close(alerts, wait_ms, on_closed, &is_closed);
    ck_assert(!is_closed);
    while (!is_closed)
        uv_run(&loop, UV_RUN_ONCE);
}

static bool judge(struct alerts *alerts, double lag_seconds)
{
    static struct alert_values now;
    static struct rolling rolling;
    rolling_init(&rolling);
    rolling_step(&rolling, 1800000000000);
    alert_values_init(&now, &rolling);
    now.lag_seconds = lag_seconds;
    return alerts_judge(alerts, &now);
}

/* How often it was told so, by this alert. */
static size_t count_told(size_t index, enum alert_change state, const char *cause)
{
    size_t count = 0;
    for (size_t i = 0; i < told_count; i++)
        count +=
            told[i].index == index && told[i].state == state && strcmp(told[i].cause, cause) == 0;
    return count;
}

static size_t count_lines(const char *name, const char *part)
{
    char path[128], line[4096];
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        count += strstr(line, part) != NULL;
    if (file)
        fclose(file);
    return count;
}

static void write_program(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(a_breach_is_told_once_and_its_end_once)
{
    begin(60000, 3);
    add("lag_seconds > 10", true, "/ok");
    add("lag_seconds > 10", false, "cat >> told; echo \"$DROVER_ALERT_STATE\" >> states");
    add("lag_seconds > 1000", true, "/other/ok");
    struct alerts *alerts = open_alerts();
    ck_assert_uint_eq(alerts_count(alerts), 3);
    static const double LAGS[] = {1, 1, 20, 30, NAN, 20, 2, 1, NAN, 1};
    for (size_t i = 0; i < sizeof(LAGS) / sizeof(LAGS[0]); i++) {
        ck_assert(judge(alerts, LAGS[i]) == (i == 2 || i == 6));
        ck_assert((alerts_since_ms(alerts, 0) >= 0) == (i >= 2 && i < 6));
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    close_alerts(alerts, 600000);
    ck_assert_uint_eq(told_count, 4);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(count_told(i, ALERT_FIRING, ""), 1);
        ck_assert_uint_eq(count_told(i, ALERT_OVER, ""), 1);
    }
    ck_assert_uint_eq(count_lines("requests", "/S3CR3T/ok {\"kind\":\"alert\""), 2);
    ck_assert_uint_eq(count_lines("requests", "\"state\":\"firing\",\"test\":false"), 1);
    ck_assert_uint_eq(count_lines("requests", "\"value\":20"), 1);
    ck_assert_uint_eq(count_lines("requests", "/other"), 0);
    ck_assert_uint_eq(count_lines("told", "\"verifier\":\"v\""), 2);
    ck_assert_uint_eq(count_lines("states", "firing"), 1);
    ck_assert_uint_eq(count_lines("states", "over"), 1);
}
END_TEST

START_TEST(what_a_webhook_answers)
{
    begin(60000, 3);
    static const struct {
        const char *path, *cause;
        unsigned attempts;
    } HOOKS[] = {
        {"/a/ok", "", 1},         {"/flaky", "", 3},           {"/broken", "HTTP 500", 3},
        {"/busy", "HTTP 429", 3}, {"/refused", "HTTP 404", 1}, {"/moved", "HTTP 302", 1},
        {"/large", "", 1},
    };
    size_t count = sizeof(HOOKS) / sizeof(HOOKS[0]);
    for (size_t i = 0; i < count; i++)
        add("lag_seconds > 10", true, HOOKS[i].path);
    struct alerts *alerts = open_alerts();
    ck_assert(judge(alerts, 20));
    close_alerts(alerts, 600000);
    ck_assert_uint_eq(told_count, count);
    for (size_t i = 0; i < count; i++) {
        const char *cause = HOOKS[told[i].index].cause;
        ck_assert_msg(strcmp(told[i].cause, cause) == 0, "%s: %s", HOOKS[told[i].index].path,
                      told[i].cause);
        ck_assert_uint_eq(told[i].attempts, HOOKS[told[i].index].attempts);
    }
    ck_assert_uint_eq(count_lines("requests", "/S3CR3T/moved"), 1);
    ck_assert_uint_eq(count_lines("requests", "/S3CR3T/ok"), 0); /* not followed */
}
END_TEST

START_TEST(a_webhook_does_not_answer)
{
    begin(1000, 2);
    add("lag_seconds > 10", true, "/slow");
    struct alerts *alerts = open_alerts();
    judge(alerts, 20);
    close_alerts(alerts, 600000);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_str_eq(told[0].cause, "Timeout was reached");
    ck_assert_uint_eq(told[0].attempts, 2);
}
END_TEST

START_TEST(nobody_listens)
{
    begin(60000, 2);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    add("lag_seconds > 10", true, "/ok");
    struct alerts *alerts = open_alerts();
    judge(alerts, 20);
    close_alerts(alerts, 600000);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_str_eq(told[0].cause, "Couldn't connect to server");
    ck_assert_uint_eq(told[0].attempts, 2);
}
END_TEST

START_TEST(what_a_program_does)
{
    begin(60000, 3);
    static const struct {
        const char *script, *cause;
    } PROGRAMS[] = {
        {"exit 0", ""},
        {"exit 3", "the program ended with 3"},
        {"kill -11 $$", "the program ended by signal 11"},
        {"exec <&-; exit 0", ""}, /* does not read what it is told */
    };
    size_t count = sizeof(PROGRAMS) / sizeof(PROGRAMS[0]);
    for (size_t i = 0; i < count; i++)
        add("lag_seconds > 10", false, PROGRAMS[i].script);
    char page[128];
    snprintf(page, sizeof(page), "%s/page", folder);
    write_program(page, "#!/nowhere/shell\n", 0755); /* what nobody sees without starting it */
    add("lag_seconds > 10", false, "");
    items[count][1][0] = page;
    struct alerts *alerts = open_alerts();
    judge(alerts, 20);
    close_alerts(alerts, 600000);
    ck_assert_uint_eq(told_count, count + 1);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(count_told(i, ALERT_FIRING, PROGRAMS[i].cause) == 1, "%s",
                      PROGRAMS[i].script);
    ck_assert_uint_eq(count_told(count, ALERT_FIRING,
                                 "the program cannot be started: no such file "
                                 "or directory"),
                      1);
}
END_TEST

START_TEST(a_program_that_does_not_end_is_killed_with_its_own)
{
    begin(5000, 3);
    add("lag_seconds > 10", false, "sleep 600 & echo $! > child; wait");
    struct alerts *alerts = open_alerts();
    judge(alerts, 20);
    close_alerts(alerts, 600000);
    ck_assert_uint_eq(count_told(0, ALERT_FIRING, "the program did not end in time"), 1);
    char path[96], text[32] = "";
    snprintf(path, sizeof(path), "%s/child", folder);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
    fclose(file);
    for (int i = 0; i < 3000 && kill(atoi(text), 0) == 0; i++) /* until init has taken it */
        usleep(10000);
    ck_assert_int_ne(kill(atoi(text), 0), 0);
}
END_TEST

/* Neither Drover's settings, nor where the servers are with their passwords. */
START_TEST(a_program_gets_no_secrets)
{
    begin(60000, 1);
    setenv("DATABASE_URL", "postgres://u:S3CR3T@h/d", 1);
    setenv("DROVER_REDIS_URL", "redis://:S3CR3T@h", 1);
    setenv("PAGER_TOKEN", "the program's own", 1);
    add("lag_seconds > 10", false, "env > environment");
    struct alerts *alerts = open_alerts();
    judge(alerts, 20);
    close_alerts(alerts, 600000);
    ck_assert_uint_eq(count_told(0, ALERT_FIRING, ""), 1);
    ck_assert_uint_eq(count_lines("environment", "S3CR3T"), 0);
    ck_assert_uint_eq(count_lines("environment", "PAGER_TOKEN"), 1);
    ck_assert_uint_eq(count_lines("environment", "DROVER_ALERT_WHEN=lag_seconds > 10"), 1);
}
END_TEST

START_TEST(closing_gives_up_what_takes_longer)
{
    begin(600000, 100);
    add("lag_seconds > 10", true, "/slow");
    add("lag_seconds > 10", false, "sleep 600");
    add("lag_seconds > 10", true, "/broken");
    struct alerts *alerts = open_alerts();
    judge(alerts, 20);
    judge(alerts, 1); /* its end waits behind it */
    while (count_lines("requests", "/broken") == 0)
        uv_run(&loop, UV_RUN_ONCE);
    close_alerts(alerts, 1);
    ck_assert_uint_eq(told_count, 6);
    for (size_t i = 0; i < 6; i++)
        ck_assert_str_eq(told[i].cause, "given up: the verifier ends");
}
END_TEST

START_TEST(a_line_is_bounded)
{
    begin(600000, 1);
    add("lag_seconds > 10", true, "/slow");
    struct alerts *alerts = open_alerts();
    for (int i = 0; i < ALERTS_QUEUE_MAX + 2; i++)
        ck_assert(judge(alerts, i % 2 ? 1 : 20));
    ck_assert_uint_eq(told_count, 2);
    ck_assert_str_eq(told[0].cause, "earlier messages are still on their way");
    close_alerts(alerts, 1);
    ck_assert_uint_eq(told_count, ALERTS_QUEUE_MAX + 2);
}
END_TEST

START_TEST(a_breach_told_before_a_restart_is_not_told_again)
{
    begin(60000, 1);
    add("lag_seconds > 10", true, "/ok");
    struct alerts *alerts = open_alerts();
    alerts_resume(alerts, 0, 12345);
    ck_assert(!judge(alerts, 20));
    ck_assert_int_eq(alerts_since_ms(alerts, 0), 12345);
    ck_assert(judge(alerts, 1));
    close_alerts(alerts, 600000);
    ck_assert_uint_eq(told_count, 1);
    ck_assert_uint_eq(count_lines("requests", "\"since\":\"1970-01-01T00:00:12.345Z\""), 1);
}
END_TEST

START_TEST(a_variable_holds_the_webhook)
{
    struct alerts *alerts;
    char url[64];
    begin(60000, 1);
    add("lag_seconds > 10", true, "/ok");
    keys[0][1] = "webhook_env";
    items[0][1][0] = "ALERT_HOOK";
    unsetenv("ALERT_HOOK");
    const struct alerts_conf conf = {.loop = &loop, .settings = &settings, .verifier = "v"};
    ck_assert_int_eq(alerts_open(&conf, &alerts, &err), OUT_FATAL);
    ck_assert_str_eq(err.text, "the webhook of $ALERT_HOOK is not there");
    ck_assert_str_eq(err.where, "d.yaml:1");
    static const struct {
        const char *url, *said;
    } WRONG[] = {
        {"", "the webhook of $ALERT_HOOK is not there"},
        {"ftp://u:S3CR3T@h", "the webhook of $ALERT_HOOK is no http or https URL"},
        {"https://u:S3CR3T@/S3CR3T", "the webhook of $ALERT_HOOK names no host"},
    };
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        char said[2048];
        setenv("ALERT_HOOK", WRONG[i].url, 1);
        ck_assert_int_eq(alerts_open(&conf, &alerts, &err), OUT_FATAL);
        ck_assert_str_eq(err.text, WRONG[i].said);
        error_format(&err, said, sizeof(said));
        ck_assert_ptr_null(strstr(said, "S3CR3T"));
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/S3CR3T/ok", port);
    setenv("ALERT_HOOK", url, 1);
    alerts = open_alerts();
    alerts_test(alerts);
    ck_assert(!alerts_are_told(alerts));
    close_alerts(alerts, 600000);
    ck_assert_uint_eq(told_count, 2);
    ck_assert_uint_eq(count_lines("requests", "\"test\":true"), 2);
}
END_TEST

/* Bounded, and nothing in it that a terminal would obey; the program does not wait for a reader,
 * and what it leaves behind with its streams open holds up nobody. */
START_TEST(what_a_program_prints_is_bounded_and_quoted)
{
    static const char *const SCRIPTS[] = {
        "printf 'a\\033[31mb\\r\\n\\303\\251\\377 --token "
        "ghp_0123456789abcdefghijABCDEFGHIJ012345\\n'"
        "; echo err >&2; printf half",
        "yes 0123456789 | head -c 1000000; exit 3",
        "head -c 200000 /dev/zero",
        "sleep 600 & echo $! > child; echo behind",
        "exec >&- 2>&-",
    };
    begin(60000, 1);
    for (size_t i = 0; i < sizeof(SCRIPTS) / sizeof(SCRIPTS[0]); i++) {
        struct alerts *alerts;
        settings.alerts.count = 0;
        add("lag_seconds > 10", false, SCRIPTS[i]);
        const struct alerts_conf conf = {.loop = &loop,
                                         .settings = &settings,
                                         .verifier = "v",
                                         .keep_output = true,
                                         .on_told = on_told};
        told_count = 0;
        buf_init(&printed, 1 << 20);
        ck_assert(alerts_open(&conf, &alerts, &err) == OUT_OK);
        judge(alerts, 20);
        close_alerts(alerts, 600000);
        ck_assert_uint_eq(told_count, 1);
        const char *text = buf_text(&printed);
        ck_assert_ptr_null(strchr(text, '\x1b'));
        ck_assert_uint_le(printed.size, 6 * ALERT_OUTPUT_MAX);
        if (i == 0)
            ck_assert_str_eq(text, "  a\\x1B[31mb\\x0D\n  é\\xFF --token ***\n  err\n  half\n");
        else if (i == 1)
            ck_assert_msg(strstr(text, "  0123456789\n  … 995 908 bytes more, not shown\n") != NULL,
                          "%s", text);
        else if (i == 2)
            ck_assert_str_eq(text, "  … 200 000 bytes more, not shown\n");
        else
            ck_assert_str_eq(text, i == 3 ? "  behind\n" : "");
        ck_assert_str_eq(told[0].cause, i == 1 ? "the program ended with 3" : "");
        buf_free(&printed);
    }
    char command[96];
    snprintf(command, sizeof(command), "kill $(cat %s/child)", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

static void keep_line(void *owner, struct bytes line)
{
    buf_append_bytes(owner, line);
    buf_append_char(owner, '\n');
}

/* Whoever reads the log sees of each alert that it was not told, however many fail at once. */
START_TEST(each_that_is_not_told_is_logged)
{
    struct alerts *alerts;
    struct buf lines;
    begin(60000, 1);
    for (int i = 0; i < 4; i++)
        add("lag_seconds > 10", false, "exit 3");
    const struct alerts_conf conf = {.loop = &loop, .settings = &settings, .verifier = "v"};
    buf_init(&lines, 1 << 20);
    log_setup("test", LOG_INFO, LOG_LOGFMT);
    log_print_through(keep_line, &lines);
    ck_assert(alerts_open(&conf, &alerts, &err) == OUT_OK);
    judge(alerts, 20);
    close_alerts(alerts, 600000);
    log_print_through(NULL, NULL);
    for (int i = 1; i <= 4; i++) {
        char said[128];
        snprintf(said, sizeof(said),
                 "event=alert.not_told cause=\"the program ended with 3\" code=DRV-A001 alert=%d "
                 "state=firing",
                 i);
        ck_assert_msg(strstr(buf_text(&lines), said) != NULL, "%s", buf_text(&lines));
    }
    ck_assert_ptr_null(strstr(buf_text(&lines), "repeated="));
    buf_free(&lines);
}
END_TEST

/* Refused when they are opened, so that nobody waits in vain for the first alert. */
START_TEST(a_program_that_cannot_be_started_is_refused)
{
    struct alerts *alerts;
    char plain[96], missing[96], said[256], path[256];
    begin(60000, 1);
    add("lag_seconds > 10", false, "");
    snprintf(plain, sizeof(plain), "%s/plain", folder);
    snprintf(missing, sizeof(missing), "%s/missing", folder);
    write_program(plain, "#!/bin/sh\n", 0644);
    snprintf(path, sizeof(path), "/usr/bin:%s:/bin", folder);
    char *before = strdup(getenv("PATH"));
    const struct {
        const char *program, *cause, *hint;
    } WRONG[] = {
        {missing, "No such file or directory", "a program that is there"},
        {folder, "Is a directory", "a program that is there"},
        {plain, "Permission denied", "chmod +x"},
        {"plain", "in the folders of $PATH it may not be executed", "chmod +x"},
        {"no-such-pager", "it is in no folder of $PATH", "a program that is there"},
    };
    const struct alerts_conf conf = {.loop = &loop, .settings = &settings, .verifier = "v"};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        items[0][1][0] = WRONG[i].program;
        setenv("PATH", path, 1);
        enum outcome outcome = alerts_open(&conf, &alerts, &err);
        setenv("PATH", before, 1);
        ck_assert_msg(outcome == OUT_FATAL, "%s", WRONG[i].program);
        snprintf(said, sizeof(said), "the program of an alert cannot be started: %s",
                 WRONG[i].program);
        ck_assert_str_eq(err.text, said);
        ck_assert_str_eq(err.where, "d.yaml:1");
        ck_assert_str_eq(err.cause, WRONG[i].cause);
        ck_assert_msg(strstr(err.hint, WRONG[i].hint) != NULL, "%s", err.hint);
    }
    free(before);
    items[0][1][0] = "true"; /* somewhere in $PATH */
    close_alerts(open_alerts(), 600000);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("alerts");
    TCase *tests = tcase_create("alerts");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, a_breach_is_told_once_and_its_end_once);
    tcase_add_test(tests, what_a_webhook_answers);
    tcase_add_test(tests, a_webhook_does_not_answer);
    tcase_add_test(tests, nobody_listens);
    tcase_add_test(tests, what_a_program_does);
    tcase_add_test(tests, a_program_that_does_not_end_is_killed_with_its_own);
    tcase_add_test(tests, a_program_gets_no_secrets);
    tcase_add_test(tests, closing_gives_up_what_takes_longer);
    tcase_add_test(tests, a_line_is_bounded);
    tcase_add_test(tests, a_breach_told_before_a_restart_is_not_told_again);
    tcase_add_test(tests, a_variable_holds_the_webhook);
    tcase_add_test(tests, what_a_program_prints_is_bounded_and_quoted);
    tcase_add_test(tests, each_that_is_not_told_is_logged);
    tcase_add_test(tests, a_program_that_cannot_be_started_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
