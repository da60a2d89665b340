/*
 * One reading against what is known. A key may be live in several files: the newest version is what
 * was applied last. When that file loses it, the record is not deleted but produced again from the
 * other file, whose digest is blanked for it.
 */
#include <string.h>

#include "producer/follow/follow_sql.h"

static enum outcome add_file(struct follow_state *state, const char *path, int64_t *id,
                             struct error *err)
{
    enum outcome outcome = follow_sql_run(state, SQL_ADD_FILE, VALUES(BLOB(bytes_text(path))), err);
    *id = sqlite3_last_insert_rowid(state->db.connection);
    return outcome;
}

/* What is of a reading alone goes with it; a batch's first one forgets the batch before. */
static enum outcome begin_reading(struct follow_state *state, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (!state->open)
        outcome = sqlite_exec(&state->db, "BEGIN; DELETE FROM temp.change", err);
    state->open = true;
    if (outcome == OUT_OK)
        outcome = sqlite_exec(&state->db, "SAVEPOINT reading", err);
    state->reading = outcome == OUT_OK;
    return outcome;
}

enum outcome follow_state_begin(struct follow_state *state, const char *path,
                                struct follow_known *known, struct error *err)
{
    follow_state_abandon(state);
    enum outcome outcome = begin_reading(state, err);
    if (outcome == OUT_OK && known->id == 0)
        outcome = add_file(state, path, &known->id, err);
    follow_state_turn(state, known);
    return outcome == OUT_OK ? sqlite_exec(&state->db, "DELETE FROM temp.seen", err) : outcome;
}

void follow_state_turn(struct follow_state *state, const struct follow_known *known)
{
    state->file = known->id;
    state->folder_device = known->folder_device;
    state->identity = known->identity;
    state->last_size = 0;
}

enum outcome follow_state_clashes(struct follow_state *state, bool *clashes, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = follow_sql_get(state, SQL_CLASH, NO_VALUES, &row, err);
    *clashes = row != NULL;
    sqlite3_reset(row);
    return outcome;
}

void follow_state_set_aside(struct follow_state *state)
{
    sqlite_reset(&state->db);
    if (state->reading)
        sqlite3_exec(state->db.connection, "RELEASE reading", NULL, NULL, NULL);
    state->reading = false;
}

enum outcome follow_state_resume(struct follow_state *state, const struct follow_known *known,
                                 struct error *err)
{
    follow_state_turn(state, known);
    return begin_reading(state, err);
}

void follow_state_abandon(struct follow_state *state)
{
    sqlite_reset(&state->db);
    if (state->reading)
        sqlite3_exec(state->db.connection, "ROLLBACK TO reading; RELEASE reading", NULL, NULL,
                     NULL);
    if (state->open && (state->storing || state->compared == 0)) {
        sqlite3_exec(state->db.connection, "ROLLBACK", NULL, NULL, NULL);
        state->open = false;
    }
    state->reading = state->storing = false;
}

enum outcome follow_state_see(struct follow_state *state, const struct follow_seen *seen,
                              struct error *err)
{
    return follow_sql_run(state, SQL_SEE,
                          VALUES(BLOB(seen->key), DIGEST(&seen->digest), NUMBER(seen->version),
                                 NUMBER(seen->ordinal), NUMBER(seen->own)),
                          err);
}

/* A side of the comparison: the row its statement stands on; NULL: behind its last. */
struct front {
    sqlite3_stmt *row;
    struct follow_entry entry;
    bool own;
    int64_t ordinal;
};

static void take_row(struct front *front, bool old)
{
    if (!front->row)
        return;
    int deleted = old ? sqlite3_column_int(front->row, 3) : 0;
    front->entry = (struct follow_entry){.key = sqlite_bytes(front->row, 0),
                                         .digest = sqlite_digest(front->row, 1),
                                         .version = sqlite3_column_int64(front->row, 2),
                                         .deleted = deleted != 0,
                                         .pending = deleted == DELETED_PENDING};
    front->ordinal = old ? 0 : sqlite3_column_int64(front->row, 3);
    front->own = sqlite3_column_int(front->row, 4);
}

