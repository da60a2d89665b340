/*
 * From message to a row in a batch. A message that cannot become a row is decided here as dead,
 * with the reason; it stays in its batch, because the batch's offsets include it.
 */

#include "worker/intake.h"

#include <assert.h>
#include <inttypes.h>

#include "common/io/log.h"
#include "common/model/message/offsets_gone.h"
#include "common/policy/apply/record_row.h"
#include "worker/membership.h"

/* What librdkafka keeps for a message with nine headers besides its bytes, about (measured by RSS).
 */
#define MESSAGE_OVERHEAD 1024

/* What goes on, `where` it does. */
static void hint_at_gap(const struct partition *partition, const char *where, struct error *err)
{
    const struct worker_replay *replay = partition->all->config->replay;
    if (replay)
        error_hint(
            err,
            "drover produce --again SOURCE… (it is safe); then %s --accept-gap goes on %s them",
            replay->go_on, where);
    else
        error_hint(
            err,
            "drover produce --again SOURCE… (it is safe); then drover resume %d --accept-gap "
            "--reason TEXT goes on %s them",
            partition->number, where);
}

static void halt_at_gap(struct partition *partition, struct bytes run, int64_t offset,
                        int64_t missing)
{
    struct partition_halt halt = {0};
    halt.expected = sequence_next_of(&partition->sequences, run, halt.run);
    halt.found = halt.expected + missing;
    error_set(&halt.err, OUT_FATAL, ERR_SEQUENCE_GAP,
              "%" PRId64 " message%s of run %s missing in the topic: number %" PRId64
              " was expected, %" PRId64 " came",
              missing, missing == 1 ? "" : "s", halt.run, halt.expected, halt.found);
    error_where(&halt.err, "%s-%d before offset %" PRId64, partition->all->config->source,
                partition->number, offset);
    hint_at_gap(partition, "without", &halt.err);
    partition_halt_behind(partition, &halt);
}

/* Counts the message in its run, also one that is refused. False when the partition must not go
 * on. */
static bool check_sequence(struct partition *partition, const struct envelope *envelope,
                           const struct record *decoded, int64_t offset)
{
    struct bytes run = decoded ? decoded->run : (struct bytes){0};
    int64_t missing, sequence = decoded ? decoded->sequence : envelope_sequence(envelope, &run);
    if (offset < partition->numbers_at)
        return true;
    if (offset >= partition->sequences.open_until)
        partition->sequences.open_until = 0;
    switch (sequence_see(&partition->sequences, run, sequence, &missing)) {
    case SEQUENCE_GAP:
        if (!partition->all->config->settings->accept_gap) {
            halt_at_gap(partition, run, offset, missing);
            return false;
        }
        log_line(LOG_WARN, "gap.accepted", "partition=%d offset=%" PRId64 " missing=%" PRId64,
                 partition->number, offset, missing);
        sequence_accept(&partition->sequences, run, sequence);
        return true;
    default:
        return true;
    }
}

static bool is_full(const struct settings *settings, const struct batch *batch)
{
    return batch->count >= settings->batch_records || batch->bytes >= settings->batch_bytes ||
           /* the largest record's row has room beside what is there (BATCH_MEMORY, partition.c) */
           batch->arena.used + settings->record_bytes * 4 >= batch->arena.limit;
}

static void open_batch(struct partition *partition, int64_t offset)
{
    if (partition->open)
        return;
    if (offset >= partition->redelivered_until &&
        partition->batch_start < partition->redelivered_until)
        partition->batch_start =
            partition->redelivered_until; /* the last offsets below it are holes */
    partition->open = partition_new_batch(partition->all);
    partition->open->owner = partition;
    partition->open->fence.start = partition->batch_start;
    partition->open->redelivered = partition->batch_start < partition->redelivered_until;
}

/* What is stored with the batch: the runs' numbers behind it, and where reading begins again for
 * the clock's sake. Watermarks only grow, so those of now are safe when it is written. */
