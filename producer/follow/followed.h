#ifndef DROVER_PRODUCER_FOLLOWED_H
#define DROVER_PRODUCER_FOLLOWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/io/source/source_identity.h"

/* What scans of this process saw of one file. */
struct followed {
    char *path; /* absolute: its name in the state */
    struct scan_identity identity;
    bool identified;
    bool placed;                  /* the state knows the file of that identity under this name */
    bool listed;                  /* in the listing at hand */
    int64_t read_ns;              /* wall clock when the last reading began */
    uint64_t since_ms;            /* that identity was first seen by the scan that began then */
    unsigned failed_same, failed; /* scans that found it unfinished */
    bool broken;                  /* it cannot be read whole, which was said */
    bool reported;                /* that was said, or that its folder is gone: */
    enum error_code problem;      /* what was said */
    bool unread;          /* it has news that could not be read yet, and that was not said */
    bool refusals_listed; /* of this identity */
    bool has_rejects;     /* something of it was rejected when it was read last, which was said */
    unsigned away_scans;
    bool absent;        /* not to be seen: it holds no record now */
    const char *kept;   /* of this scan: the name under which its file is followed */
    bool has_source;    /* of this scan's list: */
    size_t source;      /* its place there */
    bool noticed;       /* a notice of it came, and nobody has looked yet */
    int64_t noticed_ns; /* its time, to be read in order */
    uint64_t done_at;   /* the state's generation that had nothing left to do of that identity */
};

/* Sorted by path. */
struct followed_list {
    struct followed **items;
    size_t count;
};

#endif
