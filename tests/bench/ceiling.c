/*
 * The write ceiling: a bare libpq program that writes the same rows with the same statements from
 * memory, as fast as blocking connections can. What the worker is compared with: everything it does
 * besides (Kafka, decoding, mapping, receipts, flow control) shows in the ratio.
 *
 *   ceiling MAPPING.yaml FILE.ndjson PARTITIONS CONNECTIONS   (DATABASE_URL of the environment)
 *
 * Reads and maps the file first, into the same batches a worker would make (by partition of the
 * key, 2,000 records each); only the writing is timed. Prints one JSON line.
 */

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/files.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_upsert.h"
#include "common/model/message/envelope.h"
#include "common/policy/apply/batch.h"

#define BATCH_RECORDS 2000
#define FILE_MAX ((size_t)2 << 30)
#define PARTITIONS_MAX 256

/* Parameters, ready to be sent. */
struct query {
    char *memory;
    const char *values[PG_CONNECTION_PARAMS_MAX];
    int sizes[PG_CONNECTION_PARAMS_MAX];
    int count;
};

struct statement {
    struct query enter, write;
};

struct prepared_batch {
    struct statement *statements;
    size_t count;
};

static struct mapping *mapping;
static struct pg_upsert *upsert;
static struct prepared_batch *batches;
static size_t made_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t next_batch;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "ceiling: %s: %s\n", what, why);
    exit(1);
}

/* ---- the same statements a worker sends --------------------------------------------------- */

static void keep(struct query *query, const struct buf *memory, const struct pg_param *params,
                 int count)
{
    query->count = count;
    query->memory = malloc(memory->size + 1);
    memcpy(query->memory, memory->data, memory->size);
    for (int i = 0; i < count; i++) {
        query->values[i] = query->memory + (params[i].data - memory->data);
        query->sizes[i] = params[i].size;
    }
}

/* The groups [group, end) as a worker writes them: their tenants, then their rows. */
static void make_statement(const struct batch *batch, size_t group, size_t end,
                           struct statement *statement)
{
    const struct batch_group *first = &batch->groups[group], *last = &batch->groups[end - 1];
    struct pg_param params[PG_CONNECTION_PARAMS_MAX];
    struct buf memory;
    buf_init(&memory, 64u << 20);
    pg_upsert_append_tenants(&memory, batch, group, end);
    struct pg_param list = {memory.data, (int)memory.size}, none = {memory.data, 0};
    keep(&statement->enter, &memory,
         end == group + 1 ? (struct pg_param[]){list, none} : (struct pg_param[]){none, list}, 2);
    int count = pg_upsert_params(upsert, batch, batch->order + first->first,
                                 last->first + last->count - first->first, &memory, params);
    keep(&statement->write, &memory, params, count);
    buf_free(&memory);
}

static void take_batch(struct batch *batch)
{
    if (batch->count == 0)
        return;
    batch_close(batch);
    batches = realloc(batches, (made_count + 1) * sizeof *batches);
    struct prepared_batch *made = &batches[made_count++];
    made->count = 0;
    made->statements = calloc(batch->group_count, sizeof *made->statements);
    for (size_t g = 0, end; g < batch->group_count; g = end) {
        end = pg_upsert_span(batch, g);
        make_statement(batch, g, end, &made->statements[made->count++]);
    }
    batch_reset(batch);
}

/* Maps the whole file into batches by partition, as they would come out of the topic. */
static size_t prepare(struct bytes file, int32_t partitions)
{
    struct batch *open[PARTITIONS_MAX];
    struct mapping_work work;
    struct buf tenant, id, key;
    struct error err;
    size_t records = 0;
    mapping_work_init(&work);
    buf_init(&tenant, 4096);
    buf_init(&id, 4096);
    buf_init(&key, 8192);
    for (int32_t i = 0; i < partitions; i++)
        open[i] = batch_new(BATCH_RECORDS, 64u << 20);
    const char *at = file.data, *end = file.data + file.size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        struct record record = {.payload = bytes_of(at, (size_t)(stop - at)), .index = -1};
        bool has_version;
        buf_reset(&tenant);
        buf_reset(&id);
        buf_reset(&key);
        if (mapping_identify(mapping, &record, &work, &tenant, &id, &record.version, &has_version,
                             &err) != OUT_OK)
            die("a record", err.text);
        envelope_append_key(&key, buf_view(&tenant), bytes_text(mapping->entity), buf_view(&id));
        struct batch *batch = open[hash_partition(buf_view(&key), partitions)];
        struct batch_item *item = batch_add(batch, (int64_t)records++);
        record.has_version = true;
        record.tenant = arena_copy(&batch->arena, buf_view(&tenant));
        item->mapping = mapping;
        if (mapping_forward(mapping, &record, &work, &batch->arena, &item->row, &err) != OUT_OK)
            die("a record", err.text);
        if (batch->count == BATCH_RECORDS)
            take_batch(batch);
        at = stop + 1;
    }
    for (int32_t i = 0; i < partitions; i++)
        take_batch(open[i]);
    return records;
}