static enum outcome move_on(struct follow_state *state, struct front *front, bool old,
                            struct error *err)
{
    enum outcome outcome = sqlite_next(&state->db, &front->row, err);
    take_row(front, old);
    return outcome;
}

static enum outcome find_floor(struct follow_state *state, struct bytes key, int64_t *floor,
                               struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = follow_sql_get(state, SQL_FLOOR, VALUES(BLOB(key)), &row, err);
    *floor = row ? sqlite3_column_int64(row, 0) : 0;
    sqlite3_reset(row);
    return outcome;
}

/* Whether a record this file lost is another file's: *kind, and the file to be read again. */
static enum outcome ask_others(struct follow_state *state, const struct follow_entry *lost,
                               int *kind, int64_t *blank, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = follow_sql_get(
        state, SQL_OTHER, VALUES(BLOB(lost->key), NUMBER(state->file), DIGEST(&lost->digest)), &row,
        err);
    *kind = KIND_DELETE;
    *blank = 0;
    if (row) {
        bool newer = sqlite3_column_int64(row, 1) >= lost->version;
        bool same = sqlite3_column_int(row, 2);
        *kind = KIND_FORGET;
        /* of an intent nobody knows whether it was sent, so the other one must be sent again */
        bool known = !digest_equal(&lost->digest, &(struct digest){0});
        *blank = known && (newer || same) ? 0 : sqlite3_column_int64(row, 0);
    }
    sqlite3_reset(row);
    return outcome;
}

static enum outcome add_change(struct follow_state *state, const struct front *side, int kind,
                               int64_t blank, bool below, struct error *err)
{
    int64_t floor;
    const struct follow_entry *entry = &side->entry;
    if (find_floor(state, entry->key, &floor, err) != OUT_OK)
        return OUT_FATAL;
    int64_t given = follow_given_version(kind == KIND_DELETE, side->own, floor, entry->version);
    return follow_sql_run(state, SQL_CHANGE,
                          VALUES(BLOB(entry->key), NUMBER(kind), DIGEST(&entry->digest),
                                 NUMBER(side->ordinal), NUMBER(side->own), NUMBER(floor),
                                 NUMBER(blank), NUMBER(given), NUMBER(below), NUMBER(state->file)),
                          err);
}

/* A record with a version of its own that is new in this file, and may have been in another. */
static enum outcome is_behind_delete(struct follow_state *state, const struct front *now,
                                     bool *behind, struct error *err)
{
    sqlite3_stmt *row;
    *behind = false;
    if (!now->own)
        return OUT_OK;
    enum outcome outcome =
        follow_sql_get(state, SQL_BEHIND_DELETE,
                       VALUES(BLOB(now->entry.key), NUMBER(now->entry.version)), &row, err);
    *behind = row != NULL;
    sqlite3_reset(row);
    return outcome;
}

static enum outcome note_change(struct follow_state *state, enum follow_change change, bool deletes,
                                const struct front *old, const struct front *now,
                                struct follow_counts *counts, struct error *err)
{
    int kind;
    int64_t blank;
    bool below;
    if (change == FOLLOW_ADDED) {
        bool behind;
        if (is_behind_delete(state, now, &behind, err) != OUT_OK)
            return OUT_FATAL;
        change = behind ? FOLLOW_BEHIND : change;
    }
    switch (change) {
    case FOLLOW_SAME:
        break;
    case FOLLOW_ADDED:
    case FOLLOW_CHANGED:
        counts->upserts++;
        below = change == FOLLOW_CHANGED && old->entry.pending && now->own &&
                now->entry.version <= old->entry.version;
        return add_change(state, now, KIND_UPSERT, 0, below, err);
    case FOLLOW_BEHIND:
        counts->behind++;
        return add_change(state, now, KIND_BEHIND, 0, false, err);
    case FOLLOW_DELETED:
        if (!deletes) {
            counts->waiting++;
            break;
        }
        if (ask_others(state, &old->entry, &kind, &blank, err) != OUT_OK)
            return OUT_FATAL;
        counts->deletes += kind == KIND_DELETE;
        return add_change(state, old, kind, blank, false, err);
    }
    return OUT_OK;
}

