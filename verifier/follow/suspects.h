#ifndef DROVER_VERIFIER_FOLLOW_SUSPECTS_H
#define DROVER_VERIFIER_FOLLOW_SUSPECTS_H

/*
 * Messages whose row was not as it should be when it was looked at. Each is looked at again at
 * later cuts: only what is still wrong at two of them, and some time after the first, counts. A
 * newer message of the key takes its place, as the row is that one's by now. Pure: times are handed
 * in (milliseconds, monotonic). Bounded by number and bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/policy/verify/diff.h"
#include "verifier/follow/kept_message.h"

#define SUSPECTS_MAX 5000
#define SUSPECTS_BYTES_MAX ((size_t)16 << 20)
#define SUSPECT_RECHECKS 3 /* the first one and two later cuts */

struct suspect {
    struct kept_message *kept; /* its own */
    struct diff_key key;
    int64_t version;
    enum verdict verdict; /* of the last look */
    uint32_t looks;
    uint64_t first_ms, next_ms;
    int64_t explained_by; /* the row is newer: a message below this offset of its partition says so,
                             or none does; 0 else */
    bool is_sure;         /* its row was written with its version: no older message was greater */
    bool is_gap;          /* no receipt told of it */
    uint64_t share_hash;
};

struct suspects {
    struct suspect *items; /* in no order */
    size_t count, room;
    size_t bytes;
    uint64_t wait_ms; /* verify.suspect_for */
};

void suspects_init(struct suspects *suspects, uint64_t wait_ms);
void suspects_free(struct suspects *suspects);

/* Takes suspect->kept. False when there is no room: nothing was taken. */
MUST_USE bool suspects_add(struct suspects *suspects, const struct suspect *suspect,
                           uint64_t now_ms);
/* Whether one is to be looked at now. */
bool suspects_is_due(const struct suspect *suspect, uint64_t now_ms);
/* Some are to be looked at by then; UINT64_MAX: there are none. */
uint64_t suspects_next_ms(const struct suspects *suspects);
/* One was looked at again and is still wrong. True: that counts by now. */
bool suspects_recheck(const struct suspects *suspects, struct suspect *suspect,
                      enum verdict verdict, uint64_t now_ms);
/* Takes out items[at]; the last one stands there then. Its message is the caller's. */
MUST_USE struct kept_message *suspects_take(struct suspects *suspects, size_t at);

#endif
