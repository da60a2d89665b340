#include "control/dlq/dead_letter_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/files.h"

/* Of texts kept, in bytes: a dead letter's row is bounded, whatever its headers hold. */
enum { TEXT_MAX = 512, URI_MAX = 1024, BUSY_MS = 5000 };

#define FORMAT 2

static const char SCHEMA[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192;"
    "PRAGMA user_version = 2;"
    "CREATE TABLE IF NOT EXISTS position (topic INTEGER, part INTEGER, low INTEGER, next INTEGER,"
    " last INTEGER, hash INTEGER, PRIMARY KEY (topic, part)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS dead_letter (number INTEGER PRIMARY KEY, id TEXT, chain TEXT,"
    " identity BLOB, ours INTEGER, attempts INTEGER, version INTEGER, taken INTEGER, seen INTEGER,"
    " state INTEGER, next INTEGER, family INTEGER, at_part INTEGER, at_offset INTEGER,"
    " first_ms INTEGER, last_ms INTEGER, size INTEGER, code TEXT, path TEXT, tenant TEXT,"
    " entity TEXT, record TEXT, uri TEXT, origin TEXT, topic TEXT, part INTEGER, off INTEGER, "
    "at_topic INTEGER);"
    "CREATE UNIQUE INDEX IF NOT EXISTS dead_letter_id ON dead_letter (id);"
    "CREATE INDEX IF NOT EXISTS dead_letter_chain ON dead_letter (chain);"
    "CREATE TABLE IF NOT EXISTS decision (id TEXT PRIMARY KEY, kind INTEGER, sent INTEGER,"
    " at_ms INTEGER, who TEXT, why TEXT) WITHOUT ROWID;";

static enum outcome failed(const struct sqlite_db *db, struct error *err)
{
    struct dead_letter_cache *cache = (struct dead_letter_cache *)(uintptr_t)db;
    int code = db->connection ? sqlite3_errcode(db->connection) : SQLITE_NOMEM;
    cache->is_busy = cache->is_busy || code == SQLITE_BUSY || code == SQLITE_LOCKED;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the cache of dead letters cannot be used");
    error_cause(err, "%s", db->connection ? sqlite3_errmsg(db->connection) : "no memory");
    error_where(err, "%s", cache->path ? cache->path : "a temporary file");
    return OUT_FATAL;
}

/* ---- opening ---- */

static enum outcome open_file(struct dead_letter_cache *cache, const char *path, struct error *err)
{
    int64_t format = 0;
    mode_t old = umask(0077); /* ids of records are in it */
    enum outcome outcome =
        sqlite_open(&cache->db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, failed, err);
    umask(old);
    if (outcome == OUT_OK) {
        sqlite3_busy_timeout(cache->db.connection, BUSY_MS);
        outcome = sqlite_number(&cache->db, "PRAGMA user_version", NO_VALUES, 0, &format, err);
    }
    if (outcome == OUT_OK && format != 0 && format != FORMAT)
        outcome = error_set(err, OUT_FATAL, ERR_STATE_FILE, "the cache is of another format");
    if (outcome == OUT_OK)
        outcome = sqlite_exec(&cache->db, SCHEMA, err);
    if (outcome != OUT_OK)
        sqlite_close(&cache->db);
    return outcome;
}

static enum outcome open_temporary(struct dead_letter_cache *cache, struct error *err)
{
    free(cache->path);
    cache->path = NULL;
    return open_file(cache, "", err);
}

static void remove_files(const char *path)
{
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        char *name = mem_format("%s%s", path, ENDS[i]);
        (void)unlink(name);
        free(name);
    }
}

enum outcome dead_letter_cache_open(struct dead_letter_cache *cache, const char *folder,
                                    const char *name, struct error *err)
{
    *cache = (struct dead_letter_cache){0};
    if (files_make_folder(folder, NULL) != OUT_OK)
        return open_temporary(cache, err);
    cache->path = mem_format("%s/%s.dead_letters.db", folder, name);
    return open_file(cache, cache->path, NULL) == OUT_OK ? OUT_OK
                                                         : dead_letter_cache_replace(cache, err);
}

