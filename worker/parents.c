/*
 *   IDLE ─► SWEEPING (pool) ─► TELLING (Kafka, Redis) ─► FORGETTING (pool) ─► IDLE
 *
 * What got in is read back from PostgreSQL, in the pool as well, and given to Redis; orphans get
 * their letters, and a receipt tells what became of both. Only when all of it is acknowledged the
 * waiting room forgets them: a sweep after a crash tells them again.
 */

#include "worker/parents.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/kafka/kafka_client.h"
#include "common/io/log.h"
#include "common/io/postgres/pg_parents.h"
#include "common/io/postgres/pg_stored.h"
#include "worker/redis_stage.h"
#include "worker/worker.h"

#define SWEEP_MS 1000
#define SAY_MS 10000  /* how often it is said that some wait */
#define ASK_MS 1000   /* for the ends of all partitions */
#define REST_MS 15000 /* nothing waits: tombstones to be removed, and other workers' orphans */
#define TEXT_MOST ((size_t)512 << 20) /* far above what one sweep tells (TELL_MOST, its bytes) */

enum phase {
    PHASE_IDLE,
    PHASE_SWEEPING,
    PHASE_TELLING,
    PHASE_FORGETTING,
};

/* A record that got in, as Redis is to have it. */
struct arrival {
    const struct mapping *mapping;
    struct row row;
    struct bytes json;
};

struct parents {
    struct worker *worker;
    enum phase phase;
    uv_work_t work;
    struct parents_config config;
    atomic_bool stop;
    struct pg_cutoff cutoff;
    struct parents_result result;
    enum outcome outcome;
    struct error err;
    struct arrival *arrivals;
    size_t arrival_count;
    struct arena arena;
    uint64_t next_ms;
    bool parked; /* since the last sweep began */
    bool unread; /* not all that got in could be read: nothing of the sweep is told */
    bool more;   /* the last sweep could not tell all */
    bool known;  /* `waiting` is what a sweep saw */
    uint64_t waiting;
    uint64_t mark;          /* of the last arrival given to Redis */
    size_t letters_pending; /* and the receipt */
    bool letters_broken;
    uint64_t removed; /* from the waiting room, by the round that is forgotten */
    uint64_t said_ms; /* that some wait */
    uint64_t failed;  /* sweeps in a row: an outage is said once */
    void (*on_closed)(void *owner);
};

static bool is_needed(const struct worker *worker)
{
    for (size_t i = 0; i < worker->mappings.count; i++)
        if (worker->mappings.items[i]->reference_count ||
            worker->mappings.items[i]->on_delete == DELETE_HARD)
            return true;
    return false;
}

/* In the pool. */
static bool ask_ends(void *owner, int64_t *ends, int32_t count)
{
    const struct worker *worker = ((struct parents *)owner)->worker;
    return kafka_ask_ends(worker->asker, worker->source, ends, count, ASK_MS);
}

static void on_delivered(struct parents *parents, bool good);

struct parents *parents_new(struct worker *worker)
{
    const struct settings *settings = worker->settings;
    if (!is_needed(worker))
        return NULL;
    struct parents *parents = calloc(1, sizeof *parents);
    if (!parents)
        abort();
    parents->worker = worker;
    worker->parents_told = on_delivered;
    parents->work.data = parents;
    parents->cutoff = PG_CUTOFF_INIT;
    parents->config = (struct parents_config){.url = settings->database_url,
                                              .role = settings->worker_role,
                                              .group = worker->group,
                                              .topic = worker->source,
                                              .mappings = &worker->mappings,
                                              .wait_ms = settings->parent_wait_ms,
                                              .partitions = worker->partition_total,
                                              .ends = ask_ends,
                                              .owner = parents,
                                              .tombstone_life_ms = settings->tombstone_life_ms,
                                              .stop = &parents->stop,
                                              .cutoff = &parents->cutoff};
    arena_init(&parents->arena, TEXT_MOST);
    return parents;
}

/* ---- in the pool ------------------------------------------------------------------------- */

static bool wants_redis(const struct parents *parents, const struct parents_applied *applied)
{
    return parents->worker->stage && applied->mapping && applied->mapping->redis.form != REDIS_NONE;
}

static void keep_arrival(struct parents *parents, const struct stored *stored)
{
    struct arrival *arrival = &parents->arrivals[parents->arrival_count];
    size_t cells = stored->mapping->column_count;
    *arrival =
        (struct arrival){.mapping = stored->mapping,
                         .row = {.tenant = arena_copy(&parents->arena, stored->tenant),
                                 .id = arena_copy(&parents->arena, stored->id),
                                 .version = stored->version,
                                 .digest = stored->digest,
                                 .deleted = stored->deleted,
                                 .cells = arena_array(&parents->arena, cells, sizeof(struct cell))},
                         .json = arena_copy(&parents->arena, stored->json)};
    if (!arrival->row.cells || !arrival->json.data)
        return; /* more than is kept at once: a rebuild brings it */
    for (size_t i = 0; i < cells; i++) {
        struct bytes view = bytes_of(stored->cells[i].data, (size_t)stored->cells[i].size);
        arrival->row.cells[i] = CELL_NULL;
        if (stored->cells[i].size >= 0)
            arrival->row.cells[i] =
                (struct cell){arena_copy(&parents->arena, view).data, stored->cells[i].size};
    }
    parents->arrival_count++;
}

