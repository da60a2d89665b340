#include "verifier/reads/reads.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/redis/redis_lookup.h"
#include "common/io/stop.h"
#include "common/io/stores.h"
#include "common/policy/histogram.h"
#include "verifier/reads/reader.h"
#include "verifier/reads/reads_pace.h"
#include "verifier/reads/reads_template.h"

#define HIGHEST_NS ((uint64_t)60000000000) /* above compare.timeout */
#define DIGITS 3
#define SLICE_NS 200000000u /* how often a wait looks whether the process is to stop */
#define PAUSE_MIN_NS 100000000u
#define PAUSE_MAX_NS 5000000000u
#define TIMER_SLACK_NS 1000ul /* a thread's begin is late by this; the system's own is 50 us */

struct counts {
    struct histogram latencies;
    uint64_t not_found, refused, errors, late;
};

/* One store. */
struct side {
    struct reads *reads;
    const char *name;
    struct reads_pace pace;
    struct counts total, recent; /* `total` without `recent` */
    char error[sizeof((struct verify_reads_store *)0)->error];
};

/* One connection and its thread. */
struct connection {
    pthread_t thread;
    struct side *side;
    struct reader *reader;
    uint64_t away_until_ns, pause_ns; /* it did not answer */
    char text[READS_POOL_TEXT_MAX];   /* of `key` */
    struct reads_key key;
};

struct reads {
    const struct settings *settings;
    pthread_mutex_t mutex; /* of all below, but for what is a thread's own */
    pthread_cond_t changed;
    bool stopping;
    struct reads_pool pool;
    struct side sides[VERIFY_READS_STORES_MAX];
    size_t side_count;
    struct connection *connections;
    size_t connection_count, running;
    uint64_t for_ms;
};

typedef struct reader *reader_maker(const struct settings *settings);

/* ---- settings ---------------------------------------------------------------------------- */

static enum outcome missing(const char *setting, const char *why, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_CONF_MISSING, "reads cannot be compared: %s", why);
    error_hint(err, "set %s in drover.yaml", setting);
    return OUT_FATAL;
}

static enum outcome check_template(const char *text, enum reads_template_kind kind,
                                   const char *setting, struct error *err)
{
    enum outcome outcome = reads_template_check(text, kind, err);
    if (outcome != OUT_OK)
        error_where(err, "%s", setting);
    return outcome;
}

static enum outcome check_redis(const struct settings *settings, struct error *err)
{
    const char *url = settings->compare_url;
    if (!settings->compare_template[0] || strcmp(settings->compare_template, "{file}") == 0)
        return missing("compare.template", "no template says what the old keys are", err);
    enum outcome outcome = redis_lookup_check(url && url[0] ? url : settings->redis_url, err);
    return outcome == OUT_OK ? check_template(settings->compare_template, READS_TEMPLATE_KEY,
                                              "compare.template", err)
                             : outcome;
}

static enum outcome check_http(const struct settings *settings, struct error *err)
{
    const char *url = settings->compare_url;
    if (!url || !url[0])
        return missing("compare.url", "no URL says where the old store is", err);
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE, "the URL is neither http:// nor https://");
        error_where(err, "compare.url");
        return OUT_FATAL;
    }
    return check_template(url, READS_TEMPLATE_URL, "compare.url", err);
}

enum outcome reads_check(const struct settings *settings, struct error *err)
{
    const struct store *store = store_of(settings);
    if (!store->has_tables && !store->has_redis) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                  "reads are compared with PostgreSQL and Redis, and the storage is neither");
        error_hint(err, "leave --compare-reads out");
        return OUT_FATAL;
    }
    switch (settings->compare_old) {
    case COMPARE_REDIS:
        return check_redis(settings, err);
    case COMPARE_HTTP:
        return check_http(settings, err);
    case COMPARE_FILE:
        break;
    }
    return check_template(settings->compare_template, READS_TEMPLATE_PATH, "compare.template", err);
}

