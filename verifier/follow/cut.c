/* See the header. */
#include "verifier/follow/cut.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/policy/verify/verify_mask.h"

#define PAGE_ARENA_MAX ((size_t)4 << 20)
#define SUSPECTS_A_STEP 1000
#define SAMPLES_A_STEP 100

void cut_init(struct cut *cut)
{
    size_t count = cut->intake->count;
    tally_init(&cut->tally);
    arena_init(&cut->arena, PAGE_ARENA_MAX);
    cut->spans = mem_zeroed(count, sizeof *cut->spans);
    cut->reached = mem_zeroed(count, sizeof *cut->reached);
    cut->clocks = mem_zeroed(count, sizeof *cut->clocks);
    cut->settled = mem_zeroed(INTAKE_SETTLED_MAX, sizeof *cut->settled);
    cut->samples = mem_zeroed(SAMPLES_A_STEP, sizeof *cut->samples);
    cut->added = mem_zeroed(LOOK_ITEMS_MAX, sizeof *cut->added);
    cut->removed = mem_zeroed(SUSPECTS_MAX, sizeof *cut->removed);
    cut->gone = mem_zeroed(SUSPECTS_MAX, sizeof *cut->gone);
}

static void reset(struct cut *cut)
{
    for (size_t i = 0; i < cut->removed_count; i++)
        free(cut->gone[i]);
    tally_reset(&cut->tally);
    arena_reset(&cut->arena);
    cut->sample_count = cut->added_count = cut->removed_count = cut->settled_count = 0;
}

void cut_free(struct cut *cut)
{
    reset(cut);
    tally_free(&cut->tally);
    arena_free(&cut->arena);
    free(cut->spans);
    free(cut->reached);
    free(cut->clocks);
    free(cut->settled);
    free(cut->samples);
    free(cut->added);
    free(cut->removed);
    free(cut->gone);
}

bool cut_is_due(const struct cut *cut, uint64_t now_ms)
{
    return receipt_intake_backlog(cut->intake) > 0 || cut->intake->settled_count > 0 ||
           suspects_next_ms(cut->suspects) <= now_ms;
}

static struct due *due_of(const struct cut *cut, int32_t partition)
{
    return &cut->intake->partitions[partition].due;
}

static bool is_ours(const struct cut *cut, int32_t partition)
{
    return cut->intake->partitions[partition].is_ours;
}

/* ---- what is to be read ------------------------------------------------------------------ */

