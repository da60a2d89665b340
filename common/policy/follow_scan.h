#ifndef DROVER_POLICY_FOLLOW_SCAN_H
#define DROVER_POLICY_FOLLOW_SCAN_H

/*
 * What one scan of a followed source allows to be done. A file is often seen half-written, and a
 * record that is not there looks just like one that is not there yet. So:
 *
 * - a file that is cut, empty, unreadable or changes while it is read is no news: wait and look
 *   again; after SCAN_TRIES scans say so, and keep what was known;
 * - what is there may be produced at once;
 * - what is gone is deleted only when a second scan, later, finds the same file, and when
 *   every record of it could be identified;
 * - and when no other source has news that could not be read yet: the record may be there now, and
 *   one that brings its own version could not come back. One that was reported is not waited for;
 * - a missing file is deleted when it stays away for two scans, and its folder can be read and is
 *   still on the same device; so is one whose folder is gone, when the next folder above, still the
 *   source's, can be read and is on that device: else nobody knows.
 */

#include <stdbool.h>
#include <stdint.h>

#define SCAN_TRIES 5           /* scans that see the same unfinished file */
#define SCAN_TRIES_MAX 50      /* scans that see it grow and never end */
#define SCANS_AWAY 2           /* until a missing file is a deleted one */
#define SCAN_RACY_NS 100000000 /* a file this young may change within one tick of its times */
#define SCAN_AHEAD_NS INT64_C(60000000000) /* so far may a file server's clock be ahead of ours */

/* What identifies a file's content without reading it. */
struct scan_identity {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns; /* ctime: an old mtime can be set, an old ctime cannot */
};

bool scan_identity_equal(const struct scan_identity *a, const struct scan_identity *b);
/* The content may have changed since `read_ns` without a change of the identity. */
bool scan_is_racy(const struct scan_identity *identity, int64_t read_ns);

enum scan_verdict {
    SCAN_ALL,     /* additions, changes and deletes */
    SCAN_UPSERTS, /* additions and changes; deletes wait for another scan */
    SCAN_WAIT,    /* nothing yet */
    SCAN_REPORT,  /* nothing, and it is time to say why */
};

/* One reading, and what the scans before it saw. */
struct scan {
    bool whole;        /* read to its end, not cut, not changed meanwhile, not empty by accident */
    uint64_t rejected; /* records that could not be identified */
    bool settled;      /* an earlier scan saw the same identity */
    unsigned failed_same, failed; /* scans that were not whole: of this identity, all */
    bool others_unread;           /* another source has news that could not be read yet */
};

enum scan_verdict scan_judge(const struct scan *seen);

/* A source that is not there. */
struct poll_away {
    bool folder_readable;
    bool same_device;
    unsigned scans; /* that found it missing, this one included */
    bool others_unread;
};

enum away_verdict {
    AWAY_WAIT,
    AWAY_DELETED,
    AWAY_UNKNOWN, /* the folder is gone: an error, never deletes */
};

enum away_verdict scan_judge_away(const struct poll_away *away);

#endif
