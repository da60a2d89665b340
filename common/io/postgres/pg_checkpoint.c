#include "common/io/postgres/pg_checkpoint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_wire.h"
#include "common/model/mapping/mapping_set.h"
#include "common/port/checkpoint_queue.h"

#define RETRY_MS                                                                                   \
    500 /* a refused transaction of this connection is rare: a lock held by an operator */

struct pg_checkpoint {
    struct checkpoint_queue queue;
    struct pg_connection *connection;
    uv_timer_t timer;
    struct checkpoint_config config;
    bool hybrid;
    int open_handles;
    void (*on_closed)(void *owner);
};

static struct pg_checkpoint *of(struct checkpoint *checkpoint)
{
    return (struct pg_checkpoint *)checkpoint;
}

/* ---- start-up checks --------------------------------------------------------------------- */

/* The worker's own, or being loaded (pg_load.h). */
#define CHECK_TABLE                                                                                \
    "SELECT (pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE') OR EXISTS (SELECT FROM "      \
    "drover.load AS l WHERE l.table_schema = $1::text AND l.table_name = $2::text "                \
    "AND l.state <> 'done'))::int4 "                                                               \
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

static void pin_of(const struct pg_checkpoint *checkpoint, char pin[MAPPING_PIN_SIZE])
{
    mapping_set_pin(checkpoint->config.mappings, checkpoint->hybrid, pin);
}

static void send_check(struct pg_checkpoint *checkpoint)
{
    char pin[MAPPING_PIN_SIZE];
    struct pg_wire wire;
    struct pg_connection *connection = checkpoint->connection;
    struct bytes topic = bytes_text(checkpoint->config.topic);
    struct bytes group = bytes_text(checkpoint->config.group);
    pin_of(checkpoint, pin);
    pg_wire_init(&wire);
    pg_wire_text(&wire, topic);
    pg_wire_int4(&wire, checkpoint->config.partitions);
    pg_connection_query(connection, NULL, PIN_TOPIC, wire.params, 2);
    pg_connection_query(connection, NULL, SEE_TOPIC, wire.params, 1);
    pg_wire_init(&wire);
    pg_wire_text(&wire, group);
    pg_wire_text(&wire, bytes_text(pin));
    pg_connection_query(connection, NULL, PIN_GROUP, wire.params, 2);
    pg_connection_query(connection, NULL, SEE_GROUP, wire.params, 1);
    for (size_t i = 0; i < checkpoint->config.mappings->count; i++) {
        const struct mapping *mapping = checkpoint->config.mappings->items[i];
        pg_wire_init(&wire);
        pg_wire_text(&wire, bytes_text(mapping->schema));
        pg_wire_text(&wire, bytes_text(mapping->table));
        pg_connection_query(connection, NULL, CHECK_TABLE, wire.params, 2);
    }
}

/* One of them would move the checkpoint without writing what the other writes. */
static enum outcome refuse_storage(const struct pg_checkpoint *checkpoint, struct error *err)
{
    bool hybrid = checkpoint->hybrid;
    error_set(err, OUT_FATAL, ERR_STORAGE_MIXED,
              "group %s works with storage %s, this worker with storage %s",
              checkpoint->config.group, hybrid ? "database" : "hybrid",
              hybrid ? "hybrid" : "database");
    error_hint(err,
               "start it with --storage %s; or stop all workers of the group, then drover schema "
               "apply --storage %s, which takes the new storage over",
               hybrid ? "database" : "hybrid", hybrid ? "hybrid" : "database");
    return OUT_FATAL;
}

static enum outcome check_pins(const struct pg_checkpoint *checkpoint, const struct pg_reply *reply,
                               struct error *err)
{
    char pin[MAPPING_PIN_SIZE];
    int64_t pinned = pg_wire_get_int8(reply->results[1], 0, 0);
    pin_of(checkpoint, pin);
    if (pinned != checkpoint->config.partitions) {
        error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                  "topic %s has %d partitions, %d are pinned for this migration",
                  checkpoint->config.topic, checkpoint->config.partitions, (int)pinned);
        return OUT_FATAL;
    }
    struct bytes seen = pg_wire_get_bytes(reply->results[3], 0, 0);
    if (bytes_equal(seen, bytes_text(pin)))
        return OUT_OK;
    if (seen.size >= HEX_SIZE && memcmp(seen.data, pin, HEX_SIZE) == 0)
        return refuse_storage(checkpoint, err);
    error_set(err, OUT_FATAL, ERR_MAPPING, "group %s works with other mappings than these",
              checkpoint->config.group);
    error_hint(err, "stop its workers, then drover schema apply takes the new mappings over");
    return OUT_FATAL;
}

