#ifndef DROVER_CONTROL_STATUS_H
#define DROVER_CONTROL_STATUS_H

/*
 * Where a migration stands, seen from outside its workers: how far each partition is committed
 * (the store), where its log ends (Kafka), and what the receipts say became of the records. Reads
 * only; takes part in no group; works while other hosts do the work.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/stores.h"
#include "common/model/message/halted.h"
#include "common/model/message/receipt.h"
#include "common/model/message/topic.h"
#include "common/policy/totals.h"
#include "common/policy/verify/readings.h"
#include "common/port/bus.h"
#include "control/status/status_dead_letters.h"
#include "control/status/status_followers.h"

struct status_partition {
    int64_t low, high;   /* of the source topic */
    int64_t next_offset; /* committed in the store up to here */
    int64_t redis_next;
    int64_t results_next;
    int64_t epoch;
    char owner[96]; /* empty: nobody's now */
    int64_t lag;
    uint64_t told[CLASS_COUNT];    /* by the receipts of its batches; waiting: who ever did */
    uint64_t settled[CLASS_COUNT]; /* what became of those that waited */
    uint64_t loaded[CLASS_COUNT];  /* what finishing a load found of those told as applied */
    int64_t receipts_to;           /* offsets of the source topic the receipts cover */
    int64_t told_epoch;            /* of the last of them */
    uint64_t gaps;                 /* offsets below that no receipt covers */
    uint64_t counts[WORK_COUNT];   /* all of its source records, of the last reading */
    int64_t seen_next, seen_high;  /* at the last reading */
    unsigned rested;               /* readings in a row that found it there */
    bool nothing_left;             /* there is no message between them */
};

/* A partition of which no worker takes anything more. */
struct status_halt {
    bool told; /* by a worker, at some time; halted_is_current says whether it still holds */
    struct halted halted;
};

struct status {
    const struct settings *settings;
    int timeout_ms; /* of each question to a server */
    unsigned rests; /* readings */
    char topics[TOPIC_KINDS][TOPIC_NAME_SIZE];
    struct bus *bus;
    struct store_status store;
    int32_t partition_count;
    struct status_partition *partitions;
    int64_t *results_read;     /* per partition of the results topic */
    int64_t control_read[1];   /* and of the control topic's only one */
    struct status_halt *halts; /* per partition: the last one told */
    struct status_dead_letters dead;
    struct status_followers followers;
    struct readings readings;
    uint64_t readings_beyond;            /* that had no room */
    int64_t settled_round;               /* of the last receipt of records that waited */
    int64_t loaded_number;               /* of the last receipt of a load */
    uint64_t run_rejected, run_withheld; /* at the source, by receipts of whole runs */

    /* sums of the last reading */
    uint64_t total; /* offsets of the source topic: its messages, and markers of transactions */
    uint64_t committed;
    uint64_t lag;
    uint64_t messages;           /* of the topic, as far as their classes are known */
    uint64_t counts[WORK_COUNT]; /* of them, and what never got into the topic */
    /* by the readings: of the sources as they were read last */
    uint64_t source_records, produced;
    size_t sources;    /* 0: no reading was told */
    int64_t oldest_ms; /* Unix time of the oldest message that is not committed; -1: not known */
};

/* Connects to Kafka only; the store follows at the first reading. Of a partition that has not moved
 * for `rests` readings (0: at the first one) it is asked whether what is left of it are messages at
 * all. */
MUST_USE enum outcome status_open(const struct settings *settings, int timeout_ms, unsigned rests,
                                  struct status *status, struct error *err);
void status_close(struct status *status);

/* One reading at checkpoint and ends. After OUT_RETRY the next reading connects anew. */
MUST_USE enum outcome status_read(struct status *status, struct error *err);
/* Only the ends of the topic: whether Kafka is there, when the store is not. */
MUST_USE enum outcome status_read_ends(struct status *status, struct error *err);
/* Reads the receipts that are new, and counts: the classes of each partition sum
 * to its records by themselves. OUT_RETRY DRV-W012: the receipts are ahead of the store, which so
 * is another one. */
MUST_USE enum outcome status_read_receipts(struct status *status, struct error *err);
/* status_dead_letters.c: reads what is new of the dead letters, after a reading of status, and
 * counts them. Only once ten times as long has passed as the last such reading took. What makes
 * them not known for good is kept in `dead.why`, so that all the rest can be said; OUT_RETRY: a
 * server is away, or the reading was stopped. */
MUST_USE enum outcome status_read_dead_letters(struct status *status, struct error *err);
/* status_oldest.c: since when the oldest message waits that is not committed; asked of Kafka. */
MUST_USE enum outcome status_read_oldest(struct status *status, struct error *err);

/* Reads what is new of those that follow without an end. */
MUST_USE enum outcome status_read_followers(struct status *status, struct error *err);

/* NULL: the partition is not halted. */
const struct halted *status_halted(const struct status *status, int32_t partition);
#endif