/* What may be sent from now on, whatever ends this process. The file is known from now on too:
 * should it be away when the next one scans, what it held is deleted. */
static enum outcome note_intents(struct follow_state *state, struct error *err)
{
    const struct scan_identity *identity = &state->identity;
    enum outcome outcome = follow_sql_run(state, SQL_INTEND, VALUES(NUMBER(state->file)), err);
    if (outcome == OUT_OK)
        outcome = follow_sql_run(state, SQL_UNDONE,
                                 VALUES(NUMBER(state->file), NUMBER(state->folder_device),
                                        NUMBER(identity->device), NUMBER(identity->inode),
                                        NUMBER(identity->changed_ns)),
                                 err);
    if (outcome == OUT_OK) /* what was read of it is not known as long as this is on its way */
        outcome = follow_sql_run(state, SQL_SHRINK, VALUES(NUMBER(state->file)), err);
    return outcome == OUT_OK ? follow_sql_run(state, SQL_HIGHEST, VALUES(NUMBER(state->file)), err)
                             : outcome;
}

/* Of an older version of its own the file's greatest counts, and that was seen before. */
static bool is_outdone(const struct front *old, const struct front *now)
{
    return old->row && now->own && !old->entry.deleted && now->entry.version < old->entry.version;
}

/* Each record that was seen against what is known of it. */
static enum outcome compare_part(struct follow_state *state, struct follow_counts *counts,
                                 struct error *err)
{
    struct front old = {0}, now = {0};
    if (follow_sql_get(state, SQL_NOW, NO_VALUES, &now.row, err) != OUT_OK)
        return OUT_FATAL;
    take_row(&now, false);
    while (now.row) {
        if (follow_sql_get(state, SQL_OLD_ONE, VALUES(NUMBER(state->file), BLOB(now.entry.key)),
                           &old.row, err) != OUT_OK)
            return OUT_FATAL;
        take_row(&old, true);
        struct follow_step said =
            follow_diff_step(old.row ? &old.entry : NULL, &now.entry, now.own);
        counts->seen++;
        bool outdone = is_outdone(&old, &now);
        enum outcome outcome =
            outdone ? OUT_OK : note_change(state, said.change, false, &old, &now, counts, err);
        sqlite3_reset(old.row);
        if (outcome != OUT_OK || move_on(state, &now, false, err) != OUT_OK)
            return OUT_FATAL;
    }
    return OUT_OK;
}

/* Both sides from their fronts. */
static enum outcome compare_all(struct follow_state *state, bool deletes,
                                struct follow_counts *counts, struct error *err)
{
    struct front old = {0}, now = {0};
    if (follow_sql_get(state, SQL_OLD, VALUES(NUMBER(state->file)), &old.row, err) != OUT_OK ||
        follow_sql_get(state, SQL_NOW, NO_VALUES, &now.row, err) != OUT_OK)
        return OUT_FATAL;
    take_row(&old, true);
    take_row(&now, false);
    while (old.row || now.row) {
        struct follow_step said =
            follow_diff_step(old.row ? &old.entry : NULL, now.row ? &now.entry : NULL, now.own);
        counts->seen += said.take_now;
        if (note_change(state, said.change, deletes, &old, &now, counts, err) != OUT_OK ||
            (said.take_old && move_on(state, &old, true, err) != OUT_OK) ||
            (said.take_now && move_on(state, &now, false, err) != OUT_OK))
            return OUT_FATAL;
    }
    return OUT_OK;
}

