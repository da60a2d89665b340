#include "control/dlq/dead_letter_judge.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/stores.h"

/* ---- what the register says ---- */

static bool was_sent(const struct dead_letter_pick *pick)
{
    return pick->outcome == FATE_SENT || pick->outcome == FATE_ON_WAY;
}

/* Codes of what was refused again are in the rows of the dead letters that took their place. */
struct naming {
    const struct dead_letter_index *index;
    struct dead_letter_tally *refused;
    uint8_t *is_ours;               /* by number in the index */
    struct dead_letter_picks picks; /* of those whose ids are named */
};

static enum outcome name_refused(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct naming *naming = owner;
    uint32_t number = dead_letter_index_find(naming->index, &row->fact.id);
    (void)err;
    bool named = false;
    for (uint8_t i = 0; number != DEAD_LETTER_NONE && i < naming->is_ours[number]; i++)
        named = dead_letter_tally_add(naming->refused, row->code, row->id, NULL) || named;
    if (named)
        dead_letter_picks_add(&naming->picks, row);
    return OUT_OK;
}

struct explaining {
    struct dead_letter_result *result;
    struct dead_letter_maker *maker;
};

/* Why, in the worker's words; and what the mappings of here make of it: when they take what the
 * worker's refused, it has others. */
static enum outcome explain(void *owner, const struct picked_message *picked, struct error *err)
{
    struct explaining *explaining = owner;
    const struct mapping *mapping;
    struct row row;
    struct error refusal;
    (void)err;
    if (picked->reading.reason_is_ours)
        dead_letter_tally_explain(&explaining->result->refused, picked->id, picked->reading.reason);
    if (!dead_letter_maker_store_decides(picked->reading.code) &&
        dead_letter_maker_row(explaining->maker, picked, &mapping, &row, &refusal) == OUT_OK)
        explaining->result->passes_here = true;
    return OUT_OK;
}

static enum outcome explain_refused(struct naming *naming, struct dead_letter_result *result,
                                    struct dead_letter_register *all,
                                    struct dead_letter_maker *maker, struct error *err)
{
    struct explaining explaining = {result, maker};
    uint64_t missing;
    dead_letter_picks_sort(&naming->picks);
    return dead_letter_picks_read(&naming->picks, all, NULL, explain, &explaining, &missing, err);
}

static enum outcome ask_register(struct dead_letter_result *result,
                                 struct dead_letter_register *all, struct dead_letter_maker *maker,
                                 struct error *err)
{
    const struct dead_letter_index *index = &all->index;
    struct naming naming = {index, &result->refused, mem_zeroed(index->count, 1), {0}};
    for (size_t i = 0; i < result->picks.count; i++) {
        struct dead_letter_pick *pick = &result->picks.items[i];
        uint32_t number = dead_letter_index_find(index, &pick->id);
        if (!was_sent(pick) || number == DEAD_LETTER_NONE)
            continue;
        uint32_t last = dead_letter_index_last(index, number);
        pick->outcome = index->items[last].fact.taken >= 0 ? FATE_LANDED
                        : last == number                   ? FATE_WAITING
                                                           : FATE_REFUSED;
        if (pick->outcome == FATE_REFUSED && naming.is_ours[last] < UINT8_MAX)
            naming.is_ours[last]++;
    }
    enum outcome outcome = dead_letter_cache_all(&all->cache, name_refused, &naming, err);
    if (outcome == OUT_OK)
        outcome = explain_refused(&naming, result, all, maker, err);
    dead_letter_picks_free(&naming.picks);
    free(naming.is_ours);
    return outcome;
}

/* ---- which version the store holds ---- */

struct asking {
    struct dead_letter_maker *maker;
    struct store_reader *reader;
};

static bool has_landed(const struct dead_letter_pick *pick)
{
    return pick->outcome == FATE_LANDED;
}

/* Of what was taken, from what the store holds of it (NULL: nothing). */
static enum fate fate_of(const struct row *row, const struct stored_record *stored)
{
    if (!stored)
        return row->deleted ? FATE_LANDED : FATE_WAITING;
    if (stored->version != row->version)
        return stored->version > row->version ? FATE_NEWER : FATE_WAITING;
    return digest_equal(&stored->digest, &row->digest) ? FATE_LANDED : FATE_CONFLICT;
}

static enum outcome ask_message(void *owner, const struct picked_message *picked, struct error *err)
{
    struct asking *asking = owner;
    const struct mapping *mapping;
    struct row row;
    struct stored_record stored;
    struct error refusal;
    bool found = false;
    if (dead_letter_maker_row(asking->maker, picked, &mapping, &row, &refusal) != OUT_OK)
        return OUT_OK; /* under another mapping than the worker's: it cannot be told */
    enum outcome outcome = asking->reader->ops->find(asking->reader, mapping, row.tenant, row.id,
                                                     &stored, &found, err);
    if (outcome == OUT_OK)
        picked->pick->outcome = fate_of(&row, found ? &stored : NULL);
    return outcome == OUT_REJECT ? OUT_OK : outcome;
}

static enum outcome ask_store(struct dead_letter_result *result, struct dead_letter_register *all,
                              struct dead_letter_maker *maker, struct error *err)
{
    const struct store_reading reading = {0};
    const struct store *store = store_of(all->settings);
    struct asking asking = {.maker = maker};
    uint64_t missing;
    if (!store->open_reader || dead_letter_result_count(result, FATE_LANDED) == 0)
        return OUT_OK;
    enum outcome outcome =
        store->open_reader(all->settings, &maker->mappings, &reading, &asking.reader, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = dead_letter_picks_read(&result->picks, all, has_landed, ask_message, &asking,
                                     &missing, err);
    asking.reader->ops->close(asking.reader);
    return outcome;
}

enum outcome dead_letter_judge(struct dead_letter_result *result, struct dead_letter_register *all,
                               struct dead_letter_maker *maker, struct error *err)
{
    enum outcome outcome = ask_register(result, all, maker, err);
    return outcome == OUT_OK ? ask_store(result, all, maker, err) : outcome;
}
