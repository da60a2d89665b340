/*
 * `drover rebuild files`: the tenants' files of storage file, made anew from the store's records
 * where they are missing or different. What somebody edited, or put in a file's place, is left and
 * named, unless --replace-edited says otherwise; then it is kept beside under another name.
 *
 * `drover rebuild redis`: every row of PostgreSQL that Redis is to hold, written with the script
 * the workers use, so that both may do it at the same time: the greater version stays, and what
 * Redis holds of the same version is written anew when it is not what the row gives. At its end,
 * when nothing emptied Redis meanwhile, the sentinel is set that tells workers Redis is whole.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/filestore/file_store.h"
#include "common/io/mappings.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_store_reader.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_session.h"
#include "control/command.h"

enum {
    CONNECT_MS = 10000,
    ANSWER_MS = 30000,
    CALL_ROWS = 1000,
    CALL_BYTES = 512 << 10,
    CALLS_AHEAD = 4,
    PROGRESS_MS = 1000,
    ROUNDS = 5, /* Redis emptied again and again: somebody does not want it filled */
};

enum code {
    CODE_APPLIED,
    CODE_UNCHANGED,
    CODE_SUPERSEDED,
    CODE_CONFLICT,
    CODE_UNOWNED,
    CODE_COUNT,
};

struct rebuild {
    const struct settings *settings;
    struct mapping_set mappings;
    PGconn *lock;
    struct redis_session redis;
    struct redis_rows rows;
    struct buf command;
    size_t calls, sent;       /* without an answer; ever */
    size_t keys[CALLS_AHEAD]; /* of each of them, by its number */
    uint64_t records, codes[CODE_COUNT], unreadable;
    uint64_t shown_ms;
    bool spawned;  /* by a worker (redis_rebuild.h) */
    bool busy;     /* another one is at it */
    bool needless; /* another one has done it */
    char id[33];
};

static const char *const CODE_NAMES[CODE_COUNT] = {"applied", "unchanged", "superseded", "conflict",
                                                   "unowned"};
static const char CODE_LETTERS[CODE_COUNT + 1] = "auscf"; /* see redis_script.h */

/* ---- one at a time ----------------------------------------------------------------------- */

static enum outcome take_lock(struct rebuild *rebuild, struct error *err)
{
    PGresult *result = NULL;
    struct bytes params[] = {bytes_text(rebuild->settings->migration)};
    enum outcome outcome =
        pg_session_open(rebuild->settings->database_url, rebuild->settings->verifier_role,
                        "drover-rebuild", CONNECT_MS, &rebuild->lock, err);
    if (outcome == OUT_OK)
        outcome = pg_session_query(rebuild->lock,
                                   "SELECT pg_catalog.pg_try_advisory_lock("
                                   "pg_catalog.hashtextextended('drover rebuild ' || $1::text, 0))",
                                   params, 1, false, &result, err);
    bool locked = outcome == OUT_OK && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    rebuild->busy = outcome == OUT_OK && !locked;
    if (rebuild->busy) {
        outcome = error_set(err, OUT_RETRY, ERR_REDIS_TRANSIENT, "another rebuild is running");
        error_hint(err, "wait for it to end");
    }
    PQclear(result);
    return outcome;
}

/* ---- the marks --------------------------------------------------------------------------- */

/* The caller frees `name`, which is viewed. */
static struct bytes name_of(const struct rebuild *rebuild, const char *what, struct buf *name)
{
    buf_init(name, 4096);
    redis_rows_append_name(name, what, rebuild->settings->migration);
    return buf_view(name);
}

static enum outcome mark_begin(struct rebuild *rebuild, struct error *err)
{
    struct buf name;
    redisReply *reply = NULL;
    unsigned char random[16];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(rebuild->id, sizeof rebuild->id, random, sizeof random);
    redis_session_ask(&rebuild->redis, BYTES_LITERAL("SET"), name_of(rebuild, "rebuild", &name),
                      bytes_text(rebuild->id));
    buf_free(&name);
    enum outcome outcome = redis_session_take(&rebuild->redis, &reply, err);
    freeReplyObject(reply);
    return outcome;
}

/* *whole: our mark was still there, so nothing was thrown away since, and the sentinel is set. */
static enum outcome mark_end(struct rebuild *rebuild, bool *whole, struct error *err)
{
    static const char SCRIPT[] = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
                                 "redis.call('SET', KEYS[2], ARGV[2])\n"
                                 "redis.call('DEL', KEYS[1])\n"
                                 "return 1\n";
    struct buf mark, sentinel;
    redisReply *reply = NULL;
    char value[sizeof rebuild->id + REDIS_SHA_SIZE];
    snprintf(value, sizeof value, "%s %s", rebuild->id, redis_driver_run_id(rebuild->redis.driver));
    struct bytes keys[] = {name_of(rebuild, "rebuild", &mark),
                           name_of(rebuild, "sentinel", &sentinel)};
    redis_session_ask(&rebuild->redis, BYTES_LITERAL("EVAL"), bytes_text(SCRIPT),
                      BYTES_LITERAL("2"), keys[0], keys[1], bytes_text(rebuild->id),
                      bytes_text(value));
    buf_free(&mark);
    buf_free(&sentinel);
    enum outcome outcome = redis_session_take(&rebuild->redis, &reply, err);
    *whole = outcome == OUT_OK && (reply->type != REDIS_REPLY_INTEGER || reply->integer == 1);
    freeReplyObject(reply);
    return outcome;
}

