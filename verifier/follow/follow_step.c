/* See the header. */
#include "verifier/follow/follow_step.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/policy/verify/verify_mask.h"

#define PAGE_ARENA_MAX ((size_t)4 << 20)
#define SUSPECTS_A_STEP 1000
#define SAMPLES_A_STEP 100

void follow_step_init(struct follow_step *step)
{
    size_t count = step->intake->count;
    tally_init(&step->tally);
    arena_init(&step->arena, PAGE_ARENA_MAX);
    step->spans = mem_zeroed(count, sizeof *step->spans);
    step->reached = mem_zeroed(count, sizeof *step->reached);
    step->clocks = mem_zeroed(count, sizeof *step->clocks);
    settled_list_init(&step->known);
    step->samples = mem_zeroed(SAMPLES_A_STEP, sizeof *step->samples);
    step->added = mem_zeroed(LOOKUP_ITEMS_MAX, sizeof *step->added);
    step->removed = mem_zeroed(SUSPECTS_MAX, sizeof *step->removed);
    step->gone = mem_zeroed(SUSPECTS_MAX, sizeof *step->gone);
}

static void reset(struct follow_step *step)
{
    for (size_t i = 0; i < step->removed_count; i++)
        free(step->gone[i]);
    tally_reset(&step->tally);
    arena_reset(&step->arena);
    step->sample_count = step->added_count = step->removed_count = 0;
}

void follow_step_free(struct follow_step *step)
{
    reset(step);
    tally_free(&step->tally);
    arena_free(&step->arena);
    free(step->spans);
    free(step->reached);
    free(step->clocks);
    settled_list_free(&step->known);
    free(step->samples);
    free(step->added);
    free(step->removed);
    free(step->gone);
}

bool follow_step_is_due(const struct follow_step *step, uint64_t now_ms)
{
    return receipt_intake_backlog(step->intake) > 0 || step->intake->settled.count > 0 ||
           suspects_next_ms(step->suspects) <= now_ms;
}

static struct due *due_of(const struct follow_step *step, int32_t partition)
{
    return &step->intake->partitions[partition].due;
}

static bool is_ours(const struct follow_step *step, int32_t partition)
{
    return step->intake->partitions[partition].is_ours;
}

/* ---- what is to be read ------------------------------------------------------------------ */

/* An even part for each partition that has something. */
static bool plan_spans(struct follow_step *step)
{
    size_t with = 0;
    bool any = false;
    step->left = 0;
    for (size_t i = 0; i < step->intake->count; i++)
        with += is_ours(step, (int32_t)i) && due_backlog(due_of(step, (int32_t)i)) > 0;
    for (size_t i = 0; i < step->intake->count; i++) {
        struct bus_range *span = &step->spans[i];
        *span = (struct bus_range){.partition = (int32_t)i};
        step->reached[i] = -1;
        if (!is_ours(step, (int32_t)i))
            continue;
        const struct due *due = due_of(step, (int32_t)i);
        span->from = span->to = step->reached[i] = due->position;
        if (due->position >= 0) {
            int64_t checkpoint = row_lookup_checkpoint(step->lookup, (int32_t)i);
            span->to =
                due_end(due, due->position, checkpoint, LOOKUP_MESSAGES_MAX / (with ? with : 1));
            step->left +=
                (uint64_t)(due_end(due, due->position, checkpoint, UINT64_MAX) - due->position);
        }
        any = any || span->to > span->from;
    }
    return any;
}

/* ---- messages ---------------------------------------------------------------------------- */

static enum verdict verdict_of_class(enum record_class the_class)
{
    return the_class == CLASS_DEAD       ? VERDICT_DEAD
           : the_class == CLASS_CONFLICT ? VERDICT_CONFLICT
           : the_class == CLASS_WAITING  ? VERDICT_WAITING
                                         : VERDICT_UNDECIDED;
}

/* What is counted only: whose it is, as far as it can be read. */
static void count_message(struct follow_step *step, const struct bus_message *message,
                          unsigned class)
{
    struct record record = {0};
    if (envelope_decode(&message->envelope, &record, NULL) != OUT_OK)
        record = (struct record){.tenant = BYTES_LITERAL("(unreadable)"),
                                 .entity = BYTES_LITERAL("(unreadable)")};
    if (scope_has(&step->lookup->run.scope, &record))
        tally_add(&step->tally, &record, class, 1);
}

