#ifndef DROVER_POLICY_VERDICT_H
#define DROVER_POLICY_VERDICT_H

/* What a verification says of one record. Every source record has exactly one verdict. */

#include <stdbool.h>

enum verdict {
    VERDICT_MATCH,
    VERDICT_TOLERANCE,  /* only columns with a tolerance differ, and within it */
    VERDICT_SUPERSEDED, /* a greater version of the key is in the source */
    VERDICT_UNCHANGED,  /* the same version and content came before */
    VERDICT_DIFFERENT,
    VERDICT_BY_MAPPING,   /* stale by mapping: as an older mapping made it, which the one given now
                             makes otherwise */
    VERDICT_STALE,        /* the row has a lower version */
    VERDICT_TARGET_NEWER, /* target newer: the row has a version the source does not know */
    VERDICT_MISSING,      /* no row (for a delete: no tombstone) */
    VERDICT_UNUSABLE,     /* the mapping refuses the record, and nobody dead-lettered it */
    VERDICT_CONFLICT,     /* the same version as another record of the key, other content */
    VERDICT_AMBIGUOUS,    /* one of two records of one reading under one key, other content, no
                             version of their own: nobody can tell which is meant */
    VERDICT_DEAD,         /* dead-lettered */
    VERDICT_REJECTED,     /* rejected at the source: never got into the topic */
    VERDICT_WITHHELD,     /* tokens the producer kept back */
    VERDICT_UNPRODUCED,   /* in the source files, but not in the topic */
    VERDICT_DISCARDED,    /* dead-lettered, and a person decided that it is not migrated */
    VERDICT_LAGGING,      /* at or above the snapshot: not yet the worker's turn */
    VERDICT_WAITING,      /* its parent has not come yet: among the pending children, for a while */
    VERDICT_OVERTAKEN,    /* in the source files, but the newest record of the topic, which has a
                             class of its own, says otherwise; no part of the source count */
    VERDICT_EXTRA,        /* a row no source record explains; no part of the source count */
    VERDICT_UNEXPECTED_TENANT, /* the same, of a tenant that the source does not have */
    VERDICT_GONE,      /* in the topic, from a source read again that no longer has it; no part */
    VERDICT_ELSEWHERE, /* in the topic, from a source that was not read again; no part */
    VERDICT_RESOLVED,  /* a dead letter that a later message of its key made good; no part */
    VERDICT_COUNT,
    VERDICT_OUTSIDE = VERDICT_OVERTAKEN, /* from here on: no source records, counted beside them */
    VERDICT_UNDECIDED = VERDICT_COUNT,   /* of an entry: not looked up yet */
};

/* "match", "within tolerance", "dead-lettered" … */
const char *verdict_name(enum verdict verdict);
/* True for those that keep a run from being a verified match. */
bool verdict_is_problem(enum verdict verdict);
/* True for those that a recheck may change. */
bool verdict_is_suspect(enum verdict verdict);

#endif
