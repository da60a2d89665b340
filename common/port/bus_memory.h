#ifndef DROVER_PORT_BUS_MEMORY_H
#define DROVER_PORT_BUS_MEMORY_H

/*
 * Topics in memory: the bus of rehearsals, of runs in memory, of tests and of the simulation. One
 * thread, no server, nothing waits. What is sent is copied and reported by the next poll, as
 * Kafka's client does it. Bounded by bytes: when it is full, senders wait (OUT_RETRY) for
 * bus_memory_drop, or are told DRV-F003 when nobody takes a turn at their polls.
 *
 *   sender ─ send ─► [topic: partitions of messages] ─► readers, consumers     bus_memory_drop
 *               poll ─► reports, then on_poll: where others in the same thread take their turn
 *
 * A consumer tells its events in bus_memory_turn alone. There is no coordinator: its owner says
 * which partitions come and go.
 */

#include <stddef.h>

#include "common/port/bus.h"
#include "common/port/clock.h"

struct bus_memory;

/* A message larger than `bytes_max` is still taken when nothing else is there. */
struct bus_memory *bus_memory_new(size_t bytes_max);
/* All that was opened of it is closed before, and every held message released. */
void bus_memory_free(struct bus_memory *bus);
void bus_memory_make_topic(struct bus_memory *bus, const char *topic, int32_t partitions);
/* What is sent to the topic is always taken: for what readers of another topic send, who would else
 * wait for room that only they can make. Its bytes count all the same. */
void bus_memory_always_takes(struct bus_memory *bus, const char *topic);
/* Called at the end of each poll and flush of a sender; not from inside itself. */
void bus_memory_on_poll(struct bus_memory *bus, void (*on_poll)(void *owner), void *owner);
/* Stamps messages with its wall clock; without one they have no time (-1). */
void bus_memory_use_clock(struct bus_memory *bus, const struct clock *clock);
struct bus *bus_memory_bus(struct bus_memory *bus);

/* Removes messages below `offset` from a partition: readers and consumers that still want them are
 * told DRV-K005. Held ones live until they are released. */
void bus_memory_drop(struct bus_memory *bus, const char *topic, int32_t partition, int64_t offset);
/* Bytes of all messages that are in topics. */
size_t bus_memory_bytes(const struct bus_memory *bus);

/* ---- a consumer's turns ------------------------------------------------------------------ */

/* Partitions come: told (on_assigned) by the next turn, after give_up. What it had was revoked
 * before. */
void bus_memory_assign(struct bus_consumer *consumer, const int32_t *partitions, size_t count);
/* All its partitions go: told (on_revoked) by the next turn; until give_up it has them still. */
void bus_memory_revoke(struct bus_consumer *consumer);
/* True between a turn that told on_revoked, or close, and give_up; and while it is held and has not
 * been told what the group decided: the group waits for it. */
bool bus_memory_is_revoking(const struct bus_consumer *consumer);
/* Tells what is to be told, of a held one nothing but the answers: revoked, assigned, errors, at
 * most `messages_max` messages (of partitions that are started and not paused, in turn; none
 * between on_revoked, or close, and give_up), ends, closed; and whoever asked the bus something.
 * False: there was nothing, or it is called from inside a turn. After on_closed the consumer is
 * gone. */
bool bus_memory_turn(struct bus_consumer *consumer, size_t messages_max);
/* A crash: the consumer is gone, nothing is told. What it handed over stays held. */
void bus_memory_abandon(struct bus_consumer *consumer);
/* Belongs to a crash: what `owner` asked (bus_ask_ends) and was not told yet is not told. */
void bus_memory_forget_questions(struct bus_memory *bus, const void *owner);

/* ---- by hand: for tests that decide what happens when ------------------------------------- */

/* From now on what is sent stays with its sender until bus_memory_store_one or _refuse_one; what a
 * sender has when it is closed is lost. */
void bus_memory_by_hand(struct bus_memory *bus);
/* Open senders that have something not yet stored, in the order they were opened. */
size_t bus_memory_unstored_senders(const struct bus_memory *bus);
/* Stores the oldest message of the `which`th of them (from 0); its report is told by its next
 * poll. */
void bus_memory_store_one(struct bus_memory *bus, size_t which);
/* The topic does not take it: told as OUT_REJECT DRV-K006, or whatever `err` says (OUT_REJECT,
 * OUT_FATAL; NULL: DRV-K006). */
void bus_memory_refuse_one(struct bus_memory *bus, size_t which, const struct error *err);

#endif