/* For a worker's child that waited for its turn: the one before it has done everything. */
static enum outcome see_if_whole(struct rebuild *rebuild, struct error *err)
{
    struct buf name;
    redisReply *reply = NULL;
    redis_session_ask(&rebuild->redis, BYTES_LITERAL("GET"), name_of(rebuild, "sentinel", &name));
    buf_free(&name);
    enum outcome outcome = redis_session_take(&rebuild->redis, &reply, err);
    rebuild->needless =
        outcome == OUT_OK && reply->type == REDIS_REPLY_STRING &&
        redis_rows_is_whole(redis_reply_text(reply), redis_driver_run_id(rebuild->redis.driver));
    freeReplyObject(reply);
    return outcome;
}

/* ---- rows -------------------------------------------------------------------------------- */

static void count(struct rebuild *rebuild, char letter)
{
    const char *at = strchr(CODE_LETTERS, letter);
    if (letter && at)
        rebuild->codes[at - CODE_LETTERS]++;
}

static enum outcome take_answer(struct rebuild *rebuild, struct error *err)
{
    redisReply *reply = NULL;
    struct bytes codes = {0};
    size_t keys = rebuild->keys[(rebuild->sent - rebuild->calls) % CALLS_AHEAD];
    enum outcome outcome = redis_session_take(&rebuild->redis, &reply, err);
    rebuild->calls--;
    if (outcome == OUT_OK)
        outcome = redis_driver_codes(reply, keys, &codes, err);
    for (size_t i = 0; i < codes.size; i++)
        count(rebuild, codes.data[i]);
    freeReplyObject(reply);
    return outcome;
}

static enum outcome send_rows(struct rebuild *rebuild, struct error *err)
{
    size_t words;
    enum outcome outcome = OUT_OK;
    if (rebuild->rows.key_count == 0)
        return OUT_OK;
    buf_reset(&rebuild->command);
    if (!redis_rows_append_call(&rebuild->rows, REDIS_MODE_FIX, NULL, &rebuild->command, &words))
        return error_set(err, OUT_FATAL, ERR_JSON_SIZE, "rows are too large for one call of Redis");
    redis_session_call(&rebuild->redis, SCRIPT_APPLY, buf_view(&rebuild->command), words);
    rebuild->keys[rebuild->sent++ % CALLS_AHEAD] = rebuild->rows.key_count;
    redis_rows_reset(&rebuild->rows);
    rebuild->calls++;
    while (outcome == OUT_OK && rebuild->calls >= CALLS_AHEAD)
        outcome = take_answer(rebuild, err);
    return outcome;
}

static void show(struct rebuild *rebuild)
{
    char text[28];
    uint64_t now_ms = clock_monotonic_ms();
    if (rebuild->settings->quiet || now_ms - rebuild->shown_ms < PROGRESS_MS)
        return;
    rebuild->shown_ms = now_ms;
    fprintf(stderr, "rebuild redis: %s records\n", text_format_count(rebuild->records, text));
}

static enum outcome add_record(struct rebuild *rebuild, const struct stored_record *stored,
                               struct error *err)
{
    struct row row = {.cells = (struct cell *)stored->cells, /* only read */
                      .tenant = stored->tenant,
                      .id = stored->id,
                      .version = stored->version,
                      .generation = stored->generation,
                      .digest = stored->digest,
                      .deleted = stored->deleted};
    if (!redis_rows_takes(&rebuild->rows, stored->mapping))
        return OUT_OK;
    rebuild->records++;
    show(rebuild);
    if (redis_rows_add(&rebuild->rows, stored->mapping, &row, stored->json, err) != OUT_OK) {
        rebuild->unreadable++;
        return OUT_OK;
    }
    bool full =
        rebuild->rows.key_count >= CALL_ROWS || redis_rows_size(&rebuild->rows) >= CALL_BYTES;
    return full ? send_rows(rebuild, err) : OUT_OK;
}