static void keep_sequences(struct buf *text, struct partition *partition, struct batch *batch)
{
    int64_t watermark = partition->results_next < partition->redis_next ? partition->results_next
                                                                        : partition->redis_next;
    struct log_place place = log_clock_mark(&partition->log, batch->fence.end, watermark);
    buf_reset(text);
    sequence_append(&partition->sequences, &place, text);
    if (partition->range) { /* what it reads is kept with it */
        text->size--;
        if (text->data[text->size - 1] != '{')
            buf_append_char(text, ',');
        replay_plan_append(text, partition->range, &partition->all->config->replay->plan);
        buf_append_char(text, '}');
    }
    size_t limit = batch->arena.limit; /* it is of rows: what the fence stores has room always */
    batch->arena.limit = SIZE_MAX / 2;
    batch->fence.sequences = arena_copy(&batch->arena, buf_view(text));
    batch->arena.limit = limit;
}

/* Where the open batch ends; a replay's with what was passed over behind its last record. */
static int64_t end_of_open(const struct partition *partition)
{
    const struct batch *batch = partition->open;
    if (partition->range && batch)
        return partition->position;
    return batch && batch->count ? batch->items[batch->count - 1].offset + 1 : 0;
}

void intake_close(struct intake *intake, struct partition *partition)
{
    struct batch *batch = partition->open;
    int64_t end = end_of_open(partition);
    if (!batch || end <= batch->fence.start)
        return;
    partition->open = NULL;
    batch->fence.group = partition->all->config->group;
    batch->fence.topic = partition->all->config->source;
    batch->fence.partition = partition->number;
    batch->fence.end = end;
    batch->passed_over = partition->range != NULL;
    keep_sequences(&intake->text, partition, batch);
    partition->batch_start = batch->fence.end;
    if (batch->redelivered && !batch->count) { /* nothing is to be told of it again */
        partition_recycle(partition->all, batch);
        return;
    }
    batch_close(batch);
    if (partition->queue_last)
        partition->queue_last->next = batch;
    else
        partition->queue_first = batch;
    partition->queue_last = batch;
}

static size_t weight_of(const struct bus_arrival *arrival)
{
    return arrival->size + MESSAGE_OVERHEAD;
}

static void add_message(struct intake *intake, const struct bus_arrival *arrival,
                        struct record *record, int64_t log_version, enum outcome decoded,
                        struct error *err)
{
    struct partition *partition = &intake->partitions->items[arrival->partition];
    const struct worker_config *config = intake->partitions->config;
    struct worker_state *state = intake->partitions->state;
    open_batch(partition, arrival->offset);
    struct batch *batch = partition->open;
    struct batch_item *item = batch_add(batch, arrival->offset);
    assert(item); /* a full batch was closed */
    item->message = arrival->held;
    item->log_version = log_version;
    size_t rows_before = batch->arena.used;
    if (decoded == OUT_OK) {
        item->sealed = record->sealed;
        batch->arena.lasting = record->payload; /* its message is held until the batch is done */
        enum outcome made = record_to_row(&config->mappings, record, log_version, &intake->work,
                                          &batch->arena, &item->mapping, &item->row, err);
        if (made != OUT_OK && batch->arena.refused && batch->count > 1) {
            batch->count--; /* it did not fit beside the others: the next batch has the room */
            intake_close(intake, partition);
            add_message(intake, arrival, record, log_version, decoded, err);
            return;
        }
        if (made != OUT_OK && batch->arena.refused)
            error_hint(err, "its row alone needs more memory than a batch has: raise "
                            "work.batch_bytes or max_record_bytes");
        decoded = made;
    }
    if (decoded != OUT_OK)
        batch_reject(batch, item, err);
    size_t held = weight_of(arrival) + batch->arena.used - rows_before;
    batch->bytes += arrival->size + item->sealed.size;
    batch->held += held;
    state->in_flight_bytes += held;
    partition->position = arrival->offset + 1;
    state->counts.polled++;
    if (is_full(config->settings, batch) || partition->position == partition->redelivered_until)
        intake_close(intake, partition);
}

