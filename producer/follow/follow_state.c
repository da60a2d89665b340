/* Opening, the lock, the files known. What changed is follow_change.c's. */
#include "producer/follow/follow_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/files.h"
#include "producer/follow/follow_sql.h"

/* Of the clock, 48 bits of milliseconds and 16 bits of counter, with room to count on. */
#define BOUND_MAX (INT64_MAX - (INT64_C(1) << 40))

static enum outcome take_lock(struct follow_state *state, struct error *err)
{
    state->lock = open(state->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (state->lock >= 0 && flock(state->lock, LOCK_EX | LOCK_NB) == 0)
        return OUT_OK;
    if (state->lock >= 0 && errno == EWOULDBLOCK) {
        error_set(err, OUT_FATAL, ERR_STATE_FILE, "another producer follows for this migration");
        error_hint(err, "stop it, or give this one a --state-dir and a migration of its own");
    } else {
        error_set(err, OUT_FATAL, ERR_STATE_FILE, "the follower's lock cannot be taken");
        error_cause(err, "%s", strerrordesc_np(errno));
    }
    error_where(err, "%s", state->lock_path);
    return OUT_FATAL;
}

/* The lock's file says whether there ever was a state: one that is empty now was lost. */
static enum outcome check_begun(struct follow_state *state, bool *begun, struct error *err)
{
    struct stat lock, file;
    *begun = fstat(state->lock, &lock) == 0 && lock.st_size > 0;
    bool exists = stat(state->path, &file) == 0 && file.st_size > 0;
    if (!*begun || exists)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the follower's state is gone");
    error_where(err, "%s", state->path);
    error_hint(err, "restore it; or remove %s too, and all records are produced again",
               state->lock_path);
    return OUT_FATAL;
}

static enum outcome read_meta(struct follow_state *state, const char *what, int64_t *value,
                              struct error *err)
{
    bool row;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_META);
    sqlite3_bind_text(statement, 1, what, -1, SQLITE_STATIC);
    if (follow_sql_step(state, statement, &row, err) != OUT_OK)
        return OUT_FATAL;
    *value = row ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_reset(statement);
    return OUT_OK;
}

static enum outcome open_db(struct follow_state *state, struct error *err)
{
    int64_t format;
    if (follow_sql_open(state, err) != OUT_OK)
        return OUT_FATAL;
    if (read_meta(state, "format", &format, err) != OUT_OK ||
        read_meta(state, "bound", &state->bound, err) != OUT_OK)
        return OUT_FATAL;
    if (format == 1 && state->bound >= 0 && state->bound <= BOUND_MAX)
        return OUT_OK;
    if (format == 1) {
        error_set(err, OUT_FATAL, ERR_STATE_FILE, "the follower's state is damaged");
        error_where(err, "%s", state->path);
        error_cause(err, "its greatest version is out of range");
        follow_sql_begin_anew(state, "restore it from a copy", err);
        return OUT_FATAL;
    }
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the follower's state is of another format");
    error_where(err, "%s", state->path);
    error_cause(err, "format %" PRId64 "; this is for format 1", format);
    follow_sql_begin_anew(state, "use the drover that wrote it", err);
    return OUT_FATAL;
}

static enum outcome mark_begun(struct follow_state *state, struct error *err)
{
    if (pwrite(state->lock, "begun\n", 6, 0) == 6 && fsync(state->lock) == 0)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the follower's lock cannot be written");
    error_cause(err, "%s", strerrordesc_np(errno));
    error_where(err, "%s", state->lock_path);
    return OUT_FATAL;
}

enum outcome follow_state_open(const char *folder, const char *migration,
                               struct follow_state **state, struct error *err)
{
    *state = NULL;
    if (files_make_folder(folder, err) != OUT_OK)
        return OUT_FATAL;
    bool begun = false;
    struct follow_state *made = mem_new(sizeof(*made));
    made->lock = -1;
    made->path = mem_format("%s/%s.follow.db", folder, migration);
    made->lock_path = mem_format("%s/%s.follow.lock", folder, migration);
    enum outcome outcome = take_lock(made, err);
    if (outcome == OUT_OK)
        outcome = check_begun(made, &begun, err);
    if (outcome == OUT_OK)
        outcome = open_db(made, err);
    if (outcome == OUT_OK && !begun)
        outcome = mark_begun(made, err);
    if (outcome == OUT_OK)
        *state = made;
    else
        follow_state_close(made);
    return outcome;
}

