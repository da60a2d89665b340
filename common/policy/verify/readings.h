#ifndef DROVER_POLICY_READINGS_H
#define DROVER_POLICY_READINGS_H

/*
 * Which reading of each source counts: the latest complete one. Made of the results topic's
 * messages of kind "reading" before the source topic is read, and asked of each message then: those
 * of that reading are the source's records, all others are history.
 *
 * One path is spelled alike in many folders, and for many tenants: those are as many sources, and a
 * message, which names only the path, is a record when it is of the latest complete reading of any
 * of them. A reading that tells no source is of an older Drover, to which all of a path was one:
 * the next complete one of any source of the path replaces it. A path without a complete reading, a
 * message that names no source or no run, and standard input have no history: each of their
 * messages is a record. A follower's are all history: it sends what changes.
 *
 * What a follower tells is how a source stands: what is rejected of it now. That is an entry of its
 * own beside that of the source's producers; of the two, what was told last says what is rejected.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/model/message/decision.h"
#include "common/model/message/reading.h"
#include "common/policy/verify/diff.h"

/* The latest complete reading of a source; of a stream one entry a reading. */
struct readings_entry {
    struct bytes uri; /* its own */
    uint64_t run;     /* hash64 */
    bool complete;    /* there is one; else nothing is known but that one was begun */
    bool stream;
    bool follows; /* of a follower: it has no records */
    bool has_source, has_digest;
    int64_t finished_ms;   /* of the complete one */
    int64_t read_ms;       /* when that had ended: earlier than it was told, if it was told again */
    int64_t incomplete_ms; /* of the latest one that was not; INT64_MIN: none */
    uint64_t incomplete_run;
    uint64_t given_up;     /* run of the complete one whose rejections are; 0: none */
    uint64_t given_up_end; /* run of the one that was not complete and never will be, */
    int64_t given_up_ms;   /* as it was told up to here */
    struct digest source;  /* has_source: it is told; not of a stream */
    struct bytes run_name, incomplete_name; /* only where names are kept; its own, or empty */
    uint64_t produced, rejected, withheld;  /* rejected and withheld: 0, when it was told anew */
    uint64_t told_rejected, told_withheld;
    uint64_t size;           /* bytes of the source when the complete one read it */
    struct digest digest;    /* of those bytes, if has_digest */
    uint64_t seen;           /* the caller's: its messages in the topic, each once */
    struct bytes rejections; /* its message, when some were rejected; its own, or empty */
};

struct readings_name;

struct readings {
    struct readings_entry *items;
    size_t room, count;
    struct readings_name *names; /* where they are: by path, by source, by path and run */
    size_t name_capacity, name_count;
    size_t bytes, bytes_max; /* of texts, too */
    bool keeps_names;        /* the owner's choice: entries have the names of their runs */
};

void readings_init(struct readings *readings, size_t bytes_max);
void readings_free(struct readings *readings);
/* Takes a reading, in any order; twice is once. `json` is its message: it is kept when there is
 * room, to name what was rejected. False when the reading itself does not fit `bytes_max`. */
MUST_USE bool readings_add(struct readings *readings, const struct reading *reading,
                           struct bytes json);
/* Takes a decision of the kind DECISION_SOURCE, before its readings or behind them; the one that is
 * taken last holds. What is told later of the source is not meant by it. False as above. */
MUST_USE bool readings_decide(struct readings *readings, const struct decision *decision);
/* True: a message of this source and run is no record by itself. *entry: the complete reading that
 * it belongs to, until the next one is added; or NULL. */
bool readings_is_history(const struct readings *readings, struct bytes uri, struct bytes run,
                         struct readings_entry **entry);
/* A later reading of it was not complete, and nobody decided that it stays so. */
bool readings_is_incomplete(const struct readings_entry *entry);
/* It was not, and that was decided. */
bool readings_is_given_up(const struct readings_entry *entry);
/* What its complete reading rejected is not migrated: that was decided. */
bool readings_is_discarded(const struct readings_entry *entry);
/* The next one from *at on that is a reading, which then stands behind it; NULL at the end. A
 * follower's that has nothing to say any more is none. */
struct readings_entry *readings_next(const struct readings *readings, size_t *at);

#endif