static enum outcome copy_rows(struct rebuild *rebuild, struct store_reader *reader,
                              struct error *err)
{
    struct stored_record stored;
    enum outcome outcome;
    do {
        outcome = reader->ops->next(reader, &stored, err);
        if (outcome == OUT_REJECT) {
            rebuild->unreadable++;
            outcome = OUT_OK;
        } else if (outcome == OUT_OK && stored.mapping) {
            outcome = add_record(rebuild, &stored, err);
        } else {
            break;
        }
    } while (outcome == OUT_OK);
    if (outcome == OUT_OK)
        outcome = send_rows(rebuild, err);
    while (outcome == OUT_OK && rebuild->calls)
        outcome = take_answer(rebuild, err);
    return outcome;
}

static enum outcome rebuild_once(struct rebuild *rebuild, bool *whole, struct error *err)
{
    struct store_reader *reader = NULL;
    const char *tenant = rebuild->settings->only_tenant;
    bool all = !tenant || !tenant[0];
    enum outcome outcome = all ? mark_begin(rebuild, err) : OUT_OK;
    *whole = !all;
    rebuild->records = rebuild->unreadable = 0;
    memset(rebuild->codes, 0, sizeof rebuild->codes);
    if (outcome == OUT_OK)
        outcome = pg_store_reader_open(rebuild->settings, rebuild->mappings.items,
                                       rebuild->mappings.count, tenant, &reader, err);
    if (outcome == OUT_OK)
        outcome = copy_rows(rebuild, reader, err);
    if (outcome == OUT_OK && all)
        outcome = mark_end(rebuild, whole, err);
    if (reader)
        reader->ops->close(reader);
    return outcome;
}

/* ---- the command ------------------------------------------------------------------------- */

static void answer(const struct rebuild *rebuild, struct json_out *out)
{
    json_out_count(out, "records", rebuild->records);
    for (int i = 0; i < CODE_COUNT; i++)
        json_out_count(out, CODE_NAMES[i], rebuild->codes[i]);
    json_out_count(out, "unreadable", rebuild->unreadable);
}

static void print(const struct rebuild *rebuild)
{
    printf("records      %" PRIu64 "\n", rebuild->records);
    for (int i = 0; i < CODE_COUNT; i++)
        printf("%-12s %" PRIu64 "\n", CODE_NAMES[i], rebuild->codes[i]);
    if (rebuild->unreadable)
        printf("unreadable   %" PRIu64 "\n", rebuild->unreadable);
}

static enum exit_code judge(const struct rebuild *rebuild, struct error *err)
{
    uint64_t unowned = rebuild->codes[CODE_UNOWNED];
    if (unowned)
        error_set(err, OUT_REJECT, ERR_REDIS_UNOWNED,
                  "%" PRIu64 " keys are somebody else's and were left alone", unowned);
    else if (rebuild->unreadable)
        error_set(err, OUT_REJECT, ERR_VERIFY_DIFFERENT, "%" PRIu64 " rows give no record back",
                  rebuild->unreadable);
    else
        return EXIT_OK;
    return command_fail(err);
}

static enum outcome open_all(struct rebuild *rebuild, struct error *err)
{
    if (!rebuild->settings->database_url)
        return error_set(err, OUT_FATAL, ERR_CONF_MISSING, "database.url is not set");
    enum outcome outcome = mapping_set_load(rebuild->settings, &rebuild->mappings, err);
    if (outcome == OUT_OK)
        outcome =
            redis_session_open(rebuild->settings->redis_url, ANSWER_MS, true, &rebuild->redis, err);
    if (outcome == OUT_OK)
        outcome = take_lock(rebuild, err);
    return outcome;
}

static enum outcome run(struct rebuild *rebuild, struct error *err)
{
    bool whole = false;
    enum outcome outcome = open_all(rebuild, err);
    if (outcome == OUT_OK && rebuild->spawned)
        outcome = see_if_whole(rebuild, err);
    if (rebuild->needless)
        return outcome;
    for (int i = 0; i < ROUNDS && outcome == OUT_OK && !whole; i++)
        outcome = rebuild_once(rebuild, &whole, err);
    if (outcome == OUT_OK && !whole)
        outcome = error_set(err, OUT_RETRY, ERR_REDIS_TRANSIENT,
                            "Redis was emptied again and again while it was rebuilt");
    return outcome;
}

/* ---- files ---------------------------------------------------------------------------- */

#define SHOWN 50 /* files named one by one; all are counted */

struct rebuild_files {
    const struct settings *settings;
    uint64_t counts[FILE_REBUILT_COUNT];
    uint64_t shown;
    struct error left; /* the first */
};

static const char *const FILE_NAMES[FILE_REBUILT_COUNT] = {"same", "written", "kept", "left"};

