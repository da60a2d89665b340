#include "common/io/postgres/pg_checkpoint_editor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/postgres/pg_session.h"

struct pg_checkpoint_editor {
    struct checkpoint_editor base;
    PGconn *session;
};

#define PLACE "\"group\" = $1::text AND topic = $2::text AND partition = $3::text::int4"

/* A number as a parameter's text. */
struct number {
    char text[24];
};

static struct bytes text_of(int64_t value, struct number *number)
{
    int size = snprintf(number->text, sizeof number->text, "%" PRId64, value);
    return bytes_of(number->text, (size_t)size);
}

static PGconn *session_of(struct checkpoint_editor *editor)
{
    return ((struct pg_checkpoint_editor *)editor)->session;
}

static int64_t take(const PGresult *result, int column)
{
    int64_t value = 0;
    return text_parse_int64(bytes_text(PQgetvalue(result, 0, column)), &value) ? value : 0;
}

static enum outcome read_one(struct checkpoint_editor *editor, const struct checkpoint_place *place,
                             struct checkpoint_image *image, struct error *err)
{
    struct number partition;
    const struct bytes params[] = {bytes_text(place->group), bytes_text(place->topic),
                                   text_of(place->partition, &partition)};
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        session_of(editor),
        "SELECT next_offset, redis_next, results_next, epoch, coalesce(owner, ''), sequences::text"
        " FROM drover.partition_progress WHERE " PLACE,
        params, 3, false, &result, err);
    if (outcome != OUT_OK)
        return outcome;
    image->exists = PQntuples(result) == 1;
    image->owner[0] = '\0';
    image->next_offset = image->redis_next = image->results_next = image->epoch = 0;
    buf_reset(&image->sequences);
    if (image->exists) {
        image->next_offset = take(result, 0);
        image->redis_next = take(result, 1);
        image->results_next = take(result, 2);
        image->epoch = take(result, 3);
        snprintf(image->owner, sizeof image->owner, "%s", PQgetvalue(result, 0, 4));
        buf_append_text(&image->sequences, PQgetvalue(result, 0, 5));
    }
    PQclear(result);
    return OUT_OK;
}

static const char MOVE[] =
    "UPDATE drover.partition_progress SET next_offset = $6::text::int8,"
    " redis_next = $7::text::int8, results_next = $8::text::int8, sequences = $9::text::jsonb,"
    " epoch = epoch + 1, owner = NULL, updated_at = clock_timestamp()"
    " WHERE " PLACE " AND epoch = $4::text::int8 AND next_offset = $5::text::int8"
    " RETURNING epoch";
static const char MAKE[] =
    "INSERT INTO drover.partition_progress (\"group\", topic, partition, next_offset, redis_next,"
    " results_next, sequences, epoch) VALUES ($1::text, $2::text, $3::text::int4, $4::text::int8,"
    " $5::text::int8, $6::text::int8, $7::text::jsonb, 0)"
    " ON CONFLICT (\"group\", topic, partition) DO NOTHING RETURNING epoch";

static enum outcome move(struct checkpoint_editor *editor, const struct checkpoint_place *place,
                         const struct checkpoint_image *was, const struct checkpoint_image *now,
                         bool *moved, struct error *err)
{
    struct number numbers[6];
    struct bytes params[9] = {bytes_text(place->group), bytes_text(place->topic),
                              text_of(place->partition, &numbers[0])};
    size_t count = 3;
    PGresult *result = NULL;
    if (was->exists) {
        params[count++] = text_of(was->epoch, &numbers[1]);
        params[count++] = text_of(was->next_offset, &numbers[2]);
    }
    params[count++] = text_of(now->next_offset, &numbers[3]);
    params[count++] = text_of(now->redis_next, &numbers[4]);
    params[count++] = text_of(now->results_next, &numbers[5]);
    params[count++] = buf_view(&now->sequences);
    enum outcome outcome = pg_session_query(session_of(editor), was->exists ? MOVE : MAKE, params,
                                            count, false, &result, err);
    *moved = outcome == OUT_OK && PQntuples(result) == 1;
    PQclear(result);
    return outcome;
}

static enum outcome forget(struct checkpoint_editor *editor, const char *group, const char *topic,
                           int32_t partitions, struct error *err)
{
    static const char *const STATEMENTS[] = {
        "DELETE FROM drover.pinned_group WHERE \"group\" = $1::text",
        "DELETE FROM drover.sweep WHERE \"group\" = $1::text",
        "DELETE FROM drover.partition_progress WHERE \"group\" = $1::text",
    };
    const struct bytes param = bytes_text(group);
    enum outcome outcome = OUT_OK;
    (void)topic; /* the group has one */
    (void)partitions;
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof STATEMENTS[0] && outcome == OUT_OK; i++) {
        PGresult *result = NULL;
        outcome =
            pg_session_query(session_of(editor), STATEMENTS[i], &param, 1, false, &result, err);
        PQclear(result);
    }
    return outcome;
}

static void close_editor(struct checkpoint_editor *editor)
{
    PQfinish(session_of(editor));
    free(editor);
}

enum outcome pg_checkpoint_editor_open(const struct settings *settings, int timeout_ms,
                                       struct checkpoint_editor **out, struct error *err)
{
    static const struct checkpoint_editor_ops OPS = {read_one, move, forget, close_editor};
    struct pg_checkpoint_editor *editor = mem_new(sizeof *editor);
    editor->base.ops = &OPS;
    enum outcome outcome = pg_session_open(settings->database_url, settings->worker_role,
                                           "drover-resume", timeout_ms, &editor->session, err);
    if (outcome != OUT_OK) {
        free(editor);
        return outcome;
    }
    *out = &editor->base;
    return OUT_OK;
}
