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
        error_set(err, OUT_RETRY, ERR_STATE_FILE, "another producer follows for this migration");
        error_hint(err, "stop it, or give this one a --state-dir and a migration of its own");
    } else {
        error_set(err, OUT_FATAL, ERR_STATE_FILE, "the follower's lock cannot be taken");
        error_cause(err, "%s", strerrordesc_np(errno));
    }
    error_where(err, "%s", state->lock_path);
    return err->outcome;
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
    sqlite3_stmt *row;
    enum outcome outcome = follow_sql_get(state, SQL_META, VALUES(NAME(what)), &row, err);
    *value = row ? sqlite3_column_int64(row, 0) : -1;
    sqlite3_reset(row);
    return outcome;
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
    made->generation = 1;
    made->path = mem_format("%s/%s.follow.db", folder, migration);
    made->lock_path = mem_format("%s/%s.follow.lock", folder, migration);
    enum outcome outcome = take_lock(made, err);
    if (outcome == OUT_OK)
        outcome = check_begun(made, &begun, err);
    if (outcome == OUT_OK)
        outcome = open_db(made, err);
    if (outcome == OUT_OK && !begun)
        outcome = mark_begun(made, err);
    if (outcome == OUT_OK) {
        held_place_take(&made->place, made->path);
        held_place_take(&made->lock_place, made->lock_path);
        *state = made;
    } else {
        follow_state_close(made);
    }
    return outcome;
}

enum outcome follow_state_check_place(struct follow_state *state, struct error *err)
{
    bool is_kept = held_place_is_kept(&state->place, state->path);
    if (is_kept && held_place_is_kept(&state->lock_place, state->lock_path))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STATE_FILE,
              "the follower's state was moved or deleted while it was used");
    error_where(err, "%s", is_kept ? state->lock_path : state->path);
    error_cause(err, "what it would remember from now on is lost");
    error_hint(err, "put both files back as they were, and start again; without them all records "
                    "are produced again, and what was deleted meanwhile is found by 'drover verify "
                    "--source' alone");
    return OUT_FATAL;
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
             "BEGIN; UPDATE file SET done = 0; DELETE FROM grown;"
             "INSERT OR REPLACE INTO meta VALUES ('mappings', %" PRId64 "); COMMIT",
             now);
    return sqlite_exec(&state->db, sql, err);
}

void follow_state_close(struct follow_state *state)
{
    if (!state)
        return;
    sqlite_close(&state->db);
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
    enum outcome outcome = follow_sql_run(state, SQL_RESERVE, VALUES(NUMBER(bound)), err);
    if (outcome == OUT_OK)
        state->bound = bound;
    return outcome;
}

uint64_t follow_state_generation(const struct follow_state *state)
{
    return state->generation;
}

/* ---- files ---- */

/* Of the columns from `at` on: size and the two times. */
static void read_content(sqlite3_stmt *row, int at, struct scan_identity *identity)
{
    identity->size = (uint64_t)sqlite3_column_int64(row, at);
    identity->modified_ns = sqlite3_column_int64(row, at + 1);
    identity->changed_ns = sqlite3_column_int64(row, at + 2);
}

enum outcome follow_state_find(struct follow_state *state, const char *path,
                               struct follow_known *known, struct error *err)
{
    sqlite3_stmt *row;
    *known = (struct follow_known){0};
    enum outcome outcome =
        follow_sql_get(state, SQL_FIND, VALUES(BLOB(bytes_text(path))), &row, err);
    if (!row)
        return outcome;
    *known = (struct follow_known){.id = sqlite3_column_int64(row, 0),
                                   .identity = {.device = (uint64_t)sqlite3_column_int64(row, 1),
                                                .inode = (uint64_t)sqlite3_column_int64(row, 2)},
                                   .folder_device = (uint64_t)sqlite3_column_int64(row, 6),
                                   .done = sqlite3_column_int(row, 7)};
    read_content(row, 3, &known->identity);
    sqlite3_reset(row);
    return OUT_OK;
}