/* An even part for each partition that has something. */
static bool plan_spans(struct cut *cut)
{
    size_t with = 0;
    bool any = false;
    for (size_t i = 0; i < cut->intake->count; i++)
        with += is_ours(cut, (int32_t)i) && due_backlog(due_of(cut, (int32_t)i)) > 0;
    for (size_t i = 0; i < cut->intake->count; i++) {
        struct bus_range *span = &cut->spans[i];
        *span = (struct bus_range){.partition = (int32_t)i};
        cut->reached[i] = -1;
        if (!is_ours(cut, (int32_t)i))
            continue;
        const struct due *due = due_of(cut, (int32_t)i);
        span->from = span->to = cut->reached[i] = due->position;
        if (due->position >= 0)
            span->to = due_end(due, due->position, look_checkpoint(cut->look, (int32_t)i),
                               LOOK_MESSAGES_MAX / (with ? with : 1));
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
static void count_message(struct cut *cut, const struct bus_message *message, unsigned class)
{
    struct record record = {0};
    if (envelope_decode(&message->envelope, &record, NULL) != OUT_OK)
        record = (struct record){.tenant = BYTES_LITERAL("(unreadable)"),
                                 .entity = BYTES_LITERAL("(unreadable)")};
    if (scope_has(&cut->look->run.scope, &record))
        tally_add(&cut->tally, &record, class, 1);
}

static void take_message(struct cut *cut, const struct bus_message *message)
{
    const struct due *due = due_of(cut, message->partition);
    const struct due_range *range = due_find(due, message->offset);
    enum verdict told = verdict_of_class(due_class(due, message->offset));
    cut->reached[message->partition] = message->offset + 1;
    if (told != VERDICT_UNDECIDED) {
        count_message(cut, message, told);
    } else if (!share_has(&cut->share, share_hash(message->envelope.key))) {
        count_message(cut, message, ROLLING_NOT_COMPARED);
    } else {
        struct look_item *item = look_add(cut->look, message);
        if (item)
            item->is_gap = !range || range->is_gap;
    }
}

typedef void take_each(struct cut *cut, const struct bus_message *message);

/* *ended: all of the ranges was read. */
static enum outcome read_ranges(struct cut *cut, const struct bus_range *ranges, take_each *take,
                                bool *ended, struct error *err)
{
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    *ended = false;
    enum outcome outcome = bus_open_reader(cut->bus, cut->look->run.topics[TOPIC_SOURCE], ranges,
                                           cut->intake->count, VERIFY_BUS_MS, &reader, err);
    while (outcome == OUT_OK && !*ended && !look_is_full(cut->look)) {
        outcome = bus_reader_next(reader, VERIFY_BUS_MS, &message, err);
        *ended = outcome == OUT_OK && !message;
        if (outcome == OUT_OK && message)
            take(cut, message);
    }
    bus_reader_close(reader);
    return outcome;
}

static enum outcome read_new(struct cut *cut, struct error *err)
{
    bool ended = false;
    enum outcome outcome = read_ranges(cut, cut->spans, take_message, &ended, err);
    for (size_t i = 0; ended && i < cut->intake->count; i++)
        cut->reached[i] = cut->spans[i].to; /* what is left of it are no messages */
    return outcome;
}

/* ---- those that waited ------------------------------------------------------------------- */

static int compare_settled(const void *left, const void *right)
{
    const struct settled_item *a = left, *b = right;
    return verify_run_compare_places(a->partition, a->offset, b->partition, b->offset);
}

static void take_settled(struct cut *cut, const struct bus_message *message)
{
    const struct settled_item place = {message->partition, message->offset, CLASS_APPLIED};
    const struct settled_item *found =
        bsearch(&place, cut->settled, cut->settled_count, sizeof place, compare_settled);
    if (!found)
        return;
    /* the partition's clock has gone on since */
    struct version_clock *clock = &cut->look->run.clocks[message->partition], now = *clock;
    *clock = (struct version_clock){0};
    if (found->the_class == CLASS_DEAD)
        count_message(cut, message, VERDICT_DEAD);
    else
        look_add(cut->look, message);
    *clock = now;
}

/* As many as fit one span a partition; they are all looked at, or none. */
static enum outcome read_settled(struct cut *cut, struct error *err)
{
    struct receipt_intake *intake = cut->intake;
    bool ended;
    if (intake->settled_count == 0 || look_is_full(cut->look))
        return OUT_OK;
    cut->settled_count = intake->settled_count;
    memcpy(cut->settled, intake->settled, intake->settled_count * sizeof *cut->settled);
    qsort(cut->settled, cut->settled_count, sizeof *cut->settled, compare_settled);
    struct bus_range *ranges = mem_zeroed(intake->count, sizeof *ranges);
    for (size_t i = 0; i < intake->count; i++)
        ranges[i].partition = (int32_t)i;
    for (size_t i = 0; i < cut->settled_count; i++) {
        struct bus_range *range = &ranges[cut->settled[i].partition];
        if (range->to == 0)
            range->from = cut->settled[i].offset;
        range->to = cut->settled[i].offset + 1;
    }
    enum outcome outcome = read_ranges(cut, ranges, take_settled, &ended, err);
    free(ranges);
    return outcome;
}

/* ---- what comes of it -------------------------------------------------------------------- */

/* Records of the range that no other one of it superseded were written with their versions, when
 * the worker counts no more of them. */
static void mark_sure(struct cut *cut)
{
    const struct due_range *range = NULL;
    bool is_sure = false;
    for (size_t i = 0; i < cut->look->count; i++) {
        struct look_item *item = &cut->look->items[i];
        const struct kept_message *kept = item->kept;
        if (item->is_suspect || !is_ours(cut, kept->partition))
            continue;
        const struct due_range *its = due_find(due_of(cut, kept->partition), kept->offset);
        const struct bus_range *span = &cut->spans[kept->partition];
        if (its && its != range) {
            bool is_whole = its->first >= span->from && its->next <= cut->reached[kept->partition];
            is_sure = is_whole && its->superseded >= 0 && cut->share.halvings == 0 &&
                      look_superseded_within(cut->look, kept->partition, its->first, its->next) ==
                          (uint64_t)its->superseded;
            range = its;
        }
        item->is_sure = its && is_sure;
    }
}

static struct bytes mask(struct cut *cut, struct bytes value)
{
    struct buf text;
    buf_init(&text, 4096);
    if (value.size)
        verify_mask_append(&text, &cut->look->run.report, value);
    struct bytes copy = arena_copy(&cut->arena, buf_view(&text));
    buf_free(&text);
    return copy.data ? copy : (struct bytes){0};
}

static struct bytes name_origin(struct cut *cut, const struct origin *origin)
{
    struct buf text;
    buf_init(&text, 8192);
    buf_append_bytes(&text, origin->uri);
    if (origin->line)
        buf_append_format(&text, ":%llu:%llu", (unsigned long long)origin->line,
                          (unsigned long long)origin->column);
    struct bytes copy = arena_copy(&cut->arena, buf_view(&text));
    buf_free(&text);
    return copy.data ? copy : (struct bytes){0};
}

static void add_sample(struct cut *cut, const struct look_item *item, uint32_t looks)
{
    const struct diff_fields *fields = &item->judged.fields;
    if (cut->sample_count == SAMPLES_A_STEP)
        return;
    struct follow_sample *sample = &cut->samples[cut->sample_count++];
    *sample = (struct follow_sample){
        .verdict = item->verdict,
        .code = item->code,
        .tenant = item->record.tenant,
        .entity = item->record.entity,
        .key_hash = verify_mask_hash_key(&cut->look->run.report, &item->key),
        .partition = item->kept->partition,
        .offset = item->kept->offset,
        .origin = name_origin(cut, &item->record.origin),
        .reason = item->judged.reason,
        .has_versions = item->has_actual,
        .source_version = item->entry.version,
        .stored_version = item->actual_version,
        .first_ms = clock_unix_ms(),
        .last_ms = clock_unix_ms(),
        .seen = looks,
        .field_total = fields->total,
    };
    struct follow_sample_field *items = arena_array(&cut->arena, fields->count, sizeof *items);
    sample->fields = items;
    for (size_t i = 0; items && i < fields->count; i++)
        items[sample->field_count++] = (struct follow_sample_field){
            fields->items[i].path, mask(cut, fields->items[i].expected),
            mask(cut, fields->items[i].actual)};
}

static void count_item(struct cut *cut, const struct look_item *item, unsigned class)
{
    tally_add(&cut->tally, &item->record, class, 1);
}

static bool is_right(enum verdict verdict)
{
    return verdict == VERDICT_MATCH || verdict == VERDICT_TOLERANCE;
}

/* What is wrong for good: it counts, with a sample; where nobody told what became of the record it
 * may be a dead letter, and nobody judges. */
static void count_wrong(struct cut *cut, const struct look_item *item, uint32_t looks)
{
    if (item->is_gap) {
        count_item(cut, item, ROLLING_NOT_COMPARED);
        return;
    }
    count_item(cut, item, item->verdict);
    add_sample(cut, item, looks);
}

/* Whether all messages that the snapshot can have come from were looked at. */
static bool is_explained(const struct cut *cut, int32_t partition, int64_t below)
{
    return !is_ours(cut, partition) || due_of(cut, partition)->position >= below ||
           cut->reached[partition] >= below;
}

static void add_suspect(struct cut *cut, const struct look_item *item, uint64_t now_ms)
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
        .explained_by = is_newer ? look_checkpoint(cut->look, kept->partition) : 0,
        .is_sure = item->is_sure,
        .is_gap = item->is_gap,
        .share_hash = share_hash(kept->key),
    };
    suspect.kept->log_version = kept->log_version;
    if (suspects_add(cut->suspects, &suspect, now_ms)) {
        if (!item->is_gap) /* after a restart nobody would know that it is one */
            cut->added[cut->added_count++] =
                (struct book_suspect){kept->partition, kept->offset, clock_unix_ms(), 1};
        return;
    }
    free(suspect.kept);
    count_item(cut, item, is_newer ? VERDICT_OVERTAKEN : ROLLING_NOT_RECHECKED);
}

