/*
 * A line of messages for each alert; the first one is on its way, or waits for its next attempt.
 * Closing: the lines are worked off until they are empty or the time is over.
 */
#include "common/io/alert/alerts.h"

#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/alert/alert_exec.h"
#include "common/io/alert/alert_http.h"
#include "common/io/alert/alert_target.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/policy/backoff.h"

#define BACKOFF_WEBHOOK ((struct backoff){.min_ms = 1000, .max_ms = 60000})

struct line {
    struct alerts *alerts;
    size_t index;
    char *url;    /* of a webhook: a secret */
    char *target; /* for people */
    struct alert_state state;
    struct alert_message queue[ALERTS_QUEUE_MAX];
    size_t queued;
    bool is_going; /* the first one is being told */
    unsigned attempts;
    uint64_t began_ms; /* of the first attempt */
    struct backoff backoff;
    uv_timer_t timer; /* until the next attempt */
    struct alert_exec *exec;
};

struct alerts {
    struct alerts_conf conf;
    struct alert list[ALERTS_MAX];
    struct line lines[ALERTS_MAX];
    size_t count;
    struct alert_http *http;
    uv_timer_t timer; /* of the close */
    char host[128];
    bool is_closing, is_http_closed;
    unsigned open; /* timers */
    void (*on_closed)(void *owner);
    void *owner;
};

static void begin(struct line *line);
static void close_when_told(struct alerts *alerts);

/* ---- what became of it ---- */

static void say(const struct line *line, const struct alert_told *told)
{
    const struct alerts_conf *conf = &line->alerts->conf;
    if (conf->on_told)
        conf->on_told(conf->owner, told);
    else if (told->cause)
        log_quoted_of(LOG_WARN, "alert.not_told", line->index + 1, "cause", told->cause,
                      "code=%s alert=%zu state=%s attempts=%u to=\"%s\"", error_code_id(ERR_ALERT),
                      line->index + 1, alert_state_word(told->state), told->attempts, told->target);
    else
        log_quoted_of(LOG_INFO, told->state == ALERT_FIRING ? "alert.firing" : "alert.over",
                      line->index + 1, "when", told->alert->when, "alert=%zu attempts=%u to=\"%s\"",
                      line->index + 1, told->attempts, told->target);
}

static struct alert_told told_of(const struct line *line, enum alert_change state,
                                 const char *cause)
{
    return (struct alert_told){&line->alerts->list[line->index],
                               line->index,
                               state,
                               line->target,
                               line->attempts,
                               0,
                               cause,
                               NULL};
}

/* The first of the line is done, well or not. */
static void finish(struct line *line, const char *cause, const struct alert_output *output)
{
    struct alert_told told = told_of(line, line->queue[0].state, cause);
    told.output = output;
    told.took_ms = clock_monotonic_ms() - line->began_ms;
    line->is_going = false;
    memmove(line->queue, line->queue + 1, --line->queued * sizeof(line->queue[0]));
    say(line, &told);
    begin(line);
    close_when_told(line->alerts);
}

/* ---- one attempt ---- */

static void try_once(struct line *line);

static void on_time(uv_timer_t *timer)
{
    try_once(timer->data);
}

static void on_exec_ended(void *owner, const char *cause, const struct alert_output *output)
{
    struct line *line = owner;
    line->exec = NULL;
    finish(line, cause, output);
}

static void on_posted(void *owner, enum alert_answer answer, const char *cause)
{
    struct line *line = owner;
    struct alerts *alerts = line->alerts;
    if (line->queued == 0) /* it was given up meanwhile */
        return;
    bool again =
        answer == ALERT_TRY_AGAIN && line->attempts < alerts->conf.settings->alerts_attempts;
    if (!again) {
        finish(line, cause, NULL);
        return;
    }
    uint32_t wait_ms = backoff_next_ms(&line->backoff, randombytes_random());
    uv_timer_start(&line->timer, on_time, wait_ms, 0);
}