enum outcome follow_state_paths(struct follow_state *state, char ***paths, struct error *err)
{
    size_t count = 0, room = 0;
    char **list = mem_grown(NULL, &room, 1, sizeof(*list));
    sqlite3_stmt *row;
    enum outcome outcome = follow_sql_get(state, SQL_PATHS, NO_VALUES, &row, err);
    for (; row; outcome = sqlite_next(&state->db, &row, err)) {
        struct bytes path = sqlite_bytes(row, 0);
        list = mem_grown(list, &room, count + 2, sizeof(*list)); /* and the NULL at its end */
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
    sqlite3_stmt *row;
    *found = (struct follow_namesake){0};
    enum outcome outcome = follow_sql_get(
        state, SQL_PLACE,
        VALUES(NUMBER(identity->device), NUMBER(identity->inode), NUMBER(except), NUMBER(skip)),
        &row, err);
    if (!row)
        return outcome;
    struct bytes path = sqlite_bytes(row, 1);
    *found = (struct follow_namesake){.id = sqlite3_column_int64(row, 0),
                                      .path = mem_text_part(path.data, path.size),
                                      .identity = *identity,
                                      .folder_device = (uint64_t)sqlite3_column_int64(row, 5)};
    read_content(row, 2, &found->identity);
    sqlite3_reset(row);
    return OUT_OK;
}

static enum outcome move(struct follow_state *state, const struct follow_move *move,
                         struct error *err)
{
    static const enum statement JOIN[] = {SQL_MOVE_BLANK, SQL_MOVE_MERGE};
    static const enum statement DROP[] = {SQL_MOVE_DROP_RECORDS, SQL_MOVE_DROP_FILE};
    struct follow_known other; /* that had the name; id 0 has no records */
    enum outcome outcome = follow_state_find(state, move->path, &other, err);
    for (size_t i = 0; i < sizeof(JOIN) / sizeof(JOIN[0]) && outcome == OUT_OK; i++)
        outcome = follow_sql_run(state, JOIN[i], VALUES(NUMBER(move->id), NUMBER(other.id)), err);
    for (size_t i = 0; i < sizeof(DROP) / sizeof(DROP[0]) && outcome == OUT_OK; i++)
        outcome = follow_sql_run(state, DROP[i], VALUES(NUMBER(other.id)), err);
    if (outcome == OUT_OK)
        outcome = follow_sql_run(state, SQL_MOVE_NAME,
                                 VALUES(NUMBER(move->id), BLOB(bytes_text(move->path))), err);
    if (outcome == OUT_OK)
        outcome = follow_state_follow(state, move->id, err);
    return outcome == OUT_OK ? follow_state_follow(state, other.id, err)
                             : outcome; /* its id is free */
}

static enum outcome move_off(struct follow_state *state, int64_t id, struct error *err)
{
    enum outcome outcome = follow_sql_run(state, SQL_SHRINK, VALUES(NUMBER(id)), err);
    return outcome == OUT_OK ? follow_sql_run(state, SQL_MOVE_OFF, VALUES(NUMBER(id)), err)
                             : outcome;
}

enum outcome follow_state_move(struct follow_state *state, const struct follow_move *moves,
                               size_t count, struct error *err)
{
    follow_state_abandon(state);
    state->generation++;
    enum outcome outcome = sqlite_exec(&state->db, "BEGIN IMMEDIATE", err);
    state->open = outcome == OUT_OK;
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = move_off(state, moves[i].id, err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = move(state, &moves[i], err);
    if (outcome == OUT_OK)
        outcome = sqlite_exec(&state->db, "COMMIT", err);
    state->open = state->open && outcome != OUT_OK;
    follow_state_abandon(state);
    return outcome;
}

/* ---- files that grow ---- */

enum outcome follow_state_find_grown(struct follow_state *state, int64_t file,
                                     struct follow_grown *grown, bool *found, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = follow_sql_get(state, SQL_GROWN, VALUES(NUMBER(file)), &row, err);
    *found = row != NULL;
    if (!row)
        return outcome;
    *grown = (struct follow_grown){.end = (uint64_t)sqlite3_column_int64(row, 0),
                                   .line = (uint64_t)sqlite3_column_int64(row, 1),
                                   .ordinal = (uint64_t)sqlite3_column_int64(row, 2),
                                   .size = (uint64_t)sqlite3_column_int64(row, 3),
                                   .changed_ns = sqlite3_column_int64(row, 4),
                                   .proof = sqlite_digest(row, 5),
                                   .verified_ms = sqlite3_column_int64(row, 6),
                                   .parts = (size_t)sqlite3_column_int64(row, 7)};
    sqlite3_reset(row);
    *found = grown->parts > 0 && grown->parts <= FOLLOW_PARTS_MAX;
    return OUT_OK;
}

enum outcome follow_state_parts(struct follow_state *state, int64_t file,
                                struct follow_part parts[FOLLOW_PARTS_MAX], size_t *count,
                                struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = follow_sql_get(state, SQL_PARTS, VALUES(NUMBER(file)), &row, err);
    for (*count = 0; row && *count < FOLLOW_PARTS_MAX; outcome = sqlite_next(&state->db, &row, err))
        parts[(*count)++] = (struct follow_part){.to = (uint64_t)sqlite3_column_int64(row, 0),
                                                 .digest = sqlite_digest(row, 1)};
    sqlite3_reset(row);
    return outcome;
}

enum outcome follow_state_store_grown(struct follow_state *state, const struct follow_grown *grown,
                                      const struct follow_part *parts, size_t count, bool anew,
                                      struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (anew)
        outcome = follow_sql_run(state, SQL_DROP_PARTS, VALUES(NUMBER(state->file)), err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = follow_sql_run(
            state, SQL_ADD_PART,
            VALUES(NUMBER(state->file), NUMBER(parts[i].to), DIGEST(&parts[i].digest)), err);
    if (outcome == OUT_OK)
        outcome = follow_sql_run(state, SQL_GROW,
                                 VALUES(NUMBER(state->file), NUMBER(grown->end),
                                        NUMBER(grown->line), NUMBER(grown->ordinal),
                                        NUMBER(grown->size), NUMBER(grown->changed_ns),
                                        DIGEST(&grown->proof), NUMBER(grown->verified_ms)),
                                 err);
    return outcome;
}

enum outcome follow_state_unfollow(struct follow_state *state, const char *path, bool away,
                                   struct error *err)
{
    return follow_sql_run(state, SQL_UNFOLLOW, VALUES(BLOB(bytes_text(path)), NUMBER(away)), err);
}

enum outcome follow_state_follow(struct follow_state *state, int64_t id, struct error *err)
{
    return follow_sql_run(state, SQL_FOLLOW, VALUES(NUMBER(id)), err);
}

static enum outcome read_count(struct follow_state *state, enum statement which, uint64_t *records,
                               struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = follow_sql_get(state, which, NO_VALUES, &row, err);
    *records = row ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
    sqlite3_reset(row);
    return outcome;
}

enum outcome follow_state_unfollowed(struct follow_state *state, uint64_t *records,
                                     struct error *err)
{
    return read_count(state, SQL_UNFOLLOWED, records, err);
}

enum outcome follow_state_count(struct follow_state *state, uint64_t *records, struct error *err)
{
    return read_count(state, SQL_COUNT, records, err);
}