/* What its receipt tells of it. */
static void take_range(struct lookup_item *item, const struct due_range *range)
{
    item->is_gap = !range || range->is_gap;
    if (range && range->is_dated)
        item->kept->committed_ms = range->committed_ms;
    if (range)
        item->kept->in_redis_ms = range->in_redis_ms;
}

static void take_message(struct follow_step *step, const struct bus_message *message)
{
    const struct due *due = due_of(step, message->partition);
    const struct due_range *range = due_find(due, message->offset);
    enum verdict told = verdict_of_class(due_class(due, message->offset));
    step->reached[message->partition] = message->offset + 1;
    if (told != VERDICT_UNDECIDED) {
        count_message(step, message, told);
    } else if (!share_has(&step->share, share_hash(message->envelope.key))) {
        count_message(step, message, ROLLING_NOT_COMPARED);
    } else {
        struct lookup_item *item = row_lookup_add(step->lookup, message);
        if (item)
            take_range(item, range);
    }
}

typedef void take_each(struct follow_step *step, const struct bus_message *message);

/* *ended: all of the ranges was read. */
static enum outcome read_ranges(struct follow_step *step, const struct bus_range *ranges,
                                take_each *take, bool *ended, struct error *err)
{
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    *ended = false;
    enum outcome outcome =
        bus_open_reader(step->bus, step->lookup->run.topics[TOPIC_SOURCE], ranges,
                        step->intake->count, VERIFY_BUS_MS, &reader, err);
    while (outcome == OUT_OK && !*ended && !row_lookup_is_full(step->lookup)) {
        outcome = bus_reader_next(reader, VERIFY_BUS_MS, &message, err);
        *ended = outcome == OUT_OK && !message;
        if (outcome == OUT_OK && message)
            take(step, message);
    }
    bus_reader_close(reader);
    return outcome;
}

static enum outcome read_new(struct follow_step *step, struct error *err)
{
    bool ended = false;
    enum outcome outcome = read_ranges(step, step->spans, take_message, &ended, err);
    for (size_t i = 0; ended && i < step->intake->count; i++)
        step->reached[i] = step->spans[i].to; /* what is left of it are no messages */
    return outcome;
}

/* ---- those that waited ------------------------------------------------------------------- */

static void take_settled(struct follow_step *step, const struct bus_message *message)
{
    struct settled_entry *found =
        settled_list_find(&step->intake->settled, message->partition, message->offset);
    if (!found)
        return;
    found->is_done = true;
    /* the partition's clock has gone on since */
    struct version_clock *clock = &step->lookup->run.clocks[message->partition], now = *clock;
    *clock = (struct version_clock){0};
    if (found->item.the_class == CLASS_DEAD)
        count_message(step, message, VERDICT_DEAD);
    else
        row_lookup_add(step->lookup, message);
    *clock = now;
}

/* The spans of the partitions in which those picked lie. */
static enum outcome read_picked(struct follow_step *step, const struct settled_list *list,
                                take_each *take, bool *ended, struct error *err)
{
    struct bus_range *ranges = mem_zeroed(step->intake->count, sizeof *ranges);
    for (size_t i = 0; i < step->intake->count; i++)
        ranges[i].partition = (int32_t)i;
    for (size_t i = 0; i < list->picked; i++) {
        const struct settled_item *item = &list->entries[i].item;
        struct bus_range *range = &ranges[item->partition];
        if (range->to == 0)
            range->from = item->offset;
        range->to = item->offset + 1;
    }
    enum outcome outcome = read_ranges(step, ranges, take, ended, err);
    free(ranges);
    return outcome;
}

/* As many as there is room for; the others are the next step's. */
static enum outcome read_settled(struct follow_step *step, struct error *err)
{
    struct settled_list *list = &step->intake->settled;
    size_t new_count = step->lookup->new_count;
    size_t room = new_count < LOOKUP_MESSAGES_MAX ? LOOKUP_MESSAGES_MAX - new_count : 0;
    bool ended = false;
    if (row_lookup_is_full(step->lookup))
        room = 0;
    if (settled_list_pick(list, room) == 0)
        return OUT_OK;
    enum outcome outcome = read_picked(step, list, take_settled, &ended, err);
    if (outcome == OUT_OK && ended)
        settled_list_done_all(list); /* what was not met is gone from the topic */
    return outcome;
}

/* ---- what comes of it -------------------------------------------------------------------- */

/* Records of the range that no other one of it superseded were written with their versions, when
 * the worker counts no more of them. */
