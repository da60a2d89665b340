#ifndef DROVER_PRODUCER_FOLLOW_TOLD_H
#define DROVER_PRODUCER_FOLLOW_TOLD_H

/*
 * What a follower tells everybody in the state topic, under its key follow/HOST-NUMBER (the number
 * is of its state's folder): how many files and records it follows, how far it is behind. Every few
 * seconds, and once more at its end. It is told on the side: where the topic is missing or does not
 * answer nothing else waits for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "producer/follow/follow_problem.h"
#include "producer/producer.h"

struct follow_told;

/* How it stands now. */
struct follow_standing {
    uint64_t files, records; /* followed, and known of them */
    uint64_t upserts, deletes;
    uint64_t unread;        /* files with news that could not be read yet */
    uint64_t behind_ms;     /* since when a change waits; 0: none does */
    int64_t last_change_ms; /* produced, Unix time; negative: none yet */
    const struct follow_problems *problems;
    bool ended;
};

/* Says once when the migration has no state topic, and then tells nobody. */
struct follow_told *follow_told_open(struct producer *producer);
/* Whether it is time to tell again. */
bool follow_told_is_due(const struct follow_told *told);
void follow_told_say(struct follow_told *told, const struct follow_standing *standing);
/* Waits a moment for the last one. NULL is allowed. */
void follow_told_close(struct follow_told *told);

#endif
