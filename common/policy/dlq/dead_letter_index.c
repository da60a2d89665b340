/*
 * One table of three kinds of names: ids, identities and chains. An id names its dead letter; an
 * identity and a chain name the dead letter that counts of it. A digest is mixed with its kind, so
 * that a chain's, which is the id of its first attempt, has a slot of its own.
 */

#include "common/policy/dlq/dead_letter_index.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum kind { KIND_ID, KIND_IDENTITY, KIND_CHAIN, KINDS };

#define SLOTS_FIRST 1024

void dead_letter_index_init(struct dead_letter_index *index, size_t bytes_max)
{
    *index = (struct dead_letter_index){.bytes_max = bytes_max};
}

void dead_letter_index_free(struct dead_letter_index *index)
{
    free(index->items);
    free(index->slots);
    *index = (struct dead_letter_index){0};
}

const char *dead_letter_state_word(enum dead_letter_state state)
{
    static const char *const WORDS[] = {
#define X(state, word) word,
        DEAD_LETTER_STATES(X)
#undef X
    };
    return WORDS[state];
}

/* ---- the table of names ---- */

/* A slot holds number * KINDS + kind + 1; 0 is free. The name is that of the item, or of one that
 * it took the place of: both have it. */
static const struct digest *name_of(const struct dead_letter_index *index, uint32_t slot)
{
    const struct dead_letter_fact *fact = &index->items[(slot - 1) / KINDS].fact;
    switch ((enum kind)((slot - 1) % KINDS)) {
    case KIND_ID:
        return &fact->id;
    case KIND_IDENTITY:
        return &fact->identity;
    default:
        return &fact->chain;
    }
}

static size_t first_slot(const struct digest *name, enum kind kind, size_t slot_count)
{
    uint64_t mixed;
    memcpy(&mixed, name->bytes, sizeof mixed);
    mixed = (mixed ^ (uint64_t)kind) * 0x9E3779B97F4A7C15u;
    return (size_t)(mixed >> 32) & (slot_count - 1);
}

static uint32_t *slot_of(const struct dead_letter_index *index, const struct digest *name,
                         enum kind kind)
{
    size_t at = first_slot(name, kind, index->slot_count);
    for (;; at = (at + 1) & (index->slot_count - 1)) {
        uint32_t slot = index->slots[at];
        if (!slot ||
            ((slot - 1) % KINDS == (uint32_t)kind && digest_equal(name_of(index, slot), name)))
            return &index->slots[at];
    }
}

static uint32_t find(const struct dead_letter_index *index, const struct digest *name,
                     enum kind kind)
{
    uint32_t slot = index->slot_count ? *slot_of(index, name, kind) : 0;
    return slot ? (slot - 1) / KINDS : DEAD_LETTER_NONE;
}

static void put(struct dead_letter_index *index, const struct digest *name, enum kind kind,
                uint32_t number)
{
    uint32_t *slot = slot_of(index, name, kind);
    index->used += !*slot;
    *slot = number * KINDS + (uint32_t)kind + 1;
}

/* Old and new tables are there at once while they grow. */
static bool has_room(struct dead_letter_index *index)
{
    size_t slots = index->slot_count, room = index->room;
    if ((index->used + KINDS) * 4 > slots * 3)
        slots = slots ? slots * 2 : SLOTS_FIRST;
    if (index->count == room)
        room = room ? room + room / 2 : SLOTS_FIRST / KINDS;
    size_t bytes = (slots + (slots > index->slot_count ? index->slot_count : 0)) * sizeof(uint32_t);
    bytes += (room + (room > index->room ? index->room : 0)) * sizeof(struct dead_letter_item);
    if (bytes > index->bytes_max || room > UINT32_MAX / KINDS - 1)
        return false;
    if (room > index->room) {
        index->items = mem_resize(index->items, room, sizeof *index->items);
        index->room = room;
    }
    if (slots == index->slot_count)
        return true;
    uint32_t *old = index->slots;
    size_t old_count = index->slot_count;
    index->slots = mem_zeroed(slots, sizeof *index->slots);
    index->slot_count = slots;
    for (size_t i = 0; i < old_count; i++)
        if (old[i])
            *slot_of(index, name_of(index, old[i]), (enum kind)((old[i] - 1) % KINDS)) = old[i];
    free(old);
    return true;
}

uint32_t dead_letter_index_last(const struct dead_letter_index *index, uint32_t number)
{
    while (index->items[number].next != DEAD_LETTER_NONE)
        number = index->items[number].next;
    return number;
}

/* ---- which one counts ---- */

/* Of one record. */
static bool is_later(const struct dead_letter_fact *a, const struct dead_letter_fact *b)
{
    if (a->has_version && b->has_version && a->version != b->version)
        return a->version > b->version;
    if (a->partition != b->partition && a->attempts != b->attempts) /* a chain from elsewhere */
        return a->attempts > b->attempts;
    return a->offset > b->offset;
}

static void supersede(struct dead_letter_index *index, uint32_t number, uint32_t by)
{
    index->items[number].next = by;
    index->items[number].changed = true;
}

