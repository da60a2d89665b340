/* See the header. */
#include "verifier/follow/receipt_intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/message/reading.h"

#define CLOSE_MS 3000

/* ---- messages ---------------------------------------------------------------------------- */

static void take_settled(struct receipt_intake *intake, const struct receipt_intake_partition *at,
                         struct bytes json, int64_t results)
{
    struct settled_receipt receipt;
    if (receipt_parse_settled(json, &receipt, NULL) != OUT_OK)
        return;
    settled_list_add(&intake->settled, &receipt, intake->count, (int32_t)(at - intake->partitions),
                     results - 1);
    receipt_free_settled(&receipt);
}

static void take_told(struct due *due, const struct receipt_told *told)
{
    for (size_t i = 0; i < told->count; i++)
        due_hint(due, told->items[i].offset, told->items[i].the_class);
}

static void take_batch(struct receipt_intake *intake, const struct receipt_summary *receipt,
                       const struct receipt_told *told, struct receipt_intake_partition *at,
                       int64_t results)
{
    uint64_t waiting = receipt->counts[CLASS_WAITING];
    uint64_t hints = receipt->counts[CLASS_DEAD] + receipt->counts[CLASS_CONFLICT] +
                     (told->tells_waiting ? waiting : 0);
    due_take(&at->due, receipt, hints, results);
    if (waiting && !told->tells_waiting)
        due_doubt(&at->due);
    take_told(&at->due, told);
    at->lag = receipt->lag;
    at->end = receipt->next + receipt->lag;
    if (!at->due.is_repeat)
        intake->committed += (uint64_t)(receipt->next - receipt->first);
}

static void take_json(struct receipt_intake *intake, struct receipt_intake_partition *at,
                      struct bytes json, int64_t results)
{
    struct receipt_summary receipt;
    struct receipt_told told = {0};
    struct bytes group = bytes_text(intake->settings->group);
    bool is_receipt = receipt_parse(json, &receipt, NULL) == OUT_OK;
    bool ours = is_receipt && (!receipt.group[0] || bytes_equal(bytes_text(receipt.group), group));
    bool is_batch = receipt_parse_told(json, group, &told);
    if (ours && is_batch) {
        take_batch(intake, &receipt, &told, at, results);
    } else {
        if (is_batch) /* a further part */
            take_told(&at->due, &told);
        if (ours && receipt.is_settled)
            take_settled(intake, at, json, results);
        due_pass(&at->due, results);
    }
    free(told.items);
}

static bool has_room(const struct receipt_intake *intake)
{
    for (size_t i = 0; i < intake->count; i++)
        if (intake->partitions[i].is_ours && !due_has_room(&intake->partitions[i].due))
            return false;
    return intake->settled.count < INTAKE_SETTLED_MAX;
}

static void hold(struct receipt_intake *intake)
{
    bool held = !has_room(intake);
    if (held != intake->is_held && intake->consumer)
        bus_consumer_hold(intake->consumer, held);
    intake->is_held = held;
}

static void on_message(void *owner, const struct bus_arrival *arrival)
{
    struct receipt_intake *intake = owner;
    struct envelope envelope;
    struct receipt_intake_partition *at =
        (size_t)arrival->partition < intake->count ? &intake->partitions[arrival->partition] : NULL;
    intake->is_away = false;
    if (at && at->is_ours) {
        bus_view(intake->bus, arrival->held, &envelope);
        if (reading_is_one(envelope.value))
            due_pass(&at->due, arrival->offset + 1);
        else
            take_json(intake, at, envelope.value, arrival->offset + 1);
    }
    bus_release(intake->bus, arrival->held);
    hold(intake);
}

/* ---- partitions -------------------------------------------------------------------------- */

static void on_assigned(void *owner, const int32_t *partitions, size_t count)
{
    struct receipt_intake *intake = owner;
    intake->assigned = mem_resize(intake->assigned, count + 1, sizeof *intake->assigned);
    intake->assigned_count = 0;
    for (size_t i = 0; i < count; i++)
        if ((size_t)partitions[i] < intake->count)
            intake->assigned[intake->assigned_count++] = partitions[i];
    intake->is_assigned = true;
    intake->is_begun = false;
}

static void drop_all(struct receipt_intake *intake)
{
    for (size_t i = 0; i < intake->count; i++) {
        intake->partitions[i].is_ours = false;
        due_free(&intake->partitions[i].due);
    }
    settled_list_reset(&intake->settled);
    intake->assigned_count = 0;
    intake->is_assigned = intake->is_begun = false;
}

static void on_revoked(void *owner)
{
    struct receipt_intake *intake = owner;
    intake->on_revoked(intake->owner);
    drop_all(intake);
    hold(intake);
    bus_consumer_give_up(intake->consumer);
}

