#ifndef DROVER_VERIFIER_HISTORY_H
#define DROVER_VERIFIER_HISTORY_H

/*
 * Which messages of the source topic are records, and which are history: what producers say of
 * their readings, and the numbers of their messages; and what people decided about dead letters.
 * All of it is read before the source topic. Where messages are read once everything is one run's,
 * so all are records, and readings only tell what was rejected.
 */

#include "verifier/verify_run.h"

void history_init(struct verify_run *run);
void history_free(struct verify_run *run);

/* A message of the results topic, of kind "reading"; false: there is no room for it. Those that
 * come when the source was read are left out, unless it is read once. */
MUST_USE bool history_take_reading(struct verify_run *run, struct bytes json);
/* Reads what the control topic holds since the last call. */
MUST_USE enum outcome history_read_decisions(struct verify_run *run, struct error *err);

/* Before a pass. */
void history_begin(struct verify_run *run);
/* Of every message of the pass, in the order of its partition: whether its run sent it there
 * before. */
bool history_is_repeat(struct verify_run *run, const struct bus_message *message);
/* Whether a message is no record by itself; counts it for its reading in the first pass. */
bool history_has(struct verify_run *run, const struct bus_message *message,
                 const struct record *record, bool is_repeat);
/* The first attempt of a message that was a dead letter before; false: it was none. */
bool history_first_attempt(const struct verify_run *run, const struct bus_message *message,
                           int32_t *partition, int64_t *offset);
/* Whether somebody decided that the dead letter of this place is not migrated. */
bool history_is_discarded(const struct verify_run *run, int32_t partition, int64_t offset);
/* The message's dead letter, as far as decisions tell; NULL: it has none, or it landed when it was
 * read again. expected_find_dead asks the receipts as well. */
const struct dead_letter *history_find_dead(const struct verify_run *run,
                                            const struct bus_message *message);

/* When the topic was read: readings that are not complete, and of which the topic lacks records,
 * keep the report from being whole. Of what is gone at its begin, how much people gave up. */
void history_test(struct verify_run *run);
/* What producers rejected and withheld, in the report's groups, with codes and places. */
void history_count_rejected(struct verify_run *run);

#endif
