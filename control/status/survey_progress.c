/* How far each partition is committed, by the store the records go to. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/text.h"
#include "common/io/filestore/file_store.h"
#include "common/io/files.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/stores.h"
#include "control/status/survey.h"

/* ---- PostgreSQL -------------------------------------------------------------------------- */

static int64_t number(const PGresult *result, int row, int column)
{
    int64_t value = 0;
    if (!text_parse_int64(bytes_text(PQgetvalue(result, row, column)), &value))
        return 0;
    return value;
}

static void take_row(struct survey *survey, const PGresult *result, int row)
{
    int64_t at = number(result, row, 0);
    if (at < 0 || at >= survey->partition_count)
        return;
    struct survey_partition *partition = &survey->partitions[at];
    partition->next_offset = number(result, row, 1);
    partition->redis_next = number(result, row, 2);
    partition->results_next = number(result, row, 3);
    partition->epoch = number(result, row, 4);
    snprintf(partition->owner, sizeof(partition->owner), "%s", PQgetvalue(result, row, 5));
}

/* A schema from before there was a waiting room has none. */
static enum outcome read_waiting(struct survey *survey, struct error *err)
{
    const struct bytes params[] = {bytes_text(survey->settings->group),
                                   bytes_text(survey->topics[TOPIC_SOURCE])};
    PGresult *result = NULL;
    enum outcome outcome =
        pg_session_query(survey->connection, "SELECT to_regclass('drover.waiting') IS NOT NULL",
                         NULL, 0, false, &result, err);
    bool there = outcome == OUT_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    survey->waiting = 0;
    if (!there)
        return outcome;
    outcome = pg_session_query(
        survey->connection,
        "SELECT count(*) FROM drover.waiting WHERE \"group\" = $1::text AND topic = $2::text",
        params, 2, false, &result, err);
    if (outcome == OUT_OK)
        survey->waiting = (uint64_t)number(result, 0, 0);
    PQclear(result);
    return outcome;
}

static enum outcome read_postgres(struct survey *survey, struct error *err)
{
    const struct settings *settings = survey->settings;
    enum outcome outcome = OUT_OK;
    if (!survey->connection)
        outcome = pg_session_open(settings->database_url, settings->verifier_role, "drover-status",
                                  survey->timeout_ms, &survey->connection, err);
    if (outcome != OUT_OK)
        return outcome;
    const struct bytes params[] = {bytes_text(settings->group),
                                   bytes_text(survey->topics[TOPIC_SOURCE])};
    PGresult *result = NULL;
    outcome =
        pg_session_query(survey->connection,
                         "SELECT partition, next_offset, redis_next, results_next, epoch, owner"
                         "  FROM drover.partition_progress"
                         " WHERE \"group\" = $1::text AND topic = $2::text",
                         params, 2, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++)
        take_row(survey, result, row);
    PQclear(result);
    if (outcome == OUT_OK)
        outcome = read_waiting(survey, err);
    if (outcome == OUT_RETRY) {
        PQfinish(survey->connection);
        survey->connection = NULL;
    }
    return outcome;
}

/* ---- the others -------------------------------------------------------------------------- */

/* For its checkpoints: no mapping's records are read. */
static enum outcome open_reader(const struct survey *survey, struct stored_reader **reader,
                                struct error *err)
{
    static const struct mapping_set NONE;
    static const struct store_reading READING;
    return store_of(survey->settings)->open_reader(survey->settings, &NONE, &READING, reader, err);
}

static enum outcome read_stored(struct survey *survey, struct stored_reader *reader,
                                struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (int32_t i = 0; i < survey->partition_count && outcome == OUT_OK; i++) {
        int64_t next = 0;
        outcome = reader->ops->progress(reader, survey->settings->group,
                                        survey->topics[TOPIC_SOURCE], i, &next, err);
        survey->partitions[i].next_offset = next > 0 ? next : 0;
    }
    return outcome;
}

/* Before the first worker there is no store, and no progress. */
static enum outcome read_files(struct survey *survey, struct error *err)
{
    struct stored_reader *reader = NULL;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/.drover/state.db", survey->settings->store_dir);
    if (!files_exist(path))
        return OUT_OK;
    enum outcome outcome = open_reader(survey, &reader, err);
    if (outcome != OUT_OK)
        return OUT_RETRY; /* the worker is just making it; a damaged one the worker names */
    outcome = read_stored(survey, reader, err);
    survey->unwritten = file_stored_unwritten(reader);
    reader->ops->close(reader);
    return outcome;
}

static enum outcome read_redis(struct survey *survey, struct error *err)
{
    struct stored_reader *reader = NULL;
    enum outcome outcome = open_reader(survey, &reader, err);
    if (outcome != OUT_OK)
        return error_code_exit(err->code) == EXIT_UNREACHABLE ? OUT_RETRY : outcome;
    outcome = read_stored(survey, reader, err);
    reader->ops->close(reader);
    return outcome;
}

static enum outcome read_nothing(struct survey *survey, struct error *err)
{
    (void)survey;
    error_set(err, OUT_FATAL, ERR_USAGE, "storage memory ends with the run that filled it");
    return OUT_FATAL;
}

enum outcome survey_read_progress(struct survey *survey, struct error *err)
{
    static enum outcome (*const READ[])(struct survey *, struct error *) = {
        [STORAGE_DATABASE] = read_postgres, [STORAGE_REDIS] = read_redis,
        [STORAGE_HYBRID] = read_postgres,   [STORAGE_MEMORY] = read_nothing,
        [STORAGE_FILE] = read_files,
    };
    return READ[survey->settings->storage](survey, err);
}
