#include "producer/manifest/resume.h"

#define NS_PER_MS 1000000 /* versions are of milliseconds */

static enum resume anew(enum resume_reason why, enum resume_reason *reason)
{
    *reason = why;
    return RESUME_ANEW;
}

/* What was sent of it is not to be relied on, whatever it holds. */
static enum resume_reason reason_beside(const struct manifest_source *known,
                                        const struct resume_now *now)
{
    if (now->again)
        return REASON_ASKED;
    if (!digest_equal(&known->way, &now->way))
        return REASON_WAY;
    /* what is complete stays so: its messages are there, whatever partition they would have now */
    bool other = known->partitions != now->partitions && !known->complete;
    return other ? REASON_PARTITIONS : REASON_NONE;
}

enum resume manifest_resume(const struct manifest_source *known, const struct resume_now *now,
                            enum resume_reason *reason)
{
    const struct scan_identity *before = &known->identity;
    *reason = reason_beside(known, now);
    if (*reason)
        return RESUME_ANEW;
    if (now->identity.size < before->size)
        return anew(REASON_SHRANK, reason);
    if (now->identity.size > before->size)
        return anew(REASON_CHANGED, reason);
    /* a record without a version has the file's time: touching it says that it is newer */
    bool stamped = known->place.clock > known->start_clock;
    if (known->complete && stamped &&
        before->modified_ns / NS_PER_MS != now->identity.modified_ns / NS_PER_MS)
        return anew(REASON_TIME, reason);
    if (known->complete)
        return scan_identity_equal(before, &now->identity) &&
                       !scan_is_racy(before, known->looked_ns)
                   ? RESUME_SKIP
                   : RESUME_COMPARE;
    /* versions may come of the time of modification: another one gives the rest others */
    if (before->modified_ns != now->identity.modified_ns)
        return anew(REASON_CHANGED, reason);
    return known->place.records ? RESUME_GO_ON : anew(REASON_NOTHING, reason);
}

const char *resume_reason_text(enum resume_reason reason)
{
    static const char *const TEXTS[] = {
        [REASON_NONE] = "was not sent before",
        [REASON_ASKED] = "is sent again, as was asked for",
        [REASON_WAY] = "is read in another way now: its mapping, its tenant or a setting",
        [REASON_PARTITIONS] = "was sent to another number of partitions",
        [REASON_CHANGED] = "has changed since",
        [REASON_TIME] = "has another time, which is the version of its records",
        [REASON_SHRANK] = "is shorter than it was",
        [REASON_NOTHING] = "was interrupted at its beginning, or a message of it was refused",
    };
    return TEXTS[reason];
}