enum outcome dead_letter_cache_replace(struct dead_letter_cache *cache, struct error *err)
{
    sqlite_close(&cache->db);
    if (cache->path && !cache->is_busy) {
        remove_files(cache->path);
        if (open_file(cache, cache->path, NULL) == OUT_OK)
            return OUT_OK;
    }
    return open_temporary(cache, err);
}

bool dead_letter_cache_is_lost(const struct dead_letter_cache *cache)
{
    return !cache->path && !cache->is_busy;
}

void dead_letter_cache_close(struct dead_letter_cache *cache)
{
    sqlite_close(&cache->db);
    free(cache->path);
    cache->path = NULL;
}

enum outcome dead_letter_cache_begin(struct dead_letter_cache *cache, struct error *err)
{
    return sqlite_exec(&cache->db, "BEGIN IMMEDIATE", err);
}

enum outcome dead_letter_cache_commit(struct dead_letter_cache *cache, struct error *err)
{
    return sqlite_exec(&cache->db, "COMMIT", err);
}

void dead_letter_cache_forget(struct dead_letter_cache *cache)
{
    sqlite_reset(&cache->db);
    (void)!sqlite_exec(&cache->db, "ROLLBACK", NULL);
}

enum outcome dead_letter_cache_clear(struct dead_letter_cache *cache, struct error *err)
{
    return sqlite_exec(&cache->db,
                       "DELETE FROM position; DELETE FROM dead_letter; DELETE FROM decision", err);
}

/* ---- positions ---- */

enum outcome dead_letter_cache_position(struct dead_letter_cache *cache, int topic,
                                        int32_t partition, struct cache_position *position,
                                        struct error *err)
{
    sqlite3_stmt *row;
    *position = (struct cache_position){.last = -1};
    enum outcome outcome = sqlite_get(
        &cache->db, "SELECT low, next, last, hash FROM position WHERE topic = ?1 AND part = ?2",
        VALUES(NUMBER(topic), NUMBER(partition)), &row, err);
    if (row)
        *position = (struct cache_position){
            sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
            sqlite3_column_int64(row, 2), (uint64_t)sqlite3_column_int64(row, 3)};
    sqlite3_reset(row);
    return outcome;
}

enum outcome dead_letter_cache_set_position(struct dead_letter_cache *cache, int topic,
                                            int32_t partition,
                                            const struct cache_position *position,
                                            struct error *err)
{
    return sqlite_run(&cache->db, "INSERT OR REPLACE INTO position VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                      VALUES(NUMBER(topic), NUMBER(partition), NUMBER(position->low),
                             NUMBER(position->next), NUMBER(position->last),
                             NUMBER(position->hash)),
                      err);
}

/* ---- rows ---- */

static struct bytes cut(struct bytes text, size_t max)
{
    return bytes_of(text.data ? text.data : "", text.size > max ? max : text.size);
}

enum outcome dead_letter_cache_add(struct dead_letter_cache *cache,
                                   const struct dead_letter_row *row, struct error *err)
{
    const struct dead_letter_fact *fact = &row->fact;
    const struct sqlite_value none = {BIND_NULL, {0}, 0};
    return sqlite_run(
        &cache->db,
        "INSERT INTO dead_letter VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, -1, 0, 0, -1, ?8, ?9, ?10,"
        " ?11, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
        VALUES(NUMBER(row->number), TEXT(row->id), TEXT(row->chain), DIGEST(&fact->identity),
               NUMBER(fact->partition != DEAD_LETTER_NOWHERE), NUMBER(fact->attempts),
               fact->has_version ? NUMBER(fact->version) : none, NUMBER(row->family),
               NUMBER(row->at_partition), NUMBER(row->at_offset), NUMBER(row->first_ms),
               NUMBER(row->size), TEXT(cut(row->code, TEXT_MAX)), TEXT(cut(row->path, TEXT_MAX)),
               TEXT(cut(row->tenant, TEXT_MAX)), TEXT(cut(row->entity, TEXT_MAX)),
               TEXT(cut(row->record, TEXT_MAX)), TEXT(cut(row->uri, URI_MAX)),
               TEXT(cut(row->origin, URI_MAX)), TEXT(cut(row->topic, TEXT_MAX)),
               NUMBER(row->partition), NUMBER(row->offset), NUMBER(row->at_topic)),
        err);
}