static void settle_new(struct cut *cut, const struct look_item *item, uint64_t now_ms)
{
    const struct kept_message *kept = item->kept;
    if (is_right(item->verdict) || item->verdict == VERDICT_SUPERSEDED ||
        item->verdict == VERDICT_UNCHANGED) {
        count_item(cut, item, item->verdict);
    } else if (item->verdict == VERDICT_UNUSABLE || item->verdict == VERDICT_CONFLICT) {
        count_wrong(cut, item, 1);
    } else if (item->verdict == VERDICT_TARGET_NEWER && !item->is_sure &&
               is_explained(cut, kept->partition, look_checkpoint(cut->look, kept->partition))) {
        count_item(cut, item, VERDICT_OVERTAKEN); /* an older message may have been greater */
    } else {
        add_suspect(cut, item, now_ms);
    }
}

/* A newer message of the key is looked at now: the row is that one's by now. */
static bool is_overtaken(const struct cut *cut, const struct suspect *suspect)
{
    const struct diff_entry *leader = look_leader(cut->look, &suspect->key);
    return leader && leader->version > suspect->version;
}

/* True: the suspect has a verdict. */
static bool settle_suspect(struct cut *cut, struct look_item *item, struct suspect *suspect,
                           uint64_t now_ms)
{
    int32_t partition = suspect->kept->partition;
    item->is_gap = suspect->is_gap;
    suspect->key = item->key; /* one that the book told of is known now */
    suspect->version = item->entry.version;
    if (is_right(item->verdict)) {
        count_item(cut, item, item->verdict);
        return true;
    }
    if (is_overtaken(cut, suspect)) {
        count_item(cut, item, VERDICT_OVERTAKEN);
        return true;
    }
    bool is_newer = item->verdict == VERDICT_TARGET_NEWER;
    if (is_newer && !suspect->explained_by)
        suspect->explained_by = look_checkpoint(cut->look, partition);
    bool is_open = is_newer && !is_explained(cut, partition, suspect->explained_by);
    bool is_unknown = is_newer && !is_open &&
                      (!suspect->is_sure || !is_ours(cut, partition) ||
                       !share_has(&cut->share, suspect->share_hash));
    if (is_unknown) {
        count_item(cut, item, VERDICT_OVERTAKEN);
        return true;
    }
    bool counts = suspects_look(cut->suspects, suspect, item->verdict, now_ms) && !is_open;
    if (counts)
        count_wrong(cut, item, suspect->looks);
    return counts;
}

