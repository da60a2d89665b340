#include "control/dlq/dead_letter_decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "control/decision_log.h"

enum {
    IDS_LIMIT = 1 << 20,
    IDS_BYTES = 256 * 1024, /* of one message, together */
    STORE_MS = 30000,
};

struct deciding {
    struct dead_letter_register *dead_letters;
    uint8_t *wanted; /* by number in the index */
    struct decision decision;
    struct json_sender *control;
    struct buf ids; /* the texts of decision.ids, one after the other */
    size_t sizes[DECISION_IDS_MAX];
    uint64_t count;
};

static enum outcome send(struct deciding *deciding, struct error *err)
{
    struct bytes ids[DECISION_IDS_MAX];
    struct decision *decision = &deciding->decision;
    size_t at = 0;
    if (decision->id_count == 0)
        return OUT_OK;
    for (size_t i = 0; i < decision->id_count; at += deciding->sizes[i++])
        ids[i] = bytes_of(deciding->ids.data + at, deciding->sizes[i]);
    decision->ids = ids;
    enum outcome outcome = decision_log_write(deciding->control, "dlq", decision, err);
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
    struct deciding *deciding = mem_new(sizeof *deciding);
    *deciding = (struct deciding){.dead_letters = dead_letters,
                                  .wanted = mark_wanted(&dead_letters->index, picks, is_wanted),
                                  .decision = *decision};
    deciding->decision.partition = -1;
    buf_init(&deciding->ids, IDS_LIMIT);
    enum outcome outcome = json_sender_open(dead_letters->bus, dead_letters->topics[TOPIC_CONTROL],
                                            dead_letters->timeout_ms, &deciding->control, err);
    if (outcome == OUT_OK)
        outcome = dead_letter_cache_all(&dead_letters->cache, add, deciding, err);
    if (outcome == OUT_OK)
        outcome = send(deciding, err);
    if (outcome == OUT_OK)
        outcome =
            json_sender_flush(deciding->control, STORE_MS, "the decision could not be stored", err);
    *count = deciding->count;
    json_sender_close(deciding->control);
    buf_free(&deciding->ids);
    free(deciding->wanted);
    free(deciding);
    return outcome;
}