enum outcome dead_letter_cache_again(struct dead_letter_cache *cache,
                                     const struct dead_letter_row *row, struct error *err)
{
    return sqlite_run(&cache->db,
                      "UPDATE dead_letter SET at_part = ?2, at_offset = ?3,"
                      " first_ms = min(first_ms, ?4), last_ms = max(last_ms, ?4), code = ?5,"
                      " path = ?6, size = ?7 WHERE number = ?1",
                      VALUES(NUMBER(row->number), NUMBER(row->at_partition), NUMBER(row->at_offset),
                             NUMBER(row->first_ms), TEXT(cut(row->code, TEXT_MAX)),
                             TEXT(cut(row->path, TEXT_MAX)), NUMBER(row->size)),
                      err);
}

enum outcome dead_letter_cache_update(struct dead_letter_cache *cache, uint32_t number,
                                      const struct dead_letter_item *item,
                                      enum dead_letter_state state, struct error *err)
{
    return sqlite_run(
        &cache->db,
        "UPDATE dead_letter SET taken = ?2, seen = ?3, state = ?4, next = ?5 WHERE number = ?1",
        VALUES(NUMBER(number), NUMBER(item->fact.taken), NUMBER(item->fact.seen), NUMBER(state),
               NUMBER(item->next == DEAD_LETTER_NONE ? -1 : (int64_t)item->next)),
        err);
}

enum outcome dead_letter_cache_decide(struct dead_letter_cache *cache, struct bytes id,
                                      const struct decision *decision, struct error *err)
{
    return sqlite_run(
        &cache->db,
        "INSERT INTO decision VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET"
        " kind = excluded.kind, sent = max(sent, excluded.sent), at_ms = excluded.at_ms,"
        " who = excluded.who, why = excluded.why",
        VALUES(TEXT(cut(id, TEXT_MAX)), NUMBER(decision->kind),
               NUMBER(decision->kind == DECISION_REPLAYED), NUMBER(decision->at_ms),
               TEXT(cut(decision->who, TEXT_MAX)), TEXT(cut(decision->why, URI_MAX))),
        err);
}

/* ---- asking ---- */

#define COLUMNS                                                                                    \
    "number, id, chain, identity, ours, attempts, version, taken, seen, state, next, family,"      \
    " at_part, at_offset, first_ms, last_ms, size, code, path, tenant, entity, record, uri,"       \
    " origin, topic, part, off, at_topic"
#define WANTED                                                                                     \
    " FROM dead_letter WHERE (?1 IS NULL OR tenant = ?1 OR (tenant = '' AND ?13))"                 \
    " AND (?2 IS NULL OR entity = ?2 OR (entity = '' AND ?13))"                                    \
    " AND (?3 IS NULL OR instr(?3, ',' || code || ',')) AND last_ms >= ?4 AND last_ms < ?5"        \
    " AND (?6 IS NULL OR uri = ?6 OR uri GLOB ?6 OR uri GLOB '*/' || ?6)"                          \
    " AND (?7 < 0 OR part = ?7) AND (off >= ?8 OR ?8 <= 0) AND off < ?9"                           \
    " AND (?10 < 0 OR state = ?10) AND (?11 IS NULL OR id = ?11)"                                  \
    " AND (?12 < 0 OR at_topic = ?12)"

