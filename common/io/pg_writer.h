#ifndef DROVER_IO_PG_WRITER_H
#define DROVER_IO_PG_WRITER_H

/*
 * One lane of the PostgreSQL sink at work: the phases a batch goes through (pg_writer.c), the
 * search for refused records (pg_writer_careful.c), the look at rows not written
 * (pg_writer_look.c). Internal to pg_sink.
 */

#include "common/io/pg_sink.h"
#include "common/io/pg_upsert.h"
#include "common/policy/bisect.h"

enum phase {
    PHASE_FREE,
    PHASE_CHECK,
    PHASE_WRITE,
    PHASE_ROLLBACK,
    PHASE_CAREFUL,
    PHASE_LACK, /* which rows of the refused group have no parent yet */
    PHASE_HALVE,
    PHASE_WAIT, /* refused records are on their way to the dead letters */
    PHASE_COMMIT,
    PHASE_LOOK,
};

struct pg_sink;

struct writer {
    struct pg_sink *sink;
    struct pg_lane *lane;
    enum phase phase;
    struct batch *batch;
    int64_t transaction; /* ours, to know our rows again; -1 unknown */
    bool commit_sent;
    bool retry_careful;   /* what follows ROLLBACK */
    struct error failure; /* what ROLLBACK reports when it does not go on */
    size_t group;         /* CAREFUL: first group not yet written; LACK, HALVE: the refused one */
    bool lack_asked;      /* of that group */
    int head;             /* CAREFUL: queries before the first group's */
    int vault;            /* WRITE: those of them that fill the vault */
    struct bisect bisect;
    bool undo; /* a savepoint must be rolled back first */
    size_t part_first, part_count;
    uint32_t *subset; /* LOOK: undecided items, group by group */
    bool is_ready;
};

struct pg_sink {
    struct sink base;
    const struct mapping_set *mappings;
    struct pg_upsert **upserts; /* by position in mappings */
    struct writer *writers;
    int writer_count, open_lanes;
    struct buf memory;
    bool lost;
    void (*on_closed)(void *owner);
    bool closing;
};

/* ---- pg_writer.c: queries of an exchange, endings */
void pg_writer_plain(struct writer *writer, const char *sql);
void pg_writer_begin(struct writer *writer);
void pg_writer_fence(struct writer *writer);
void pg_writer_set_tenant(struct writer *writer, struct bytes tenant);
void pg_writer_upsert(struct writer *writer, const struct batch_group *group, size_t first,
                      size_t count);
const struct pg_upsert *pg_writer_upsert_of(const struct pg_sink *sink,
                                            const struct mapping *mapping);
/* Sends the exchange; its reply is the phase's. */
void pg_writer_enter(struct writer *writer, enum phase phase);
void pg_writer_finish(struct writer *writer, enum outcome outcome, const struct error *err);
/* What a failed query means for the batch, outside of the search for refused records. */
void pg_writer_fail(struct writer *writer, const PGresult *result);
void pg_writer_take_transaction(struct writer *writer, const PGresult *fenced);
void pg_writer_note_count(struct batch_group *group, const PGresult *result, size_t sent);
void pg_writer_start(struct writer *writer);
void pg_writer_start_commit(struct writer *writer);
void pg_writer_give_up(struct writer *writer);
extern const struct pg_lane_events PG_WRITER_EVENTS;

/* ---- pg_writer_look.c */
void pg_writer_start_look(struct writer *writer);
void pg_writer_on_look(struct writer *writer, const struct pg_reply *reply);

/* ---- pg_writer_careful.c */
void pg_writer_begin_careful(struct writer *writer);
void pg_writer_on_careful(struct writer *writer, const struct pg_reply *reply);
void pg_writer_on_lacked(struct writer *writer, const struct pg_reply *reply);
void pg_writer_on_halved(struct writer *writer, const struct pg_reply *reply);

#endif