static enum outcome check_tables(const struct pg_checkpoint *checkpoint,
                                 const struct pg_reply *reply, struct error *err)
{
    for (size_t i = 0; i < checkpoint->config.mappings->count; i++) {
        const struct mapping *mapping = checkpoint->config.mappings->items[i];
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

static void on_checked(struct pg_checkpoint *checkpoint, const struct pg_reply *reply)
{
    struct error err;
    enum outcome outcome = check_pins(checkpoint, reply, &err);
    if (outcome == OUT_OK)
        outcome = check_tables(checkpoint, reply, &err);
    if (outcome == OUT_OK)
        checkpoint->queue.base.events.on_checked(checkpoint->queue.base.owner);
    else
        checkpoint->queue.base.events.on_error(checkpoint->queue.base.owner, &err);
}

/* ---- requests ---------------------------------------------------------------------------- */

static void add_key(const struct pg_checkpoint *checkpoint,
                    const struct checkpoint_request *request, struct pg_wire *wire)
{
    pg_wire_init(wire);
    pg_wire_text(wire, bytes_text(checkpoint->config.group));
    pg_wire_text(wire, bytes_text(checkpoint->config.topic));
    pg_wire_int4(wire, request->partition);
}

static void send_claim(struct pg_checkpoint *checkpoint, const struct checkpoint_request *request)
{
    struct pg_wire wire;
    add_key(checkpoint, request, &wire);
    pg_wire_text(&wire, bytes_text(checkpoint->config.worker));
    pg_connection_query(checkpoint->connection, "drover_claim",
                        "SELECT next_offset, redis_next, results_next, epoch, sequences::text "
                        "FROM drover.claim($1, $2, $3, $4)",
                        wire.params, wire.count);
}

static void send_look(struct pg_checkpoint *checkpoint, const struct checkpoint_request *request)
{
    struct pg_wire wire;
    add_key(checkpoint, request, &wire);
    pg_connection_query(
        checkpoint->connection, "drover_look",
        "SELECT epoch, (owner IS NOT NULL)::int4, next_offset "
        "FROM drover.partition_progress WHERE \"group\" = $1 AND topic = $2 AND partition = $3",
        wire.params, wire.count);
}

static void send_advance(struct pg_checkpoint *checkpoint, const struct checkpoint_request *request)
{
    struct pg_wire wire;
    add_key(checkpoint, request, &wire);
    pg_wire_int8(&wire, request->epoch);
    if (request->kind == REQUEST_RELEASE)
        pg_connection_query(checkpoint->connection, "drover_release",
                            "SELECT drover.release($1, $2, $3, $4)", wire.params, wire.count);
    pg_wire_int8(&wire, request->redis_next);
    pg_wire_int8(&wire, request->results_next);
    pg_connection_query(checkpoint->connection, "drover_stages",
                        "SELECT drover.progress_stages($1, $2, $3, $4, $5, $6)", wire.params,
                        wire.count);
}

static void pump(struct checkpoint_queue *queue)
{
    struct pg_checkpoint *checkpoint = (struct pg_checkpoint *)queue;
    struct checkpoint_request *request = checkpoint->queue.first;
    if (!request || checkpoint->queue.in_flight || !pg_connection_is_ready(checkpoint->connection))
        return;
    checkpoint->queue.in_flight = true;
    if (request->kind == REQUEST_CHECK)
        send_check(checkpoint);
    else if (request->kind == REQUEST_CLAIM)
        send_claim(checkpoint, request);
    else if (request->kind == REQUEST_LOOK)
        send_look(checkpoint, request);
    else
        send_advance(checkpoint, request);
    pg_connection_sync(checkpoint->connection);
}

static void on_claimed(struct pg_checkpoint *checkpoint, int32_t partition, const PGresult *result)
{
    struct checkpoint_row row = {
        .next_offset = pg_wire_get_int8(result, 0, 0),
        .redis_next = pg_wire_get_int8(result, 0, 1),
        .results_next = pg_wire_get_int8(result, 0, 2),
        .epoch = pg_wire_get_int8(result, 0, 3),
        .sequences = pg_wire_get_bytes(result, 0, 4),
    };
    checkpoint->queue.base.events.on_claimed(checkpoint->queue.base.owner, partition, &row);
}

static void on_seen(struct pg_checkpoint *checkpoint, int32_t partition, const PGresult *result)
{
    bool exists = PQntuples(result) == 1;
    const struct checkpoint_seen seen = {.epoch = exists ? pg_wire_get_int8(result, 0, 0) : 0,
                                         .next_offset = exists ? pg_wire_get_int8(result, 0, 2) : 0,
                                         .is_owned = exists && pg_wire_get_int8(result, 0, 1)};
    checkpoint->queue.base.events.on_seen(checkpoint->queue.base.owner, partition, &seen);
}

static void on_retry(uv_timer_t *timer)
{
    pump(timer->data);
}

/* A request refused by the server: again later, or never. */
static void on_refused(struct pg_checkpoint *checkpoint, const PGresult *result)
{
    struct error err;
    enum pg_action action = pg_error_from_result(result, &err);
    struct checkpoint_request *request = checkpoint->queue.first;
    bool over = action == PG_FENCED && request->kind >= REQUEST_ADVANCE;
    if (over) { /* somebody else has the partition: nothing left to write or to release */
        struct checkpoint_request done = checkpoint_queue_pop(&checkpoint->queue);
        if (done.kind == REQUEST_RELEASE)
            checkpoint->queue.base.events.on_released(checkpoint->queue.base.owner, done.partition);
        pump(&checkpoint->queue);
        return;
    }
    checkpoint->queue.in_flight = false;
    if (err.outcome == OUT_RETRY) {
        if (action == PG_REPREPARE)
            pg_connection_reconnect(checkpoint->connection);
        uv_timer_start(&checkpoint->timer, on_retry, RETRY_MS, 0);
    } else {
        err.outcome = OUT_FATAL;
    }
    checkpoint->queue.base.events.on_error(checkpoint->queue.base.owner, &err);
}

static void on_reply(void *owner, struct pg_connection *connection, const struct pg_reply *reply)
{
    struct pg_checkpoint *checkpoint = owner;
    (void)connection;
    if (reply->failed >= 0) {
        on_refused(checkpoint, reply->results[reply->failed]);
        return;
    }
    struct checkpoint_request done = checkpoint_queue_pop(&checkpoint->queue);
    bool forgotten = checkpoint->queue.forgotten;
    checkpoint->queue.forgotten = false;
    if (done.kind == REQUEST_CHECK)
        on_checked(checkpoint, reply);
    else if (done.kind == REQUEST_CLAIM && !forgotten)
        on_claimed(checkpoint, done.partition, reply->results[0]);
    else if (done.kind == REQUEST_RELEASE)
        checkpoint->queue.base.events.on_released(checkpoint->queue.base.owner, done.partition);
    else if (done.kind == REQUEST_LOOK)
        on_seen(checkpoint, done.partition, reply->results[0]);
    pump(&checkpoint->queue);
}

static void on_ready(void *owner, struct pg_connection *connection)
{
    (void)connection;
    pump(owner);
}

static void on_lost(void *owner, struct pg_connection *connection, const struct error *err)
{
    struct pg_checkpoint *checkpoint = owner;
    (void)connection;
    checkpoint->queue.in_flight = false;
    checkpoint->queue.base.events.on_error(checkpoint->queue.base.owner, err);
}

/* ---- the worker's calls ------------------------------------------------------------------ */

static void handle_closed(struct pg_checkpoint *checkpoint)
{
    if (--checkpoint->open_handles)
        return;
    checkpoint_queue_clear(&checkpoint->queue);
    void (*on_closed)(void *) = checkpoint->on_closed;
    void *owner = checkpoint->queue.base.owner;
    free(checkpoint);
    on_closed(owner);
}

static void on_connection_closed(void *owner)
{
    handle_closed(owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void close_checkpoint(struct checkpoint *base, void (*on_closed)(void *owner))
{
    struct pg_checkpoint *checkpoint = of(base);
    checkpoint->on_closed = on_closed;
    pg_connection_close(checkpoint->connection, on_connection_closed);
    uv_close((uv_handle_t *)&checkpoint->timer, on_timer_closed);
}

struct checkpoint *pg_checkpoint_new(uv_loop_t *loop, const struct pg_connection_config *connection,
                                     const struct checkpoint_config *config, bool hybrid,
                                     const struct checkpoint_events *events, void *owner)
{
    static const struct pg_connection_events CONNECTION_EVENTS = {on_ready, on_reply, on_lost};
    static const struct checkpoint_ops OPS = {
        checkpoint_queue_claim, checkpoint_queue_advance,       checkpoint_queue_release,
        checkpoint_queue_look,  checkpoint_queue_forget_claims, checkpoint_queue_is_idle,
        close_checkpoint};
    struct pg_checkpoint *checkpoint = mem_new(sizeof *checkpoint);
    checkpoint->queue.base = (struct checkpoint){.ops = &OPS, .events = *events, .owner = owner};
    checkpoint->queue.pump = pump;
    checkpoint->config = *config;
    checkpoint->hybrid = hybrid;
    uv_timer_init(loop, &checkpoint->timer);
    checkpoint->timer.data = checkpoint;
    checkpoint->open_handles = 2;
    checkpoint->connection = pg_connection_new(loop, connection, &CONNECTION_EVENTS, checkpoint);
    checkpoint_queue_push(&checkpoint->queue, (struct checkpoint_request){.kind = REQUEST_CHECK});
    return &checkpoint->queue.base;
}
