#include "common/io/postgres/pg_progress.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_wire.h"
#include "common/port/progress_queue.h"

#define RETRY_MS 500 /* a refused transaction of this lane is rare: a lock held by an operator */

struct pg_progress {
    struct progress_queue queue;
    struct pg_lane *lane;
    uv_timer_t timer;
    struct pg_progress_config config;
    int open_handles;
    void (*on_closed)(void *owner);
};

static struct pg_progress *of(struct progress *progress)
{
    return (struct pg_progress *)progress;
}

/* ---- start-up checks --------------------------------------------------------------------- */

#define CHECK_TABLE                                                                                \
    "SELECT "                                                                                      \
    "pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE')::int4 "                               \
    "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "   \
    "WHERE n.nspname = $1::text AND c.relname = $2::text"
#define PIN_TOPIC                                                                                  \
    "INSERT INTO drover.pinned_topic (topic, partitions) VALUES ($1::text, $2::int4) "             \
    "ON CONFLICT (topic) DO NOTHING"
#define SEE_TOPIC "SELECT partitions FROM drover.pinned_topic WHERE topic = $1::text"
#define PIN_GROUP                                                                                  \
    "INSERT INTO drover.pinned_group (\"group\", fingerprint) VALUES ($1::text, $2::text) "        \
    "ON CONFLICT (\"group\") DO NOTHING"
#define SEE_GROUP "SELECT fingerprint FROM drover.pinned_group WHERE \"group\" = $1::text"
#define HEX_SIZE 32     /* of a pin: the mappings */
#define CHECK_QUERIES 4 /* besides one a table */

static void pin_of(const struct pg_progress *progress, char pin[MAPPING_PIN_SIZE])
{
    mapping_set_pin(progress->config.mappings, progress->config.hybrid, pin);
}

static void send_check(struct pg_progress *progress)
{
    char pin[MAPPING_PIN_SIZE];
    struct pg_wire wire;
    struct pg_lane *lane = progress->lane;
    struct bytes topic = bytes_text(progress->config.topic);
    struct bytes group = bytes_text(progress->config.group);
    pin_of(progress, pin);
    pg_wire_init(&wire);
    pg_wire_text(&wire, topic);
    pg_wire_int4(&wire, progress->config.partitions);
    pg_lane_query(lane, NULL, PIN_TOPIC, wire.params, 2);
    pg_lane_query(lane, NULL, SEE_TOPIC, wire.params, 1);
    pg_wire_init(&wire);
    pg_wire_text(&wire, group);
    pg_wire_text(&wire, bytes_text(pin));
    pg_lane_query(lane, NULL, PIN_GROUP, wire.params, 2);
    pg_lane_query(lane, NULL, SEE_GROUP, wire.params, 1);
    for (size_t i = 0; i < progress->config.mappings->count; i++) {
        const struct mapping *mapping = progress->config.mappings->items[i];
        pg_wire_init(&wire);
        pg_wire_text(&wire, bytes_text(mapping->schema));
        pg_wire_text(&wire, bytes_text(mapping->table));
        pg_lane_query(lane, NULL, CHECK_TABLE, wire.params, 2);
    }
}

/* One of them would move the progress without writing what the other writes. */
static enum outcome refuse_storage(const struct pg_progress *progress, struct error *err)
{
    bool hybrid = progress->config.hybrid;
    error_set(err, OUT_FATAL, ERR_STORAGE_MIXED,
              "group %s works with storage %s, this worker with storage %s", progress->config.group,
              hybrid ? "database" : "hybrid", hybrid ? "hybrid" : "database");
    error_hint(err,
               "start it with --storage %s; or stop all workers of the group, then drover schema "
               "apply --storage %s, which takes the new storage over",
               hybrid ? "database" : "hybrid", hybrid ? "hybrid" : "database");
    return OUT_FATAL;
}