/* ---- counting ---------------------------------------------------------------------------- */

static void init_counts(struct counts *counts)
{
    *counts = (struct counts){0};
    histogram_init(&counts->latencies, HIGHEST_NS, DIGITS);
}

/* Of a question that failed: the first one of a side is kept, of each a pause follows that grows
 * while the store does not answer at all. */
static void note_error(struct connection *connection, enum outcome outcome, const struct error *err)
{
    struct side *side = connection->side;
    if (!side->error[0])
        snprintf(side->error, sizeof side->error, "%s%s%s", err->text, err->cause[0] ? ": " : "",
                 err->cause);
    if (outcome == OUT_REJECT)
        return;
    connection->pause_ns = connection->pause_ns ? connection->pause_ns * 2 : PAUSE_MIN_NS;
    if (connection->pause_ns > PAUSE_MAX_NS)
        connection->pause_ns = PAUSE_MAX_NS;
    connection->away_until_ns = clock_monotonic_ns() + connection->pause_ns;
}

static void note_answer(struct connection *connection, enum read_answer answer, uint64_t latency_ns,
                        const struct error *err)
{
    struct side *side = connection->side;
    struct counts *recent = &side->recent;
    connection->pause_ns = 0;
    if (answer == READ_FOUND)
        histogram_record(&recent->latencies, latency_ns);
    else if (answer == READ_NOT_FOUND)
        recent->not_found++;
    else
        recent->refused++;
    if (answer == READ_REFUSED && !side->error[0])
        snprintf(side->error, sizeof side->error, "%s", err->text);
}

static void merge(struct counts *into, const struct counts *from)
{
    histogram_merge(&into->latencies, &from->latencies);
    into->not_found += from->not_found;
    into->refused += from->refused;
    into->errors += from->errors;
    into->late += from->late;
}

static void forget(struct counts *counts)
{
    struct histogram latencies = counts->latencies;
    histogram_reset(&latencies);
    *counts = (struct counts){.latencies = latencies};
}

static void tell(const struct side *side, const struct counts *counts,
                 struct verify_reads_store *store)
{
    const struct histogram *latencies = &counts->latencies;
    *store = (struct verify_reads_store){.name = side->name,
                                         .reads = latencies->count,
                                         .not_found = counts->not_found,
                                         .refused = counts->refused,
                                         .errors = counts->errors,
                                         .late = counts->late,
                                         .max_ns = latencies->max,
                                         .mean_ns = histogram_mean(latencies)};
    for (int i = 0; i < READS_PERCENTILES; i++)
        store->ns[i] = histogram_percentile(latencies, VERIFY_READS_PERCENTS[i]);
    memcpy(store->error, side->error, sizeof store->error);
}

void reads_result(struct reads *reads, struct verify_reads *total, struct verify_reads *recent)
{
    struct verify_reads unused;
    const struct settings *settings = reads->settings;
    recent = recent ? recent : &unused;
    pthread_mutex_lock(&reads->mutex);
    *total = (struct verify_reads){.per_second = settings->compare_per_second,
                                   .for_ms = reads->for_ms,
                                   .connections = settings->compare_connections,
                                   .keys = reads->pool.count,
                                   .limit = settings->compare_limit,
                                   .enforced = settings->compare_enforce,
                                   .count = reads->side_count};
    *recent = *total;
    for (size_t i = 0; i < reads->side_count; i++) {
        struct side *side = &reads->sides[i];
        tell(side, &side->recent, &recent->stores[i]);
        merge(&side->total, &side->recent);
        forget(&side->recent);
        tell(side, &side->total, &total->stores[i]);
    }
    pthread_mutex_unlock(&reads->mutex);
}

/* ---- one thread -------------------------------------------------------------------------- */

/* Until that time of the clock, or until somebody says that something changed. */
static void wait_until(struct reads *reads, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                             .tv_nsec = (long)(until_ns % 1000000000u)};
    pthread_cond_timedwait(&reads->changed, &reads->mutex, &until);
}

