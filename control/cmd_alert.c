/* `drover alert test` */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "common/base/plural.h"
#include "common/io/alert/alert_output.h"
#include "common/io/alert/alerts.h"
#include "common/io/terminal.h"
#include "control/command.h"

#define OUTPUT_TEXT_MAX (16 * ALERT_OUTPUT_MAX) /* each byte as \xNN, or a line of its own */

struct test {
    const struct invocation *invocation;
    size_t told, failed;
};

static void print_told(const struct alert_told *told)
{
    printf("%s alert %zu  %-6s  %s", told->cause ? "✗" : "✓", told->index + 1,
           alert_state_word(told->state), told->target);
    if (told->cause)
        printf(": %s", told->cause);
    if (told->attempts > 1)
        printf(" (%u attempts)", told->attempts);
    printf("\n");
    fflush(stdout);
}

/* On standard error, whatever the answer is: it is the program's, not ours. */
static void print_output(const struct alert_output *output)
{
    struct buf text;
    buf_init(&text, OUTPUT_TEXT_MAX);
    alert_output_append(output, &text);
    terminal_write(STDERR_FILENO, buf_view(&text));
    buf_free(&text);
}

static void append_told(struct json_out *out, const struct alert_told *told)
{
    json_out_object(out, NULL);
    json_out_count(out, "alert", told->index + 1);
    json_out_text(out, "when", told->alert->when);
    json_out_text(out, "state", alert_state_word(told->state));
    json_out_text(out, "to", told->target);
    json_out_bool(out, "told", !told->cause);
    json_out_text(out, "cause", told->cause);
    json_out_count(out, "attempts", told->attempts);
    json_out_seconds(out, "took_seconds", told->took_ms);
    json_out_end(out);
}

static void on_told(void *owner, const struct alert_told *told)
{
    struct test *test = owner;
    struct answer *answer = test->invocation->answer;
    test->told++;
    test->failed += told->cause != NULL;
    if (told->output)
        print_output(told->output);
    if (answer->wanted)
        append_told(answer_body(answer), told);
    else
        print_told(told);
}

static void on_closed(void *owner)
{
    *(bool *)owner = true;
}

/* Each message has all its attempts: the wait is longer than those. */
static enum outcome run_test(struct test *test, struct error *err)
{
    const struct settings *settings = &test->invocation->settings;
    uint64_t message_ms = settings->alerts_attempts * (settings->alerts_timeout_ms + 60000);
    struct alerts *alerts;
    bool is_closed = false;
    uv_loop_t loop;
    uv_loop_init(&loop);
    const struct alerts_conf conf = {.loop = &loop,
                                     .settings = settings,
                                     .verifier = "test",
                                     .keep_output = true,
                                     .on_told = on_told,
                                     .owner = test};
    enum outcome outcome = alerts_open(&conf, &alerts, err);
    if (outcome == OUT_OK) {
        alerts_test(alerts);
        alerts_close(alerts, 2 * message_ms, on_closed, &is_closed);
        while (!is_closed)
            uv_run(&loop, UV_RUN_ONCE);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return outcome;
}

enum exit_code alert_command(const struct invocation *invocation, struct error *err)
{
    static const char *const WORDS[] = {"test", NULL};
    struct test test = {.invocation = invocation};
    int word = command_choose(invocation, WORDS, err);
    if (word < 0)
        return EXIT_USAGE;
    answer_name(invocation->answer, "alert", WORDS[word]);
    if (invocation->settings.alerts.count == 0) {
        error_set(err, OUT_FATAL, ERR_CONF_MISSING, "the settings have no alerts");
        error_hint(err, "add some under \"alerts:\" in drover.yaml (docs/shadow.md)");
        return command_fail(err);
    }
    if (invocation->answer->wanted)
        json_out_list(answer_body(invocation->answer), "alerts");
    enum outcome outcome = run_test(&test, err);
    if (invocation->answer->wanted)
        json_out_end(answer_body(invocation->answer));
    if (outcome == OUT_OK && test.failed == 0)
        return EXIT_OK;
    if (outcome == OUT_OK)
        error_set(err, OUT_FATAL, ERR_ALERT, "%zu of %zu message%s could not be told", test.failed,
                  test.told, plural_end(test.told));
    return command_fail(err);
}