static void on_file(void *owner, struct bytes path, enum file_rebuilt how, const struct error *err)
{
    struct rebuild_files *rebuild = owner;
    if (how == FILE_REBUILT_LEFT && rebuild->counts[how] == 0)
        rebuild->left = *err;
    rebuild->counts[how]++;
    if (how == FILE_REBUILT_SAME || rebuild->settings->quiet || rebuild->settings->json ||
        rebuild->shown++ >= SHOWN)
        return;
    struct buf line;
    buf_init(&line, 4096);
    buf_append_format(&line, "%-8s ", FILE_NAMES[how]);
    text_append_safe(&line, path, 1000);
    if (err)
        buf_append_format(&line, "  %s %s%s%s", error_code_id(err->code), err->text,
                          err->cause[0] ? ": " : "", err->cause);
    printf("%s\n", buf_text(&line));
    buf_free(&line);
}

static void answer_files(const struct rebuild_files *rebuild, struct json_out *out)
{
    for (int i = 0; i < FILE_REBUILT_COUNT; i++)
        json_out_count(out, FILE_NAMES[i], rebuild->counts[i]);
    json_out_bool(out, "dry_run", rebuild->settings->dry_run);
}

static void print_files(const struct rebuild_files *rebuild)
{
    if (rebuild->shown > SHOWN)
        printf("… and %" PRIu64 " more\n", rebuild->shown - SHOWN);
    for (int i = 0; i < FILE_REBUILT_COUNT; i++)
        printf("%-12s %" PRIu64 "%s\n", FILE_NAMES[i], rebuild->counts[i],
               rebuild->settings->dry_run && i != FILE_REBUILT_SAME && rebuild->counts[i]
                   ? "   (dry run: nothing was changed)"
                   : "");
}

static enum exit_code judge_files(struct rebuild_files *rebuild, struct error *err)
{
    uint64_t left = rebuild->counts[FILE_REBUILT_LEFT];
    if (left == 0)
        return EXIT_OK;
    *err = rebuild->left;
    if (left > 1)
        error_set(err, OUT_REJECT, rebuild->left.code,
                  "%" PRIu64 " files were left as they are, the first: %s", left,
                  rebuild->left.text);
    error_where(err, "%s", rebuild->left.where);
    error_cause(err, "%s", rebuild->left.cause);
    return command_fail(err);
}

static enum exit_code rebuild_files(const struct invocation *invocation, struct error *err)
{
    const struct settings *settings = &invocation->settings;
    struct rebuild_files rebuild = {.settings = settings};
    struct mapping_set mappings = {0};
    enum outcome outcome = mapping_set_load(settings, &mappings, err);
    if (outcome == OUT_OK)
        outcome = file_store_rebuild(settings, &mappings, settings->replace_edited,
                                     settings->dry_run, on_file, &rebuild, err);
    mapping_set_free(&mappings);
    if (outcome != OUT_OK)
        return command_fail(err);
    if (invocation->answer->wanted)
        answer_files(&rebuild, answer_body(invocation->answer));
    else if (!settings->quiet)
        print_files(&rebuild);
    return judge_files(&rebuild, err);
}

/* ---- both ----------------------------------------------------------------------------- */

enum exit_code rebuild_command(const struct invocation *invocation, struct error *err)
{
    static const char *const WORDS[] = {"redis", "files", NULL};
    struct rebuild rebuild = {.settings = &invocation->settings};
    int word = command_choose(invocation, WORDS, err);
    if (word < 0)
        return EXIT_USAGE;
    answer_name(invocation->answer, "rebuild", WORDS[word]);
    if (word == 1)
        return rebuild_files(invocation, err);
    if (rebuild.settings->dry_run || rebuild.settings->replace_edited) {
        error_set(err, OUT_FATAL, ERR_USAGE,
                  "--dry-run and --replace-edited are for rebuild files");
        return EXIT_USAGE;
    }
    redis_rows_init(&rebuild.rows, false, rebuild.settings->redis_tombstone_ms);
    buf_init(&rebuild.command, SIZE_MAX / 2);
    rebuild.shown_ms = clock_monotonic_ms();
    rebuild.spawned = getenv("DROVER_SPAWNED") != NULL;
    enum outcome outcome = run(&rebuild, err);
    enum exit_code code = EXIT_OK;
    if (rebuild.busy && rebuild.spawned) {
        code = EXIT_STOPPED; /* no news for anybody but the worker */
        *err = (struct error){0};
    } else if (outcome != OUT_OK) {
        code = command_fail(err);
    } else if (!rebuild.needless) {
        code = judge(&rebuild, err);
    }
    bool told = outcome == OUT_OK && !rebuild.needless;
    if (told && invocation->answer->wanted)
        answer(&rebuild, answer_body(invocation->answer));
    else if (told && !rebuild.settings->quiet)
        print(&rebuild);
    redis_session_close(&rebuild.redis);
    PQfinish(rebuild.lock);
    redis_rows_free(&rebuild.rows);
    buf_free(&rebuild.command);
    mapping_set_free(&rebuild.mappings);
    return code;
}