static void mark_sure(struct follow_step *step)
{
    const struct due_range *range = NULL;
    bool is_sure = false;
    for (size_t i = 0; i < step->lookup->count; i++) {
        struct lookup_item *item = &step->lookup->items[i];
        const struct kept_message *kept = item->kept;
        if (item->is_suspect || !is_ours(step, kept->partition))
            continue;
        const struct due_range *its = due_find(due_of(step, kept->partition), kept->offset);
        const struct bus_range *span = &step->spans[kept->partition];
        if (its && its != range) {
            bool is_whole = its->first >= span->from && its->next <= step->reached[kept->partition];
            is_sure = is_whole && its->superseded >= 0 && step->share.steps == 0 &&
                      row_lookup_superseded_within(step->lookup, kept->partition, its->first,
                                                   its->next) == (uint64_t)its->superseded;
            range = its;
        }
        item->is_sure = its && is_sure;
    }
}

static struct bytes mask(struct follow_step *step, struct bytes value)
{
    struct buf text;
    buf_init(&text, 4096);
    if (value.size)
        verify_mask_append(&text, &step->lookup->run.report, value);
    struct bytes copy = arena_copy(&step->arena, buf_view(&text));
    buf_free(&text);
    return copy.data ? copy : (struct bytes){0};
}

static struct bytes name_origin(struct follow_step *step, const struct origin *origin)
{
    struct buf text;
    buf_init(&text, 8192);
    buf_append_bytes(&text, origin->uri);
    if (origin->line)
        buf_append_format(&text, ":%llu:%llu", (unsigned long long)origin->line,
                          (unsigned long long)origin->column);
    struct bytes copy = arena_copy(&step->arena, buf_view(&text));
    buf_free(&text);
    return copy.data ? copy : (struct bytes){0};
}

/* `seen_ms` ago it was seen first. */
static void add_sample(struct follow_step *step, const struct lookup_item *item, uint32_t looks,
                       uint64_t seen_ms)
{
    const struct diff_fields *fields = &item->judged.fields;
    if (step->sample_count == SAMPLES_A_STEP)
        return;
    struct follow_sample *sample = &step->samples[step->sample_count++];
    *sample = (struct follow_sample){
        .verdict = item->verdict,
        .code = item->code,
        .tenant = item->record.tenant,
        .entity = item->record.entity,
        .key_hash = verify_mask_hash_key(&step->lookup->run.report, &item->key),
        .partition = item->kept->partition,
        .offset = item->kept->offset,
        .origin = name_origin(step, &item->record.origin),
        .reason = item->judged.reason,
        .has_versions = item->has_actual,
        .source_version = item->entry.version,
        .stored_version = item->actual_version,
        .first_ms = clock_unix_ms() - (int64_t)seen_ms,
        .last_ms = clock_unix_ms(),
        .seen = looks,
        .field_total = fields->total,
    };
    struct follow_sample_field *items = arena_array(&step->arena, fields->count, sizeof *items);
    sample->fields = items;
    for (size_t i = 0; items && i < fields->count; i++)
        items[sample->field_count++] = (struct follow_sample_field){
            fields->items[i].path, mask(step, fields->items[i].expected),
            mask(step, fields->items[i].actual)};
}

static bool is_right(unsigned class)
{
    return class == VERDICT_MATCH || class == VERDICT_TOLERANCE;
}

/* Of one that counts as compared: how long its write took. */
static void add_times(struct follow_step *step, const struct kept_message *kept, bool right)
{
    const struct write_moments moments = {
        .produced_ms = kept->timestamp_ms,
        .reached_ms = {[WRITE_COMMITTED] = kept->committed_ms,
                       [WRITE_IN_REDIS] = kept->in_redis_ms,
                       [WRITE_VERIFIED] = right ? step->judged_ms : -1}};
    write_times_add(step->writes, &moments, clock_monotonic_ms());
}

static void count_item(struct follow_step *step, const struct lookup_item *item, unsigned class)
{
    tally_add(&step->tally, &item->record, class, 1);
    if (is_right(class) || (class < VERDICT_COUNT && follow_report_is_wrong((enum verdict) class)))
        add_times(step, item->kept, is_right(class));
    if (is_right(class))
        follow_reads_see(step->reads, item);
}

/* What is wrong for good: it counts, with a sample; where nobody told what became of the record it
 * may be a dead letter, and nobody judges. */
static void count_wrong(struct follow_step *step, const struct lookup_item *item, uint32_t looks,
                        uint64_t seen_ms)
{
    if (item->is_gap) {
        count_item(step, item, ROLLING_NOT_COMPARED);
        return;
    }
    count_item(step, item, item->verdict);
    add_sample(step, item, looks, seen_ms);
}