/* ---- writing ----------------------------------------------------------------------------- */

static void send_query(PGconn *connection, const char *name, const struct query *query)
{
    static const int BINARY[PG_CONNECTION_PARAMS_MAX] = {[0 ... PG_CONNECTION_PARAMS_MAX - 1] = 1};
    PQsendQueryPrepared(connection, name, query->count, query->values, query->sizes, BINARY, 1);
}

static void send_batch(PGconn *connection, const struct prepared_batch *batch)
{
    PQsendQueryPrepared(connection, "begin", 0, NULL, NULL, NULL, 1);
    for (size_t i = 0; i < batch->count; i++) {
        const struct statement *statement = &batch->statements[i];
        send_query(connection, "enter", &statement->enter);
        send_query(connection, "upsert", &statement->write);
    }
    PQsendQueryPrepared(connection, "commit", 0, NULL, NULL, NULL, 1);
    PQpipelineSync(connection);
}

static void drain(PGconn *connection)
{
    for (;;) {
        PGresult *result = PQgetResult(connection);
        if (!result)
            continue;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_FATAL_ERROR)
            die("PostgreSQL", PQresultErrorMessage(result));
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC)
            return;
    }
}

static void prepare_one(PGconn *connection, const char *name, const char *sql)
{
    PGresult *result = PQprepare(connection, name, sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        die("prepare", PQresultErrorMessage(result));
    PQclear(result);
}

static void *write_batches(void *url)
{
    struct error err;
    PGconn *connection = NULL;
    if (pg_session_open(url, "drover_worker", "ceiling", 10000, &connection, &err) != OUT_OK)
        die("PostgreSQL", err.text);
    prepare_one(connection, "begin", "BEGIN");
    prepare_one(connection, "commit", "COMMIT");
    prepare_one(connection, "enter", PG_UPSERT_ENTER);
    prepare_one(connection, "upsert", upsert->upsert_sql);
    PQenterPipelineMode(connection);
    for (;;) {
        pthread_mutex_lock(&lock);
        size_t mine = next_batch++;
        pthread_mutex_unlock(&lock);
        if (mine >= made_count)
            break;
        send_batch(connection, &batches[mine]);
        drain(connection);
    }
    PQfinish(connection);
    return NULL;
}

int main(int argc, char **argv)
{
    struct error err;
    struct bytes yaml, file;
    pthread_t threads[64];
    char *url = getenv("DATABASE_URL");
    if (argc != 5 || !url)
        die("usage", "DATABASE_URL=… ceiling MAPPING FILE PARTITIONS CONNECTIONS");
    int partitions = (int)strtol(argv[3], NULL, 10), connections = (int)strtol(argv[4], NULL, 10);
    if (partitions < 1 || partitions > PARTITIONS_MAX || connections < 1 || connections > 64)
        die("usage", "1 to 256 partitions, 1 to 64 connections");
    struct buf yaml_text, file_text;
    if (files_read(argv[1], 1u << 20, &yaml_text, &err) != OUT_OK ||
        files_read(argv[2], FILE_MAX, &file_text, &err) != OUT_OK)
        die("a file", err.text);
    yaml = buf_view(&yaml_text);
    file = buf_view(&file_text);
    if (mapping_parse(argv[1], yaml, &mapping, &err) != OUT_OK)
        die("the mapping", err.text);
    upsert = pg_upsert_new(&(struct mapping_set){&mapping, 1}, 0);
    size_t records = prepare(file, partitions);
    uint64_t begin_ms = clock_monotonic_ms();
    for (int i = 0; i < connections; i++)
        pthread_create(&threads[i], NULL, write_batches, url);
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    uint64_t took_ms = clock_monotonic_ms() - begin_ms;
    printf("{\"records\":%zu,\"ms\":%" PRIu64 ",\"rate\":%.0f}\n", records, took_ms,
           (double)records * 1000 / (double)(took_ms ? took_ms : 1));
    return 0;
}
