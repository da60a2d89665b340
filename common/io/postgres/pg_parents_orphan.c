/*
 * Who is an orphan. Time that passes is no fault of a record, and neither is a backlog or an
 * outage, so no wall clock decides. drover.sweep keeps a clock that runs only while sweeps succeed:
 *
 *   parked ──(wait_ms of that clock)──► due ──► mark: the ends of the topic's partitions, now
 *          ──(checkpoints of all partitions at the mark, whoever owns them)──► reached
 *          ──(all tried once more)──► those due by the mark are orphans
 *
 * One that is due is spared as long as another waits that may be its parent and was parked within
 * wait_ms after it: that one's own parent has time to come.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_parents_core.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_wire.h"

/* Of one gap between sweeps so much counts at most: they come each second while something waits,
 * and what lies between two that are further apart was an outage, or nobody was there. */
#define GAP_MOST_MS "5000"

static enum outcome number_query(struct sweep *sweep, const char *sql, int64_t number,
                                 PGresult **result, struct error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic), bytes_text(text)};
    return pg_session_query(sweep->connection, sql, params, 3, true, result, err);
}

/* *due: some waits are over, and there is no mark; *marked: there is one. */
static enum outcome go_on(struct sweep *sweep, bool *due, bool *marked, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = number_query(
        sweep,
        "INSERT INTO drover.sweep AS s (\"group\", topic) VALUES ($1::text, $2::text)"
        " ON CONFLICT (\"group\", topic) DO UPDATE SET swept_at = clock_timestamp(),"
        " ran_ms = s.ran_ms + least(greatest((extract(epoch FROM clock_timestamp() - s.swept_at)"
        " * 1000)::int8, 0), " GAP_MOST_MS ")"
        " RETURNING ran_ms, (cardinality(mark_ends) = $3::text::int8)::int4",
        sweep->config->partitions, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    sweep->ran_ms = pg_wire_get_int8(result, 0, 0);
    *marked = pg_wire_get_int8(result, 0, 1) != 0;
    PQclear(result);
    outcome = number_query(sweep,
                           "UPDATE drover.waiting SET due_ms = $3::text::int8 WHERE " PARENTS_OURS
                           " AND state IS NULL AND due_ms IS NULL",
                           sweep->ran_ms + (int64_t)sweep->config->wait_ms, &result, err);
    PQclear(result);
    if (outcome == OUT_OK)
        outcome = number_query(sweep,
                               "SELECT count(*) FROM drover.waiting WHERE " PARENTS_OURS
                               " AND state IS NULL AND due_ms <= $3::text::int8",
                               sweep->config->is_last ? INT64_MAX : sweep->ran_ms, &result, err);
    if (outcome == OUT_OK) {
        *due = pg_wire_get_int8(result, 0, 0) > 0;
        PQclear(result);
    }
    return outcome;
}

/* *known: the ends could be had. */
static enum outcome take_mark(struct sweep *sweep, bool *known, struct error *err)
{
    const struct parents_config *config = sweep->config;
    int64_t *ends = calloc((size_t)config->partitions + 1, sizeof *ends);
    char ran_ms[24];
    struct buf list;
    PGresult *result = NULL;
    enum outcome outcome = OUT_OK;
    if (!ends)
        abort();
    buf_init(&list, 1u << 24);
    *known = config->ends && config->ends(config->owner, ends, config->partitions);
    for (int32_t i = 0; i < config->partitions; i++)
        buf_append_format(&list, "%s%" PRId64, i ? "," : "{", ends[i]);
    buf_append_char(&list, '}');
    snprintf(ran_ms, sizeof ran_ms, "%" PRId64, sweep->ran_ms);
    const struct bytes params[] = {bytes_text(config->group), bytes_text(config->topic),
                                   bytes_text(ran_ms), buf_view(&list)};
    if (*known)
        outcome = pg_session_query(sweep->connection,
                                   "UPDATE drover.sweep SET mark_ms = $3::text::int8, "
                                   "mark_ends = $4::text::int8[] WHERE " PARENTS_OURS,
                                   params, 4, false, &result, err);
    PQclear(result);
    buf_free(&list);
    free(ends);
    return outcome;
}

/* Messages between the checkpoints and the mark. */
static enum outcome count_behind(struct sweep *sweep, uint64_t *behind, struct error *err)
{
    const struct bytes params[] = {bytes_text(sweep->config->group),
                                   bytes_text(sweep->config->topic)};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "SELECT coalesce(sum(greatest(e.ends - coalesce(p.next_offset, 0), 0)), 0)::int8"
        "  FROM (SELECT u.ends, u.place - 1 AS partition FROM drover.sweep AS s,"
        "          unnest(s.mark_ends) WITH ORDINALITY AS u(ends, place)"
        "         WHERE s.\"group\" = $1::text AND s.topic = $2::text) AS e"
        "  LEFT JOIN drover.partition_progress AS p ON p.\"group\" = $1::text"
        "   AND p.topic = $2::text AND p.partition = e.partition",
        params, 2, true, &result, err);
    if (outcome == OUT_OK)
        *behind = (uint64_t)pg_wire_get_int8(result, 0, 0);
    PQclear(result);
    return outcome;
}

