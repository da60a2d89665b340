#ifndef DROVER_PRODUCER_FOLLOW_STATE_H
#define DROVER_PRODUCER_FOLLOW_STATE_H

/*
 * What a follower knows of its sources, in SQLite: per file the records last produced (key, digest,
 * version). What may be sent is noted before it is sent: compare() stores an intent (digest
 * unknown) for each record that it will send, and commit(), when Kafka has acknowledged, what was
 * sent. So whatever ends a reading in between, the next one knows that Kafka may be ahead: an
 * intent is the same as nothing, it is produced again or deleted, above all versions given before
 * (`bound` and the records' own are stored as early). The two sets of a reading are compared on
 * disk, so memory does not grow with a file.
 *
 *   begin ─ see… ─ compare ─ intend ─ (wants, sent)… ─ next_delete… ─ commit      abandon at any
 *                                                              commit_sent: not all of it was sent
 * Of several files at once: each is begun, seen and compared, one intend, then by turns what was
 * compared is sent; and between begin_store and end_store each is committed.
 *
 * All failures are OUT_FATAL DRV-X004. The file is readable by its owner alone: keys are in it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/mappings.h"
#include "common/policy/follow_diff.h"
#include "common/policy/follow_scan.h"

struct follow_state;

/* Opens or makes <folder>/<migration>.follow.db and holds its lock: one follower at a time. Damaged
 * or emptied state is refused, never begun anew silently. OUT_RETRY DRV-X004: another one has it.
 */
MUST_USE enum outcome follow_state_open(const char *folder, const char *migration,
                                        struct follow_state **state, struct error *err);
/* Every two seconds, and OUT_OK between: the paths lead to its files, or nothing of it will be
 * left. */
MUST_USE enum outcome follow_state_check_place(struct follow_state *state, struct error *err);
/* NULL is allowed. */
void follow_state_close(struct follow_state *state);
/* To be called before any other: what was read with other mappings is read again, so that what they
 * make of it is produced. */
MUST_USE enum outcome follow_state_mapped(struct follow_state *state,
                                          const struct mapping_set *mappings, struct error *err);

/* No version above it was ever given. */
int64_t follow_state_bound(const struct follow_state *state);
MUST_USE enum outcome follow_state_reserve(struct follow_state *state, int64_t bound,
                                           struct error *err);

/* A file as it was when its records were last stored. Records that wait for their deletion may be
 * those of a file before that one: as long as there are any, the place (device and inode) is that
 * file's, so that it is known again under another name. */
struct follow_known {
    int64_t id; /* 0: not known */
    struct scan_identity identity;
    uint64_t folder_device;
    bool done; /* nothing of that content is left to do */
};
MUST_USE enum outcome follow_state_find(struct follow_state *state, const char *path,
                                        struct follow_known *known, struct error *err);
/* Grows whenever what is known of a file becomes undone by another's doing. */
uint64_t follow_state_generation(const struct follow_state *state);
/* The paths known, NULL at the end; the caller frees each and the list. */
MUST_USE enum outcome follow_state_paths(struct follow_state *state, char ***paths,
                                         struct error *err);

/* The file is none of the sources' in this run: it holds none of the records it has in common with
 * others, so they are deleted when the last of those loses them. Should it come back they are
 * produced again. `away`: it is not to be seen now, and may come back: it still holds those that
 * bring their own versions, as such a record could not rise above its deletion. */
MUST_USE enum outcome follow_state_unfollow(struct follow_state *state, const char *path, bool away,
                                            struct error *err);
/* It is there (again). */
MUST_USE enum outcome follow_state_follow(struct follow_state *state, int64_t id,
                                          struct error *err);
/* How many records only unfollowed files hold. */
MUST_USE enum outcome follow_state_unfollowed(struct follow_state *state, uint64_t *records,
                                              struct error *err);
/* How many records are known, of each file its own. All of them are looked at. */
MUST_USE enum outcome follow_state_count(struct follow_state *state, uint64_t *records,
                                         struct error *err);

/* A file known under another path that had this place. */
struct follow_namesake {
    int64_t id;
    char *path;
    struct scan_identity identity;
    uint64_t folder_device;
};
/* The one behind the first `skip` of them; id 0: none. The caller frees the path. */
MUST_USE enum outcome follow_state_find_place(struct follow_state *state,
                                              const struct scan_identity *identity, int64_t except,
                                              size_t skip, struct follow_namesake *found,
                                              struct error *err);
/* A known file that has another name now. */
struct follow_move {
    int64_t id;
    char *path;
};
/* What is known goes with the files to their new names, all at once; what was known of the files
 * that had those names and did not move is joined with it, as if it were of one file. */
MUST_USE enum outcome follow_state_move(struct follow_state *state, const struct follow_move *moves,
                                        size_t count, struct error *err);

/* A file that is NDJSON, whose first `end` bytes are whole lines that were read (follow_grown.h).
 */
