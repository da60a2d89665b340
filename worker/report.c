#include "worker/report.h"

#include <inttypes.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/io/answer.h"
#include "common/io/log.h"
#include "common/io/redis/redis_stage.h"
#include "common/policy/outage.h"

#define REPORT_MS 250
#define LINE_MS 10000
#define LINE_LIMIT 4096

/* Metrics that nobody counts as they happen. */
static void ask_metrics(const struct worker *worker, uint64_t metrics[METRIC_COUNT])
{
    metrics[METRIC_IN_FLIGHT] = worker->state.in_flight_bytes;
    metrics[METRIC_HALTED] = 0;
    for (struct partition *next = NULL; (next = partitions_next(&worker->partitions, next));)
        metrics[METRIC_HALTED] += next->state == PARTITION_HALTED;
}

/* Of those this worker keeps as pending; another one may have settled them. */
static uint64_t waiting_count(const struct worker *worker)
{
    uint64_t pending = worker->state.counts.classes[CLASS_WAITING];
    return pending > worker->state.counts.settled ? pending - worker->state.counts.settled : 0;
}

/* Records that somebody else kept as pending, or this worker's forerunner: they are counted in
 * their class, and were not taken by this one. */
static uint64_t settled_before(const struct worker *worker)
{
    uint64_t pending = worker->state.counts.classes[CLASS_WAITING];
    return worker->state.counts.settled > pending ? worker->state.counts.settled - pending : 0;
}

/* One server that is away. */
static void append_away(struct json_out *out, const struct error *err)
{
    enum outage_service service = outage_service_of(err->code);
    struct buf cause;
    if (service == OUTAGE_SERVICES)
        return;
    buf_init(&cause, 1024);
    outage_append_cause(&cause, err);
    json_out_object(out, NULL);
    json_out_text(out, "service", outage_word(service));
    json_out_text(out, "code", error_code_id(err->code));
    json_out_bytes(out, "cause", buf_view(&cause));
    json_out_end(out);
    buf_free(&cause);
}

static void append_outages(struct json_out *out, const struct worker *worker)
{
    const struct error *redis = &worker->state.redis_trouble;
    if (worker->ports.stage && redis->code == ERR_NONE)
        redis = redis_stage_trouble(worker->ports.stage);
    json_out_list(out, "away");
    if (worker->state.store_lost)
        append_away(out, &worker->state.store_trouble);
    if (redis && redis->code != ERR_NONE)
        append_away(out, redis);
    json_out_end(out);
}

/* What `run` sums of its workers: by the names of the same tables (child_numbers.c). */
static void append_numbers(struct json_out *out, const struct worker *worker)
{
    uint64_t classes[WORK_COUNT] = {0};
    totals_add_receipt(classes, worker->state.counts.classes);
    for (int i = 0; i < WORK_COUNT; i++)
        json_out_count(out, TOTALS_WORK.classes[i].name, classes[i]);
    json_out_count(out, "taken", worker->state.counts.taken);
    json_out_count(out, "settled", worker->state.counts.settled);
    totals_append_metrics(out, worker->state.counts.metrics, METRIC_OF_WORK | METRIC_OF_RUN);
}

static void write_line(const struct worker *worker, bool done)
{
    struct buf line;
    struct json_out out;
    buf_init(&line, LINE_LIMIT);
    json_out_init(&out, &line);
    json_out_object(&out, NULL);
    json_out_text(&out, "role", "work");
    append_numbers(&out, worker);
    json_out_bool(&out, "done", done);
    append_outages(&out, worker);
    json_out_end(&out);
    buf_append_char(&line, '\n');
    ssize_t written = write(worker->config.settings->progress_fd, line.data, line.size);
    (void)written; /* a parent that is gone does not stop the work */
    buf_free(&line);
}

void report_progress(struct report *report, uint64_t now_ms, bool done)
{
    struct worker *worker = report->worker;
    if (worker->config.settings->progress_fd >= 0 &&
        (done || now_ms - report->last_report_ms >= REPORT_MS)) {
        report->last_report_ms = now_ms;
        ask_metrics(worker, worker->state.counts.metrics);
        write_line(worker, done);
    }
    bool changed = worker->state.counts.polled != 0;
    if (!done && (now_ms - report->last_line_ms < LINE_MS || !changed))
        return;
    report->last_line_ms = now_ms;
    const uint64_t *classes = worker->state.counts.classes;
    const uint64_t *metrics = worker->state.counts.metrics;
    /* taken + settled_before = applied + … + dead + recovered + pending */
    log_line(LOG_INFO, done ? "worker.stopped" : "worker.progress",
             "taken=%" PRIu64 " settled_before=%" PRIu64 " applied=%" PRIu64 " unchanged=%" PRIu64
             " superseded=%" PRIu64 " conflict=%" PRIu64 " dead=%" PRIu64 " recovered=%" PRIu64
             " pending=%" PRIu64 " batches=%" PRIu64 " retries=%" PRIu64 " searched=%" PRIu64
             " searched_in_vain=%" PRIu64 " in_flight_bytes=%zu",
             worker->state.counts.taken, settled_before(worker), classes[CLASS_APPLIED],
             classes[CLASS_UNCHANGED], classes[CLASS_SUPERSEDED], classes[CLASS_CONFLICT],
             classes[CLASS_DEAD], classes[CLASS_RECOVERED], waiting_count(worker),
             metrics[METRIC_BATCHES], metrics[METRIC_RETRIES],
             metrics[METRIC_COPIES_SEARCHED] + metrics[METRIC_STATEMENTS_SEARCHED],
             metrics[METRIC_SEARCHED_IN_VAIN], worker->state.in_flight_bytes);
}

void report_answer(const struct worker *worker)
{
    const struct worker_counts *counts = &worker->state.counts;
    if (!worker->config.settings->json)
        return;
    struct json_out *out = answer_body(worker->config.settings->answer);
    json_out_text(out, "group", worker->config.group);
    json_out_text(out, "topic", worker->config.source);
    json_out_count(out, "polled", counts->polled);
    json_out_count(out, "taken", counts->taken);
    json_out_count(out, "settled_before", settled_before(worker));
    uint64_t classes[WORK_COUNT] = {0};
    totals_add_receipt(classes, counts->classes);
    classes[WORK_PENDING] = waiting_count(worker);
    totals_append_json(out, &TOTALS_WORK, classes);
    totals_append_metrics(out, counts->metrics, METRIC_OF_WORK);
    json_out_seconds(out, "duration_seconds",
                     clock_now_ms(worker->config.clock) - worker->started_ms);
}