/* A batch lies on one side of what was written before and of what has its receipts. (The last
 * offset below may be hidden by a transaction's or compaction's hole.) */
static void close_at_bounds(struct intake *intake, struct partition *partition, int64_t offset)
{
    const int64_t bounds[] = {partition->redelivered_until, partition->receipts_from};
    for (int i = 0; i < 2; i++)
        if (partition->open && partition->open->fence.start < bounds[i] && offset >= bounds[i])
            intake_close(intake, partition);
}

/* ---- a replay's range -------------------------------------------------------------------- */

/* Offsets that are passed over, in a row, before the checkpoint is moved over them. */
#define PASSED_OVER_MAX 50000

/* All of the range was seen: the checkpoint goes to its very end, also over what was passed over or
 * is no message. */
static void end_range(struct intake *intake, struct partition *partition)
{
    if (partition->at_end)
        return;
    partition->at_end = true;
    if (partition->open && partition->open->redelivered)
        intake_close(intake, partition);
    if (partition->batch_start < partition->range->to)
        open_batch(partition, partition->range->to);
    partition->position = partition->range->to;
    intake_close(intake, partition);
    bus_consumer_pause(partition->all->consumer, &partition->number, 1);
    partition->paused = true;
}

static bool is_passed_over(const struct partition *partition, const struct record *record)
{
    const struct worker_replay *replay = partition->all->config->replay;
    static const struct record NONE;
    const struct record *known = record ? record : &NONE; /* what cannot be read is nobody's */
    return replay && !replay_filter_takes(&replay->plan.filter, known->tenant, known->entity);
}

static void pass_over(struct intake *intake, struct partition *partition, int64_t offset)
{
    open_batch(partition, offset);
    partition->position = offset + 1;
    partition->all->state->counts.polled++;
    partition->all->state->counts.passed_over++;
    if (!partition->open->count &&
        partition->position - partition->open->fence.start >= PASSED_OVER_MAX)
        intake_close(intake, partition);
}

/* True when the message is none of the range's. */
static bool is_behind_range(struct intake *intake, struct partition *partition, int64_t offset)
{
    if (!partition->range || offset < partition->range->to)
        return false;
    end_range(intake, partition);
    return true;
}

static void check_range(struct intake *intake, struct partition *partition)
{
    if (partition->range && partition->position >= partition->range->to)
        end_range(intake, partition);
}

/* ---- messages ---------------------------------------------------------------------------- */

/* Takes the message, or says that it is to be released. */
static bool take(struct intake *intake, struct partition *partition,
                 const struct bus_arrival *arrival)
{
    struct error err;
    struct envelope envelope;
    struct record record;
    bus_view(intake->partitions->config->bus, arrival->held, &envelope);
    enum outcome outcome = envelope_decode(&envelope, &record, &err);
    const struct record *decoded = outcome == OUT_OK ? &record : NULL;
    int64_t log_version = 0;
    if (decoded && !record.has_version)
        log_version = log_clock_take(&partition->log, arrival->timestamp_ms, arrival->offset);
    if (arrival->offset < partition->wanted) { /* for the clock's and the numbers' sake only */
        if (check_sequence(partition, &envelope, decoded, arrival->offset))
            partition->position = arrival->offset + 1;
        return false;
    }
    close_at_bounds(intake, partition, arrival->offset);
    if (is_behind_range(intake, partition, arrival->offset) ||
        !check_sequence(partition, &envelope, decoded, arrival->offset))
        return false;
    bool passed_over = is_passed_over(partition, decoded);
    if (passed_over)
        pass_over(intake, partition, arrival->offset);
    else
        add_message(intake, arrival, &record, log_version, outcome, &err);
    check_range(intake, partition);
    return !passed_over;
}

