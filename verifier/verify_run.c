/* What the parts of a verification ask of it: its scope, its store, its topics. */
#include "verifier/verify_run.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/io/stores.h"

bool verify_run_is_narrowed(const struct verify_run *run)
{
    return run->settings->only_tenant && run->settings->only_tenant[0];
}

bool verify_run_in_scope(const struct verify_run *run, struct bytes tenant, struct bytes entity)
{
    (void)entity; /* no setting narrows them */
    return !verify_run_is_narrowed(run) ||
           bytes_equal(tenant, bytes_text(run->settings->only_tenant));
}

const struct verify_mapping *verify_run_mapping(const struct verify_run *run, struct bytes entity)
{
    const struct mapping *mapping = mapping_set_find(&run->mappings, entity);
    for (size_t i = 0; mapping && i < run->mappings.count; i++)
        if (run->items[i].mapping == mapping)
            return &run->items[i];
    return NULL;
}

enum outcome verify_run_open_store(const struct verify_run *run, struct store_reader **store,
                                   struct error *err)
{
    const struct verify_store *given = run->options.store;
    const struct store_reading reading = {.only_tenant = run->settings->only_tenant,
                                          .as_it_lies = true};
    *store = NULL;
    if (given)
        return given->open(given->owner, store, err);
    return store_of(run->settings)
        ->open_reader(run->settings, &run->mappings, &reading, store, err);
}

/* ---- checkpoints ------------------------------------------------------------------------- */

struct checkpoints {
    struct verify_run *run;
    struct verify_partition *partitions;
};

static bool take_checkpoint(void *owner, int64_t partition, int64_t next)
{
    struct checkpoints *checkpoints = owner;
    struct verify_report *report = &checkpoints->run->report;
    if (partition < 0 || (size_t)partition >= report->partition_count) {
        report->broken = true;
        verify_report_warn(report,
                           "a checkpoint is stored for partition %" PRId64
                           ", which the topic does not have",
                           partition);
        return true;
    }
    struct verify_partition *at = &checkpoints->partitions[partition];
    if (next > at->low)
        at->snapshot_end = next;
    return true;
}

enum outcome verify_run_checkpoints(struct verify_run *run, struct pg_snapshot *snapshot,
                                    struct store_reader *store, struct verify_partition *partitions,
                                    struct error *err)
{
    const char *group = run->settings->group;
    struct checkpoints checkpoints = {run, partitions};
    enum outcome outcome = OUT_OK;
    size_t count = run->report.partition_count;
    for (size_t i = 0; i < count; i++)
        partitions[i].snapshot_end = partitions[i].low;
    if (snapshot)
        return pg_snapshot_checkpoints(snapshot, group, run->source_topic, take_checkpoint,
                                       &checkpoints, err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++) {
        int64_t next = -1;
        outcome = store->ops->checkpoint(store, group, run->source_topic, (int32_t)i, &next, err);
        if (next > partitions[i].low)
            partitions[i].snapshot_end = next;
    }
    return outcome;
}

size_t verify_run_bytes(const struct verify_run *run)
{
    return run->table.capacity * sizeof *run->table.entries +
           run->dead.capacity * sizeof *run->dead.dead_letters +
           run->waiting.capacity * sizeof *run->waiting.dead_letters +
           run->pending_room * sizeof *run->pending + run->holes.room * sizeof *run->holes.items +
           run->receipts_bytes;
}

bool verify_run_fits(const struct verify_run *run, size_t more)
{
    const struct verify_options *options = &run->options;
    size_t others = options->others_bytes ? options->others_bytes(options->others) : 0;
    return !options->read_once || verify_run_bytes(run) + others + more <= run->memory_max;
}

/* ---- topics ------------------------------------------------------------------------------ */

enum outcome verify_run_read(struct verify_run *run, const char *topic,
                             const struct bus_range *ranges, size_t count,
                             verify_message_visit *visit, void *owner, struct error *err)
{
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    size_t at = 0;
    while (at < count && ranges[at].from >= ranges[at].to)
        at++;
    if (at == count)
        return OUT_OK;
    enum outcome outcome =
        bus_open_reader(run->options.bus, topic, ranges, count, VERIFY_BUS_MS, &reader, err);
    while (outcome == OUT_OK) {
        outcome = bus_reader_next(reader, VERIFY_BUS_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        outcome = visit(owner, message, err);
    }
    bus_reader_close(reader);
    return outcome;
}

static void begin_cursor(struct verify_run *run, struct verify_cursor *cursor,
                         const struct bus_range *ranges, size_t count)
{
    cursor->next = calloc(count, sizeof *cursor->next);
    if (!cursor->next)
        abort();
    cursor->count = count;
    for (size_t i = 0; i < count && cursor->lost; i++)
        if (ranges[i].from > 0)
            verify_report_warn(&run->report,
                               "%" PRId64 " dead letters at the begin of %s-%zu are gone: %s",
                               ranges[i].from, cursor->topic, i, cursor->lost);
}

enum outcome verify_run_read_new(struct verify_run *run, struct verify_cursor *cursor,
                                 verify_message_visit *visit, void *owner, struct error *err)
{
    struct bus_range *ranges = NULL;
    size_t count;
    enum outcome outcome =
        bus_ranges(run->options.bus, cursor->topic, VERIFY_BUS_MS, &ranges, &count, err);
    if (outcome != OUT_OK || count == 0)
        return outcome;
    if (!cursor->next)
        begin_cursor(run, cursor, ranges, count);
    if (count > cursor->count)
        count = cursor->count;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].from < cursor->next[i])
            ranges[i].from = cursor->next[i];
        cursor->next[i] = ranges[i].to;
    }
    outcome = verify_run_read(run, cursor->topic, ranges, count, visit, owner, err);
    free(ranges);
    return outcome;
}
