/* Records in the waiting room: their place in the topic is behind the cut, their row is not there,
 * and nothing is wrong as long as nobody has decided what becomes of them. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/text.h"
#include "common/io/postgres/pg_session.h"
#include "verifier/beside.h"
#include "verifier/verify_limits.h"

static bool read_number(const PGresult *result, int row, int column, int64_t *number)
{
    return text_parse_int64(bytes_text(PQgetvalue(result, row, column)), number);
}

static bool keep(struct verify_run *run, const PGresult *result, int row)
{
    int64_t partition, offset;
    if (!read_number(result, row, 0, &partition) || !read_number(result, row, 1, &offset))
        return true;
    struct dead_letter place = {.partition = (int32_t)partition, .offset = offset};
    return diff_dead_add(&run->waiting, &place);
}

static enum outcome has_table(struct verify_run *run, bool *there, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome =
        pg_session_query(run->snapshot, "SELECT to_regclass('drover.waiting') IS NOT NULL", NULL, 0,
                         false, &result, err);
    *there = outcome == OUT_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return outcome;
}

enum outcome beside_waiting(struct verify_run *run, struct error *err)
{
    bool there = false;
    PGresult *result = NULL;
    if (!run->snapshot)
        return OUT_OK;
    enum outcome outcome = has_table(run, &there, err);
    if (outcome != OUT_OK || !there)
        return outcome;
    struct bytes params[2] = {bytes_text(run->settings->group), bytes_text(run->source_topic)};
    outcome = pg_session_query(
        run->snapshot,
        "SELECT partition, \"offset\" FROM drover.waiting WHERE \"group\" = $1::text"
        " AND topic = $2::text AND (state IS NULL OR state LIKE 'DRV-%')",
        params, 2, false, &result, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++)
        if (!keep(run, result, row))
            outcome = error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                                "the records that wait for their parents do not fit the memory "
                                "budget");
    PQclear(result);
    return outcome;
}