void intake_message(struct intake *intake, const struct bus_arrival *arrival)
{
    const struct partitions *all = intake->partitions;
    struct partition *partition = partitions_find(all, arrival->partition);
    bool wanted = partition && partition->state == PARTITION_READING &&
                  state_is_working(all->state) && arrival->offset >= partition->position;
    if (wanted)
        partition->at_end = partition->at_end && partition->range;
    if (!wanted || !take(intake, partition, arrival))
        bus_release(all->config->bus, arrival->held);
}

/* What was committed lies behind the topic's end: the topic was made anew, or has lost its tail.
 * What is produced now would be taken for read. */
static void halt_behind_end(struct partition *partition, int64_t end)
{
    struct error err;
    error_set(&err, OUT_FATAL, ERR_KAFKA_OFFSET,
              "the topic ends at %" PRId64 ", but %" PRId64 " has been committed", end,
              partition->next_offset);
    error_where(&err, "%s-%d", partition->all->config->source, partition->number);
    error_hint(&err, "was the topic made anew? a new migration name begins anew as well");
    partition_halt(partition, &err);
}

void intake_end(struct intake *intake, int32_t number)
{
    struct partition *partition = partitions_find(intake->partitions, number);
    if (!partition || partition->state != PARTITION_READING)
        return;
    int64_t end = bus_consumer_end(intake->partitions->consumer, number);
    if (end >= 0 && end < partition->next_offset) {
        halt_behind_end(partition, end);
        return;
    }
    if (partition->range)
        end_range(intake, partition);
    partition->at_end = true;
}

/* The log's head is gone, and was to be read for the clock's sake only: goes on at the first one
 * wanted, or whose number is. False when that one is gone. */
static bool skip_to_wanted(struct partition *partition)
{
    int64_t wanted =
        partition->wanted < partition->numbers_at ? partition->wanted : partition->numbers_at;
    if (partition->state != PARTITION_READING || partition->position >= wanted)
        return false;
    log_line(LOG_INFO, "partition.head_gone", "partition=%d from=%" PRId64 " to=%" PRId64,
             partition->number, partition->position, wanted);
    partition->position = wanted;
    membership_read_again(partition->all);
    return true;
}

/* What retention ate, or was deleted: where reading stands is gone. */
static void halt_at_hole(struct partition *partition)
{
    const char *source = partition->all->config->source;
    int64_t begin = bus_consumer_begin(partition->all->consumer, partition->number);
    int64_t end = bus_consumer_end(partition->all->consumer, partition->number);
    if (begin >= 0 && begin <= partition->position && end >= 0 && end < partition->position) {
        halt_behind_end(partition, end);
        return;
    }
    struct partition_halt halt = {.expected = partition->position, .found = begin};
    int64_t begins = begin > partition->position ? begin : partition->position + 1;
    if (partition->range && begins > partition->range->to)
        begins = partition->range->to;
    offsets_gone(&halt.err, partition->position, begins,
                 partition->range ? OFFSETS_NOT_READ : OFFSETS_NOT_APPLIED);
    error_where(&halt.err, "%s-%d@%" PRId64, source, partition->number, partition->position);
    hint_at_gap(partition, "behind", &halt.err);
    partition_halt_behind(partition, &halt);
}

void intake_on_error(struct intake *intake, int32_t number, const struct error *err)
{
    struct partition *partition = partitions_find(intake->partitions, number);
    if (err->outcome != OUT_FATAL)
        log_away("kafka.away", err);
    else if (!partition)
        state_fail(intake->partitions->state, err);
    else if (err->code != ERR_KAFKA_OFFSET)
        partition_halt(partition, err);
    else if (partition->state == PARTITION_READING && !skip_to_wanted(partition))
        halt_at_hole(partition);
}

void intake_init(struct intake *intake, struct partitions *partitions)
{
    *intake = (struct intake){.partitions = partitions};
    mapping_work_init(&intake->work);
    intake->work.keep_json = partitions->config->store->has_redis;
    buf_init(&intake->text, 1u << 20);
}

void intake_reset(struct intake *intake)
{
    mapping_work_free(&intake->work);
    buf_free(&intake->text);
}
