#include "control/dlq/dead_letter_decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "control/who.h"

enum {
    MESSAGE_LIMIT = 1 << 20,
    IDS_BYTES = 256 * 1024, /* of one message, together */
    STORE_MS = 30000,
};

struct deciding {
    struct dead_letter_register *dead_letters;
    uint8_t *wanted; /* by number in the index */
    struct decision decision;
    struct bus_sender *sender;
    struct buf ids; /* the texts of decision.ids, one after the other */
    size_t sizes[DECISION_IDS_MAX];
    uint64_t count;
    enum outcome outcome; /* of what was delivered */
    struct error err;
};

static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    struct deciding *deciding = owner;
    (void)item;
    (void)partition;
    (void)offset;
    if (outcome == OUT_OK || deciding->outcome != OUT_OK)
        return;
    deciding->outcome = outcome;
    deciding->err = *err;
}

static enum outcome send(struct deciding *deciding, struct error *err)
{
    struct bytes ids[DECISION_IDS_MAX];
    struct buf value;
    struct decision *decision = &deciding->decision;
    size_t at = 0;
    if (decision->id_count == 0)
        return OUT_OK;
    for (size_t i = 0; i < decision->id_count; at += deciding->sizes[i++])
        ids[i] = bytes_of(deciding->ids.data + at, deciding->sizes[i]);
    decision->ids = ids;
    decision->at_ms = clock_unix_ms();
    buf_init(&value, MESSAGE_LIMIT);
    decision_append(&value, decision);
    const struct envelope envelope = {
        .key = BYTES_LITERAL("dlq"),
        .value = buf_view(&value),
        .headers = {{BYTES_LITERAL(HEADER_CONTENT_TYPE), BYTES_LITERAL("application/json")}},
        .header_count = 1};
    enum outcome outcome;
    while ((outcome = bus_sender_send(deciding->sender, 0, &envelope, NULL, err)) == OUT_RETRY)
        bus_sender_poll(deciding->sender, 100);
    buf_free(&value);
    decision->id_count = 0;
    buf_reset(&deciding->ids);
    return outcome;
}

static enum outcome add(void *owner, const struct dead_letter_row *row, struct error *err)
{
    struct deciding *deciding = owner;
    struct decision *decision = &deciding->decision;
    uint32_t number = dead_letter_index_find(&deciding->dead_letters->index, &row->fact.id);
    if (number == DEAD_LETTER_NONE || !deciding->wanted[number])
        return OUT_OK; /* others may have added to the cache */
    deciding->sizes[decision->id_count++] = row->id.size;
    buf_append_bytes(&deciding->ids, row->id);
    deciding->count++;
    return decision->id_count == DECISION_IDS_MAX || deciding->ids.size >= IDS_BYTES
               ? send(deciding, err)
               : OUT_OK;
}

static uint8_t *mark_wanted(const struct dead_letter_index *index,
                            const struct dead_letter_picks *picks,
                            bool (*is_wanted)(const struct dead_letter_pick *pick))
{
    uint8_t *wanted = mem_zeroed(index->count + 1, sizeof *wanted);
    for (size_t i = 0; i < picks->count; i++) {
        uint32_t number = dead_letter_index_find(index, &picks->items[i].id);
        if (number != DEAD_LETTER_NONE && (!is_wanted || is_wanted(&picks->items[i])))
            wanted[number] = 1;
    }
    return wanted;
}

enum outcome dead_letter_decide(struct dead_letter_register *dead_letters,
                                const struct dead_letter_picks *picks,
                                bool (*is_wanted)(const struct dead_letter_pick *pick),
                                const struct decision *decision, uint64_t *count, struct error *err)
{
    char who[WHO_SIZE];
    const struct dead_letter_filter every = DEAD_LETTER_FILTER_ALL;
    struct deciding *deciding = mem_new(sizeof *deciding);
    *deciding = (struct deciding){.dead_letters = dead_letters,
                                  .wanted = mark_wanted(&dead_letters->index, picks, is_wanted),
                                  .decision = *decision,
                                  .outcome = OUT_OK};
    who_is_it(who);
    deciding->decision.who = bytes_text(who);
    deciding->decision.partition = -1;
    buf_init(&deciding->ids, MESSAGE_LIMIT);
    enum outcome outcome =
        bus_open_sender(dead_letters->bus, dead_letters->topics[TOPIC_CONTROL], 0,
                        dead_letters->timeout_ms, on_delivered, deciding, &deciding->sender, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_cache_each(&dead_letters->cache, &every, add, deciding, err);
    if (outcome == OUT_OK)
        outcome = send(deciding, err);
    if (outcome == OUT_OK && !bus_sender_flush(deciding->sender, STORE_MS)) {
        outcome =
            error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE, "the decision could not be stored");
        error_where(err, "%s", dead_letters->topics[TOPIC_CONTROL]);
    }
    if (outcome == OUT_OK && deciding->outcome != OUT_OK) {
        outcome = deciding->outcome;
        *err = deciding->err;
    }
    *count = deciding->count;
    bus_sender_close(deciding->sender);
    buf_free(&deciding->ids);
    free(deciding->wanted);
    free(deciding);
    return outcome;
}