static enum outcome check_pins(const struct pg_progress *progress, const struct pg_reply *reply,
                               struct error *err)
{
    char pin[MAPPING_PIN_SIZE];
    int64_t pinned = pg_wire_get_int8(reply->results[1], 0, 0);
    pin_of(progress, pin);
    if (pinned != progress->config.partitions) {
        error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                  "topic %s has %d partitions, %d are pinned for this migration",
                  progress->config.topic, progress->config.partitions, (int)pinned);
        return OUT_FATAL;
    }
    struct bytes seen =
        bytes_of(PQgetvalue(reply->results[3], 0, 0), (size_t)PQgetlength(reply->results[3], 0, 0));
    if (bytes_equal(seen, bytes_text(pin)))
        return OUT_OK;
    if (seen.size >= HEX_SIZE && memcmp(seen.data, pin, HEX_SIZE) == 0)
        return refuse_storage(progress, err);
    error_set(err, OUT_FATAL, ERR_MAPPING, "group %s works with other mappings than these",
              progress->config.group);
    error_hint(err, "stop its workers, then drover schema apply takes the new mappings over");
    return OUT_FATAL;
}

static enum outcome check_tables(const struct pg_progress *progress, const struct pg_reply *reply,
                                 struct error *err)
{
    for (size_t i = 0; i < progress->config.mappings->count; i++) {
        const struct mapping *mapping = progress->config.mappings->items[i];
        const PGresult *result = reply->results[CHECK_QUERIES + (int)i];
        enum outcome outcome = OUT_OK;
        if (PQntuples(result) != 1)
            outcome = error_set(err, OUT_FATAL, ERR_PG_SCHEMA, "the table %s.%s is missing",
                                mapping->schema, mapping->table);
        else if (!pg_wire_get_int8(result, 0, 0))
            outcome =
                error_set(err, OUT_FATAL, ERR_PG_PERMISSION,
                          "the worker's role may not write %s.%s", mapping->schema, mapping->table);
        if (outcome != OUT_OK)
            return outcome;
    }
    return OUT_OK;
}

static void on_checked(struct pg_progress *progress, const struct pg_reply *reply)
{
    struct error err;
    enum outcome outcome = check_pins(progress, reply, &err);
    if (outcome == OUT_OK)
        outcome = check_tables(progress, reply, &err);
    if (outcome == OUT_OK)
        progress->queue.base.events.on_checked(progress->queue.base.owner);
    else
        progress->queue.base.events.on_error(progress->queue.base.owner, &err);
}

/* ---- requests ---------------------------------------------------------------------------- */

static void add_key(const struct pg_progress *progress, const struct progress_request *request,
                    struct pg_wire *wire)
{
    pg_wire_init(wire);
    pg_wire_text(wire, bytes_text(progress->config.group));
    pg_wire_text(wire, bytes_text(progress->config.topic));
    pg_wire_int4(wire, request->partition);
}

static void send_claim(struct pg_progress *progress, const struct progress_request *request)
{
    struct pg_wire wire;
    add_key(progress, request, &wire);
    pg_wire_text(&wire, bytes_text(progress->config.worker));
    pg_lane_query(progress->lane, "drover_claim",
                  "SELECT next_offset, redis_next, results_next, epoch, sequences::text "
                  "FROM drover.claim($1, $2, $3, $4)",
                  wire.params, wire.count);
}

static void send_stages(struct pg_progress *progress, const struct progress_request *request)
{
    struct pg_wire wire;
    add_key(progress, request, &wire);
    pg_wire_int8(&wire, request->epoch);
    if (request->kind == REQUEST_RELEASE)
        pg_lane_query(progress->lane, "drover_release", "SELECT drover.release($1, $2, $3, $4)",
                      wire.params, wire.count);
    pg_wire_int8(&wire, request->redis_next);
    pg_wire_int8(&wire, request->results_next);
    pg_lane_query(progress->lane, "drover_stages",
                  "SELECT drover.progress_stages($1, $2, $3, $4, $5, $6)", wire.params, wire.count);
}

static void pump(struct progress_queue *queue)
{
    struct pg_progress *progress = (struct pg_progress *)queue;
    struct progress_request *request = progress->queue.first;
    if (!request || progress->queue.in_flight || !pg_lane_is_ready(progress->lane))
        return;
    progress->queue.in_flight = true;
    if (request->kind == REQUEST_CHECK)
        send_check(progress);
    else if (request->kind == REQUEST_CLAIM)
        send_claim(progress, request);
    else
        send_stages(progress, request);
    pg_lane_sync(progress->lane);
}

