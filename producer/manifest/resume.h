#ifndef DROVER_PRODUCER_RESUME_H
#define DROVER_PRODUCER_RESUME_H

/*
 * What is to be done with a source of which something is known: pure. A source is known by its
 * name; whether it is still the one that was read is told by what stat(2) says of it, and where
 * that is not enough by its bytes.
 */

#include <stdbool.h>

#include "producer/manifest/manifest.h"

enum resume {
    RESUME_SKIP,    /* all of it was sent, and it is the same */
    RESUME_COMPARE, /* that is so when its bytes have the digest */
    RESUME_GO_ON,   /* from where it was, when its first bytes have the digest */
    RESUME_ANEW,    /* from its beginning, in a run of its own */
};

enum resume_reason {
    REASON_NONE,
    REASON_ASKED,      /* --again */
    REASON_WAY,        /* it is read in another way */
    REASON_PARTITIONS, /* the topic has another number of them */
    REASON_CHANGED,    /* other content */
    REASON_TIME,       /* the same content, as another version */
    REASON_SHRANK,     /* less content */
    REASON_NOTHING,    /* there is no place to go on from */
};

/* What is the case now. */
struct resume_now {
    struct scan_identity identity;
    struct digest way;
    int32_t partitions;
    bool again;
};

enum resume manifest_resume(const struct manifest_source *known, const struct resume_now *now,
                            enum resume_reason *reason);
/* "has changed since it was sent": behind "it", for people. */
const char *resume_reason_text(enum resume_reason reason);

#endif