static void remove_suspect(struct cut *cut, size_t at)
{
    const struct kept_message *kept = cut->suspects->items[at].kept;
    cut->removed[cut->removed_count] =
        (struct book_suspect){.partition = kept->partition, .offset = kept->offset};
    cut->gone[cut->removed_count++] = suspects_take(cut->suspects, at); /* a sample shows it */
}

static int compare_down(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return (a < b) - (a > b);
}

/* From the last of the list on: what is taken out is replaced by the last one. */
static void settle_suspects(struct cut *cut, uint64_t now_ms)
{
    size_t *gone = mem_zeroed(cut->look->count, sizeof *gone), count = 0;
    for (size_t i = 0; i < cut->look->count; i++) {
        struct look_item *item = &cut->look->items[i];
        if (item->is_suspect &&
            settle_suspect(cut, item, &cut->suspects->items[item->suspect], now_ms))
            gone[count++] = item->suspect;
    }
    qsort(gone, count, sizeof *gone, compare_down);
    for (size_t i = 0; i < count; i++)
        remove_suspect(cut, gone[i]);
    free(gone);
}

/* Those that are not looked at now. */
static void drop_overtaken(struct cut *cut)
{
    struct record record;
    struct bus_message message;
    for (size_t i = cut->suspects->count; i-- > 0;) {
        const struct suspect *suspect = &cut->suspects->items[i];
        kept_message_view(suspect->kept, &message);
        if (!is_overtaken(cut, suspect) ||
            envelope_decode(&message.envelope, &record, NULL) != OUT_OK)
            continue;
        tally_add(&cut->tally, &record, VERDICT_OVERTAKEN, 1);
        remove_suspect(cut, i);
    }
}