enum outcome parents_begin_marks(struct sweep *sweep, struct pending_result *told, bool *reached,
                                 struct error *err)
{
    bool due = false, marked = false;
    *reached = false;
    enum outcome outcome = go_on(sweep, &due, &marked, err);
    if (outcome != OUT_OK || !due)
        return outcome;
    /* what is produced last is behind an older mark */
    if (!marked || sweep->config->is_last)
        outcome = take_mark(sweep, &marked, err);
    if (outcome != OUT_OK || !marked)
        return outcome;
    outcome = count_behind(sweep, &told->behind, err);
    *reached = outcome == OUT_OK && told->behind == 0;
    return outcome;
}

/* The entities others refer to, as an array's text. */
static void list_parents(const struct mapping_set *mappings, struct buf *list)
{
    buf_append_char(list, '{');
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *mapping = mappings->items[i];
        for (size_t r = 0; r < mapping->reference_count; r++)
            buf_append_format(list, "%s\"%s\"", list->size > 1 ? "," : "",
                              mapping->references[r].entity);
    }
    buf_append_char(list, '}');
}

enum outcome parents_name_orphans(struct sweep *sweep, struct error *err)
{
    const struct parents_config *config = sweep->config;
    char wait_ms[24];
    struct buf parents;
    PGresult *result = NULL;
    buf_init(&parents, 1u << 20);
    list_parents(config->mappings, &parents);
    snprintf(wait_ms, sizeof wait_ms, "%" PRIu64, config->wait_ms);
    const struct bytes params[] = {bytes_text(config->group),
                                   bytes_text(config->topic),
                                   bytes_text(error_code_id(ERR_PG_PARENT)),
                                   buf_view(&parents),
                                   bytes_text(wait_ms),
                                   bytes_text(config->is_last ? "t" : "f")};
    enum outcome outcome = pg_session_query(
        sweep->connection,
        "WITH m AS (UPDATE drover.sweep SET mark_ends = NULL WHERE " PARENTS_OURS
        "            RETURNING mark_ms)"
        " UPDATE drover.waiting AS w SET state = $3::text FROM m"
        "  WHERE w.\"group\" = $1::text AND w.topic = $2::text AND w.state IS NULL"
        "    AND ($6::text::bool OR (w.due_ms <= m.mark_ms AND NOT EXISTS"
        "      (SELECT FROM drover.waiting AS p WHERE p.\"group\" = $1::text"
        "          AND p.topic = $2::text AND p.state IS NULL AND p.entity = ANY ($4::text::text[])"
        "          AND p.due_ms > m.mark_ms AND p.due_ms < w.due_ms + $5::text::int8)))",
        params, 6, false, &result, err);
    PQclear(result);
    buf_free(&parents);
    return outcome;
}
