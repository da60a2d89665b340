/* How far each partition is committed, by the store the records go to. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/text.h"
#include "common/io/filestore/file_store.h"
#include "common/io/files.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/stores.h"
#include "control/status/status.h"

/* ---- PostgreSQL -------------------------------------------------------------------------- */

static int64_t number(const PGresult *result, int row, int column)
{
    int64_t value = 0;
    if (!text_parse_int64(bytes_text(PQgetvalue(result, row, column)), &value))
        return 0;
    return value;
}

static void take_row(struct status *status, const PGresult *result, int row)
{
    int64_t at = number(result, row, 0);
    if (at < 0 || at >= status->partition_count)
        return;
    struct status_partition *partition = &status->partitions[at];
    partition->next_offset = number(result, row, 1);
    partition->redis_next = number(result, row, 2);
    partition->results_next = number(result, row, 3);
    partition->epoch = number(result, row, 4);
    snprintf(partition->owner, sizeof(partition->owner), "%s", PQgetvalue(result, row, 5));
}

/* A schema from before there was a table of pending children has none. */
static enum outcome read_waiting(struct status *status, struct error *err)
{
    const struct bytes params[] = {bytes_text(status->settings->group),
                                   bytes_text(status->topics[TOPIC_SOURCE])};
    PGresult *result = NULL;
    enum outcome outcome =
        pg_session_query(status->connection, "SELECT to_regclass('drover.waiting') IS NOT NULL",
                         NULL, 0, false, &result, err);
    bool exists = outcome == OUT_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    status->waiting = 0;
    if (!exists)
        return outcome;
    outcome = pg_session_query(
        status->connection,
        "SELECT count(*) FROM drover.waiting WHERE \"group\" = $1::text AND topic = $2::text",
        params, 2, false, &result, err);
    if (outcome == OUT_OK)
        status->waiting = (uint64_t)number(result, 0, 0);
    PQclear(result);
    return outcome;
}

static enum outcome read_postgres(struct status *status, struct error *err)
{
    const struct settings *settings = status->settings;
    enum outcome outcome = OUT_OK;
    if (!status->connection)
        outcome = pg_session_open(settings->database_url, settings->verifier_role, "drover-status",
                                  status->timeout_ms, &status->connection, err);
    if (outcome != OUT_OK)
        return outcome;
    const struct bytes params[] = {bytes_text(settings->group),
                                   bytes_text(status->topics[TOPIC_SOURCE])};
    PGresult *result = NULL;
    outcome =
        pg_session_query(status->connection,
                         "SELECT partition, next_offset, redis_next, results_next, epoch, owner"
                         "  FROM drover.partition_progress"
                         " WHERE \"group\" = $1::text AND topic = $2::text",
                         params, 2, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++)
        take_row(status, result, row);
    PQclear(result);
    if (outcome == OUT_OK)
        outcome = read_waiting(status, err);
    if (outcome == OUT_RETRY) {
        PQfinish(status->connection);
        status->connection = NULL;
    }
    return outcome;
}

/* ---- the others -------------------------------------------------------------------------- */

/* For its checkpoints: no mapping's records are read. */
static enum outcome open_reader(const struct status *status, struct store_reader **reader,
                                struct error *err)
{
    static const struct mapping_set NONE;
    static const struct store_reading READING;
    return store_of(status->settings)->open_reader(status->settings, &NONE, &READING, reader, err);
}

static enum outcome read_stored(struct status *status, struct store_reader *reader,
                                struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (int32_t i = 0; i < status->partition_count && outcome == OUT_OK; i++) {
        int64_t next = 0;
        outcome = reader->ops->checkpoint(reader, status->settings->group,
                                          status->topics[TOPIC_SOURCE], i, &next, err);
        status->partitions[i].next_offset = next > 0 ? next : 0;
    }
    return outcome;
}

/* Before the first worker there is no store, and no checkpoint. */
static enum outcome read_files(struct status *status, struct error *err)
{
    struct store_reader *reader = NULL;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/.drover/state.db", status->settings->store_dir);
    if (!files_exist(path))
        return OUT_OK;
    enum outcome outcome = open_reader(status, &reader, err);
    if (outcome != OUT_OK)
        return OUT_RETRY; /* the worker is just making it; a damaged one the worker names */
    outcome = read_stored(status, reader, err);
    status->unwritten = file_store_reader_unwritten(reader);
    reader->ops->close(reader);
    return outcome;
}

static enum outcome read_redis(struct status *status, struct error *err)
{
    struct store_reader *reader = NULL;
    enum outcome outcome = open_reader(status, &reader, err);
    if (outcome != OUT_OK)
        return error_code_exit(err->code) == EXIT_UNREACHABLE ? OUT_RETRY : outcome;
    outcome = read_stored(status, reader, err);
    reader->ops->close(reader);
    return outcome;
}

static enum outcome read_nothing(struct status *status, struct error *err)
{
    (void)status;
    error_set(err, OUT_FATAL, ERR_USAGE, "storage memory ends with the run that filled it");
    return OUT_FATAL;
}

enum outcome status_read_checkpoints(struct status *status, struct error *err)
{
    static enum outcome (*const READ[])(struct status *, struct error *) = {
        [STORE_DATABASE] = read_postgres, [STORE_REDIS] = read_redis,
        [STORE_HYBRID] = read_postgres,   [STORE_MEMORY] = read_nothing,
        [STORE_FILE] = read_files,
    };
    return READ[status->settings->storage](status, err);
}