enum outcome follow_state_compare(struct follow_state *state, bool deletes, bool part,
                                  struct follow_counts *counts, struct error *err)
{
    *counts = (struct follow_counts){0};
    enum outcome outcome =
        part ? compare_part(state, counts, err) : compare_all(state, deletes, counts, err);
    if (outcome != OUT_OK)
        return outcome;
    if (counts->upserts + counts->deletes > 0 && note_intents(state, err) != OUT_OK)
        return OUT_FATAL;
    state->reading = false;
    state->compared++;
    return sqlite_exec(&state->db, "RELEASE reading", err);
}

/* What was compared is kept by the connection, not by the transaction's end. */
enum outcome follow_state_intend(struct follow_state *state, struct error *err)
{
    state->open = false;
    state->compared = 0;
    return sqlite_exec(&state->db, "COMMIT", err);
}

enum outcome follow_state_wants(struct follow_state *state, const struct follow_seen *seen,
                                struct follow_wanted *wanted, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = follow_sql_get(
        state, SQL_WANTS,
        VALUES(BLOB(seen->key), NUMBER(seen->ordinal), DIGEST(&seen->digest), NUMBER(state->file)),
        &row, err);
    *wanted = (struct follow_wanted){0};
    if (row)
        *wanted = (struct follow_wanted){.send = sqlite3_column_int(row, 0) == KIND_UPSERT,
                                         .refused = sqlite3_column_int(row, 0) == KIND_BEHIND,
                                         .floor = sqlite3_column_int64(row, 1),
                                         .below = sqlite3_column_int(row, 2)};
    sqlite3_reset(row);
    return outcome;
}

enum outcome follow_state_sent(struct follow_state *state, struct bytes key, int64_t version,
                               struct error *err)
{
    return follow_sql_run(state, SQL_SENT, VALUES(BLOB(key), NUMBER(version), NUMBER(state->file)),
                          err);
}

enum outcome follow_state_keep(struct follow_state *state, struct bytes key, struct error *err)
{
    return follow_sql_run(state, SQL_KEEP, VALUES(BLOB(key)), err);
}

enum outcome follow_state_refused(struct follow_state *state, struct bytes key, struct error *err)
{
    return follow_sql_run(state, SQL_REFUSED, VALUES(BLOB(key), NUMBER(state->file)), err);
}

enum outcome follow_state_refused_late(struct follow_state *state, const struct follow_known *known,
                                       uint64_t ordinal, struct error *err)
{
    return follow_sql_run(state, SQL_REFUSED_LATE, VALUES(NUMBER(ordinal), NUMBER(known->id)), err);
}

enum outcome follow_state_unsent(struct follow_state *state, uint64_t *count, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome =
        follow_sql_get(state, SQL_UNSENT, VALUES(NUMBER(state->file)), &row, err);
    *count = row ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
    sqlite3_reset(row);
    return outcome;
}

/* TENANT/ENTITY/ID */
static bool is_key(struct bytes key)
{
    const char *entity = key.size ? memchr(key.data, '/', key.size) : NULL;
    return entity && memchr(entity + 1, '/', key.size - (size_t)(entity + 1 - key.data));
}

static enum outcome damaged_key(const struct follow_state *state, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "a key in the follower's state is damaged");
    error_where(err, "%s", state->path);
    follow_sql_begin_anew(state, "it is damaged: restore it from a copy", err);
    return OUT_FATAL;
}