enum outcome follow_state_mapped(struct follow_state *state, const struct mapping_set *mappings,
                                 struct error *err)
{
    char pin[MAPPING_PIN_SIZE], sql[160];
    int64_t known, now;
    mapping_set_pin(mappings, false, pin);
    struct digest digest = digest_of(bytes_text(pin));
    memcpy(&now, digest.bytes, sizeof(now));
    now &= INT64_MAX;
    if (read_meta(state, "mappings", &known, err) != OUT_OK)
        return OUT_FATAL;
    if (known == now)
        return OUT_OK;
    snprintf(sql, sizeof(sql),
             "BEGIN; UPDATE file SET done = 0;"
             "INSERT OR REPLACE INTO meta VALUES ('mappings', %" PRId64 "); COMMIT",
             now);
    return follow_sql_run(state, sql, err);
}

void follow_state_close(struct follow_state *state)
{
    if (!state)
        return;
    follow_sql_close(state);
    if (state->lock >= 0)
        close(state->lock);
    free(state->path);
    free(state->lock_path);
    free(state);
}

int64_t follow_state_bound(const struct follow_state *state)
{
    return state->bound;
}

enum outcome follow_state_reserve(struct follow_state *state, int64_t bound, struct error *err)
{
    if (bound <= state->bound)
        return OUT_OK;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_RESERVE);
    sqlite3_bind_int64(statement, 1, bound);
    enum outcome outcome = follow_sql_step(state, statement, NULL, err);
    if (outcome == OUT_OK)
        state->bound = bound;
    return outcome;
}

/* ---- files ---- */

enum outcome follow_state_find(struct follow_state *state, const char *path,
                               struct follow_known *known, struct error *err)
{
    bool row;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_FIND);
    *known = (struct follow_known){0};
    follow_sql_bind_bytes(statement, 1, bytes_text(path));
    if (follow_sql_step(state, statement, &row, err) != OUT_OK)
        return OUT_FATAL;
    if (row)
        *known = (struct follow_known){
            .id = sqlite3_column_int64(statement, 0),
            .identity = {.device = (uint64_t)sqlite3_column_int64(statement, 1),
                         .inode = (uint64_t)sqlite3_column_int64(statement, 2),
                         .size = (uint64_t)sqlite3_column_int64(statement, 3),
                         .modified_ns = sqlite3_column_int64(statement, 4),
                         .changed_ns = sqlite3_column_int64(statement, 5)},
            .folder_device = (uint64_t)sqlite3_column_int64(statement, 6),
            .done = sqlite3_column_int(statement, 7)};
    sqlite3_reset(statement);
    return OUT_OK;
}

enum outcome follow_state_paths(struct follow_state *state, char ***paths, struct error *err)
{
    size_t count = 0, capacity = 64;
    char **list = mem_array(capacity, sizeof(*list));
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_PATHS);
    enum outcome outcome;
    bool row;
    while ((outcome = follow_sql_step(state, statement, &row, err)) == OUT_OK && row) {
        struct bytes path = follow_sql_bytes(statement, 0);
        if (count + 1 == capacity) {
            capacity *= 2;
            list = mem_resize(list, capacity, sizeof(*list));
        }
        list[count++] = mem_text_part(path.data, path.size);
    }
    list[count] = NULL;
    *paths = list;
    return outcome;
}