static void on_end(void *owner, int32_t partition)
{
    struct receipt_intake *intake = owner;
    (void)partition;
    intake->is_away = false;
}

/* Receipts that are gone leave a gap, and what it covers is looked at all the same: the partition
 * is begun anew at what there is. */
static void on_error(void *owner, int32_t partition, const struct error *err)
{
    struct receipt_intake *intake = owner;
    (void)partition;
    if (err->code == ERR_KAFKA_OFFSET) {
        intake->is_begun = false;
        return;
    }
    intake->failure = *err;
    if (err->outcome == OUT_RETRY)
        intake->is_away = true;
    else
        intake->failed = true;
}

enum outcome receipt_intake_open(struct receipt_intake *intake, const struct settings *settings,
                                 struct bus *bus, size_t partitions, struct error *err)
{
    static const struct bus_consumer_events EVENTS = {.on_assigned = on_assigned,
                                                      .on_revoked = on_revoked,
                                                      .on_message = on_message,
                                                      .on_end = on_end,
                                                      .on_error = on_error};
    intake->settings = settings;
    intake->bus = bus;
    intake->count = partitions;
    settled_list_init(&intake->settled);
    intake->partitions = mem_zeroed(partitions, sizeof *intake->partitions);
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_RESULTS, intake->topic, err);
    int size = snprintf(intake->group, sizeof intake->group, "%s.%s.verify", settings->prefix,
                        settings->migration);
    if (outcome == OUT_OK && (size < 0 || (size_t)size >= sizeof intake->group))
        outcome = error_set(err, OUT_FATAL, ERR_KAFKA_CONFIG, "the name of the group is too long");
    return outcome == OUT_OK ? bus_open_consumer(bus, intake->topic, intake->group, &EVENTS, intake,
                                                 &intake->consumer, err)
                             : outcome;
}

static void on_closed(void *owner)
{
    struct receipt_intake *intake = owner;
    intake->consumer = NULL;
    intake->is_closed = true;
}

void receipt_intake_close(struct receipt_intake *intake)
{
    intake->is_closed = intake->consumer == NULL;
    if (intake->consumer)
        bus_consumer_close(intake->consumer, CLOSE_MS, on_closed);
}

void receipt_intake_free(struct receipt_intake *intake)
{
    drop_all(intake);
    free(intake->partitions);
    free(intake->assigned);
    settled_list_free(&intake->settled);
}

enum outcome receipt_intake_begin(struct receipt_intake *intake, const int64_t *results,
                                  struct error *err)
{
    enum outcome outcome = bus_consumer_start(intake->consumer, intake->assigned, results,
                                              intake->assigned_count, err);
    for (size_t i = 0; outcome == OUT_OK && i < intake->assigned_count; i++)
        intake->partitions[intake->assigned[i]].is_ours = true;
    intake->is_begun = outcome == OUT_OK;
    return outcome;
}

int64_t receipt_intake_position(const struct receipt_intake *intake, int32_t partition)
{
    int64_t results = intake->partitions[partition].due.results;
    int64_t held = settled_list_held(&intake->settled, partition);
    return held < results ? held : results;
}

void receipt_intake_done(struct receipt_intake *intake)
{
    int64_t *offsets = mem_zeroed(intake->assigned_count, sizeof *offsets);
    for (size_t i = 0; i < intake->assigned_count; i++)
        offsets[i] = receipt_intake_position(intake, intake->assigned[i]);
    if (intake->is_begun && intake->consumer)
        bus_consumer_commit(intake->consumer, intake->assigned, offsets, intake->assigned_count);
    free(offsets);
    hold(intake);
}

uint64_t receipt_intake_backlog(const struct receipt_intake *intake)
{
    uint64_t backlog = 0;
    for (size_t i = 0; i < intake->count; i++)
        if (intake->partitions[i].is_ours)
            backlog += due_backlog(&intake->partitions[i].due);
    return backlog;
}

int64_t receipt_intake_oldest_ms(const struct receipt_intake *intake)
{
    int64_t oldest = -1;
    for (size_t i = 0; i < intake->count; i++) {
        const struct due *due = &intake->partitions[i].due;
        if (!intake->partitions[i].is_ours || due->count == 0)
            continue;
        int64_t committed_ms = due->ranges[due->first].committed_ms;
        oldest = oldest < 0 || committed_ms < oldest ? committed_ms : oldest;
    }
    return oldest;
}

int64_t receipt_intake_lag(const struct receipt_intake *intake)
{
    int64_t lag = 0;
    for (size_t i = 0; i < intake->count; i++)
        if (intake->partitions[i].is_ours && intake->partitions[i].lag > 0)
            lag += intake->partitions[i].lag;
    return lag;
}