/* The next read's key and begin; false: there is none, or it is over. The mutex is held. */
static bool take_read(struct connection *connection, uint64_t *begin_ns)
{
    uint64_t number;
    struct reads *reads = connection->side->reads;
    while (!reads->stopping && reads->pool.count == 0)
        wait_until(reads, clock_monotonic_ns() + SLICE_NS);
    if (reads->stopping || !reads_pace_take(&connection->side->pace, &number, begin_ns))
        return false;
    const struct reads_key *key = &reads->pool.keys[number % reads->pool.count];
    char *text = connection->text;
    connection->key = (struct reads_key){.mapping = key->mapping,
                                         .tenant = bytes_put(&text, key->tenant),
                                         .id = bytes_put(&text, key->id),
                                         .uri = bytes_put(&text, key->uri)};
    return true;
}

static bool takes(const struct connection *connection)
{
    const struct reader *reader = connection->reader;
    return !reader->ops->takes || reader->ops->takes(reader, connection->key.mapping);
}

/* Whether the read can be done at all by now; else it is counted. The mutex is held. */
static bool may_begin(struct connection *connection, uint64_t begin_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct counts *recent = &connection->side->recent;
    uint64_t patience_ns = connection->side->reads->settings->compare_timeout_ms * 1000000u;
    if (begin_ns < connection->away_until_ns) {
        recent->errors++;
        return false;
    }
    if (now_ns <= begin_ns + patience_ns)
        return true;
    recent->late++;
    histogram_record(&recent->latencies, now_ns - begin_ns);
    return false;
}

/* The mutex is held, but for while it waits. */
static void wait_for_begin(struct reads *reads, uint64_t begin_ns)
{
    while (!reads->stopping && clock_monotonic_ns() < begin_ns)
        wait_until(reads, begin_ns);
}

/* Without the mutex. */
static void read_one(struct connection *connection, uint64_t begin_ns)
{
    struct reader *reader = connection->reader;
    struct reads *reads = connection->side->reads;
    enum read_answer answer = READ_NOT_FOUND;
    struct error err = {0};
    enum outcome outcome = reader->ops->prepare(reader, &connection->key, &err);
    pthread_mutex_lock(&reads->mutex);
    wait_for_begin(reads, begin_ns);
    pthread_mutex_unlock(&reads->mutex);
    if (outcome == OUT_OK)
        outcome = reader->ops->read(reader, &answer, &err);
    uint64_t now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&reads->mutex);
    if (reads->stopping) {
        /* what was interrupted says nothing */
    } else if (outcome == OUT_OK) {
        note_answer(connection, answer, now_ns > begin_ns ? now_ns - begin_ns : 0, &err);
    } else {
        connection->side->recent.errors++;
        note_error(connection, outcome, &err);
    }
    pthread_mutex_unlock(&reads->mutex);
}

