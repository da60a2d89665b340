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

/* One statement's parameters, ready to be sent. */
struct statement {
    struct bytes tenant;
    char *memory;
    const char *values[PG_CONNECTION_PARAMS_MAX];
    int sizes[PG_CONNECTION_PARAMS_MAX];
    int count;
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

/* ---- the same arrays a worker sends ------------------------------------------------------ */

static void add_array(struct buf *out, const struct batch *batch, const struct batch_group *group,
                      uint32_t oid, int column, size_t *starts, int *count)
{
    starts[(*count)++] = out->size;
    buf_append_be32(out, 1);
    buf_append_be32(out, 1);
    buf_append_be32(out, oid);
    buf_append_be32(out, (uint32_t)group->count);
    buf_append_be32(out, 1);
    for (size_t i = 0; i < group->count; i++) {
        const struct row *row = &batch->items[batch->order[group->first + i]].row;
        if (column >= 0) {
            struct cell cell = row->cells[column];
            buf_append_be32(out, (uint32_t)cell.size);
            if (cell.size > 0)
                buf_append(out, cell.data, (size_t)cell.size);
        } else if (column == -1) {
            buf_append_be32(out, 8);
            buf_append_be64(out, (uint64_t)row->version);
        } else if (column == -2) {
            buf_append_be32(out, 16);
            buf_append(out, row->digest.bytes, 16);
        } else {
            buf_append_be32(out, 1);
            buf_append_char(out, 0);
        }
    }
}

static void make_statement(const struct batch *batch, const struct batch_group *group,
                           struct statement *statement)
{
    struct buf out;
    size_t starts[PG_CONNECTION_PARAMS_MAX + 1] = {0};
    int count = 0;
    buf_init(&out, 64u << 20);
    starts[count++] = 0;
    buf_append_bytes(&out, group->tenant);
    for (size_t i = 0; i < mapping->column_count; i++)
        add_array(&out, batch, group, value_type_param_oid(&mapping->columns[i].type), (int)i,
                  starts, &count);
    add_array(&out, batch, group, 20, -1, starts, &count);
    add_array(&out, batch, group, 17, -2, starts, &count);
    add_array(&out, batch, group, 16, -3, starts, &count);
    starts[count] = out.size;
    statement->memory = out.data;
    statement->count = count;
    for (int i = 0; i < count; i++) {
        statement->values[i] = out.data + starts[i];
        statement->sizes[i] = (int)(starts[i + 1] - starts[i]);
    }
    statement->tenant = bytes_of(out.data, group->tenant.size);
}

static void take_batch(struct batch *batch)
{
    if (batch->count == 0)
        return;
    batch_close(batch);
    batches = realloc(batches, (made_count + 1) * sizeof *batches);
    struct prepared_batch *made = &batches[made_count++];
    made->count = batch->group_count;
    made->statements = calloc(batch->group_count, sizeof *made->statements);
    for (size_t g = 0; g < batch->group_count; g++)
        make_statement(batch, &batch->groups[g], &made->statements[g]);
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

static void send_batch(PGconn *connection, const struct prepared_batch *batch)
{
    static const int BINARY[PG_CONNECTION_PARAMS_MAX] = {[0 ... PG_CONNECTION_PARAMS_MAX - 1] = 1};
    PQsendQueryPrepared(connection, "begin", 0, NULL, NULL, NULL, 1);
    for (size_t i = 0; i < batch->count; i++) {
        const struct statement *statement = &batch->statements[i];
        int size = (int)statement->tenant.size;
        PQsendQueryPrepared(connection, "tenant", 1, &statement->tenant.data, &size, BINARY, 1);
        PQsendQueryPrepared(connection, "upsert", statement->count, statement->values,
                            statement->sizes, BINARY, 1);
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
    prepare_one(connection, "tenant",
                "SELECT pg_catalog.set_config('app.current_tenant_key', $1, true)");
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
