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
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_ADD_FILE);
    follow_sql_bind_bytes(statement, 1, bytes_text(path));
    enum outcome outcome = follow_sql_step(state, statement, NULL, err);
    *id = sqlite3_last_insert_rowid(state->db);
    return outcome;
}

enum outcome follow_state_begin(struct follow_state *state, const char *path,
                                struct follow_known *known, struct error *err)
{
    follow_state_abandon(state);
    if (known->id == 0 && add_file(state, path, &known->id, err) != OUT_OK)
        return OUT_FATAL;
    state->file = known->id;
    state->folder_device = known->folder_device;
    state->identity = known->identity;
    state->last_size = 0;
    state->open = true;
    return follow_sql_run(state, "BEGIN; DELETE FROM temp.seen; DELETE FROM temp.change", err);
}

void follow_state_abandon(struct follow_state *state)
{
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_reset(state->statements[i]);
    if (state->open)
        sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
    state->open = false;
}

enum outcome follow_state_see(struct follow_state *state, const struct follow_seen *seen,
                              struct error *err)
{
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_SEE);
    follow_sql_bind_bytes(statement, 1, seen->key);
    follow_sql_bind_digest(statement, 2, &seen->digest);
    sqlite3_bind_int64(statement, 3, seen->version);
    sqlite3_bind_int64(statement, 4, (int64_t)seen->ordinal);
    sqlite3_bind_int(statement, 5, seen->own);
    return follow_sql_step(state, statement, NULL, err);
}

/* A side of the comparison: the row its statement stands on. */
struct front {
    sqlite3_stmt *statement;
    struct follow_entry entry;
    bool exists, own;
    int64_t ordinal;
};

static enum outcome move_on(struct follow_state *state, struct front *front, bool old,
                            struct error *err)
{
    if (follow_sql_step(state, front->statement, &front->exists, err) != OUT_OK)
        return OUT_FATAL;
    if (!front->exists)
        return OUT_OK;
    int deleted = old ? sqlite3_column_int(front->statement, 3) : 0;
    front->entry = (struct follow_entry){.key = follow_sql_bytes(front->statement, 0),
                                         .digest = follow_sql_digest(front->statement, 1),
                                         .version = sqlite3_column_int64(front->statement, 2),
                                         .deleted = deleted != 0,
                                         .pending = deleted == DELETED_PENDING};
    front->ordinal = old ? 0 : sqlite3_column_int64(front->statement, 3);
    front->own = sqlite3_column_int(front->statement, 4);
    return OUT_OK;
}

static enum outcome find_floor(struct follow_state *state, struct bytes key, int64_t *floor,
                               struct error *err)
{
    bool row;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_FLOOR);
    follow_sql_bind_bytes(statement, 1, key);
    enum outcome outcome = follow_sql_step(state, statement, &row, err);
    *floor = outcome == OUT_OK && row ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return outcome;
}

/* Whether a record this file lost is another file's: *kind, and the file to be read again. */
static enum outcome ask_others(struct follow_state *state, const struct follow_entry *lost,
                               int *kind, int64_t *blank, struct error *err)
{
    bool row;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_OTHER);
    follow_sql_bind_bytes(statement, 1, lost->key);
    sqlite3_bind_int64(statement, 2, state->file);
    follow_sql_bind_digest(statement, 3, &lost->digest);
    enum outcome outcome = follow_sql_step(state, statement, &row, err);
    *kind = KIND_DELETE;
    *blank = 0;
    if (outcome == OUT_OK && row) {
        bool newer = sqlite3_column_int64(statement, 1) >= lost->version;
        bool same = sqlite3_column_int(statement, 2);
        *kind = KIND_FORGET;
        /* of an intent nobody knows whether it was sent, so the other one must be sent again */
        bool known = !digest_equal(&lost->digest, &(struct digest){0});
        *blank = known && (newer || same) ? 0 : sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    return outcome;
}