enum outcome follow_state_find_place(struct follow_state *state,
                                     const struct scan_identity *identity, int64_t except,
                                     size_t skip, struct follow_namesake *found, struct error *err)
{
    bool row;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_PLACE);
    *found = (struct follow_namesake){0};
    sqlite3_bind_int64(statement, 1, (int64_t)identity->device);
    sqlite3_bind_int64(statement, 2, (int64_t)identity->inode);
    sqlite3_bind_int64(statement, 3, except);
    sqlite3_bind_int64(statement, 4, (int64_t)skip);
    if (follow_sql_step(state, statement, &row, err) != OUT_OK)
        return OUT_FATAL;
    if (row) {
        struct bytes path = follow_sql_bytes(statement, 1);
        *found = (struct follow_namesake){.id = sqlite3_column_int64(statement, 0),
                                          .path = mem_text_part(path.data, path.size),
                                          .identity = *identity};
        found->identity.size = (uint64_t)sqlite3_column_int64(statement, 2);
        found->identity.modified_ns = sqlite3_column_int64(statement, 3);
        found->identity.changed_ns = sqlite3_column_int64(statement, 4);
        found->folder_device = (uint64_t)sqlite3_column_int64(statement, 5);
    }
    sqlite3_reset(statement);
    return OUT_OK;
}

static enum outcome run_ids(struct follow_state *state, enum statement which, int64_t first,
                            int64_t second, struct error *err)
{
    sqlite3_stmt *statement = follow_sql_fresh(state, which);
    sqlite3_bind_int64(statement, 1, first);
    if (sqlite3_bind_parameter_count(statement) > 1)
        sqlite3_bind_int64(statement, 2, second);
    return follow_sql_step(state, statement, NULL, err);
}

static enum outcome move(struct follow_state *state, const struct follow_move *move,
                         struct error *err)
{
    static const enum statement JOIN[] = {SQL_MOVE_BLANK, SQL_MOVE_MERGE};
    static const enum statement DROP[] = {SQL_MOVE_DROP_RECORDS, SQL_MOVE_DROP_FILE};
    struct follow_known other; /* that had the name; id 0 has no records */
    enum outcome outcome = follow_state_find(state, move->path, &other, err);
    for (size_t i = 0; i < sizeof(JOIN) / sizeof(JOIN[0]) && outcome == OUT_OK; i++)
        outcome = run_ids(state, JOIN[i], move->id, other.id, err);
    for (size_t i = 0; i < sizeof(DROP) / sizeof(DROP[0]) && outcome == OUT_OK; i++)
        outcome = run_ids(state, DROP[i], other.id, 0, err);
    if (outcome != OUT_OK)
        return outcome;
    sqlite3_stmt *named = follow_sql_fresh(state, SQL_MOVE_NAME);
    sqlite3_bind_int64(named, 1, move->id);
    follow_sql_bind_bytes(named, 2, bytes_text(move->path));
    outcome = follow_sql_step(state, named, NULL, err);
    if (outcome == OUT_OK)
        outcome = follow_state_follow(state, move->id, err);
    return outcome == OUT_OK ? follow_state_follow(state, other.id, err)
                             : outcome; /* its id is free */
}

enum outcome follow_state_move(struct follow_state *state, const struct follow_move *moves,
                               size_t count, struct error *err)
{
    follow_state_abandon(state);
    enum outcome outcome = follow_sql_run(state, "BEGIN IMMEDIATE", err);
    state->open = outcome == OUT_OK;
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = run_ids(state, SQL_MOVE_OFF, moves[i].id, 0, err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = move(state, &moves[i], err);
    if (outcome == OUT_OK)
        outcome = follow_sql_run(state, "COMMIT", err);
    state->open = state->open && outcome != OUT_OK;
    follow_state_abandon(state);
    return outcome;
}

enum outcome follow_state_unfollow(struct follow_state *state, const char *path, bool away,
                                   struct error *err)
{
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_UNFOLLOW);
    follow_sql_bind_bytes(statement, 1, bytes_text(path));
    sqlite3_bind_int(statement, 2, away);
    return follow_sql_step(state, statement, NULL, err);
}

enum outcome follow_state_follow(struct follow_state *state, int64_t id, struct error *err)
{
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_FOLLOW);
    sqlite3_bind_int64(statement, 1, id);
    return follow_sql_step(state, statement, NULL, err);
}

enum outcome follow_state_unfollowed(struct follow_state *state, uint64_t *records,
                                     struct error *err)
{
    bool row;
    sqlite3_stmt *statement = follow_sql_fresh(state, SQL_UNFOLLOWED);
    enum outcome outcome = follow_sql_step(state, statement, &row, err);
    *records = outcome == OUT_OK && row ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return outcome;
}
