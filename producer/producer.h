#ifndef DROVER_PRODUCER_PRODUCER_H
#define DROVER_PRODUCER_PRODUCER_H

/*
 * The producer's parts, for its own files only:
 *
 *   source.c   bytes ─► pieces (json_stream)     one source after the other, blocking
 *   record.c   piece ─► record ─► message        tenant, id, version, sequence; or a rejection
 *   produce.c  start, end, what is said
 *
 * A full local queue makes record.c wait for reports, and so stops the reading: nothing is dropped
 * and memory stays what the queue was given.
 */

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/io/byte_source.h"
#include "common/io/kafka_sender.h"
#include "common/io/mappings.h"
#include "common/io/source_files.h"
#include "common/io/source_rules.h"
#include "common/model/topic.h"
#include "common/policy/produce_ledger.h"
#include "common/policy/version.h"
#include "producer/clock_file.h"
#include "producer/progress.h"
#include "producer/rejects.h"

/* A record on its way: where it came from, should Kafka refuse it. */
struct sent {
    const char *source;
    uint64_t line, column, byte, ordinal;
    struct sent *next; /* in the pool of free ones */
};

/* The source being read. */
struct reading {
    const char *path;
    const struct mapping *mapping;
    struct byte_source *bytes;
    struct buf tenant; /* isolation key of all its records; empty: each names its own */
    bool stream;
    bool uses_index;     /* a column of the mapping is $index: the header is needed */
    int64_t modified_ms; /* not after now */
};

struct producer {
    const struct settings *settings;
    struct mapping_set mappings;
    struct source_rules rules;
    struct source_files files;
    struct kafka_sender *sender;
    struct kafka_sender *results;
    int64_t *sequences; /* next one, by partition */
    struct produce_ledger ledger;
    struct rejects rejects;
    struct progress progress;
    char run[40];
    uint64_t started_ms;
    uint64_t source_bytes; /* of the sources read before */

    struct version_clock file_clock; /* of files: by their modification times alone */
    struct version_clock stream_clock;
    struct clock_file clock_file;

    struct reading reading;
    struct mapping_work work;
    struct buf tenant; /* of the record at hand */
    struct buf id;
    struct buf headers;
    struct arena sents; /* in-flight items: as many as the queue holds */
    struct sent *free_sent;

    bool failed; /* nothing more can be produced: `failure` says why */
    struct error failure;
};

/* True when the run must end: a signal, or a failure. */
bool producer_must_stop(const struct producer *producer);
/* The first failure is kept. */
void producer_fail(struct producer *producer, const struct error *err);
/* Serves reports for up to wait_ms, shows progress. */
void producer_breathe(struct producer *producer, int wait_ms);
void producer_reject_source(struct producer *producer, const char *path, const struct error *err);
void producer_reject_record(struct producer *producer, const struct reject_place *place,
                            const struct error *err);
/* kafka_delivered of the source topic; owner is the producer, item a struct sent. */
void producer_on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                           int64_t offset, const struct error *err);

/* source.c */
void producer_read_source(struct producer *producer, const struct source_file *file);
/* record.c: sends or rejects; false when the run must stop and the record was not taken. */
bool producer_take_piece(struct producer *producer, const struct json_piece *piece);

#endif
