#include "common/policy/follow_look.h"

bool look_identity_equal(const struct look_identity *a, const struct look_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

bool look_is_racy(const struct look_identity *identity, int64_t read_ns)
{
    int64_t latest =
        identity->modified_ns > identity->changed_ns ? identity->modified_ns : identity->changed_ns;
    return read_ns - LOOK_RACY_NS < latest; /* a file's time may be the end of all times */
}

enum look_verdict look_judge(const struct look *look)
{
    if (!look->whole)
        return look->failed_same >= LOOK_TRIES || look->failed >= LOOK_TRIES_MOST ? LOOK_REPORT
                                                                                  : LOOK_WAIT;
    return look->settled && look->rejected == 0 ? LOOK_ALL : LOOK_UPSERTS;
}

enum away_verdict look_judge_away(const struct look_away *away)
{
    if (!away->folder_readable || !away->same_device)
        return AWAY_UNKNOWN;
    return away->scans >= LOOK_AWAY_SCANS ? AWAY_DELETED : AWAY_WAIT;
}