static enum outcome read_one(struct parents *parents, struct stored_reader *reader,
                             const struct parents_applied *applied, struct error *err)
{
    struct stored stored;
    bool found = false;
    enum outcome outcome = reader->ops->find(reader, applied->mapping, applied->tenant, applied->id,
                                             &stored, &found, err);
    if (outcome == OUT_OK && found && stored.cells)
        keep_arrival(parents, &stored);
    return outcome == OUT_REJECT ? OUT_OK : outcome; /* no record comes of it: verify names it */
}

/* Rows as PostgreSQL has them now: what was parked may be older than what is there. Unless all were
 * read, nothing of the sweep may be forgotten: Redis would never hear of them. */
static enum outcome read_arrivals(struct parents *parents, struct error *err)
{
    struct stored_reader *reader = NULL;
    size_t wanted = 0;
    for (size_t i = 0; i < parents->result.applied_count; i++)
        wanted += wants_redis(parents, &parents->result.applied[i]);
    if (!wanted || atomic_load(&parents->stop))
        return OUT_OK;
    parents->arrivals = calloc(wanted, sizeof *parents->arrivals);
    if (!parents->arrivals)
        abort();
    enum outcome outcome =
        pg_stored_open(parents->worker->settings, parents->worker->mappings.items,
                       parents->worker->mappings.count, NULL, &reader, err);
    for (size_t i = 0; i < parents->result.applied_count && outcome == OUT_OK; i++) {
        if (wants_redis(parents, &parents->result.applied[i]))
            outcome = read_one(parents, reader, &parents->result.applied[i], err);
    }
    if (reader)
        reader->ops->close(reader);
    return outcome;
}

static void in_pool(uv_work_t *work)
{
    struct parents *parents = work->data;
    if (parents->phase == PHASE_FORGETTING) {
        parents->outcome =
            pg_parents_forget(&parents->config, &parents->result, &parents->removed, &parents->err);
        return;
    }
    parents->outcome = pg_parents_sweep(&parents->config, &parents->result, &parents->err);
    struct error err;
    enum outcome read = read_arrivals(parents, &err);
    parents->unread = read != OUT_OK;
    if (parents->unread && parents->outcome == OUT_OK) {
        parents->outcome = read;
        parents->err = err;
    }
}

/* ---- on the loop ------------------------------------------------------------------------- */

static void after_pool(uv_work_t *work, int status);

static void go(struct parents *parents, enum phase phase)
{
    parents->phase = phase;
    if (uv_queue_work(&parents->worker->loop, &parents->work, in_pool, after_pool) != 0)
        abort();
}

static void free_parents(struct parents *parents)
{
    void (*on_closed)(void *) = parents->on_closed;
    struct worker *worker = parents->worker;
    arena_free(&parents->arena);
    free(parents);
    worker->parents = NULL; /* letters may still be told */
    on_closed(worker);
}

static void end_round(struct parents *parents)
{
    pg_parents_result_free(&parents->result);
    parents->result = (struct parents_result){0};
    free(parents->arrivals);
    parents->arrivals = NULL;
    parents->arrival_count = 0;
    arena_reset(&parents->arena);
    parents->phase = PHASE_IDLE;
    bool some = parents->waiting || parents->parked || parents->more || !parents->known;
    parents->next_ms = clock_monotonic_ms() + (some ? SWEEP_MS : REST_MS);
    if (parents->on_closed)
        free_parents(parents);
}

/* Whoever removed them counts them, so that a round that was told twice is counted once. */
static void count_settled(struct parents *parents)
{
    const struct parents_result *result = &parents->result;
    struct worker_counts *counts = &parents->worker->counts;
    uint64_t settled = result->applied_count + result->orphan_count;
    if (parents->removed == 0)
        return;
    parents->removed = 0;
    for (size_t i = 0; i < result->applied_count; i++)
        counts->classes[result->applied[i].the_class]++;
    counts->classes[CLASS_DEAD] += result->orphan_count;
    counts->settled += settled;
}

static void after_telling(struct parents *parents)
{
    const struct redis_stage *stage = parents->worker->stage;
    bool in_redis = !parents->arrival_count || !stage || redis_stage_has_sent(stage, parents->mark);
    if (parents->phase != PHASE_TELLING || parents->letters_pending || !in_redis)
        return;
    if (parents->letters_broken || parents->on_closed) {
        end_round(parents);
        return;
    }
    go(parents, PHASE_FORGETTING);
}

static void on_delivered(struct parents *parents, bool good)
{
    parents->letters_pending--;
    parents->letters_broken = parents->letters_broken || !good;
}