enum outcome follow_state_next_delete(struct follow_state *state, struct bytes *key, int64_t *last,
                                      bool *own, struct error *err)
{
    sqlite3_stmt *row;
    *key = (struct bytes){0};
    struct bytes last_key = bytes_of(state->last_delete, state->last_size);
    if (follow_sql_get(state, SQL_DELETES, VALUES(BLOB(last_key), NUMBER(state->file)), &row,
                       err) != OUT_OK)
        return OUT_FATAL;
    if (!row)
        return OUT_OK;
    struct bytes found = sqlite_bytes(row, 0);
    *last = sqlite3_column_int64(row, 1);
    *own = sqlite3_column_int(row, 2);
    bool fits = found.size <= sizeof(state->last_delete) && is_key(found);
    if (fits)
        memcpy(state->last_delete, found.data, found.size);
    state->last_size = fits ? found.size : 0;
    sqlite3_reset(row);
    if (!fits)
        return damaged_key(state, err);
    *key = bytes_of(state->last_delete, state->last_size);
    return OUT_OK;
}

static enum outcome store_file(struct follow_state *state, const struct follow_known *known,
                               bool gone, struct error *err)
{
    const struct scan_identity *identity = &known->identity;
    if (gone)
        return follow_sql_run(state, SQL_FILE_GONE, VALUES(NUMBER(state->file)), err);
    return follow_sql_run(state, SQL_FILE_STORED,
                          VALUES(NUMBER(state->file), NUMBER(identity->device),
                                 NUMBER(identity->inode), NUMBER(identity->size),
                                 NUMBER(identity->modified_ns), NUMBER(identity->changed_ns),
                                 NUMBER(known->folder_device), NUMBER(known->done)),
                          err);
}

enum outcome follow_state_begin_store(struct follow_state *state, struct error *err)
{
    follow_state_abandon(state);
    enum outcome outcome = sqlite_exec(&state->db, "BEGIN IMMEDIATE", err);
    state->open = state->storing = outcome == OUT_OK;
    return outcome;
}

enum outcome follow_state_end_store(struct follow_state *state, struct error *err)
{
    enum outcome outcome = sqlite_exec(&state->db, "COMMIT", err);
    if (outcome == OUT_OK)
        state->open = state->storing = false;
    return outcome;
}

static enum outcome run_of_others(struct follow_state *state, enum statement which,
                                  struct error *err)
{
    int before = sqlite3_total_changes(state->db.connection);
    enum outcome outcome = follow_sql_run(state, which, NO_VALUES, err);
    state->generation += sqlite3_total_changes(state->db.connection) != before;
    return outcome;
}

/* `known` NULL: the file stays noted as not done. */
static enum outcome commit(struct follow_state *state, const struct follow_known *known, bool gone,
                           struct error *err)
{
    static const enum statement OF_FILE[] = {SQL_STORE, SQL_TOMBSTONE, SQL_REMOVE};
    static const enum statement OF_OTHERS[] = {SQL_BLANK,      SQL_DIRTY,         SQL_DIRTY_AWAY,
                                               SQL_BLANK_AWAY, SQL_SHRINK_OTHERS, SQL_SHRINK_AWAY};
    bool alone = !state->storing;
    if (alone && follow_state_begin_store(state, err) != OUT_OK)
        return OUT_FATAL;
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < sizeof(OF_FILE) / sizeof(OF_FILE[0]) && outcome == OUT_OK; i++)
        outcome = follow_sql_run(state, OF_FILE[i], VALUES(NUMBER(state->file)), err);
    if (outcome == OUT_OK && known)
        outcome = store_file(state, known, gone, err);
    for (size_t i = 0; i < sizeof(OF_OTHERS) / sizeof(OF_OTHERS[0]) && outcome == OUT_OK; i++)
        outcome = run_of_others(state, OF_OTHERS[i], err);
    if (outcome == OUT_OK && alone)
        outcome = follow_state_end_store(state, err);
    if (outcome != OUT_OK)
        follow_state_abandon(state);
    return outcome;
}

enum outcome follow_state_commit(struct follow_state *state, const struct follow_known *known,
                                 bool gone, struct error *err)
{
    return commit(state, known, gone, err);
}

enum outcome follow_state_commit_sent(struct follow_state *state, struct error *err)
{
    return commit(state, NULL, false, err);
}