static void on_claimed(struct pg_progress *progress, int32_t partition, const PGresult *result)
{
    struct progress_row row = {
        .next_offset = pg_wire_get_int8(result, 0, 0),
        .redis_next = pg_wire_get_int8(result, 0, 1),
        .results_next = pg_wire_get_int8(result, 0, 2),
        .epoch = pg_wire_get_int8(result, 0, 3),
        .sequences = bytes_of(PQgetvalue(result, 0, 4), (size_t)PQgetlength(result, 0, 4)),
    };
    progress->queue.base.events.on_claimed(progress->queue.base.owner, partition, &row);
}

static void on_retry(uv_timer_t *timer)
{
    pump(timer->data);
}

/* A request refused by the server: again later, or never. */
static void on_refused(struct pg_progress *progress, const PGresult *result)
{
    struct error err;
    enum pg_action action = pg_error_from_result(result, &err);
    struct progress_request *request = progress->queue.first;
    bool over = action == PG_FENCED && request->kind >= REQUEST_STAGES;
    if (over) { /* somebody else has the partition: nothing left to write or to release */
        struct progress_request done = progress_queue_pop(&progress->queue);
        if (done.kind == REQUEST_RELEASE)
            progress->queue.base.events.on_released(progress->queue.base.owner, done.partition);
        pump(&progress->queue);
        return;
    }
    progress->queue.in_flight = false;
    if (err.outcome == OUT_RETRY) {
        if (action == PG_REPREPARE)
            pg_lane_reconnect(progress->lane);
        uv_timer_start(&progress->timer, on_retry, RETRY_MS, 0);
    } else {
        err.outcome = OUT_FATAL;
    }
    progress->queue.base.events.on_error(progress->queue.base.owner, &err);
}

static void on_reply(void *owner, struct pg_lane *lane, const struct pg_reply *reply)
{
    struct pg_progress *progress = owner;
    (void)lane;
    if (reply->failed >= 0) {
        on_refused(progress, reply->results[reply->failed]);
        return;
    }
    struct progress_request done = progress_queue_pop(&progress->queue);
    bool forgotten = progress->queue.forgotten;
    progress->queue.forgotten = false;
    if (done.kind == REQUEST_CHECK)
        on_checked(progress, reply);
    else if (done.kind == REQUEST_CLAIM && !forgotten)
        on_claimed(progress, done.partition, reply->results[0]);
    else if (done.kind == REQUEST_RELEASE)
        progress->queue.base.events.on_released(progress->queue.base.owner, done.partition);
    pump(&progress->queue);
}

static void on_ready(void *owner, struct pg_lane *lane)
{
    (void)lane;
    pump(owner);
}

static void on_lost(void *owner, struct pg_lane *lane, const struct error *err)
{
    struct pg_progress *progress = owner;
    (void)lane;
    progress->queue.in_flight = false;
    progress->queue.base.events.on_error(progress->queue.base.owner, err);
}

/* ---- the worker's calls ------------------------------------------------------------------ */

static void handle_closed(struct pg_progress *progress)
{
    if (--progress->open_handles)
        return;
    progress_queue_clear(&progress->queue);
    void (*on_closed)(void *) = progress->on_closed;
    void *owner = progress->queue.base.owner;
    free(progress);
    on_closed(owner);
}

static void on_lane_closed(void *owner)
{
    handle_closed(owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void close_progress(struct progress *base, void (*on_closed)(void *owner))
{
    struct pg_progress *progress = of(base);
    progress->on_closed = on_closed;
    pg_lane_close(progress->lane, on_lane_closed);
    uv_close((uv_handle_t *)&progress->timer, on_timer_closed);
}

struct progress *pg_progress_new(uv_loop_t *loop, const struct pg_progress_config *config,
                                 const struct progress_events *events, void *owner)
{
    static const struct pg_lane_events LANE_EVENTS = {on_ready, on_reply, on_lost};
    static const struct progress_ops OPS = {progress_queue_claim,   progress_queue_stages,
                                            progress_queue_release, progress_queue_forget_claims,
                                            progress_queue_is_idle, close_progress};
    struct pg_progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        abort();
    progress->queue.base = (struct progress){.ops = &OPS, .events = *events, .owner = owner};
    progress->queue.pump = pump;
    progress->config = *config;
    uv_timer_init(loop, &progress->timer);
    progress->timer.data = progress;
    progress->open_handles = 2;
    progress->lane = pg_lane_new(loop, &config->lane, &LANE_EVENTS, progress);
    progress_queue_push(&progress->queue, (struct progress_request){.kind = REQUEST_CHECK});
    return &progress->queue.base;
}