/* Whether all messages that the snapshot can have come from were looked at. */
static bool is_explained(const struct follow_step *step, int32_t partition, int64_t below)
{
    return !is_ours(step, partition) || due_of(step, partition)->position >= below ||
           step->reached[partition] >= below;
}

static void add_suspect(struct follow_step *step, const struct lookup_item *item, uint64_t now_ms)
{
    struct kept_message *kept = item->kept;
    struct bus_message message;
    bool is_newer = item->verdict == VERDICT_TARGET_NEWER;
    kept_message_view(kept, &message);
    struct suspect suspect = {
        .kept = kept_message_make(&message),
        .key = item->key,
        .version = item->entry.version,
        .verdict = item->verdict,
        .explained_by =
            is_newer && !item->in_redis ? row_lookup_committed(step->lookup, kept->partition) : 0,
        .is_sure = item->is_sure,
        .is_gap = item->is_gap,
        .share_hash = share_hash(kept->key),
    };
    suspect.kept->log_version = kept->log_version;
    suspect.kept->committed_ms = kept->committed_ms;
    suspect.kept->in_redis_ms = kept->in_redis_ms;
    if (suspects_add(step->suspects, &suspect, now_ms)) {
        if (!item->is_gap) /* after a restart nobody would know that it is one */
            step->added[step->added_count++] =
                (struct book_suspect){kept->partition, kept->offset, clock_unix_ms(), 1};
        return;
    }
    free(suspect.kept);
    count_item(step, item, is_newer ? VERDICT_OVERTAKEN : ROLLING_NOT_RECHECKED);
}

static void settle_new(struct follow_step *step, const struct lookup_item *item, uint64_t now_ms)
{
    const struct kept_message *kept = item->kept;
    if (is_right(item->verdict) || item->verdict == VERDICT_SUPERSEDED ||
        item->verdict == VERDICT_UNCHANGED) {
        count_item(step, item, item->verdict);
    } else if (item->verdict == VERDICT_UNUSABLE || item->verdict == VERDICT_CONFLICT) {
        count_wrong(step, item, 1, 0);
    } else if (item->verdict == VERDICT_TARGET_NEWER && !item->is_sure && !item->in_redis &&
               is_explained(step, kept->partition,
                            row_lookup_committed(step->lookup, kept->partition))) {
        count_item(step, item, VERDICT_OVERTAKEN); /* an older message may have been greater */
    } else {
        add_suspect(step, item, now_ms);
    }
}

/* A newer message of the key is looked at now: the row is that one's by now. */
static bool is_overtaken(const struct follow_step *step, const struct suspect *suspect)
{
    const struct diff_entry *leader = row_lookup_leader(step->lookup, &suspect->key);
    return leader && leader->version > suspect->version;
}

/* True: the suspect has a verdict. */
static bool settle_suspect(struct follow_step *step, struct lookup_item *item,
                           struct suspect *suspect, uint64_t now_ms)
{
    int32_t partition = suspect->kept->partition;
    item->is_gap = suspect->is_gap;
    suspect->key = item->key; /* one that the book told of is known now */
    suspect->version = item->entry.version;
    if (is_right(item->verdict)) {
        count_item(step, item, item->verdict);
        return true;
    }
    if (is_overtaken(step, suspect)) {
        count_item(step, item, VERDICT_OVERTAKEN);
        return true;
    }
    bool is_newer = item->verdict == VERDICT_TARGET_NEWER && !item->in_redis;
    if (is_newer && !suspect->explained_by)
        suspect->explained_by = row_lookup_committed(step->lookup, partition);
    bool is_open = is_newer && !is_explained(step, partition, suspect->explained_by);
    bool is_unknown = is_newer && !is_open &&
                      (!suspect->is_sure || !is_ours(step, partition) ||
                       !share_has(&step->share, suspect->share_hash));
    if (is_unknown) {
        count_item(step, item, VERDICT_OVERTAKEN);
        return true;
    }
    bool counts = suspects_recheck(step->suspects, suspect, item->verdict, now_ms) && !is_open;
    if (counts)
        count_wrong(step, item, suspect->looks, now_ms - suspect->first_ms);
    return counts;
}

static void remove_suspect(struct follow_step *step, size_t at)
{
    const struct kept_message *kept = step->suspects->items[at].kept;
    step->removed[step->removed_count] =
        (struct book_suspect){.partition = kept->partition, .offset = kept->offset};
    step->gone[step->removed_count++] = suspects_take(step->suspects, at); /* a sample shows it */
}

