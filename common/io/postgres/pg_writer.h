#ifndef DROVER_IO_PG_WRITER_H
#define DROVER_IO_PG_WRITER_H

/*
 * One connection of the PostgreSQL sink at work: the phases a batch goes through, with the search
 * for refused records and the classification of what an earlier attempt or another process has
 * committed (pg_writer.c), over the steps they are all made of (pg_writer_step.c). Internal to
 * pg_sink.
 */

#include "common/io/postgres/pg_bulk.h"
#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_sink.h"
#include "common/io/postgres/pg_tenants.h"
#include "common/io/postgres/pg_upsert.h"
#include "common/policy/apply/bisect.h"
#include "common/policy/apply/repeats.h"

enum phase {
    PHASE_FREE,
    PHASE_ASK_TABLES, /* which are being loaded (pg_bulk.h), which take several tenants at once */
    PHASE_CHECK,
    PHASE_WRITE,
    PHASE_COPY,
    PHASE_ROLLBACK,
    PHASE_SAVEPOINT,
    PHASE_PROBE,          /* is it the rows at all? */
    PHASE_MISSING_PARENT, /* which rows of the refused group have no parent yet */
    PHASE_BISECT,
    PHASE_ASIDE, /* once more, what may have been refused for want of the others */
    PHASE_WAIT,  /* refused records are on their way to the dead letters */
    PHASE_PENDING,
    PHASE_COMMIT,
    PHASE_CLASSIFY,
};

/* What follows ROLLBACK. */
enum after {
    AFTER_FINISH, /* done, with `failure` */
    AFTER_SAVEPOINT,
    AFTER_ASK_TABLES,
};

/* Groups, or statements, of one exchange at most: what a connection holds of results is bounded,
 * whatever a batch's. */
#define PG_WRITER_GROUPS 512

struct pg_sink;

struct writer {
    struct pg_sink *sink;
    struct pg_connection *connection;
    enum phase phase;
    struct batch *batch;
    bool commit_sent; /* and not answered: its outcome is unknown when the connection is lost */
    enum after after;
    struct error failure; /* of the last query that failed */
    size_t group,
        group_end;       /* WRITE, CLASSIFY: of the exchange; SAVEPOINT: first not yet written */
    int head;            /* replies before the first group's */
    uint64_t loads_seen; /* pg_bulk_generation that the attempt goes by */
    bool was_denied;     /* a right was missing: which tables are loaded was asked once more */

    /* why the batch is searched */
    bool was_copy;
    struct error refused; /* OUT_OK: an earlier attempt was, or it says nothing of the way */
    const struct mapping *refused_mapping;

    /* the search for refused records */
    size_t written;            /* rows accepted by this attempt */
    bool missing_parent_asked; /* of `group` */
    bool probed;               /* of `group`: table and rights are there */
    bool undo;                 /* the savepoint must be rolled back first */
    bool deferred;             /* something was refused that may pass when it is tried again */
    bool system; /* something was refused that could be the server's trouble as well */
    struct bisect bisect;
    size_t part_first, part_count;
    bool put_off;    /* the last refusal came from a check that could wait for COMMIT */
    bool sure;       /* the last refusal is a record's, whichever half it was seen in */
    size_t aside_at; /* ASIDE: place in order */
    bool aside_moved, aside_together;

    size_t pending_at; /* PENDING: next item */
    uint32_t *subset;  /* CLASSIFY: undecided items, group by group */
    bool is_ready;
    size_t plans_age; /* WRITE: exchanges of this connection */
};

struct pg_sink {
    struct sink base;
    const struct mapping_set *mappings;
    struct pg_upsert **upserts; /* by position in mappings */
    struct repeats *repeats;    /* the same */
    struct pg_bulk *bulk;
    struct pg_tenants *tenants;
    unsigned *said; /* by position in mappings: a bit of each way that was said of its table */
    struct writer *writers;
    int writer_count, open_connections;
    struct buf memory;
    bool lost;
    void (*on_closed)(void *owner);
    bool closing;
};

/* ---- pg_writer_step.c: queries of an exchange, endings */
void pg_writer_plain(struct writer *writer, const char *sql);
void pg_writer_begin(struct writer *writer);
void pg_writer_fence(struct writer *writer);
void pg_writer_set_tenant(struct writer *writer, struct bytes tenant);
/* Whether the mapping's table is being sent what it has. */
struct repeats *pg_writer_repeats(const struct writer *writer, const struct mapping *mapping);
/* Writes the groups [group, end) in one statement: their tenants, then their rows. */
void pg_writer_upsert_several(struct writer *writer, size_t group, size_t end);
void pg_writer_upsert(struct writer *writer, const struct batch_group *group, size_t first,
                      size_t count);
/* Sends the exchange; its reply is the phase's. */
void pg_writer_enter(struct writer *writer, enum phase phase);
void pg_writer_finish(struct writer *writer, enum outcome outcome, const struct error *err);
/* What a failed query means for the batch, outside of the search for refused records. */
void pg_writer_fail(struct writer *writer, const PGresult *result);
/* What follows when the server has answered. */
void pg_writer_roll_back(struct writer *writer, enum after after);
/* A right that is missing may have gone because a load has begun: rolls back and asks, once in an
 * attempt; false: that is not it. */
bool pg_writer_ask_loads_again(struct writer *writer, const PGresult *result);
/* The next of the records to be kept as pending, or COMMIT when none is left. */
void pg_writer_put_pending_or_commit(struct writer *writer);
/* Gives the attempt up for now: rolls back, then done OUT_RETRY with `failure`. */
void pg_writer_try_later(struct writer *writer, enum pg_action action);
/* Decides `count` records from order[first] on by what their upsert said. */
void pg_writer_take(struct writer *writer, size_t first, size_t count, const PGresult *result);
void pg_writer_start_commit(struct writer *writer);

/* ---- pg_writer_detour.c: what is said of ways that cost more, once a table */
/* The exchange's reply `failed` was refused; `writer->failure` says why. */
void pg_writer_note_refusal(struct writer *writer, int failed, bool is_passing);
/* The search is over, and committed. */
void pg_writer_tell_search(struct writer *writer);
/* The batch begins to be written: tells the tables whose rows do not go the usual way. */
void pg_writer_tell_ways(struct writer *writer);

/* ---- pg_writer.c */
void pg_writer_start(struct writer *writer);
void pg_writer_give_up(struct writer *writer);
extern const struct pg_connection_events PG_WRITER_EVENTS;

#endif