/* Of the name, the new one and the one that counted so far. */
static void contest(struct dead_letter_index *index, const struct digest *name, enum kind kind,
                    uint32_t number)
{
    uint32_t other = find(index, name, kind);
    if (other == number)
        return;
    if (other == DEAD_LETTER_NONE ||
        is_later(&index->items[number].fact, &index->items[other].fact)) {
        put(index, name, kind, number);
        if (other != DEAD_LETTER_NONE)
            supersede(index, other, number);
    } else {
        supersede(index, number, other);
    }
}

bool dead_letter_index_add(struct dead_letter_index *index, const struct dead_letter_fact *fact,
                           uint32_t *number, bool *known)
{
    *number = find(index, &fact->id, KIND_ID);
    *known = *number != DEAD_LETTER_NONE;
    if (*known)
        return true;
    if (!has_room(index))
        return false;
    *number = (uint32_t)index->count++;
    index->items[*number] = (struct dead_letter_item){
        .fact = *fact, .sent = -1, .next = DEAD_LETTER_NONE, .changed = true};
    put(index, &fact->id, KIND_ID, *number);
    contest(index, &fact->chain, KIND_CHAIN, *number);
    contest(index, &fact->identity, KIND_IDENTITY, *number);
    return true;
}

uint32_t dead_letter_index_find(const struct dead_letter_index *index, const struct digest *id)
{
    return find(index, id, KIND_ID);
}

void dead_letter_index_decide(struct dead_letter_index *index, const struct digest *id,
                              enum decision_kind kind)
{
    uint32_t number = find(index, id, KIND_ID);
    if (number == DEAD_LETTER_NONE || !decision_has_ids(kind))
        return;
    struct dead_letter_item *item = &index->items[number];
    bool discarded = kind == DECISION_DISCARDED, landed = kind == DECISION_LANDED;
    item->changed = item->changed || item->discarded != discarded || item->landed != landed;
    item->discarded = discarded;
    item->landed = landed;
    item->was_sent = item->was_sent || kind == DECISION_REPLAYED;
}

/* ---- the source topic ---- */

static bool is_open(const struct dead_letter_item *item)
{
    return item->next == DEAD_LETTER_NONE && item->fact.taken < 0 && !item->landed;
}

static bool is_nowhere(const struct dead_letter_item *item)
{
    return item->fact.partition == DEAD_LETTER_NOWHERE;
}

/* Behind itself: what came before it, its own message included, resolves nothing. */
static int64_t wanted_of(const struct dead_letter_fact *fact)
{
    return fact->seen > fact->offset ? fact->seen : fact->offset + 1;
}

int64_t dead_letter_index_wanted(const struct dead_letter_index *index, int32_t partition)
{
    int64_t wanted = INT64_MAX;
    for (size_t i = 0; i < index->count; i++) {
        const struct dead_letter_item *item = &index->items[i];
        if (!is_open(item))
            continue;
        if (is_nowhere(item) && item->was_sent)
            return 0;
        if (item->fact.partition == partition && wanted_of(&item->fact) < wanted)
            wanted = wanted_of(&item->fact);
    }
    return wanted;
}

void dead_letter_index_begin(struct dead_letter_index *index)
{
    for (size_t i = 0; i < index->count; i++)
        index->items[i].sent = -1;
}

static void see(struct dead_letter_index *index, uint32_t number,
                const struct dead_letter_message_seen *message, int64_t checkpoint)
{
    if (number == DEAD_LETTER_NONE)
        return;
    struct dead_letter_item *item = &index->items[number];
    const struct dead_letter_fact *fact = &item->fact;
    if (!is_open(item))
        return;
    if (is_nowhere(item) ? !message->has_chain || !digest_equal(&message->chain, &fact->chain)
                         : message->partition != fact->partition || message->offset <= fact->offset)
        return;
    if (fact->has_version && message->has_version && message->version < fact->version)
        return;
    if (message->offset < checkpoint) {
        item->fact.taken = message->offset;
        item->changed = true;
    } else {
        item->sent = message->offset;
        item->sent_partition = message->partition;
    }
}

void dead_letter_index_see(struct dead_letter_index *index,
                           const struct dead_letter_message_seen *message, int64_t checkpoint)
{
    bool is_dead = find(index, &message->place, KIND_ID) != DEAD_LETTER_NONE;
    if (is_dead)
        return;
    if (message->has_identity)
        see(index, find(index, &message->identity, KIND_IDENTITY), message, checkpoint);
    if (message->has_chain)
        see(index, find(index, &message->chain, KIND_CHAIN), message, checkpoint);
}

void dead_letter_index_seen(struct dead_letter_index *index, int32_t partition, int64_t offset)
{
    for (size_t i = 0; i < index->count; i++) {
        struct dead_letter_item *item = &index->items[i];
        if (!is_open(item) || item->fact.partition != partition || item->fact.seen >= offset)
            continue;
        item->fact.seen = offset;
        item->changed = true;
    }
}

enum dead_letter_state dead_letter_index_state(const struct dead_letter_index *index,
                                               uint32_t number)
{
    const struct dead_letter_item *item = &index->items[number];
    if (item->next != DEAD_LETTER_NONE)
        return DEAD_LETTER_SUPERSEDED;
    if (item->fact.taken >= 0 || item->landed)
        return DEAD_LETTER_RESOLVED;
    return item->discarded ? DEAD_LETTER_DISCARDED : DEAD_LETTER_OPEN;
}