static void *run_connection(void *owner)
{
    struct connection *connection = owner;
    struct reads *reads = connection->side->reads;
    uint64_t begin_ns;
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    pthread_mutex_lock(&reads->mutex);
    while (take_read(connection, &begin_ns)) {
        if (!takes(connection)) {
            wait_for_begin(reads, begin_ns); /* the pace has no end: the pool may get others */
            continue;
        }
        if (!may_begin(connection, begin_ns))
            continue;
        pthread_mutex_unlock(&reads->mutex);
        read_one(connection, begin_ns);
        pthread_mutex_lock(&reads->mutex);
    }
    reads->running--;
    pthread_cond_broadcast(&reads->changed);
    pthread_mutex_unlock(&reads->mutex);
    return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

/* A store with its connections, which are not made yet. */
static void add_side(struct reads *reads, const char *name, reader_maker *make)
{
    struct side *side = &reads->sides[reads->side_count++];
    *side = (struct side){.reads = reads, .name = name};
    init_counts(&side->total);
    init_counts(&side->recent);
    for (uint64_t i = 0; i < reads->settings->compare_connections; i++) {
        struct connection *connection = &reads->connections[reads->connection_count++];
        connection->side = side;
        connection->reader = make(reads->settings);
    }
}

static void init_waiting(struct reads *reads)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&reads->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&reads->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct reads *reads_open(const struct settings *settings)
{
    static const struct {
        const char *name;
        reader_maker *make;
    } OLD[] = {
        [COMPARE_FILE] = {"file", read_file_new},
        [COMPARE_REDIS] = {"redis", read_redis_new},
        [COMPARE_HTTP] = {"http", read_http_new},
    };
    struct reads *reads = mem_new(sizeof *reads);
    reads->settings = settings;
    init_waiting(reads);
    reads_pool_init(&reads->pool, false, 0);
    reads->connections = mem_zeroed(settings->compare_connections * VERIFY_READS_STORES_MAX,
                                    sizeof *reads->connections);
    add_side(reads, OLD[settings->compare_old].name, OLD[settings->compare_old].make);
    if (store_of(settings)->has_tables)
        add_side(reads, "PostgreSQL", read_rows_new);
    if (store_of(settings)->has_redis)
        add_side(reads, "Redis", read_keys_new);
    return reads;
}

/* The mutex is held, and no read was taken. */
static void begin_pace(struct reads *reads)
{
    uint64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < reads->side_count; i++)
        reads_pace_init(&reads->sides[i].pace, now_ns, reads->settings->compare_per_second,
                        reads->for_ms, (double)i / (double)reads->side_count);
    pthread_cond_broadcast(&reads->changed);
}

void reads_offer(struct reads *reads, const struct reads_key *key)
{
    pthread_mutex_lock(&reads->mutex);
    bool first = reads->pool.count == 0;
    reads_pool_offer(&reads->pool, key);
    if (first && reads->pool.count)
        begin_pace(reads);
    pthread_mutex_unlock(&reads->mutex);
}

void reads_withdraw(struct reads *reads, const struct reads_key *key)
{
    pthread_mutex_lock(&reads->mutex);
    reads_pool_withdraw(&reads->pool, key);
    pthread_mutex_unlock(&reads->mutex);
}

void reads_start(struct reads *reads, uint64_t for_ms)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all,
                    &before); /* signals are for the thread that waits for them */
    pthread_mutex_lock(&reads->mutex);
    reads->for_ms = for_ms;
    begin_pace(reads);
    for (size_t i = 0; i < reads->connection_count; i++, reads->running++)
        if (pthread_create(&reads->connections[i].thread, NULL, run_connection,
                           &reads->connections[i]) != 0)
            abort();
    pthread_mutex_unlock(&reads->mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void reads_wait(struct reads *reads)
{
    pthread_mutex_lock(&reads->mutex);
    while (reads->running && !stop_signal())
        wait_until(reads, clock_monotonic_ns() + SLICE_NS);
    pthread_mutex_unlock(&reads->mutex);
}

static void end_threads(struct reads *reads)
{
    pthread_mutex_lock(&reads->mutex);
    reads->stopping = true;
    pthread_cond_broadcast(&reads->changed);
    pthread_mutex_unlock(&reads->mutex);
    for (size_t i = 0; i < reads->connection_count; i++)
        if (reads->connections[i].thread)
            pthread_join(reads->connections[i].thread, NULL);
}

void reads_close(struct reads *reads)
{
    if (!reads)
        return;
    end_threads(reads);
    for (size_t i = 0; i < reads->connection_count; i++)
        reads->connections[i].reader->ops->close(reads->connections[i].reader);
    for (size_t i = 0; i < reads->side_count; i++) {
        histogram_free(&reads->sides[i].total.latencies);
        histogram_free(&reads->sides[i].recent.latencies);
    }
    free(reads->connections);
    reads_pool_free(&reads->pool);
    pthread_cond_destroy(&reads->changed);
    pthread_mutex_destroy(&reads->mutex);
    free(reads);
}
