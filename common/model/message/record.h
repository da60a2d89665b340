#ifndef DROVER_MODEL_RECORD_H
#define DROVER_MODEL_RECORD_H

/*
 * A record on its way: what the producer reads, what a message carries, what the worker writes.
 * All members are views into memory of whoever made it (a source's chunk, a Kafka message, an
 * arena).
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/base/bytes.h"

/* How the id of a run ends that reads its sources again and again. */
#define RECORD_RUN_FOLLOWS "-follow"

static inline bool record_run_follows(struct bytes run)
{
    size_t size = sizeof RECORD_RUN_FOLLOWS - 1;
    return run.size > size && memcmp(run.data + run.size - size, RECORD_RUN_FOLLOWS, size) == 0;
}

enum operation {
    OP_UPSERT,
    OP_DELETE,
};

/* Where a record was read: for people to find it again. Lines and columns from 1, bytes from 0. */
struct origin {
    struct bytes uri;
    uint64_t line;
    uint64_t column;
    uint64_t byte;
    uint64_t ordinal; /* records before it in its file, rejected ones included */
};

struct record {
    struct bytes tenant; /* isolation key: already percent-encoded and joined */
    struct bytes entity;
    struct bytes id;     /* key columns' texts, percent-encoded, joined with ':' */
    struct bytes key_id; /* of a delete: the id in the message's key when a header says one too; or
                            empty */
    int64_t version;
    bool has_version; /* false: another producer left it out and the mapping must derive it */
    enum operation operation;
    struct bytes payload; /* the source's JSON bytes, untouched; empty for a delete */
    /* $key: member name of an object keyed by id, storage key. It may be "", which both may be:
     * then data is not NULL. data NULL: none. */
    struct bytes source_key;
    int64_t index;                    /* $index: position in its list from 0; -1 = none */
    struct bytes user;                /* $user: whose localStorage it was; or empty */
    struct bytes localstorage_origin; /* $origin: web origin of a localStorage record; or empty */
    struct bytes sealed;              /* sealed secrets of the payload (secret_guard.h); or empty */
    struct bytes run;                 /* producer run id; a follower's ends in RECORD_RUN_FOLLOWS */
    int64_t sequence;                 /* per run and partition from 0; -1 = none */
    struct origin origin;
};

#endif