struct follow_grown {
    uint64_t end, line, ordinal; /* what is appended begins there */
    uint64_t size;               /* of the identity that is stored with it, */
    int64_t changed_ns;          /* and its time */
    struct digest proof;         /* of its begin and of what stands before the end */
    int64_t verified_ms;         /* all of it was compared then, Unix time */
    size_t parts;                /* of which the digests are kept */
};
/* [end of the part before, to) */
struct follow_part {
    uint64_t to;
    struct digest digest;
};
#define FOLLOW_PARTS_MAX 128

/* *found false: it is to be read whole. */
MUST_USE enum outcome follow_state_find_grown(struct follow_state *state, int64_t file,
                                              struct follow_grown *grown, bool *found,
                                              struct error *err);
/* In order of their ends. */
MUST_USE enum outcome follow_state_parts(struct follow_state *state, int64_t file,
                                         struct follow_part parts[FOLLOW_PARTS_MAX], size_t *count,
                                         struct error *err);
/* Beside commit: what is known of the growing file, and its last parts; `anew`: they are all. */
MUST_USE enum outcome follow_state_store_grown(struct follow_state *state,
                                               const struct follow_grown *grown,
                                               const struct follow_part *parts, size_t count,
                                               bool anew, struct error *err);

/* Begins a reading of the file, known->folder_device being that of now; `known->id` 0 gets an id.
 */
MUST_USE enum outcome follow_state_begin(struct follow_state *state, const char *path,
                                         struct follow_known *known, struct error *err);
struct follow_seen {
    struct bytes key;
    struct digest digest;
    int64_t version;
    uint64_t ordinal;
    bool own; /* the version is the record's own, not stamped */
};
/* Of several with one key the last counts; of those with versions of their own the greatest. */
MUST_USE enum outcome follow_state_see(struct follow_state *state, const struct follow_seen *seen,
                                       struct error *err);

struct follow_counts {
    uint64_t seen, upserts, deletes;
    uint64_t waiting; /* gone, but deletes are not allowed yet */
    uint64_t behind;  /* back, and not above their deletion */
};
/* Whether a key of the reading was compared for another file, and is not stored yet. */
MUST_USE enum outcome follow_state_clashes(struct follow_state *state, bool *clashes,
                                           struct error *err);
/* The reading waits until those compared before it are stored; resume goes on with it. */
void follow_state_set_aside(struct follow_state *state);
MUST_USE enum outcome follow_state_resume(struct follow_state *state,
                                          const struct follow_known *known, struct error *err);
/* `part`: only what was appended to the file was seen, and nothing of it is gone. */
MUST_USE enum outcome follow_state_compare(struct follow_state *state, bool deletes, bool part,
                                           struct follow_counts *counts, struct error *err);

/* Stores the intents of all that was compared; to be called before anything is sent. */
MUST_USE enum outcome follow_state_intend(struct follow_state *state, struct error *err);
/* What follows is about this one of those that were compared. */
void follow_state_turn(struct follow_state *state, const struct follow_known *known);

struct follow_wanted {
    bool send;
    bool refused; /* it is back, but its version is not above its deletion */
    bool below;   /* to be sent, but a deletion above it may have been sent: nobody knows */
    int64_t floor;
};
/* Whether this record is to be produced, above floor. */
MUST_USE enum outcome follow_state_wants(struct follow_state *state, const struct follow_seen *seen,
                                         struct follow_wanted *wanted, struct error *err);
/* The version it was produced with. */
MUST_USE enum outcome follow_state_sent(struct follow_state *state, struct bytes key,
                                        int64_t version, struct error *err);
/* It was to be sent, and was refused: it is not known, and is tried again whenever the file is
 * read.
 */
MUST_USE enum outcome follow_state_refused(struct follow_state *state, struct bytes key,
                                           struct error *err);
/* The same of one that Kafka refused after it was sent, before the commit of the file `known`. */
MUST_USE enum outcome follow_state_refused_late(struct follow_state *state,
                                                const struct follow_known *known, uint64_t ordinal,
                                                struct error *err);
/* How many of the wanted ones were not sent: the file changed between two passes. */
MUST_USE enum outcome follow_state_unsent(struct follow_state *state, uint64_t *count,
                                          struct error *err);
/* *key.size 0: no more. Views valid until the next call; call follow_state_sent for each. */
MUST_USE enum outcome follow_state_next_delete(struct follow_state *state, struct bytes *key,
                                               int64_t *last, bool *own, struct error *err);

/* No delete is sent for this one of next_delete: its row stays, and the record is forgotten. */
MUST_USE enum outcome follow_state_keep(struct follow_state *state, struct bytes key,
                                        struct error *err);

/* Stores what was sent and the file's identity; gone: the file is no more. */
MUST_USE enum outcome follow_state_commit(struct follow_state *state,
                                          const struct follow_known *known, bool gone,
                                          struct error *err);
/* Stores what was sent, when that is not all (follow_state_unsent): the rest stays an intent, and
 * the file is to be read again. */
MUST_USE enum outcome follow_state_commit_sent(struct follow_state *state, struct error *err);
/* Several of them at once. */
MUST_USE enum outcome follow_state_begin_store(struct follow_state *state, struct error *err);
MUST_USE enum outcome follow_state_end_store(struct follow_state *state, struct error *err);
/* The reading, or the storing; what was compared before a reading waits on. */
void follow_state_abandon(struct follow_state *state);

#endif
