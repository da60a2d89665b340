#ifndef DROVER_TESTS_SIM_MODEL_H
#define DROVER_TESTS_SIM_MODEL_H

/*
 * What must hold in a world, whatever happens in it. The model is told each message as it is
 * produced, and looks at the store and at the topics of results and dead letters; it knows nothing
 * of workers. At any moment:
 *
 *   I1  no row goes back: its version never falls, and no version is written twice
 *   I2  a row is what one committed message says: the first one of its version; of children any one
 *       of that version, as those that wait may come in behind others
 *   I3  checkpoints never go back
 *   I4  every dead record below a checkpoint has its dead letter in the topic
 *   I5  every record below the receipts' watermark is counted by a receipt in the topic, and the
 *       classes of its records add up and are possible for them: of children, which may wait, an
 *       ordinary receipt tells how many are in a class, not which
 *
 * and in the end, when everything was written:
 *
 *   I6  each key has the greatest version that the store does not refuse and that is no orphan's;
 *       refused ones and orphans have their dead letters, and nothing else has one. An orphan is a
 *       committed child whose wait is over, or all is, and whose parent was not produced by then
 *       (looked at when its dead letter comes)
 *   I7  every record is in exactly one class: told of once, and settled once when it waited there,
 *       else not. Only committed children are settled. (One may count twice that was told of after
 *       a crash as what it had become by then: recovered, a conflict or dead)
 *
 * The scheduler (sim.c) looks at two things more:
 *
 *   I8  while things happen, a worker counts no more bytes of batches than work.memory and what one
 *       turn brings (its outboxes are not looked at)
 *   I9  when nothing happens any more, those who are there write all
 *
 * and a worker that ends, other than for a dead letter that is refused, ends with 0.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/world.h"

struct model;

struct model *model_new(struct world *world);
void model_free(struct model *model);
/* Right after world_produce. */
void model_note(struct model *model, const struct world_message *message, int64_t offset);
/* False: something does not hold; `why` says what. */
bool model_check(struct model *model, char *why, size_t size);
bool model_check_end(struct model *model, char *why, size_t size);

#endif