static void add_suspects(struct cut *cut, uint64_t now_ms)
{
    size_t taken = 0;
    for (size_t i = 0; i < cut->suspects->count && taken < SUSPECTS_A_STEP; i++) {
        const struct suspect *suspect = &cut->suspects->items[i];
        if (!suspects_is_due(suspect, now_ms) || cut->look->count == LOOK_ITEMS_MAX)
            continue;
        taken += look_add_suspect(cut->look, suspect->kept, i) != NULL;
    }
}

static enum outcome look_now(struct cut *cut, uint64_t now_ms, struct error *err)
{
    enum outcome outcome = look_begin(cut->look, err);
    bool any = outcome == OUT_OK && plan_spans(cut) && !cut->is_ending;
    if (any)
        outcome = read_new(cut, err);
    if (outcome == OUT_OK && !cut->is_ending)
        outcome = read_settled(cut, err);
    if (outcome == OUT_OK) {
        add_suspects(cut, now_ms);
        outcome = look_judge(cut->look, err);
    }
    look_end(cut->look);
    return outcome;
}

/* The page is in the book before anything else goes on. */
static enum outcome write_page(struct cut *cut, struct error *err)
{
    size_t count = 0;
    struct book_position *positions = mem_zeroed(cut->intake->count, sizeof *positions);
    for (size_t i = 0; i < cut->intake->count; i++) {
        if (!is_ours(cut, (int32_t)i))
            continue;
        struct due *due = due_of(cut, (int32_t)i);
        due_done(due, cut->reached[i]);
        positions[count++] = (struct book_position){(int32_t)i, due->results, due->position};
    }
    struct book_page page = {.positions = positions,
                             .position_count = count,
                             .suspects = cut->added,
                             .suspect_count = cut->added_count,
                             .settled = cut->removed,
                             .settled_count = cut->removed_count,
                             .samples = cut->samples,
                             .sample_count = cut->sample_count};
    struct rolling_gauges gauges = ROLLING_NO_GAUGES;
    gauges.committed = cut->intake->committed;
    gauges.lag = receipt_intake_lag(cut->intake);
    gauges.behind = (int64_t)receipt_intake_backlog(cut->intake);
    page.gauges = &gauges;
    page.counts = tally_counts(&cut->tally, &page.count_count);
    enum outcome outcome = book_add(cut->notes->book, &page, clock_unix_ms(), err);
    if (outcome == OUT_OK)
        cut->intake->committed = 0;
    free(positions);
    return outcome;
}

