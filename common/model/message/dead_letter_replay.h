#ifndef DROVER_MODEL_DEAD_LETTER_REPLAY_H
#define DROVER_MODEL_DEAD_LETTER_REPLAY_H

/*
 * A dead letter as a message of the source topic again: key, value and headers as they were, but
 * for those that say why it was one (dead_letter_is_reason), the run and the sequence. The version
 * stays. drover-replayed-from names the first of its dead letters, drover-attempts says how many
 * attempts were made.
 */

#include "common/model/message/dead_letter_reading.h"

struct dead_letter_again {
    struct bytes first_id; /* of the chain's first dead letter */
    int64_t attempts;      /* made so far */
    struct bytes run;
    int64_t sequence;
    int64_t version; /* has_version: of a message that brings none */
    bool has_version;
    /* of a message of another topic that names none of its own; else empty */
    struct bytes tenant, entity, key;
};

/* Owns its headers and the texts made for them; all else are views of the dead letter. */
struct dead_letter_replay {
    struct message_view view;
    struct header *headers;
    struct buf text;
};

/* dead_letter_replay_free when it was sent. */
void dead_letter_replay_make(const struct message_view *dead_letter,
                             const struct dead_letter_again *again,
                             struct dead_letter_replay *replay);
void dead_letter_replay_free(struct dead_letter_replay *replay);

#endif
