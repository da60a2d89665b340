#ifndef DROVER_CONTROL_DEAD_LETTER_PICKS_H
#define DROVER_CONTROL_DEAD_LETTER_PICKS_H

/*
 * Dead letters that a command was asked for, by their places (32 bytes each), and their messages,
 * read from the topic one after the other: there are never two payloads in memory.
 */

#include "control/dlq/dead_letter_register.h"

struct dead_letter_pick {
    struct digest id;
    int64_t at_offset;
    int32_t at_partition;
    uint8_t at_topic;
    uint8_t outcome; /* the owner's */
    uint8_t family;  /* of enum dead_letter_family */
};

struct dead_letter_picks {
    struct dead_letter_pick *items; /* by topic, partition, offset */
    size_t count, room;
};

struct picked_message {
    struct dead_letter_pick *pick;
    const struct bus_message *message; /* its envelope holds what a record needs */
    struct message_view view;          /* all of it */
    struct dead_letter_reading reading;
    struct bytes id, chain; /* as the register calls them */
};

/* Fills `picks`, zeroed. */
MUST_USE enum outcome dead_letter_picks_choose(struct dead_letter_picks *picks,
                                               struct dead_letter_register *dead_letters,
                                               const struct dead_letter_filter *filter,
                                               struct error *err);
/* At the end, in no order. */
void dead_letter_picks_add(struct dead_letter_picks *picks, const struct dead_letter_row *row);
/* As they are read. */
void dead_letter_picks_sort(struct dead_letter_picks *picks);
/* Nothing was chosen by the id: it is not there, or in another state. OUT_FATAL DRV-K011. */
MUST_USE enum outcome dead_letter_picks_refuse(const struct dead_letter_register *dead_letters,
                                               const char *id, struct error *err);
void dead_letter_picks_free(struct dead_letter_picks *picks);

/* What it answers other than OUT_OK ends the reading, and is given. Views until it returns. */
typedef enum outcome (*picks_on_message)(void *owner, const struct picked_message *picked,
                                         struct error *err);
/* Each that is wanted (NULL: all), in their order by partition; *missing: those that are no longer
 * in the topic. OUT_RETRY also when the process is asked to stop. */
MUST_USE enum outcome dead_letter_picks_read(const struct dead_letter_picks *picks,
                                             struct dead_letter_register *dead_letters,
                                             bool (*is_wanted)(const struct dead_letter_pick *pick),
                                             picks_on_message on_message, void *owner,
                                             uint64_t *missing, struct error *err);

#endif
