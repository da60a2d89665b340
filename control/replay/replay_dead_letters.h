#ifndef DROVER_CONTROL_REPLAY_DEAD_LETTERS_H
#define DROVER_CONTROL_REPLAY_DEAD_LETTERS_H

/*
 * The dead letters whose messages a replay reads, and which of their records land. Both are
 * decisions in the control topic (common/model/message/decision.h), so that everybody comes to the
 * same:
 *
 *   ..._find    "replayed": those that landed before are open again until they do again
 *   on_record   the worker tells of each record that is in the store; 40 bytes a dead letter
 *   ..._decide  "landed": those that the store has, or a newer version of
 *   ..._count   which codes the others have
 *
 * A call that is killed tells of none of those it read: they stay open until they are read again.
 */

#include "control/dlq/dead_letter_register.h"
#include "control/replay/replay.h"

/* A dead letter of a message that is read. */
struct replay_dead_letter {
    struct digest id;
    int64_t offset; /* of the message */
    int32_t partition;
    bool counts; /* no other dead letter of its record took its place */
    bool landed;
};

struct replay_dead_letters {
    struct replay *replay;
    struct dead_letter_register *all;
    struct replay_dead_letter *items; /* by partition and offset */
    size_t count, room;
    struct bus_range *topic; /* of the dead letters, when the reading began, by partition */
    size_t topic_count;
};

/* Those behind what earlier calls have read. To be closed, also after a failure. */
MUST_USE enum outcome replay_dead_letters_find(struct replay *replay,
                                               struct replay_dead_letters *dead_letters,
                                               struct error *err);
/* As worker_replay.on_record; the owner is the dead letters. */
void replay_dead_letters_on_record(void *owner, int32_t partition, int64_t offset,
                                   enum record_class the_class);
/* Stored for good when it returns OUT_OK. */
MUST_USE enum outcome replay_dead_letters_decide(struct replay_dead_letters *dead_letters,
                                                 struct error *err);
/* Those that this call made, or made again, by code, into the replay's `dead`. What cannot be asked
 * for is left out, with a warning in the log: the counts of the worker stand. */
void replay_dead_letters_count(struct replay_dead_letters *dead_letters);
void replay_dead_letters_close(struct replay_dead_letters *dead_letters);

#endif
