#ifndef DROVER_PRODUCER_FOLLOW_SQL_H
#define DROVER_PRODUCER_FOLLOW_SQL_H

/* The follower's statements and how they are run; for follow_state.c, follow_change.c and
 * follow_rejected.c only. */

#include "common/io/held_file.h"
#include "common/io/sqlite.h"
#include "producer/follow/follow_state.h"

/* change.kind */
#define KIND_UPSERT 1
#define KIND_DELETE 2
#define KIND_FORGET 3 /* another file has it: no message */
#define KIND_BEHIND 4
/* record.deleted: 0, 1 of a tombstone, and this of one whose delete is on its way */
#define DELETED_PENDING 2

enum statement {
    SQL_META,
    SQL_RESERVE,
    SQL_FIND,
    SQL_PATHS,
    SQL_UNFOLLOW,
    SQL_UNFOLLOWED,
    SQL_COUNT,
    SQL_ADD_FILE,
    SQL_SEE,
    SQL_OLD,
    SQL_NOW,
    SQL_FOLLOW,
    SQL_FLOOR,
    SQL_BEHIND_DELETE,
    SQL_OTHER,
    SQL_CHANGE,
    SQL_CLASH,
    SQL_INTEND,
    SQL_HIGHEST,
    SQL_UNDONE,
    SQL_WANTS,
    SQL_SENT,
    SQL_KEEP,
    SQL_REFUSED,
    SQL_REFUSED_LATE,
    SQL_UNSENT,
    SQL_DELETES,
    SQL_STORE,
    SQL_TOMBSTONE,
    SQL_REMOVE,
    SQL_BLANK,
    SQL_BLANK_AWAY,
    SQL_DIRTY_AWAY,
    SQL_DIRTY,
    SQL_FILE_STORED,
    SQL_FILE_GONE,
    SQL_PLACE,
    SQL_OLD_ONE,
    SQL_GROWN,
    SQL_PARTS,
    SQL_GROW,
    SQL_ADD_PART,
    SQL_DROP_PARTS,
    SQL_SHRINK,
    SQL_SHRINK_OTHERS,
    SQL_SHRINK_AWAY,
    SQL_MOVE_OFF,
    SQL_MOVE_BLANK,
    SQL_MOVE_MERGE,
    SQL_MOVE_DROP_RECORDS,
    SQL_MOVE_DROP_FILE,
    SQL_MOVE_NAME,
    STATEMENTS
};

struct follow_state {
    struct sqlite_db db; /* first: what failed knows by it whose it is */
    char *path, *lock_path;
    struct held_place place, lock_place;
    int lock;
    int64_t bound;
    uint64_t generation;
    int64_t file;           /* of the reading */
    uint64_t folder_device; /* of that file */
    struct scan_identity identity;
    char last_delete[2048]; /* keys have at most 255 + 63 + 512 bytes, three times that encoded */
    size_t last_size;
    bool open;       /* in a transaction, */
    bool reading;    /* with a reading in it, */
    size_t compared; /* or those that were compared; */
    bool storing;    /* or of what was sent */
};

/* Opens the database at state->path, makes its tables, prepares all statements. */
enum outcome follow_sql_open(struct follow_state *state, struct error *err);

/* The advice for one that cannot be fixed; `why` begins it. */
void follow_sql_begin_anew(const struct follow_state *state, const char *why, struct error *err);
/* As sqlite_get and sqlite_run. */
MUST_USE enum outcome follow_sql_get(struct follow_state *state, enum statement which,
                                     const struct sqlite_value *values, size_t count,
                                     sqlite3_stmt **row, struct error *err);
MUST_USE enum outcome follow_sql_run(struct follow_state *state, enum statement which,
                                     const struct sqlite_value *values, size_t count,
                                     struct error *err);

#endif
