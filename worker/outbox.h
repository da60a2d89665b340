#ifndef DROVER_WORKER_OUTBOX_H
#define DROVER_WORKER_OUTBOX_H

/*
 * Messages on their way to one topic: dead letters, receipts. A message put in is copied whole and
 * owned until the Kafka client has taken it (which copies it again); nothing here ever waits.
 *
 *   put ─► [owned, in order] ─ turn: while the client has room ─► client ─ its report: noted ─►
 * turn: told
 *
 * Every message is told exactly once, from outbox_turn alone: no callback of the library reaches
 * the worker's decisions. The client may be full or Kafka away for as long as it is; the outbox
 * says when it holds more than `max` bytes, and the worker then begins nothing that adds to it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/port/bus.h"

struct outbox;

/* OUT_OK: stored by all in-sync replicas; OUT_REJECT: larger than the topic takes; OUT_FATAL: the
 * client is dead. `err` is NULL with OUT_OK. May put new messages. */
typedef void (*outbox_told)(void *owner, void *item, enum outcome outcome, const struct error *err);

/* For whoever waits until all of several messages are told. */
struct outbox_tally {
    size_t on_way;
    bool broken; /* one was not stored */
};

static inline void outbox_tally_told(struct outbox_tally *tally, enum outcome outcome)
{
    tally->on_way--;
    tally->broken = tally->broken || outcome != OUT_OK;
}

/* Checks that the topic exists; waits at most timeout_ms for a broker (bus_open_sender). `max`:
 * bytes not yet acknowledged above which the outbox is full. */
MUST_USE enum outcome outbox_open(struct bus *bus, const char *topic, int timeout_ms, size_t max,
                                  outbox_told told, void *owner, struct outbox **outbox,
                                  struct error *err);
/* NULL is allowed. What is not acknowledged is dropped and not told; `drop` (or NULL) gets the item
 * of each. */
void outbox_close(struct outbox *outbox, void (*drop)(void *item));

int32_t outbox_partitions(const struct outbox *outbox);
/* Bytes of the largest message (message_size) that topic and client take, as far as is known. */
size_t outbox_message_max(const struct outbox *outbox);
/* Readable when the client has something to tell: then call outbox_turn. -1: there is none. */
int outbox_fd(struct outbox *outbox);

/* Copies the message; never fails, never sends, never tells. */
void outbox_put(struct outbox *outbox, int32_t partition, const struct message_view *message,
                void *item);
/* Tells what the client has reported, and keeps back what was put in. */
void outbox_listen(struct outbox *outbox);
/* Hands to the client what it has room for, and tells what it has reported. Once a loop turn. */
void outbox_turn(struct outbox *outbox);

/* Above the limit; has_room: below half of it (the gap keeps pauses rare). */
bool outbox_is_full(const struct outbox *outbox);
bool outbox_has_room(const struct outbox *outbox);
/* Everything put in was told. */
bool outbox_is_empty(const struct outbox *outbox);

#endif