static struct sqlite_value text_or_null(const char *text)
{
    return text ? NAME(text) : (struct sqlite_value){BIND_NULL, {0}, 0};
}

#define FILTER_VALUES(filter)                                                                      \
    text_or_null((filter)->tenant), text_or_null((filter)->entity), text_or_null((filter)->codes), \
        NUMBER((filter)->since_ms), NUMBER((filter)->until_ms), text_or_null((filter)->file),      \
        NUMBER((filter)->partition), NUMBER((filter)->from), NUMBER((filter)->to),                 \
        NUMBER((filter)->state), text_or_null((filter)->id), NUMBER((filter)->at_topic),           \
        NUMBER((filter)->takes_nameless)

static void read_fact(sqlite3_stmt *stored, struct dead_letter_row *row)
{
    row->fact = (struct dead_letter_fact){
        .id = digest_of(row->id),
        .chain = digest_of(row->chain),
        .identity = sqlite_digest(stored, 3),
        .partition = sqlite3_column_int(stored, 4) ? row->partition : DEAD_LETTER_NOWHERE,
        .attempts = sqlite3_column_int(stored, 5),
        .offset = row->offset,
        .has_version = sqlite3_column_type(stored, 6) != SQLITE_NULL,
        .version = sqlite3_column_int64(stored, 6),
        .taken = sqlite3_column_int64(stored, 7),
        .seen = sqlite3_column_int64(stored, 8),
    };
}

static struct dead_letter_row read_row(sqlite3_stmt *stored)
{
    int64_t next = sqlite3_column_int64(stored, 10);
    struct dead_letter_row row = {
        .number = (uint32_t)sqlite3_column_int64(stored, 0),
        .id = sqlite_bytes(stored, 1),
        .chain = sqlite_bytes(stored, 2),
        .state = (enum dead_letter_state)(sqlite3_column_int(stored, 9) % DEAD_LETTER_STATE_COUNT),
        .next = next < 0 ? DEAD_LETTER_NONE : (uint32_t)next,
        .family = (enum dead_letter_family)(sqlite3_column_int(stored, 11) & 3),
        .at_partition = sqlite3_column_int(stored, 12),
        .at_offset = sqlite3_column_int64(stored, 13),
        .first_ms = sqlite3_column_int64(stored, 14),
        .last_ms = sqlite3_column_int64(stored, 15),
        .size = sqlite3_column_int64(stored, 16),
        .code = sqlite_bytes(stored, 17),
        .path = sqlite_bytes(stored, 18),
        .tenant = sqlite_bytes(stored, 19),
        .entity = sqlite_bytes(stored, 20),
        .record = sqlite_bytes(stored, 21),
        .uri = sqlite_bytes(stored, 22),
        .origin = sqlite_bytes(stored, 23),
        .topic = sqlite_bytes(stored, 24),
        .partition = sqlite3_column_int(stored, 25),
        .offset = sqlite3_column_int64(stored, 26),
        .at_topic = sqlite3_column_int(stored, 27),
    };
    read_fact(stored, &row);
    return row;
}

/* The next row, when this one was taken; else the reading ends. */
static enum outcome go_on(struct dead_letter_cache *cache, sqlite3_stmt **stored,
                          enum outcome taken, struct error *err)
{
    if (taken == OUT_OK)
        return sqlite_next(&cache->db, stored, err);
    sqlite3_reset(*stored);
    return taken;
}

static enum outcome each(struct dead_letter_cache *cache, const char *sql,
                         const struct sqlite_value *values, size_t count, cache_on_row on_row,
                         void *owner, struct error *err)
{
    sqlite3_stmt *stored;
    enum outcome outcome = sqlite_get(&cache->db, sql, values, count, &stored, err);
    while (outcome == OUT_OK && stored) {
        const struct dead_letter_row row = read_row(stored);
        outcome = go_on(cache, &stored, on_row(owner, &row, err), err);
    }
    return outcome;
}

