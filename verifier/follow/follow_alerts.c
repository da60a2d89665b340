/* See the header. */
#include "verifier/follow/follow_alerts.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/alert/alerts.h"
#include "common/io/clock.h"
#include "common/policy/rate/lag_mark.h"
#include "common/policy/verify/readings_sum.h"

#define JUDGE_MS 1000
#define ASK_MS 5000      /* for the source's end, where an alert is about it */
#define ASK_WAIT_MS 2000 /* nobody waits longer for it */

struct follow_alerts {
    struct follow_alerts_conf conf;
    struct alerts *alerts;     /* NULL: closed */
    uint64_t judge_ms, ask_ms; /* not before */
    bool asks;
    struct lag_mark *marks; /* by partition */
    bool is_lag_known;
    double lag_seconds, lag_records;
};

enum outcome follow_alerts_open(const struct follow_alerts_conf *conf,
                                struct follow_alerts **alerts, struct error *err)
{
    struct follow_alerts *made = mem_new(sizeof(*made));
    const struct alerts_conf alerts_conf = {
        .loop = conf->loop, .settings = conf->settings, .verifier = conf->notes->id};
    made->conf = *conf;
    *alerts = made;
    if (alerts_open(&alerts_conf, &made->alerts, err) != OUT_OK)
        return OUT_FATAL;
    made->marks = mem_zeroed(conf->intake->count, sizeof(*made->marks));
    for (size_t i = 0; i < alerts_count(made->alerts); i++) {
        enum alert_metric metric = alerts_get(made->alerts, i)->rule.metric;
        made->asks = made->asks || metric == ALERT_LAG_SECONDS || metric == ALERT_LAG_RECORDS;
    }
    return book_resume_alerts(conf->notes->book, made->alerts, err);
}

/* Of the partitions that are ours and begun. */
static void measure(struct follow_alerts *alerts, const struct bus_range *ranges, uint64_t now_ms)
{
    const struct receipt_intake *intake = alerts->conf.intake;
    uint64_t lag_ms = 0;
    int64_t records = 0;
    for (size_t i = 0; i < intake->count; i++) {
        int64_t position = intake->partitions[i].due.position;
        if (!intake->partitions[i].is_ours || position < 0) {
            alerts->marks[i] = (struct lag_mark){0};
            continue;
        }
        uint64_t one_ms = lag_mark_step(&alerts->marks[i], position, ranges[i].to, now_ms);
        lag_ms = one_ms > lag_ms ? one_ms : lag_ms;
        records += ranges[i].to > position ? ranges[i].to - position : 0;
    }
    alerts->is_lag_known = true;
    alerts->lag_seconds = (double)lag_ms / 1000;
    alerts->lag_records = (double)records;
}

/* Unknown while Kafka does not answer. */
static void ask(struct follow_alerts *alerts, uint64_t now_ms)
{
    struct error err;
    struct bus_range *ranges = NULL;
    alerts->ask_ms = now_ms + ASK_MS;
    alerts->is_lag_known = false;
    if (bus_ranges_known(alerts->conf.bus, alerts->conf.source, alerts->conf.intake->count,
                         ASK_WAIT_MS, &ranges, &err) == OUT_OK)
        measure(alerts, ranges, now_ms);
    free(ranges);
}

enum outcome follow_alerts_turn(struct follow_alerts *alerts, const struct follow_full_pass *full,
                                const struct readings_sum *sources, struct error *err)
{
    struct alert_values values;
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms < alerts->judge_ms || !alerts->conf.intake->is_begun)
        return OUT_OK;
    alerts->judge_ms = now_ms + JUDGE_MS;
    if (alerts->asks && now_ms >= alerts->ask_ms)
        ask(alerts, now_ms);
    book_tick(alerts->conf.notes->book, clock_unix_ms());
    alert_values_init(&values, book_rolling(alerts->conf.notes->book));
    values.lag_seconds = alerts->is_lag_known ? alerts->lag_seconds : NAN;
    values.lag_records = alerts->is_lag_known ? alerts->lag_records : NAN;
    if (full && full->began_ms >= 0) {
        bool is_whole = full->not_whole.size == 0;
        values.full_pass_problems = is_whole || full->problems ? (double)full->problems : NAN;
        values.full_pass_not_whole = is_whole ? 0 : 1;
    }
    if (sources->is_known) {
        values.rejected = (double)sources->rejected;
        values.incomplete_sources = (double)sources->incomplete;
    }
    return alerts_judge(alerts->alerts, &values)
               ? book_keep_alerts(alerts->conf.notes->book, alerts->alerts, err)
               : OUT_OK;
}

static void on_closed(void *owner)
{
    struct follow_alerts *alerts = owner;
    alerts->alerts = NULL;
}

void follow_alerts_close(struct follow_alerts *alerts, uint64_t wait_ms)
{
    if (alerts && alerts->alerts)
        alerts_close(alerts->alerts, wait_ms, on_closed, alerts);
}

bool follow_alerts_is_closed(const struct follow_alerts *alerts)
{
    return !alerts || !alerts->alerts;
}

void follow_alerts_free(struct follow_alerts *alerts)
{
    if (!alerts)
        return;
    free(alerts->marks);
    free(alerts);
}