static void send_receipt(struct parents *parents)
{
    const struct parents_result *result = &parents->result;
    size_t count = 0;
    struct settled_item *items =
        calloc(result->applied_count + result->orphan_count + 1, sizeof *items);
    if (!items)
        abort();
    for (size_t i = 0; i < result->applied_count; i++)
        items[count++] = (struct settled_item){
            result->applied[i].partition, result->applied[i].offset, result->applied[i].the_class};
    for (size_t i = 0; i < result->orphan_count; i++)
        items[count++] = (struct settled_item){result->orphans[i].partition,
                                               result->orphans[i].offset, CLASS_DEAD};
    parents->letters_pending++;
    receipts_send_settled(parents->worker, result->round, items, count);
    free(items);
}

static void tell(struct parents *parents)
{
    struct error err;
    parents->phase = PHASE_TELLING;
    parents->letters_broken = false;
    for (size_t i = 0; i < parents->result.orphan_count; i++) {
        if (letters_send_orphan(parents->worker, &parents->result.orphans[i], &err) == OUT_OK) {
            parents->letters_pending++;
            continue;
        }
        parents->letters_broken = true;
        worker_fail(parents->worker, &err);
        break;
    }
    send_receipt(parents);
    after_telling(parents);
}

/* behind: messages that have to be written before the waits that are over end. */
static void say_waiting(struct parents *parents)
{
    uint64_t now_ms = clock_monotonic_ms();
    bool said = parents->said_ms && now_ms - parents->said_ms < SAY_MS;
    if (parents->waiting == 0)
        parents->said_ms = 0;
    else if (!said) {
        parents->said_ms = now_ms;
        log_line(LOG_INFO, "parents.waiting",
                 "records=%" PRIu64 " behind=%" PRIu64 " wait_ms=%" PRIu64, parents->waiting,
                 parents->result.behind, parents->config.is_last ? 0 : parents->config.wait_ms);
    }
}

static void take_result(struct parents *parents)
{
    struct worker *worker = parents->worker;
    for (size_t i = 0; worker->stage && i < parents->arrival_count; i++) {
        const struct arrival *arrival = &parents->arrivals[i];
        parents->mark =
            redis_stage_take_row(worker->stage, arrival->mapping, &arrival->row, arrival->json);
    }
    if (parents->result.busy || parents->outcome != OUT_OK)
        return;
    parents->known = true;
    parents->more = parents->result.more;
    parents->waiting = parents->result.waiting;
    say_waiting(parents);
}

/* An outage is said when it begins and when it is over. */
static void say_failure(struct parents *parents)
{
    if (parents->outcome != OUT_OK && parents->failed++ == 0)
        log_away("parents.away", &parents->err);
    else if (parents->outcome == OUT_OK && parents->failed) {
        log_back("parents.back", "tries=%" PRIu64, parents->failed);
        parents->failed = 0;
    }
}

static void after_pool(uv_work_t *work, int status)
{
    struct parents *parents = work->data;
    (void)status;
    if (parents->on_closed) { /* the other parts of the worker may be gone */
        end_round(parents);
        return;
    }
    if (parents->phase == PHASE_SWEEPING && !parents->unread)
        take_result(parents);
    if (parents->outcome == OUT_FATAL)
        worker_fail(parents->worker, &parents->err);
    else
        say_failure(parents);
    if (parents->phase == PHASE_FORGETTING)
        count_settled(parents);
    bool some = parents->result.orphan_count || parents->result.applied_count;
    if (parents->phase == PHASE_SWEEPING && some && !parents->unread)
        tell(parents);
    else
        end_round(parents);
}

void parents_note(struct parents *parents, const struct batch *batch)
{
    if (!parents || batch_count(batch, CLASS_WAITING) == 0)
        return;
    parents->parked = true;
    uint64_t soon_ms = clock_monotonic_ms() + SWEEP_MS;
    if (parents->next_ms > soon_ms)
        parents->next_ms = soon_ms;
}

void parents_tick(struct parents *parents, uint64_t now_ms)
{
    if (!parents)
        return;
    after_telling(parents);
    if (parents->phase != PHASE_IDLE || now_ms < parents->next_ms)
        return;
    parents->parked = parents->known = false;
    parents->config.is_last = parents->worker->settings->until_end || work_nothing_comes();
    go(parents, PHASE_SWEEPING);
}

bool parents_is_settled(const struct parents *parents)
{
    return !parents || (parents->phase == PHASE_IDLE && parents->known && !parents->parked &&
                        !parents->more && parents->waiting == 0);
}

void parents_close(struct parents *parents, void (*on_closed)(void *owner))
{
    parents->on_closed = on_closed;
    atomic_store(&parents->stop, true);
    pg_cutoff_now(&parents->cutoff);
    if (parents->phase == PHASE_IDLE)
        free_parents(parents);
    else if (parents->phase == PHASE_TELLING)
        end_round(parents);
}
