#include "common/policy/follow_look.h"

bool look_identity_equal(const struct look_identity *a, const struct look_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

/* A time that was set into the future tells nothing: the next change sets another. The differences
 * may not overflow, and a file's time may be the end of all times. */
static bool is_near(int64_t time, int64_t read_ns)
{
    return time > read_ns - LOOK_RACY_NS && time < read_ns + LOOK_AHEAD_NS;
}

bool look_is_racy(const struct look_identity *identity, int64_t read_ns)
{
    return is_near(identity->modified_ns, read_ns) || is_near(identity->changed_ns, read_ns);
}

enum look_verdict look_judge(const struct look *look)
{
    if (!look->whole)
        return look->failed_same >= LOOK_TRIES || look->failed >= LOOK_TRIES_MOST ? LOOK_REPORT
                                                                                  : LOOK_WAIT;
    bool sure = look->settled && !look->others_unread && look->rejected == 0;
    return sure ? LOOK_ALL : LOOK_UPSERTS;
}

enum away_verdict look_judge_away(const struct look_away *away)
{
    if (!away->folder_readable || !away->same_device)
        return AWAY_UNKNOWN;
    return away->scans >= LOOK_AWAY_SCANS && !away->others_unread ? AWAY_DELETED : AWAY_WAIT;
}
