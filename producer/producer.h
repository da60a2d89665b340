#ifndef DROVER_PRODUCER_PRODUCER_H
#define DROVER_PRODUCER_PRODUCER_H

/*
 * The producer's parts, for its own files only:
 *
 *   sources.c   which sources are read, from where, in whose run (manifest/)
 *   source.c    source ─► records (source_reading.h)   one source after the other, blocking
 *   record.c    record ─► guard ─► message             tenant, id, version, sequence; or rejected
 *   acknowledged.c  acknowledged ─► rows of the manifest, readings in the results topic
 *   produce.c   start, end, what is said
 *   breathe.c   time for reports and the screen
 *   producer.c  what all of them use: stopping, failing, refusing
 *   follow/     with --follow: the sources again and again, only what changed
 *
 * A full local queue makes record.c wait for reports, and so stops the reading: nothing is dropped
 * and memory stays what the queue was given.
 */

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/io/mappings.h"
#include "common/io/source/source_files.h"
#include "common/io/source/source_guard.h"
#include "common/io/source/source_intake.h"
#include "common/io/source/source_reading.h"
#include "common/io/source/source_rules.h"
#include "common/model/message/topic.h"
#include "common/policy/acked_prefix.h"
#include "common/policy/produce_counters.h"
#include "common/policy/version.h"
#include "common/port/bus.h"
#include "producer/clock_file.h"
#include "producer/manifest/manifest.h"
#include "producer/passage.h"
#include "producer/produce.h"
#include "producer/progress.h"
#include "common/policy/collect/key_seen.h"
#include "producer/rejects.h"

/* A record on its way: where it came from, should Kafka refuse it. */
struct sent {
    struct origin origin;
    struct passage *passage; /* NULL: a follower's */
    uint64_t span;           /* of the passage's marks */
    int64_t sequence;
    struct sent *next; /* in the pool of free ones */
};

/* The source being read. */
struct open_source {
    const char *path;
    struct source_reading *source;
    bool stream;
    bool is_part;        /* of a file: it may be empty */
    int64_t modified_ms; /* not after now */
    uint64_t at;         /* where the last record ended */
};

/* Asked before a record of a followed source is sealed and sent. */
struct record_gate {
    void *owner;
    bool silent; /* what is rejected or withheld is neither listed nor counted */
    /* `record` has tenant, id and version, which may be raised. *send false: it is passed over. */
    enum outcome (*ask)(void *owner, const struct source_record *found, struct record *record,
                        bool *send, struct error *err);
    /* The source was read, to its end or not. */
    void (*end)(void *owner, const struct source_reading *reading);
    /* A record was rejected; NULL: the source as a whole. */
    void (*refuse)(void *owner, const struct source_record *found, const struct error *err);
    void (*withhold)(void *owner);
};

struct producer {
    const struct settings *settings;
    struct produce_options options;
    struct bus *bus;
    struct mapping_set mappings;
    struct source_rules rules;
    struct source_files files;
    struct bus_sender *sender;
    struct bus_sender *results;
    struct producer_run *own;   /* of sources that are read from their beginning; */
    struct producer_run **runs; /* all: it, and those of sources that go on */
    size_t run_count, run_room;
    struct manifest *manifest; /* NULL: nothing is kept */
    bool lost;                 /* the topic does not hold what it acknowledged */
    struct acked_prefix acked; /* notes of acknowledged.c */
    struct passage *passage;   /* of the source being read; NULL: a follower's */
    uint64_t store_ms;         /* when rows may move again */
    struct source_kind *kinds; /* of the files */
    struct produce_counters counters;
    struct rejects rejects;
    struct progress progress;
    char run[MANIFEST_RUN_SIZE]; /* own's name */
    uint64_t started_ms;
    uint64_t source_bytes; /* of the sources read before */

    struct version_clock file_clock; /* of files: by their modification times alone */
    struct version_clock stream_clock;
    struct clock_file clock_file;

    struct open_source open;
    struct record_gate *gate; /* NULL: every record is produced */
    /* NULL, or called when Kafka refuses a record of a followed source; `breath_owner`'s */
    void (*on_late)(void *owner, const struct origin *origin, enum error_code code);
    void (*on_breath)(void *owner); /* NULL, or called wherever time is given to others */
    void *breath_owner;
    struct secret_ring ring;
    bool has_ring;
    struct source_guard guard;
    struct key_seen keys; /* of mappings without a version */
    struct mapping_work work;
    struct source_intake *intake;
    struct buf headers;
    struct arena sents; /* in-flight items: as many as the queue holds */
    struct sent *free_sent;

    bool failed; /* nothing more can be produced: `failure` says why */
    struct error failure;
};

/* As its screen and its receipt say it. */
struct produce_state producer_state(const struct producer *producer);
/* True when the run must end: a signal, or a failure. */
bool producer_must_stop(const struct producer *producer);
/* The first failure is kept. */
void producer_fail(struct producer *producer, const struct error *err);
/* Serves reports for up to wait_ms, shows progress. */
void producer_breathe(struct producer *producer, int wait_ms);
/* A follower waits: tells what moved since it was told last. */
void producer_rest(struct producer *producer);
void producer_reject_source(struct producer *producer, const char *path, const struct error *err);
void producer_reject_record(struct producer *producer, const struct source_record *found,
                            const struct error *err);
/* Waits until all is stored; false when the run must stop before. */
bool producer_settle(struct producer *producer);
/* bus_delivered of the source topic; owner is the producer, item a struct sent. */
void producer_on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                           int64_t offset, const struct error *err);

/* remember.c: opens the manifest and takes the sources. */
MUST_USE enum outcome producer_remember(struct producer *producer, struct error *err);
/* sources.c */
void producer_read_sources(struct producer *producer);
/* Its sequences are zeroes. */
struct producer_run *producer_add_run(struct producer *producer, const char *name);
void producer_free_runs(struct producer *producer);
/* acknowledged.c: behind a record of the passage. */
void producer_mark_record(struct producer *producer);
void producer_serve_marks(struct producer *producer);
void producer_note_stored(const struct sent *sent, int32_t partition, int64_t offset);
/* The source being read is at its end, or the run is. */
void producer_end_passage(struct producer *producer);
void producer_end_marks(struct producer *producer);
/* Sends it to the results topic. False: the run ends, and it is not on its way. */
bool producer_tell_reading(struct producer *producer, struct bytes run, struct bytes value);
/* sources.c: which source it is, besides its name. */
void producer_identify(struct producer *producer, const struct source_file *file,
                       struct reading *reading);
/* source.c */
void producer_read_source(struct producer *producer, const struct source_file *file);
/* record.c: sends or rejects; false when the run must stop and the record was not taken. */
bool producer_take_record(struct producer *producer, const struct source_record *found);
/* A record that is whole: key, sequence, message. */
enum outcome producer_send_record(struct producer *producer, struct record *record,
                                  struct error *err);
/* Lists and counts what the reading rejected. */
void producer_refuse_record(struct producer *producer, const struct source_record *found,
                            struct error *err);

#endif