static int compare_down(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return (a < b) - (a > b);
}

/* From the last of the list on: what is taken out is replaced by the last one. */
static void settle_suspects(struct follow_step *step, uint64_t now_ms)
{
    size_t *gone = mem_zeroed(step->lookup->count, sizeof *gone), count = 0;
    for (size_t i = 0; i < step->lookup->count; i++) {
        struct lookup_item *item = &step->lookup->items[i];
        if (item->is_suspect &&
            settle_suspect(step, item, &step->suspects->items[item->suspect], now_ms))
            gone[count++] = item->suspect;
    }
    qsort(gone, count, sizeof *gone, compare_down);
    for (size_t i = 0; i < count; i++)
        remove_suspect(step, gone[i]);
    free(gone);
}

/* Those that are not looked at now. */
static void drop_overtaken(struct follow_step *step)
{
    struct record record;
    struct bus_message message;
    for (size_t i = step->suspects->count; i-- > 0;) {
        const struct suspect *suspect = &step->suspects->items[i];
        kept_message_view(suspect->kept, &message);
        if (!is_overtaken(step, suspect) ||
            envelope_decode(&message.envelope, &record, NULL) != OUT_OK)
            continue;
        tally_add(&step->tally, &record, VERDICT_OVERTAKEN, 1);
        remove_suspect(step, i);
    }
}

static void add_suspects(struct follow_step *step, uint64_t now_ms)
{
    size_t taken = 0;
    for (size_t i = 0; i < step->suspects->count && taken < SUSPECTS_A_STEP; i++) {
        const struct suspect *suspect = &step->suspects->items[i];
        if (!suspects_is_due(suspect, now_ms) || step->lookup->count == LOOKUP_ITEMS_MAX)
            continue;
        taken += row_lookup_add_suspect(step->lookup, suspect->kept, i) != NULL;
    }
}

/* What Redis has by now, as the snapshot says. */
static void note_followed(struct follow_step *step)
{
    int64_t unix_ms = clock_unix_ms();
    for (size_t i = 0; i < step->intake->count; i++)
        if (is_ours(step, (int32_t)i))
            due_followed(due_of(step, (int32_t)i), row_lookup_checkpoint(step->lookup, (int32_t)i),
                         unix_ms);
}

static enum outcome lookup_now(struct follow_step *step, uint64_t now_ms, struct error *err)
{
    enum outcome outcome = row_lookup_begin(step->lookup, err);
    if (outcome == OUT_OK && step->writes->follows_redis)
        note_followed(step);
    bool any = outcome == OUT_OK && plan_spans(step) && !step->is_ending;
    if (any)
        outcome = read_new(step, err);
    if (outcome == OUT_OK && !step->is_ending)
        outcome = read_settled(step, err);
    if (outcome == OUT_OK) {
        add_suspects(step, now_ms);
        outcome = row_lookup_judge(step->lookup, err);
    }
    row_lookup_end(step->lookup);
    return outcome;
}

/* The page is in the book before anything else goes on. */
static enum outcome write_page(struct follow_step *step, struct error *err)
{
    size_t count = 0;
    struct book_position *positions = mem_zeroed(step->intake->count, sizeof *positions);
    for (size_t i = 0; i < step->intake->count; i++) {
        if (!is_ours(step, (int32_t)i))
            continue;
        struct due *due = due_of(step, (int32_t)i);
        int64_t before = due->position;
        due_done(due, step->reached[i]);
        uint64_t done = (uint64_t)(due->position - before);
        step->left -= done < step->left ? done : step->left;
        positions[count++] = (struct book_position){
            (int32_t)i, receipt_intake_position(step->intake, (int32_t)i), due->position};
    }
    struct book_page page = {.positions = positions,
                             .position_count = count,
                             .suspects = step->added,
                             .suspect_count = step->added_count,
                             .settled = step->removed,
                             .settled_count = step->removed_count,
                             .samples = step->samples,
                             .sample_count = step->sample_count};
    struct rolling_gauges gauges = ROLLING_NO_GAUGES;
    gauges.committed = step->intake->committed;
    gauges.lag = receipt_intake_lag(step->intake);
    gauges.behind = (int64_t)receipt_intake_backlog(step->intake);
    page.gauges = &gauges;
    page.counts = tally_counts(&step->tally, &page.count_count);
    enum outcome outcome = book_add(step->notes->book, &page, clock_unix_ms(), err);
    if (outcome == OUT_OK)
        step->intake->committed = 0;
    free(positions);
    return outcome;
}