static enum outcome add_change(struct follow_state *state, const struct front *side, int kind,
                               int64_t blank, bool below, struct error *err)
{
    int64_t floor;
    if (find_floor(state, side->entry.key, &floor, err) != OUT_OK)
        return OUT_FATAL;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_CHANGE);
    follow_sql_bind_bytes(statement, 1, side->entry.key);
    sqlite3_bind_int(statement, 2, kind);
    follow_sql_bind_digest(statement, 3, &side->entry.digest);
    sqlite3_bind_int64(statement, 4, side->ordinal);
    sqlite3_bind_int(statement, 5, side->own);
    sqlite3_bind_int64(statement, 6, floor);
    sqlite3_bind_int64(statement, 7, blank);
    sqlite3_bind_int64(
        statement, 8,
        follow_given_version(kind == KIND_DELETE, side->own, floor, side->entry.version));
    sqlite3_bind_int(statement, 9, below);
    return follow_sql_step(state, statement, NULL, err);
}

/* A record with a version of its own that is new in this file, and may have been in another. */
static enum outcome is_behind_delete(struct follow_state *state, const struct front *now,
                                     bool *behind, struct error *err)
{
    *behind = false;
    if (!now->own)
        return OUT_OK;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_BEHIND_DELETE);
    follow_sql_bind_bytes(statement, 1, now->entry.key);
    sqlite3_bind_int64(statement, 2, now->entry.version);
    enum outcome outcome = follow_sql_step(state, statement, behind, err);
    sqlite3_reset(statement);
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
    sqlite3_stmt *intend = follow_sql_fresh(state, SQL_INTEND);
    sqlite3_bind_int64(intend, 1, state->file);
    if (follow_sql_step(state, intend, NULL, err) != OUT_OK)
        return OUT_FATAL;
    sqlite3_stmt *file = follow_sql_fresh(state, SQL_UNDONE);
    sqlite3_bind_int64(file, 1, state->file);
    sqlite3_bind_int64(file, 2, (int64_t)state->folder_device);
    sqlite3_bind_int64(file, 3, (int64_t)state->identity.device);
    sqlite3_bind_int64(file, 4, (int64_t)state->identity.inode);
    sqlite3_bind_int64(file, 5, state->identity.changed_ns);
    if (follow_sql_step(state, file, NULL, err) != OUT_OK)
        return OUT_FATAL;
    return follow_sql_step(state, follow_sql_fresh(state, SQL_HIGHEST), NULL, err);
}

enum outcome follow_state_compare(struct follow_state *state, bool deletes,
                                  struct follow_counts *counts, struct error *err)
{
    struct front old = {.statement = follow_sql_fresh(state, SQL_OLD)};
    struct front now = {.statement = follow_sql_fresh(state, SQL_NOW)};
    *counts = (struct follow_counts){0};
    sqlite3_bind_int64(old.statement, 1, state->file);
    if (move_on(state, &old, true, err) != OUT_OK || move_on(state, &now, false, err) != OUT_OK)
        return OUT_FATAL;
    while (old.exists || now.exists) {
        struct follow_step said = follow_diff_step(old.exists ? &old.entry : NULL,
                                                   now.exists ? &now.entry : NULL, now.own);
        counts->seen += said.take_now;
        if (note_change(state, said.change, deletes, &old, &now, counts, err) != OUT_OK ||
            (said.take_old && move_on(state, &old, true, err) != OUT_OK) ||
            (said.take_now && move_on(state, &now, false, err) != OUT_OK))
            return OUT_FATAL;
    }
    if (counts->upserts + counts->deletes > 0 && note_intents(state, err) != OUT_OK)
        return OUT_FATAL;
    /* what was compared is kept by the connection, not by the transaction's end */
    state->open = false;
    return follow_sql_run(state, "COMMIT", err);
}

enum outcome follow_state_wants(struct follow_state *state, const struct follow_seen *seen,
                                struct follow_wanted *wanted, struct error *err)
{
    bool row;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_WANTS);
    follow_sql_bind_bytes(statement, 1, seen->key);
    sqlite3_bind_int64(statement, 2, (int64_t)seen->ordinal);
    follow_sql_bind_digest(statement, 3, &seen->digest);
    enum outcome outcome = follow_sql_step(state, statement, &row, err);
    *wanted = (struct follow_wanted){0};
    if (outcome == OUT_OK && row)
        *wanted = (struct follow_wanted){.send = sqlite3_column_int(statement, 0) == KIND_UPSERT,
                                         .refused = sqlite3_column_int(statement, 0) == KIND_BEHIND,
                                         .floor = sqlite3_column_int64(statement, 1),
                                         .below = sqlite3_column_int(statement, 2)};
    sqlite3_reset(statement);
    return outcome;
}