enum outcome cut_step(struct cut *cut, uint64_t now_ms, struct error *err)
{
    struct receipt_intake *intake = cut->intake;
    struct version_clock *clocks = cut->look->run.clocks;
    size_t settled = intake->settled_count;
    reset(cut);
    memcpy(cut->clocks, clocks, intake->count * sizeof *clocks);
    enum outcome outcome = look_now(cut, now_ms, err);
    if (outcome != OUT_OK) {
        memcpy(clocks, cut->clocks, intake->count * sizeof *clocks);
        return outcome;
    }
    mark_sure(cut);
    settle_suspects(cut, now_ms);
    drop_overtaken(cut);
    for (size_t i = 0; i < cut->look->count; i++)
        if (!cut->look->items[i].is_suspect)
            settle_new(cut, &cut->look->items[i], now_ms);
    if (cut->settled_count == settled)
        intake->settled_count = 0;
    outcome = write_page(cut, err);
    if (outcome == OUT_OK)
        receipt_intake_done(intake);
    return outcome;
}

/* ---- from the book ----------------------------------------------------------------------- */

static void take_known(struct cut *cut, const struct bus_message *message)
{
    const struct settled_item place = {message->partition, message->offset, CLASS_APPLIED};
    if (!bsearch(&place, cut->settled, cut->settled_count, sizeof place, compare_settled))
        return;
    struct version_clock clock = {0};
    struct suspect suspect = {.kept = kept_message_make(message),
                              .share_hash = share_hash(message->envelope.key)};
    suspect.kept->log_version =
        envelope_has_version(&message->envelope)
            ? 0
            : version_in_log(&clock, message->timestamp_ms, message->offset);
    if (!suspects_add(cut->suspects, &suspect, clock_monotonic_ms()))
        free(suspect.kept);
}

static enum outcome read_known(struct cut *cut, int32_t partition, const struct book_suspect *known,
                               size_t count, struct error *err)
{
    bool ended;
    struct bus_range *ranges = mem_zeroed(cut->intake->count, sizeof *ranges);
    for (size_t i = 0; i < cut->intake->count; i++)
        ranges[i].partition = (int32_t)i;
    ranges[partition].from = known[0].offset;
    ranges[partition].to = known[count - 1].offset + 1;
    cut->settled_count = 0;
    for (size_t i = 0; i < count && i < INTAKE_SETTLED_MAX; i++)
        cut->settled[cut->settled_count++] =
            (struct settled_item){partition, known[i].offset, CLASS_APPLIED};
    enum outcome outcome = read_ranges(cut, ranges, take_known, &ended, err);
    free(ranges);
    return outcome;
}

enum outcome cut_restore(struct cut *cut, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < cut->intake->count && outcome == OUT_OK; i++) {
        struct arena arena;
        struct book_suspect *known = NULL;
        size_t count = 0;
        arena_init(&arena, PAGE_ARENA_MAX);
        outcome = book_suspects(cut->notes->book, (int32_t)i, &arena, &known, &count, err);
        if (outcome == OUT_OK && count)
            outcome = read_known(cut, (int32_t)i, known, count, err);
        if (outcome != OUT_OK && err->code == ERR_KAFKA_OFFSET)
            outcome = OUT_OK; /* nobody can look at them again */
        arena_free(&arena);
    }
    return outcome;
}

enum outcome cut_skip_gone(struct cut *cut, const struct bus_range *ranges, size_t count,
                           struct error *err)
{
    static const struct record NOBODY = {.tenant = BYTES_LITERAL("(gone from the topic)"),
                                         .entity = BYTES_LITERAL("(gone from the topic)")};
    reset(cut);
    for (size_t i = 0; i < cut->intake->count; i++)
        cut->reached[i] = -1;
    for (size_t i = 0; i < count && i < cut->intake->count; i++) {
        if (!is_ours(cut, (int32_t)i))
            continue;
        int64_t position = due_of(cut, (int32_t)i)->position;
        if (position < 0 || ranges[i].from <= position)
            continue;
        tally_add(&cut->tally, &NOBODY, ROLLING_NOT_COMPARED,
                  (uint64_t)(ranges[i].from - position));
        cut->reached[i] = ranges[i].from;
    }
    return write_page(cut, err);
}
