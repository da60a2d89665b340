/*
 * The ways of writing that cost more than the usual one, told: else a fast way that a server always
 * refuses is only seen in the bill. (A COPY whose head was a byte short once was: the search wrote
 * every batch, tenant by tenant, and all tests were content.)
 */
#include "common/io/postgres/pg_vault.h"
#include "common/io/postgres/pg_writer.h"

/* True the first time that it is asked for the way and the table. */
static bool is_first(struct pg_sink *sink, const struct mapping *mapping, enum sink_way way)
{
    size_t i = 0;
    while (sink->mappings->items[i] != mapping)
        i++;
    bool first = !(sink->said[i] & 1u << way);
    sink->said[i] |= 1u << way;
    return first;
}

static void tell(struct writer *writer, const struct sink_detour *detour)
{
    const struct sink *sink = &writer->sink->base;
    if (sink->events.on_detour)
        sink->events.on_detour(sink->owner, detour);
}

/* ---- refused as a whole */

/* Whose statement the reply belongs to. Of COMMIT's it is not known: the first table's. */
static const struct mapping *mapping_of_reply(const struct writer *writer, int failed)
{
    const struct batch *batch = writer->batch;
    int at = writer->was_copy ? PG_BULK_HEAD : writer->head;
    size_t group = writer->was_copy ? 0 : writer->group;
    size_t end = writer->was_copy ? batch->group_count : writer->group_end;
    while (group < end) {
        const struct batch_group *first = &batch->groups[group];
        if (writer->was_copy) {
            while (group < end && batch->groups[group].mapping == first->mapping)
                group++;
            at++;
        } else {
            at += 2 + pg_vault_has(batch, first->first, first->count);
            group += first->together;
        }
        if (failed < at)
            return first->mapping;
    }
    return batch->groups[0].mapping;
}

/* What another session's commit at the same instant explains as well. */
static bool is_race(enum error_code code)
{
    return code == ERR_PG_SKIPPED || code == ERR_PG_PARENT;
}

void pg_writer_note_refusal(struct writer *writer, int failed, bool is_passing)
{
    writer->was_copy = writer->phase == PHASE_COPY;
    writer->refused_mapping = mapping_of_reply(writer, failed);
    writer->refused = writer->failure;
    if (is_passing || is_race(writer->failure.code))
        writer->refused.outcome = OUT_OK;
    else
        writer->refused.outcome = OUT_REJECT;
}

static bool has_refused(const struct batch *batch)
{
    for (size_t i = 0; i < batch->order_count; i++) {
        enum record_class verdict = batch->items[batch->order[i]].verdict;
        if (verdict == CLASS_DEAD || verdict == CLASS_WAITING)
            return true;
    }
    return false;
}

static void set_refused(const struct writer *writer, struct error *why)
{
    const struct mapping *mapping = writer->refused_mapping;
    error_set(why, OUT_RETRY, ERR_PG_SLOW_WAY,
              "PostgreSQL refused a %s, and then took each of its records: batches of this table "
              "are written several times more slowly",
              writer->was_copy ? "COPY" : "statement");
    error_cause(why, "%s", writer->refused.cause);
    error_where(why, "%s.%s", mapping->schema, mapping->table);
}

void pg_writer_tell_search(struct writer *writer)
{
    struct error why = {0};
    struct sink_detour detour = {.way = writer->was_copy ? SINK_SEARCHED_COPY
                                                         : SINK_SEARCHED_STATEMENT,
                                 .in_vain = !has_refused(writer->batch)};
    if (detour.in_vain && writer->refused.outcome != OUT_OK &&
        is_first(writer->sink, writer->refused_mapping, detour.way)) {
        set_refused(writer, &why);
        detour.why = &why;
    }
    tell(writer, &detour);
}

/* ---- known before */

static void tell_way(struct writer *writer, const struct mapping *mapping, enum sink_way way,
                     const char *text, const char *hint)
{
    struct error why;
    const struct sink_detour detour = {.way = way, .why = &why};
    if (!is_first(writer->sink, mapping, way))
        return;
    error_set(&why, OUT_OK, ERR_PG_SLOW_WAY, "%s", text);
    error_where(&why, "%s.%s", mapping->schema, mapping->table);
    error_hint(&why, "%s", hint);
    tell(writer, &detour);
}

void pg_writer_tell_ways(struct writer *writer)
{
    const struct batch *batch = writer->batch;
    const struct pg_sink *sink = writer->sink;
    bool copies = pg_bulk_can_copy(writer);
    for (size_t g = 0; g < batch->group_count; g++) {
        const struct mapping *mapping = batch->groups[g].mapping;
        bool is_loaded = pg_bulk_has(sink->bulk, mapping);
        bool several = g + 1 < batch->group_count && batch->groups[g + 1].mapping == mapping;
        if (is_loaded && !copies)
            tell_way(writer, mapping, SINK_NO_COPY,
                     "records are loaded by INSERT and not by COPY, which takes neither array "
                     "columns nor batches with sealed values or records of other tables",
                     "nothing is wrong; such a load is slower");
        if (!is_loaded && several && !pg_tenants_has(sink->tenants, mapping))
            tell_way(writer, mapping, SINK_TENANT_BY_TENANT,
                     "rows of several tenants do not share a statement: the table has policies or "
                     "triggers of its owner's, a default or check that asks for the tenant, or "
                     "policies of an earlier Drover",
                     "nothing is wrong; when it should have none of these: drover schema apply");
    }
}
