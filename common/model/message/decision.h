#ifndef DROVER_MODEL_DECISION_H
#define DROVER_MODEL_DECISION_H

/*
 * What a person decided, or a command that he called saw come true: a JSON message in the control
 * topic, which is never cleaned, so that every tool comes to the same (schemas/wire.md). Who, when
 * and why belong to each; a later decision about the same dead letter holds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/hash.h"

#define DECISION_IDS_MAX 500 /* of one message: a larger decision is several */

enum decision_kind {
    DECISION_DISCARDED, /* dead letters are not migrated */
    DECISION_REPLAYED,  /* dead letters were sent again, or are about to be read again */
    DECISION_RESUMED,   /* a halted partition goes on */
    DECISION_LANDED,    /* records of dead letters were read again, and the store has them */
    DECISION_SOURCE,    /* a source never comes again: what its readings lack is not migrated */
    DECISION_KINDS,
};

struct decision {
    enum decision_kind kind;
    struct bytes who;       /* user@host */
    struct bytes why;       /* may be empty but of those that ask for a reason */
    int64_t at_ms;          /* Unix time */
    struct bytes *ids;      /* drover-dlq-id of the dead letters it is about */
    size_t id_count;        /* at most DECISION_IDS_MAX */
    struct bytes run;       /* replayed: of the messages; by a replay, and landed: its group;
                               source: of the complete reading whose rejections are given up */
    struct bytes group;     /* resumed: whose partition; else empty */
    int32_t partition;      /* resumed; else -1 */
    int64_t from, to;       /* resumed: offsets [from, to) that are given up; equal: none */
    int64_t sequence_first; /* resumed: numbers of `run` that are given up, */
    int64_t sequence_last;  /* both -1: none */
    struct decision_source {
        struct bytes uri; /* as the readings spell it; else empty */
        bool has_source;  /* as in the readings (model/message/reading.h) */
        struct digest source;
        bool stream;
        struct bytes unfinished; /* run of the reading that did not come to its end; or empty */
        int64_t until_ms;        /* and what was told of it, up to here; of one that follows
                                    `run` as well, up to here; else 0 */
    } about;                     /* source */
};

const char *decision_kind_name(enum decision_kind kind);
/* Whether it is about dead letters. */
bool decision_has_ids(enum decision_kind kind);
void decision_append(struct buf *out, const struct decision *decision);
/* All texts are the decision's own: decision_free, also after a failure. Unknown members are
 * ignored. OUT_REJECT DRV-E001: it is none, or of a kind that is not known here. */
MUST_USE enum outcome decision_parse(struct bytes json, struct decision *decision,
                                     struct error *err);
void decision_free(struct decision *decision);

#endif
