/* Which tables are loaded and which are written by upserts, and why; the load tables. */
#include "common/io/postgres/pg_load.h"

#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_load_lock.h"
#include "common/io/postgres/pg_load_open.h"
#include "common/io/postgres/pg_load_reason.h"
#include "common/model/schema/schema_load.h"

enum { TEXT_LIMIT = 1 << 20 };

/* ---- which way ---- */

/* Of the mapping alone: what appending cannot end in the same classes, or the same rows. */
static const char *find_reason(const struct mapping_set *mappings, const struct mapping *mapping)
{
    if (mapping->reference_count)
        return "its records refer to others";
    for (size_t i = 0; i < mappings->count; i++)
        for (size_t r = 0; r < mappings->items[i]->reference_count; r++)
            if (strcmp(mappings->items[i]->references[r].entity, mapping->entity) == 0)
                return "other records refer to it";
    if (mapping->on_delete == DELETE_SOFT)
        return "a delete keeps the row that is there (on_delete)";
    if (mapping->on_delete == DELETE_HARD)
        return "its tombstones are removed one day (on_delete: hard)";
    for (size_t i = 0; i < mapping->index_count; i++)
        if (mapping->indexes[i].unique)
            return "it has a further unique index";
    for (size_t i = 0; i < mapping->generated_count; i++)
        if (mapping->generated[i].kind == GENERATED_IDENTITY)
            return "it has an identity column";
    return NULL;
}

/* Asked before it is locked, as only its owner may lock it; and once nobody can change the answer,
 * until the load table is there and the rights to write this one are gone. */
static enum outcome ask_locked(struct pg_schema *apply, const struct mapping *mapping,
                               struct buf *reason, struct error *err)
{
    enum outcome outcome = pg_load_ask_reason(apply->connection, mapping, reason, err);
    if (outcome == OUT_OK && reason->size == 0)
        outcome = pg_load_lock(apply->connection, mapping, err);
    if (outcome == OUT_OK && reason->size == 0)
        outcome = pg_load_ask_reason(apply->connection, mapping, reason, err);
    if (outcome == OUT_OK && reason->size == 0)
        outcome = pg_load_try_drop(apply->connection, mapping, reason, err);
    return outcome;
}

/* ---- begin ---- */

/* Which group loads it, or nothing. */
static enum outcome ask_group(struct pg_schema *apply, const struct mapping *mapping,
                              struct buf *group, struct error *err)
{
    const struct bytes params[] = {bytes_text(mapping->schema), bytes_text(mapping->table)};
    return pg_schema_ask(apply,
                         "SELECT coalesce((SELECT l.\"group\" FROM drover.load AS l WHERE"
                         " l.table_schema = $1::text AND l.table_name = $2::text"
                         " AND l.state <> 'done' LIMIT 1), '')",
                         params, 2, group, err);
}

enum outcome pg_load_is_open(struct pg_schema *apply, const struct mapping *mapping, bool *open,
                             struct error *err)
{
    struct buf group;
    buf_init(&group, TEXT_LIMIT);
    enum outcome outcome = ask_group(apply, mapping, &group, err);
    *open = group.size > 0;
    buf_free(&group);
    return outcome;
}

static enum outcome begin_table(struct pg_schema *apply, const char *group,
                                const struct mapping *mapping, struct error *err)
{
    const struct bytes params[] = {bytes_text(group), bytes_text(mapping->schema),
                                   bytes_text(mapping->table)};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome =
        pg_schema_ask(apply,
                      "INSERT INTO drover.load (\"group\", table_schema, table_name, starts)"
                      " SELECT $1::text, $2::text, $3::text, coalesce((SELECT"
                      " jsonb_agg(jsonb_build_array(p.topic, p.partition, p.next_offset,"
                      " p.sequences)) FROM drover.partition_progress AS p WHERE p.\"group\" ="
                      " $1::text), '[]') RETURNING number",
                      params, 3, &text, err);
    int number = (int)strtol(buf_text(&text), NULL, 10);
    buf_reset(&text);
    schema_load_sql(&text, mapping, number, &apply->roles);
    if (outcome == OUT_OK)
        outcome = pg_schema_change(apply, buf_text(&text), err, "begin the bulk load of %s.%s",
                                   mapping->schema, mapping->table);
    buf_free(&text);
    return outcome;
}

