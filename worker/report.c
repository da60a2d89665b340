#include "worker/report.h"

#include <inttypes.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/policy/outage.h"
#include "common/policy/totals.h"
#include "worker/parents.h"
#include "worker/redis_stage.h"

#define REPORT_MS 250
#define LINE_MS 10000
#define LINE_LIMIT 4096

static size_t halted_count(const struct worker *worker)
{
    size_t count = 0;
    for (int32_t i = 0; i < worker->partition_total; i++)
        count += worker->held[i] && worker->partitions[i].state == PARTITION_HALTED;
    return count;
}

/* Of those this worker parked; another one may have settled them. */
static uint64_t waiting_count(const struct worker *worker)
{
    uint64_t parked = worker->counts.classes[CLASS_WAITING];
    return parked > worker->counts.settled ? parked - worker->counts.settled : 0;
}

/* Records that somebody else had parked, or this worker's forerunner: they are counted in their
 * class, and were not taken by this one. */
static uint64_t settled_before(const struct worker *worker)
{
    uint64_t parked = worker->counts.classes[CLASS_WAITING];
    return worker->counts.settled > parked ? worker->counts.settled - parked : 0;
}

/* One server that is away, as a member of the line. */
static void append_away(struct buf *line, const char *between, const struct error *err)
{
    enum outage_service service = outage_service_of(err->code);
    struct buf cause;
    if (service == OUTAGE_SERVICES)
        return;
    buf_init(&cause, 1024);
    outage_append_cause(&cause, err);
    buf_append_format(line, "%s{\"service\":\"%s\",\"code\":\"%s\",\"cause\":", between,
                      outage_word(service), error_code_id(err->code));
    buf_append_json(line, buf_view(&cause));
    buf_append_char(line, '}');
    buf_free(&cause);
}

static void append_outages(struct buf *line, const struct worker *worker)
{
    const struct error *redis = worker->stage ? redis_stage_trouble(worker->stage) : NULL;
    buf_append_text(line, ",\"away\":[");
    size_t start = line->size;
    if (worker->store_lost)
        append_away(line, "", &worker->store_trouble);
    if (redis)
        append_away(line, line->size > start ? "," : "", redis);
    buf_append_char(line, ']');
}

static void write_line(const struct worker *worker, bool done)
{
    struct buf line;
    const uint64_t *classes = worker->counts.classes;
    buf_init(&line, LINE_LIMIT);
    buf_append_format(
        &line,
        "{\"role\":\"work\",\"polled\":%" PRIu64 ",\"applied\":%" PRIu64 ",\"unchanged\":%" PRIu64
        ",\"superseded\":%" PRIu64 ",\"conflict\":%" PRIu64 ",\"dead\":%" PRIu64
        ",\"recovered\":%" PRIu64 ",\"taken\":%" PRIu64 ",\"parked\":%" PRIu64
        ",\"settled\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"redis_lag\":%" PRIu64
        ",\"redis_foreign\":%" PRIu64 ",\"partitions\":%zu,\"halted\":%zu,\"mem\":%zu,\"done\":%s",
        worker->counts.polled, classes[CLASS_APPLIED], classes[CLASS_UNCHANGED],
        classes[CLASS_SUPERSEDED], classes[CLASS_CONFLICT], classes[CLASS_DEAD],
        classes[CLASS_RECOVERED], worker->counts.taken, classes[CLASS_WAITING],
        worker->counts.settled, waiting_count(worker),
        worker->stage ? redis_stage_records(worker->stage) : 0, worker->counts.foreign,
        worker->held_count, halted_count(worker), worker->in_flight_bytes, done ? "true" : "false");
    append_outages(&line, worker);
    buf_append_text(&line, "}\n");
    ssize_t written = write(worker->settings->progress_fd, line.data, line.size);
    (void)written; /* a parent that is gone does not stop the work */
    buf_free(&line);
}

void report_progress(struct worker *worker, uint64_t now_ms, bool done)
{
    if (worker->settings->progress_fd >= 0 &&
        (done || now_ms - worker->last_report_ms >= REPORT_MS)) {
        worker->last_report_ms = now_ms;
        write_line(worker, done);
    }
    bool changed = worker->counts.polled != 0;
    if (!done && (now_ms - worker->last_line_ms < LINE_MS || !changed))
        return;
    worker->last_line_ms = now_ms;
    const uint64_t *classes = worker->counts.classes;
    /* taken + settled_before = applied + … + dead + recovered + pending */
    log_line(LOG_INFO, done ? "worker.stopped" : "worker.progress",
             "taken=%" PRIu64 " settled_before=%" PRIu64 " applied=%" PRIu64 " unchanged=%" PRIu64
             " superseded=%" PRIu64 " conflict=%" PRIu64 " dead=%" PRIu64 " recovered=%" PRIu64
             " pending=%" PRIu64 " batches=%" PRIu64 " retries=%" PRIu64 " in_flight_bytes=%zu",
             worker->counts.taken, settled_before(worker), classes[CLASS_APPLIED],
             classes[CLASS_UNCHANGED], classes[CLASS_SUPERSEDED], classes[CLASS_CONFLICT],
             classes[CLASS_DEAD], classes[CLASS_RECOVERED], waiting_count(worker),
             worker->counts.batches, worker->counts.retries, worker->in_flight_bytes);
}

void report_answer(const struct worker *worker)
{
    const struct worker_counts *counts = &worker->counts;
    if (!worker->settings->json)
        return;
    struct json_out *out = answer_body(worker->settings->answer);
    json_out_text(out, "group", worker->group);
    json_out_text(out, "topic", worker->source);
    json_out_count(out, "polled", counts->polled);
    json_out_count(out, "taken", counts->taken);
    json_out_count(out, "settled_before", settled_before(worker));
    uint64_t classes[WORK_COUNT] = {0};
    totals_add_receipt(classes, counts->classes);
    classes[WORK_PENDING] = waiting_count(worker);
    totals_append_json(out, &TOTALS_WORK, classes);
    json_out_count(out, "batches", counts->batches);
    json_out_count(out, "retries", counts->retries);
    json_out_count(out, "redis_foreign", counts->foreign);
    json_out_seconds(out, "duration_seconds", clock_monotonic_ms() - worker->started_ms);
}