enum outcome follow_state_sent(struct follow_state *state, struct bytes key, int64_t version,
                               struct error *err)
{
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_SENT);
    follow_sql_bind_bytes(statement, 1, key);
    sqlite3_bind_int64(statement, 2, version);
    return follow_sql_step(state, statement, NULL, err);
}

enum outcome follow_state_keep(struct follow_state *state, struct bytes key, struct error *err)
{
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_KEEP);
    follow_sql_bind_bytes(statement, 1, key);
    return follow_sql_step(state, statement, NULL, err);
}

enum outcome follow_state_unsent(struct follow_state *state, uint64_t *count, struct error *err)
{
    bool row;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_UNSENT);
    enum outcome outcome = follow_sql_step(state, statement, &row, err);
    *count = outcome == OUT_OK && row ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
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
    bool row;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_DELETES);
    *key = (struct bytes){0};
    follow_sql_bind_bytes(statement, 1, bytes_of(state->last_delete, state->last_size));
    if (follow_sql_step(state, statement, &row, err) != OUT_OK)
        return OUT_FATAL;
    if (!row)
        return OUT_OK;
    struct bytes found = follow_sql_bytes(statement, 0);
    *last = sqlite3_column_int64(statement, 1);
    *own = sqlite3_column_int(statement, 2);
    bool fits = found.size <= sizeof(state->last_delete) && is_key(found);
    if (fits)
        memcpy(state->last_delete, found.data, found.size);
    state->last_size = fits ? found.size : 0;
    sqlite3_reset(statement);
    if (!fits)
        return damaged_key(state, err);
    *key = bytes_of(state->last_delete, state->last_size);
    return OUT_OK;
}

static enum outcome store_file(struct follow_state *state, const struct follow_known *known,
                               bool gone, struct error *err)
{
    sqlite3_stmt *statement = follow_sql_fresh(state, gone ? SQL_FILE_GONE : SQL_FILE_STORED);
    sqlite3_bind_int64(statement, 1, state->file);
    if (!gone) {
        const struct scan_identity *identity = &known->identity;
        sqlite3_bind_int64(statement, 2, (int64_t)identity->device);
        sqlite3_bind_int64(statement, 3, (int64_t)identity->inode);
        sqlite3_bind_int64(statement, 4, (int64_t)identity->size);
        sqlite3_bind_int64(statement, 5, identity->modified_ns);
        sqlite3_bind_int64(statement, 6, identity->changed_ns);
        sqlite3_bind_int64(statement, 7, (int64_t)known->folder_device);
        sqlite3_bind_int(statement, 8, known->done);
    }
    return follow_sql_step(state, statement, NULL, err);
}

enum outcome follow_state_commit(struct follow_state *state, const struct follow_known *known,
                                 bool gone, struct error *err)
{
    static const enum statement OF_FILE[] = {SQL_STORE, SQL_TOMBSTONE, SQL_REMOVE};
    static const enum statement OF_OTHERS[] = {SQL_BLANK, SQL_DIRTY, SQL_DIRTY_AWAY,
                                               SQL_BLANK_AWAY};
    follow_state_abandon(state);
    if (follow_sql_run(state, "BEGIN IMMEDIATE", err) != OUT_OK)
        return OUT_FATAL;
    state->open = true;
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < sizeof(OF_FILE) / sizeof(OF_FILE[0]) && outcome == OUT_OK; i++) {
        sqlite3_stmt *statement = follow_sql_fresh(state, OF_FILE[i]);
        sqlite3_bind_int64(statement, 1, state->file);
        outcome = follow_sql_step(state, statement, NULL, err);
    }
    if (outcome == OUT_OK)
        outcome = store_file(state, known, gone, err);
    for (size_t i = 0; i < sizeof(OF_OTHERS) / sizeof(OF_OTHERS[0]) && outcome == OUT_OK; i++)
        outcome = follow_sql_step(state, follow_sql_fresh(state, OF_OTHERS[i]), NULL, err);
    if (outcome == OUT_OK)
        outcome = follow_sql_run(state, "COMMIT", err);
    if (outcome != OUT_OK)
        follow_state_abandon(state);
    state->open = false;
    return outcome;
}