static void note(struct pg_schema *apply, const struct mapping *mapping, const char *reason)
{
    buf_append_format(&apply->notes, "%s.%s: %s%s\n", mapping->schema, mapping->table,
                      reason[0] ? "upsert, because " : "bulk", reason);
}

static void append_other(struct buf *reason, const struct settings *settings, const char *group)
{
    buf_append_format(reason,
                      "group %s loads it: until that is finished its records wait (drover load"
                      " finish or abort, with",
                      group);
    pg_load_append_flags(reason, settings, group);
    buf_append_char(reason, ')');
}

/* Of a table whose loading is not to begin: not at all, or not any more. */
static enum outcome note_as_it_is(struct pg_schema *apply, const struct settings *settings,
                                  const struct mapping *mapping, const char *reason,
                                  struct error *err)
{
    struct buf group, other;
    buf_init(&group, TEXT_LIMIT);
    buf_init(&other, TEXT_LIMIT);
    enum outcome outcome = ask_group(apply, mapping, &group, err);
    if (outcome == OUT_OK && group.size && strcmp(buf_text(&group), settings->group) == 0) {
        buf_append_format(&apply->notes, "%s.%s: bulk, because its load has begun already\n",
                          mapping->schema, mapping->table);
    } else if (outcome == OUT_OK && group.size) {
        append_other(&other, settings, buf_text(&group));
        note(apply, mapping, buf_text(&other));
    } else if (outcome == OUT_OK && reason) {
        note(apply, mapping, reason);
    }
    buf_free(&other);
    buf_free(&group);
    return outcome;
}

static enum outcome decide_table(struct pg_schema *apply, const struct settings *settings,
                                 const struct mapping_set *mappings, const struct mapping *mapping,
                                 struct error *err)
{
    struct buf reason, group;
    buf_init(&reason, 4096);
    buf_init(&group, TEXT_LIMIT);
    enum outcome outcome = ask_group(apply, mapping, &group, err);
    bool open = group.size > 0;
    const char *known = find_reason(mappings, mapping);
    if (open && strcmp(buf_text(&group), settings->group) != 0)
        append_other(&reason, settings, buf_text(&group));
    else if (outcome == OUT_OK && !open && known)
        buf_append_text(&reason, known);
    else if (outcome == OUT_OK && !open)
        outcome = ask_locked(apply, mapping, &reason, err);
    if (outcome == OUT_OK && !open && reason.size == 0)
        outcome = begin_table(apply, settings->group, mapping, err);
    if (outcome == OUT_OK)
        note(apply, mapping, buf_text(&reason));
    buf_free(&group);
    buf_free(&reason);
    return outcome;
}

enum outcome pg_load_begin(struct pg_schema *apply, const struct settings *settings,
                           const struct mapping_set *mappings, bool hybrid, const bool *made,
                           struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (!settings->load)
        return OUT_OK;
    bool always = strcmp(settings->load, "bulk") == 0;
    bool never = !always && strcmp(settings->load, "auto") != 0;
    for (size_t i = 0; i < mappings->count && outcome == OUT_OK; i++) {
        const struct mapping *mapping = mappings->items[i];
        if (never)
            outcome = note_as_it_is(apply, settings, mapping, NULL, err);
        else if (hybrid)
            note(apply, mapping, "Redis follows it (storage: hybrid)");
        else if (always || made[i])
            outcome = decide_table(apply, settings, mappings, mapping, err);
        else
            outcome =
                note_as_it_is(apply, settings, mapping, "it was there before (load: auto)", err);
    }
    return outcome;
}
