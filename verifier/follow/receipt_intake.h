#ifndef DROVER_VERIFIER_FOLLOW_RECEIPT_INTAKE_H
#define DROVER_VERIFIER_FOLLOW_RECEIPT_INTAKE_H

/*
 * The receipts, as a member of the group <prefix>.<migration>.verify on the results topic: the
 * receipts of a partition of the source lie in the results' partition of the same number, so
 * followers share the partitions of the source. What comes is put into the partition's `due`.
 * On the loop's thread; nothing here blocks.
 */

#include "common/io/settings.h"
#include "common/model/message/topic.h"
#include "common/port/bus.h"
#include "verifier/follow/due.h"
#include "verifier/follow/settled_list.h"

#define INTAKE_SETTLED_MAX 10000 /* with more of them no receipts are read */

struct receipt_intake_partition {
    bool is_ours; /* and begun: receipt_intake_begin */
    struct due due;
    int64_t end; /* of the source, as the last receipt told; -1: not known */
    int64_t lag; /* of the workers, as it told */
};

struct receipt_intake {
    const struct settings *settings;
    struct bus *bus;
    struct bus_consumer *consumer;
    char topic[TOPIC_NAME_SIZE], group[TOPIC_NAME_SIZE];
    struct receipt_intake_partition *partitions; /* by number */
    size_t count;
    int32_t *assigned; /* those to be begun, or that are ours */
    size_t assigned_count;
    bool is_assigned, is_begun, is_held, is_closed;
    struct settled_list settled; /* what became of records that waited */
    uint64_t committed;          /* records that receipts told of; whoever reads it sets it to 0 */
    bool failed;                 /* `failure` is fatal */
    struct error failure;
    bool is_away; /* `failure` says why */
    void (*on_revoked)(
        void *owner); /* before partitions are given up: what is done is to be kept */
    void *owner;
};

/* Joins the group; `partitions` of the source. */
MUST_USE enum outcome receipt_intake_open(struct receipt_intake *intake,
                                          const struct settings *settings, struct bus *bus,
                                          size_t partitions, struct error *err);
/* Leaves it: intake->is_closed once the loop has turned. */
void receipt_intake_close(struct receipt_intake *intake);
void receipt_intake_free(struct receipt_intake *intake);

/* Begins reading what was assigned; of each partition `results[i]` in the results topic, its due
 * being set up. */
MUST_USE enum outcome receipt_intake_begin(struct receipt_intake *intake, const int64_t *results,
                                           struct error *err);
/* After due_done: goes on reading when there is room, and tells the group. */
void receipt_intake_done(struct receipt_intake *intake);
/* Where a partition of the results is gone on with: what is told of before was looked at. */
int64_t receipt_intake_position(const struct receipt_intake *intake, int32_t partition);
/* Offsets that wait for a lookup, of all partitions. */
uint64_t receipt_intake_backlog(const struct receipt_intake *intake);
/* When the oldest of them was committed, Unix time; -1: there are none. */
int64_t receipt_intake_oldest_ms(const struct receipt_intake *intake);
/* Messages that the workers are behind, as receipts told last. */
int64_t receipt_intake_lag(const struct receipt_intake *intake);

#endif
