#include "common/policy/follow_scan.h"

bool scan_identity_equal(const struct scan_identity *a, const struct scan_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

/* A time that was set into the future tells nothing: the next change sets another. The differences
 * may not overflow, and a file's time may be the end of all times. */
static bool is_near(int64_t time, int64_t read_ns)
{
    return time > read_ns - SCAN_RACY_NS && time < read_ns + SCAN_AHEAD_NS;
}

bool scan_is_racy(const struct scan_identity *identity, int64_t read_ns)
{
    return is_near(identity->modified_ns, read_ns) || is_near(identity->changed_ns, read_ns);
}

enum scan_verdict scan_judge(const struct scan *seen)
{
    if (!seen->whole)
        return seen->failed_same >= SCAN_TRIES || seen->failed >= SCAN_TRIES_MAX ? SCAN_REPORT
                                                                                 : SCAN_WAIT;
    bool sure = seen->settled && !seen->others_unread && seen->rejected == 0;
    return sure ? SCAN_ALL : SCAN_UPSERTS;
}

enum away_verdict scan_judge_away(const struct poll_away *away)
{
    if (!away->folder_readable || !away->same_device)
        return AWAY_UNKNOWN;
    return away->scans >= SCANS_AWAY && !away->others_unread ? AWAY_DELETED : AWAY_WAIT;
}
