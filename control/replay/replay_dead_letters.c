#include "control/replay/replay_dead_letters.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/log.h"
#include "control/dlq/dead_letter_decide.h"

enum { SERVER_MS = 8000 };

/* ---- which there are --------------------------------------------------------------------- */

static bool is_read(const struct replay *replay, const struct dead_letter_row *row)
{
    if (!replay_filter_takes(&replay->plan.filter, row->tenant, row->entity))
        return false;
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_part *part = &replay->parts[i];
        if (part->range.partition == row->fact.partition)
            return row->offset >= part->next_offset && row->offset < part->range.to;
    }
    return false;
}

/* One that a later message made good needs no word about it. One that another dead letter took the
 * place of does: its row may be the one that stands. */
static enum outcome add(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct replay_dead_letters *dead_letters = owner;
    const struct dead_letter_index *index = &dead_letters->all->index;
    uint32_t number = dead_letter_index_find(index, &row->fact.id);
    (void)err;
    if (number == DEAD_LETTER_NONE || !is_read(dead_letters->replay, row))
        return OUT_OK;
    const struct dead_letter_item *item = &index->items[number];
    const struct dead_letter_item *last = &index->items[dead_letter_index_last(index, number)];
    if (item->fact.taken >= 0 || last->fact.taken >= 0)
        return OUT_OK;
    dead_letters->items = mem_grown(dead_letters->items, &dead_letters->room,
                                    dead_letters->count + 1, sizeof *dead_letters->items);
    dead_letters->items[dead_letters->count++] =
        (struct replay_dead_letter){.id = row->fact.id,
                                    .offset = row->offset,
                                    .partition = row->partition,
                                    .counts = item == last,
                                    .landed = item->landed};
    return OUT_OK;
}

static int by_place(const void *left, const void *right)
{
    const struct replay_dead_letter *a = left, *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

/* About those that landed. */
static enum outcome decide(struct replay_dead_letters *dead_letters, enum decision_kind kind,
                           struct error *err)
{
    const struct decision decision = {.kind = kind, .run = bytes_text(dead_letters->replay->group)};
    struct dead_letter_picks picks = {0};
    uint64_t count;
    for (size_t i = 0; i < dead_letters->count; i++)
        if (dead_letters->items[i].landed)
            dead_letter_picks_add(&picks,
                                  &(struct dead_letter_row){.fact.id = dead_letters->items[i].id});
    enum outcome outcome =
        picks.count ? dead_letter_decide(dead_letters->all, &picks, NULL, &decision, &count, err)
                    : OUT_OK;
    dead_letter_picks_free(&picks);
    return outcome;
}

enum outcome replay_dead_letters_find(struct replay *replay,
                                      struct replay_dead_letters *dead_letters, struct error *err)
{
    struct dead_letter_register *all = mem_new(sizeof *all);
    *dead_letters = (struct replay_dead_letters){.replay = replay};
    enum outcome outcome = dead_letter_register_open(replay->settings, SERVER_MS, NULL, all, err);
    if (outcome != OUT_OK) {
        free(all);
        return outcome;
    }
    dead_letters->all = all;
    outcome = dead_letter_register_read(all, false, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_cache_all(&all->cache, add, dead_letters, err);
    if (outcome != OUT_OK && err->code == ERR_DEAD_LETTERS_MANY) {
        log_error(LOG_WARN, "replay.dead_letters_not_known", err);
        return OUT_OK; /* they stay as they are */
    }
    if (dead_letters->count)
        qsort(dead_letters->items, dead_letters->count, sizeof *dead_letters->items, by_place);
    if (outcome == OUT_OK)
        outcome = decide(dead_letters, DECISION_REPLAYED, err);
    for (size_t i = 0; i < dead_letters->count; i++)
        dead_letters->items[i].landed = false;
    if (outcome == OUT_OK)
        outcome = bus_ranges(all->bus, all->topics[TOPIC_DEAD_LETTERS], SERVER_MS,
                             &dead_letters->topic, &dead_letters->topic_count, err);
    return outcome;
}

/* ---- what became of them ----------------------------------------------------------------- */

void replay_dead_letters_on_record(void *owner, int32_t partition, int64_t offset,
                                   enum record_class the_class)
{
    struct replay_dead_letters *dead_letters = owner;
    const struct replay_dead_letter place = {.partition = partition, .offset = offset};
    struct replay_dead_letter *found =
        dead_letters->count ? bsearch(&place, dead_letters->items, dead_letters->count,
                                      sizeof *dead_letters->items, by_place)
                            : NULL;
    if (found)
        found->landed = the_class == CLASS_APPLIED || the_class == CLASS_UNCHANGED ||
                        the_class == CLASS_SUPERSEDED;
}

enum outcome replay_dead_letters_decide(struct replay_dead_letters *dead_letters, struct error *err)
{
    struct replay *replay = dead_letters->replay;
    for (size_t i = 0; i < dead_letters->count; i++)
        replay->resolved += dead_letters->items[i].landed && dead_letters->items[i].counts;
    return decide(dead_letters, DECISION_LANDED, err);
}

/* Of what is read here: its message in the dlq topic came meanwhile. */
static enum outcome count_dead(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct replay_dead_letters *dead_letters = owner;
    struct replay *replay = dead_letters->replay;
    (void)err;
    for (size_t i = 0; i < dead_letters->topic_count; i++)
        if (dead_letters->topic[i].partition == row->at_partition &&
            row->at_offset < dead_letters->topic[i].to)
            return OUT_OK;
    for (size_t i = 0; i < replay->count; i++) {
        const struct replay_range *range = &replay->parts[i].range;
        if (range->partition == row->fact.partition && row->offset >= range->from &&
            row->offset < range->to)
            dead_letter_tally_add(&replay->dead, row->code, row->id, NULL);
    }
    return OUT_OK;
}

void replay_dead_letters_count(struct replay_dead_letters *dead_letters)
{
    struct replay *replay = dead_letters->replay;
    struct error err = {0};
    if (!replay->counts.classes[CLASS_DEAD])
        return;
    enum outcome outcome = dead_letter_register_read(dead_letters->all, false, &err);
    if (outcome == OUT_OK)
        outcome = dead_letter_cache_all(&dead_letters->all->cache, count_dead, dead_letters, &err);
    if (outcome != OUT_OK)
        log_error(LOG_WARN, "replay.dead_letters_not_known", &err);
}

void replay_dead_letters_close(struct replay_dead_letters *dead_letters)
{
    if (dead_letters->all)
        dead_letter_register_close(dead_letters->all);
    free(dead_letters->all);
    free(dead_letters->items);
    free(dead_letters->topic);
    *dead_letters = (struct replay_dead_letters){0};
}