static void try_once(struct line *line)
{
    struct alerts *alerts = line->alerts;
    const struct alert_message *message = &line->queue[0];
    uint64_t timeout_ms = alerts->conf.settings->alerts_timeout_ms;
    line->attempts++;
    if (message->alert->exec) {
        const struct alert_exec_conf conf = {.loop = alerts->conf.loop,
                                             .timeout_ms = timeout_ms,
                                             .keep_output = alerts->conf.keep_output,
                                             .on_ended = on_exec_ended,
                                             .owner = line};
        line->exec = alert_exec_start(&conf, message);
        return;
    }
    struct buf body;
    buf_init(&body, ALERT_MESSAGE_MAX);
    alert_message_append(message, &body);
    alert_http_post(alerts->http, line->url, buf_view(&body), timeout_ms, on_posted, line);
    buf_free(&body);
}

/* The next one of the line, when there is one and none is on its way. */
static void begin(struct line *line)
{
    if (line->is_going || line->queued == 0)
        return;
    line->is_going = true;
    line->attempts = 0;
    line->backoff = BACKOFF_WEBHOOK;
    line->began_ms = clock_monotonic_ms();
    try_once(line);
}

static void queue(struct line *line, enum alert_change state, double value, bool is_test,
                  int64_t unix_ms)
{
    struct alerts *alerts = line->alerts;
    if (line->queued == ALERTS_QUEUE_MAX) {
        struct alert_told told = told_of(line, state, "earlier messages are still on their way");
        told.attempts = 0;
        say(line, &told);
        return;
    }
    line->queue[line->queued++] = (struct alert_message){
        .alert = &alerts->list[line->index],
        .state = state,
        .is_test = is_test,
        .migration = alerts->conf.settings->migration,
        .verifier = alerts->conf.verifier,
        .host = alerts->host,
        .value = value,
        .since_ms = is_test ? unix_ms : line->state.since_ms,
        .unix_ms = unix_ms,
    };
    begin(line);
}

/* ---- judging ---- */

bool alerts_judge(struct alerts *alerts, const struct alert_values *values)
{
    bool changed = false;
    uint64_t now_ms = clock_monotonic_ms();
    int64_t unix_ms = clock_unix_ms();
    for (size_t i = 0; i < alerts->count && !alerts->is_closing; i++) {
        struct line *line = &alerts->lines[i];
        double value = alert_rule_value(&alerts->list[i].rule, values);
        enum alert_change change =
            alert_state_step(&line->state, &alerts->list[i].rule, value, now_ms, unix_ms);
        if (change == ALERT_SAME)
            continue;
        changed = true;
        queue(line, change, value, false, unix_ms);
    }
    return changed;
}

void alerts_test(struct alerts *alerts)
{
    int64_t unix_ms = clock_unix_ms();
    for (size_t i = 0; i < alerts->count; i++) {
        queue(&alerts->lines[i], ALERT_FIRING, NAN, true, unix_ms);
        queue(&alerts->lines[i], ALERT_OVER, NAN, true, unix_ms);
    }
}

bool alerts_are_told(const struct alerts *alerts)
{
    for (size_t i = 0; i < alerts->count; i++)
        if (alerts->lines[i].queued > 0)
            return false;
    return true;
}

size_t alerts_count(const struct alerts *alerts)
{
    return alerts->count;
}

const struct alert *alerts_get(const struct alerts *alerts, size_t index)
{
    return &alerts->list[index];
}

int64_t alerts_since_ms(const struct alerts *alerts, size_t index)
{
    const struct alert_state *state = &alerts->lines[index].state;
    return state->is_on ? state->since_ms : -1;
}

void alerts_resume(struct alerts *alerts, size_t index, int64_t since_ms)
{
    alerts->lines[index].state = (struct alert_state){.is_on = true, .since_ms = since_ms};
}

/* ---- open and close ---- */