enum outcome dead_letter_cache_each(struct dead_letter_cache *cache,
                                    const struct dead_letter_filter *filter, cache_on_row on_row,
                                    void *owner, struct error *err)
{
    return each(cache, "SELECT " COLUMNS WANTED " ORDER BY last_ms, id LIMIT ?14",
                VALUES(FILTER_VALUES(filter), NUMBER(filter->limit)), on_row, owner, err);
}

enum outcome dead_letter_cache_all(struct dead_letter_cache *cache, cache_on_row on_row,
                                   void *owner, struct error *err)
{
    return each(cache, "SELECT " COLUMNS " FROM dead_letter ORDER BY number", NO_VALUES, on_row,
                owner, err);
}

enum outcome dead_letter_cache_attempts(struct dead_letter_cache *cache, struct bytes chain,
                                        cache_on_row on_row, void *owner, struct error *err)
{
    return each(cache,
                "SELECT " COLUMNS " FROM dead_letter WHERE chain = ?1 ORDER BY attempts, off",
                VALUES(TEXT(chain)), on_row, owner, err);
}

enum outcome dead_letter_cache_decisions(struct dead_letter_cache *cache, const char *id,
                                         cache_on_decision on_decision, void *owner,
                                         struct error *err)
{
    sqlite3_stmt *stored;
    enum outcome outcome = sqlite_get(&cache->db,
                                      "SELECT id, kind, sent, at_ms, who, why FROM decision"
                                      " WHERE ?1 IS NULL OR id = ?1",
                                      VALUES(text_or_null(id)), &stored, err);
    while (outcome == OUT_OK && stored) {
        const struct cache_decision decision = {
            .id = sqlite_bytes(stored, 0),
            .kind = (enum decision_kind)sqlite3_column_int(stored, 1),
            .was_sent = sqlite3_column_int(stored, 2) != 0,
            .at_ms = sqlite3_column_int64(stored, 3),
            .who = sqlite_bytes(stored, 4),
            .why = sqlite_bytes(stored, 5)};
        outcome = go_on(cache, &stored, on_decision(owner, &decision, err), err);
    }
    return outcome;
}

#define GROUPS(column)                                                                             \
    "SELECT " column ", count(*), min(first_ms), max(last_ms), min(id)" WANTED                     \
    " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?14"

enum outcome dead_letter_cache_groups(struct dead_letter_cache *cache,
                                      enum cache_dimension dimension,
                                      const struct dead_letter_filter *filter,
                                      cache_on_group on_group, void *owner, struct error *err)
{
    static const char *const QUERIES[] = {GROUPS("code"), GROUPS("entity"), GROUPS("tenant"),
                                          GROUPS("state")};
    sqlite3_stmt *stored;
    enum outcome outcome =
        sqlite_get(&cache->db, QUERIES[dimension],
                   VALUES(FILTER_VALUES(filter), NUMBER(filter->limit)), &stored, err);
    while (outcome == OUT_OK && stored) {
        bool by_state = dimension == CACHE_BY_STATE;
        const struct cache_group group = {
            .name = by_state ? (struct bytes){0} : sqlite_bytes(stored, 0),
            .state = by_state ? (enum dead_letter_state)(sqlite3_column_int(stored, 0) %
                                                         DEAD_LETTER_STATE_COUNT)
                              : DEAD_LETTER_OPEN,
            .count = sqlite3_column_int64(stored, 1),
            .first_ms = sqlite3_column_int64(stored, 2),
            .last_ms = sqlite3_column_int64(stored, 3),
            .sample = sqlite_bytes(stored, 4)};
        outcome = go_on(cache, &stored, on_group(owner, &group, err), err);
    }
    return outcome;
}