enum outcome follow_step_do(struct follow_step *step, uint64_t now_ms, struct error *err)
{
    struct receipt_intake *intake = step->intake;
    struct version_clock *clocks = step->lookup->run.clocks;
    reset(step);
    memcpy(step->clocks, clocks, intake->count * sizeof *clocks);
    enum outcome outcome = lookup_now(step, now_ms, err);
    if (outcome != OUT_OK) {
        memcpy(clocks, step->clocks, intake->count * sizeof *clocks);
        return outcome;
    }
    step->judged_ms = clock_unix_ms();
    mark_sure(step);
    settle_suspects(step, now_ms);
    drop_overtaken(step);
    for (size_t i = 0; i < step->lookup->count; i++)
        if (!step->lookup->items[i].is_suspect)
            settle_new(step, &step->lookup->items[i], now_ms);
    outcome = write_page(step, err);
    if (outcome != OUT_OK)
        return outcome;
    settled_list_drop_done(&intake->settled);
    receipt_intake_done(intake);
    return OUT_OK;
}

/* ---- from the book ----------------------------------------------------------------------- */

static void take_known(struct follow_step *step, const struct bus_message *message)
{
    if (!settled_list_find(&step->known, message->partition, message->offset))
        return;
    struct version_clock clock = {0};
    struct suspect suspect = {.kept = kept_message_make(message),
                              .share_hash = share_hash(message->envelope.key)};
    suspect.kept->log_version =
        envelope_has_version(&message->envelope)
            ? 0
            : version_in_log(&clock, message->timestamp_ms, message->offset);
    if (!suspects_add(step->suspects, &suspect, clock_monotonic_ms()))
        free(suspect.kept);
}

static enum outcome read_known(struct follow_step *step, int32_t partition,
                               const struct book_suspect *known, size_t count, struct error *err)
{
    bool ended;
    struct settled_item *items = mem_zeroed(count, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct settled_item){partition, known[i].offset, CLASS_APPLIED};
    const struct settled_receipt receipt = {.items = items, .count = count};
    settled_list_reset(&step->known);
    settled_list_add(&step->known, &receipt, step->intake->count, 0, 0);
    settled_list_pick(&step->known, count);
    free(items);
    return read_picked(step, &step->known, take_known, &ended, err);
}

enum outcome follow_step_restore(struct follow_step *step, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < step->intake->count && outcome == OUT_OK; i++) {
        struct arena arena;
        struct book_suspect *known = NULL;
        size_t count = 0;
        arena_init(&arena, PAGE_ARENA_MAX);
        outcome = book_suspects(step->notes->book, (int32_t)i, &arena, &known, &count, err);
        if (outcome == OUT_OK && count)
            outcome = read_known(step, (int32_t)i, known, count, err);
        if (outcome != OUT_OK && err->code == ERR_KAFKA_OFFSET)
            outcome = OUT_OK; /* nobody can look at them again */
        arena_free(&arena);
    }
    return outcome;
}

enum outcome follow_step_skip_gone(struct follow_step *step, const struct bus_range *ranges,
                                   size_t count, struct error *err)
{
    static const struct record NOBODY = {.tenant = BYTES_LITERAL("(gone from the topic)"),
                                         .entity = BYTES_LITERAL("(gone from the topic)")};
    struct settled_list *settled = &step->intake->settled;
    reset(step);
    settled_list_pick(settled, 0); /* what the step that failed met was not counted */
    for (size_t i = 0; i < step->intake->count; i++)
        step->reached[i] = -1;
    for (size_t i = 0; i < count && i < step->intake->count; i++) {
        size_t waited = settled_list_done_below(settled, (int32_t)i, ranges[i].from);
        if (waited)
            tally_add(&step->tally, &NOBODY, ROLLING_NOT_COMPARED, waited);
        if (!is_ours(step, (int32_t)i))
            continue;
        int64_t position = due_of(step, (int32_t)i)->position;
        if (position < 0 || ranges[i].from <= position)
            continue;
        tally_add(&step->tally, &NOBODY, ROLLING_NOT_COMPARED,
                  (uint64_t)(ranges[i].from - position));
        step->reached[i] = ranges[i].from;
    }
    enum outcome outcome = write_page(step, err);
    if (outcome == OUT_OK)
        settled_list_drop_done(settled);
    return outcome;
}