static enum outcome open_line(struct alerts *alerts, size_t index, struct error *err)
{
    const struct alert *alert = &alerts->list[index];
    struct line *line = &alerts->lines[index];
    const char *url;
    if (alert_target_check(alert, &url, err) != OUT_OK)
        return OUT_FATAL;
    struct buf target;
    buf_init(&target, 1024);
    alert_append_target(alert, url, &target);
    line->target = mem_text(buf_text(&target));
    buf_free(&target);
    line->url = url ? mem_text(url) : NULL;
    line->alerts = alerts;
    line->index = index;
    line->timer.data = line;
    return OUT_OK;
}

static void free_alerts(struct alerts *alerts)
{
    for (size_t i = 0; i < alerts->count; i++) {
        if (alerts->lines[i].url)
            explicit_bzero(alerts->lines[i].url, strlen(alerts->lines[i].url));
        free(alerts->lines[i].url);
        free(alerts->lines[i].target);
    }
    free(alerts);
}

enum outcome alerts_open(const struct alerts_conf *conf, struct alerts **alerts, struct error *err)
{
    struct alerts *made = mem_new(sizeof(*made));
    *alerts = NULL;
    made->conf = *conf;
    gethostname(made->host, sizeof(made->host) - 1);
    enum outcome outcome = alert_parse_all(&conf->settings->alerts, made->list, &made->count, err);
    for (size_t i = 0; i < made->count && outcome == OUT_OK; i++)
        outcome = open_line(made, i, err);
    if (outcome != OUT_OK) {
        free_alerts(made);
        return outcome;
    }
    made->http = alert_http_open(conf->loop);
    for (size_t i = 0; i < made->count; i++)
        uv_timer_init(conf->loop, &made->lines[i].timer);
    uv_timer_init(conf->loop, &made->timer);
    made->timer.data = made;
    made->open = (unsigned)made->count + 1;
    *alerts = made;
    return OUT_OK;
}

static void end_closed(struct alerts *alerts)
{
    if (alerts->open > 0 || !alerts->is_http_closed)
        return;
    void (*on_closed)(void *) = alerts->on_closed;
    void *owner = alerts->owner;
    free_alerts(alerts);
    on_closed(owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct alerts *alerts = handle->data;
    alerts->open--;
    end_closed(alerts);
}

static void on_http_closed(void *owner)
{
    struct alerts *alerts = owner;
    alerts->is_http_closed = true;
    end_closed(alerts);
}

static void close_handles(struct alerts *alerts)
{
    for (size_t i = 0; i < alerts->count; i++) {
        alerts->lines[i].timer.data = alerts;
        uv_close((uv_handle_t *)&alerts->lines[i].timer, on_timer_closed);
    }
    uv_close((uv_handle_t *)&alerts->timer, on_timer_closed);
    alert_http_close(alerts->http, on_http_closed, alerts);
}

static void on_close_now(uv_timer_t *timer)
{
    close_handles(timer->data);
}

/* Not at once: libcurl, or libuv, may be what called. */
static void close_when_told(struct alerts *alerts)
{
    if (alerts->is_closing && alerts_are_told(alerts))
        uv_timer_start(&alerts->timer, on_close_now, 0, 0);
}

/* The time is over. Programs end by themselves then, and say so; the rest is given up here. */
static void on_close_late(uv_timer_t *timer)
{
    static const char CAUSE[] = "given up: the verifier ends";
    struct alerts *alerts = timer->data;
    for (size_t i = 0; i < alerts->count; i++) {
        struct line *line = &alerts->lines[i];
        for (size_t at = line->exec ? 1 : 0; at < line->queued; at++) {
            struct alert_told told = told_of(line, line->queue[at].state, CAUSE);
            say(line, &told);
        }
        line->queued = line->exec ? 1 : 0;
        uv_timer_stop(&line->timer);
        if (line->exec)
            alert_exec_kill(line->exec);
    }
    close_when_told(alerts);
}

void alerts_close(struct alerts *alerts, uint64_t wait_ms, void (*on_closed)(void *owner),
                  void *owner)
{
    alerts->is_closing = true;
    alerts->on_closed = on_closed;
    alerts->owner = owner;
    if (alerts_are_told(alerts))
        close_when_told(alerts);
    else
        uv_timer_start(&alerts->timer, on_close_late, wait_ms, 0);
}
