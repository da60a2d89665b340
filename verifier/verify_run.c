/* What the parts of a verification ask of it: its scope, its store, its topics. */
#include "verifier/verify_run.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/key_file.h"
#include "common/io/stores.h"
#include "common/model/message/envelope.h"
#include "common/policy/verify/verify_mask.h"

#define KEY_MAX (64u << 10)
#define RECORD_MAX (512u << 20)

void verify_run_init_work(struct verify_run *run, const struct settings *settings)
{
    struct verify_report *report = &run->report;
    run->settings = settings;
    verify_report_init(report, (size_t)settings->samples, (size_t)settings->report_tenants);
    report->show_values = settings->show_values;
    verify_mask_draw_key(report);
    report->migration = settings->migration;
    report->group = settings->group;
    report->topic = run->topics[TOPIC_SOURCE];
    report->started_ms = clock_unix_ms();
    judge_work_init(&run->judge);
    arena_init(&run->arena, RECORD_MAX);
    buf_init(&run->key, KEY_MAX);
    buf_init(&run->id, KEY_MAX);
}

void verify_run_free_work(struct verify_run *run)
{
    judge_work_free(&run->judge);
    arena_free(&run->arena);
    buf_free(&run->key);
    buf_free(&run->id);
    verify_report_free(&run->report);
}

enum outcome verify_run_take_mask_key(struct verify_run *run, struct error *err)
{
    struct secret_ring ring;
    bool present = false;
    enum outcome outcome = key_file_load(run->settings, &ring, &present, err);
    if (outcome != OUT_OK || !present)
        return outcome;
    secret_ring_report_key(&ring, run->report.mask_key);
    secret_ring_wipe(&ring);
    return OUT_OK;
}

struct diff_key verify_run_key(struct verify_run *run, struct bytes tenant, struct bytes entity,
                               struct bytes id)
{
    buf_reset(&run->key);
    envelope_append_key(&run->key, tenant, entity, id);
    return diff_key_of(buf_view(&run->key));
}

void verify_run_name_sample(struct verify_run *run, struct verify_sample *sample,
                            struct bytes tenant, struct bytes entity, struct bytes id)
{
    sample->key = verify_run_key(run, tenant, entity, id);
    sample->tenant = verify_report_copy(&run->report, tenant);
    sample->entity = verify_report_copy(&run->report, entity);
    sample->id = verify_report_copy(&run->report, id);
}

enum outcome verify_run_open_store(const struct verify_run *run, struct store_reader **store,
                                   struct error *err)
{
    const struct verify_store *given = run->options.store;
    const struct store_reading reading = {.only_tenant = run->scope.tenant, .as_it_lies = true};
    *store = NULL;
    if (given)
        return given->open(given->owner, store, err);
    return store_of(run->settings)
        ->open_reader(run->settings, run->scope.mappings, &reading, store, err);
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
        verify_report_break(report,
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
        return pg_snapshot_checkpoints(snapshot, group, run->topics[TOPIC_SOURCE], take_checkpoint,
                                       &checkpoints, err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++) {
        int64_t next = -1;
        outcome =
            store->ops->checkpoint(store, group, run->topics[TOPIC_SOURCE], (int32_t)i, &next, err);
        take_checkpoint(&checkpoints, (int64_t)i, next);
    }
    return outcome;
}

enum outcome verify_run_make_table(struct verify_run *run, uint64_t records, struct error *err)
{
    diff_table_free(&run->table);
    if (diff_table_init(&run->table, records, VERIFY_TABLE_SHARE(run->memory_max)))
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                     "the system does not give the memory asked for");
}

size_t verify_run_bytes(const struct verify_run *run)
{
    return run->table.capacity * sizeof *run->table.entries +
           run->dead.capacity * sizeof *run->dead.dead_letters +
           run->waiting.capacity * sizeof *run->waiting.dead_letters +
           run->pending_room * sizeof *run->pending + run->holes.room * sizeof *run->holes.items +
           run->receipts_bytes + run->readings.bytes +
           run->untaken.capacity * sizeof *run->untaken.items;
}

bool verify_run_fits(const struct verify_run *run, size_t more)
{
    const struct verify_options *options = &run->options;
    size_t others = options->others_bytes ? options->others_bytes(options->others) : 0;
    return !options->read_once || verify_run_bytes(run) + others + more <= run->memory_max;
}

/* ---- topics ------------------------------------------------------------------------------ */

static enum outcome read_ranges(struct verify_run *run, enum topic_kind kind,
                                struct bus_range *ranges, size_t count, verify_message_visit *visit,
                                void *owner, struct error *err)
{
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    enum outcome outcome = OUT_OK;
    size_t at = 0;
    while (at < count && ranges[at].from >= ranges[at].to)
        at++;
    if (at < count)
        outcome = bus_open_reader(run->options.bus, run->topics[kind], ranges, count, VERIFY_BUS_MS,
                                  &reader, err);
    while (reader && outcome == OUT_OK) {
        outcome = bus_reader_next(reader, VERIFY_BUS_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        outcome = visit(owner, message, err);
    }
    bus_reader_close(reader);
    free(ranges);
    return outcome;
}

struct bus_range *verify_run_ranges(const struct verify_run *run)
{
    const struct verify_report *report = &run->report;
    struct bus_range *ranges = mem_zeroed(report->partition_count, sizeof *ranges);
    for (size_t i = 0; i < report->partition_count; i++) {
        const struct verify_partition *at = &report->partitions[i];
        ranges[i] = (struct bus_range){at->partition, at->low, at->high};
    }
    return ranges;
}

enum outcome verify_run_read(struct verify_run *run, struct bus_range *ranges,
                             verify_message_visit *visit, void *owner, struct error *err)
{
    return read_ranges(run, TOPIC_SOURCE, ranges, run->report.partition_count, visit, owner, err);
}

static void begin_cursor(struct verify_run *run, enum topic_kind kind,
                         const struct bus_range *ranges, size_t count)
{
    run->cursors[kind] =
        (struct verify_cursor){mem_zeroed(count, sizeof *run->cursors[kind].next), count};
    for (size_t i = 0; i < count && kind == TOPIC_DEAD_LETTERS; i++)
        if (ranges[i].from > 0)
            verify_report_warn(&run->report,
                               "%" PRId64 " dead letters at the begin of %s-%zu are gone: their "
                               "records are shown as unusable",
                               ranges[i].from, run->topics[kind], i);
}

enum outcome verify_run_read_new(struct verify_run *run, enum topic_kind kind,
                                 verify_message_visit *visit, struct error *err)
{
    struct bus_range *ranges = NULL;
    struct verify_cursor *cursor = &run->cursors[kind];
    size_t count;
    enum outcome outcome =
        bus_ranges(run->options.bus, run->topics[kind], VERIFY_BUS_MS, &ranges, &count, err);
    if (outcome != OUT_OK || count == 0)
        return outcome;
    if (!cursor->next)
        begin_cursor(run, kind, ranges, count);
    if (count > cursor->count)
        count = cursor->count;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].from < cursor->next[i])
            ranges[i].from = cursor->next[i];
        cursor->next[i] = ranges[i].to;
    }
    return read_ranges(run, kind, ranges, count, visit, run, err);
}
