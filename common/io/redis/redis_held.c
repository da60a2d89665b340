/* See the header. What must be there is taken from the very words that a worker would send. */
#include "common/io/redis/redis_held.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_script.h"
#include "common/io/redis/redis_session.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"

#define ANSWER_MS 30000
#define SCAN_COUNT 512
#define ASKED_MAX 256
#define ASKED_BYTES ((size_t)1 << 20) /* of words: values come back as large as they are */
#define TEXTS_MAX ((size_t)4 << 20)
#define QUESTIONS_MAX 4

/* One row that was asked for. Places in rows->keys and rows->words, which may move: of its key and
 * of its own words, which its meta begins. */
struct asked {
    const struct mapping *mapping;
    size_t key, words;
    struct bytes tenant, id;
    int64_t version;
    bool deleted;
    int questions;
    void *owner;
};

struct redis_held {
    const struct settings *settings;
    struct redis_session session;
    struct redis_rows rows; /* what must be there, of all that are asked */
    struct asked asked[ASKED_MAX];
    size_t count, taken;
    struct arena texts;
    struct buf key;
};

enum outcome redis_held_open(const struct settings *settings, struct redis_held **held,
                             struct error *err)
{
    struct redis_held *made = mem_new(sizeof *made);
    *held = NULL;
    if (redis_session_open(settings->redis_url, ANSWER_MS, false, &made->session, err) != OUT_OK) {
        free(made);
        return OUT_FATAL;
    }
    made->settings = settings;
    redis_rows_init(&made->rows, false, settings->redis_tombstone_ms);
    arena_init(&made->texts, TEXTS_MAX);
    buf_init(&made->key, 64u << 10);
    *held = made;
    return OUT_OK;
}

void redis_held_close(struct redis_held *held)
{
    if (!held)
        return;
    redis_session_close(&held->session);
    redis_rows_free(&held->rows);
    arena_free(&held->texts);
    buf_free(&held->key);
    free(held);
}

/* ---- words ------------------------------------------------------------------------------- */

/* The next word of a wire text ("$3\r\nabc\r\n"), which is our own. */
static struct bytes next_word(const struct buf *wire, size_t *at)
{
    size_t size = 0, i = *at + 1;
    for (; wire->data[i] != '\r'; i++)
        size = size * 10 + (size_t)(wire->data[i] - '0');
    struct bytes word = bytes_of(wire->data + i + 2, size);
    *at = i + 2 + size + 2;
    return word;
}

static uint64_t next_number(const struct buf *wire, size_t *at)
{
    uint64_t number = 0;
    struct bytes word = next_word(wire, at);
    for (size_t i = 0; i < word.size; i++)
        number = number * 10 + (uint64_t)(word.data[i] - '0');
    return number;
}

static void ask(struct redis_held *held, const char *command, struct bytes key, const char *suffix)
{
    buf_reset(&held->key);
    buf_append_bytes(&held->key, key);
    buf_append_text(&held->key, suffix);
    redis_session_ask(&held->session, bytes_text(command), buf_view(&held->key));
}

bool redis_held_is_full(const struct redis_held *held)
{
    return held->count == ASKED_MAX || held->rows.words.size > ASKED_BYTES ||
           held->texts.used > TEXTS_MAX / 2;
}

static void begin(struct redis_held *held)
{
    if (held->taken < held->count || held->count == 0)
        return;
    held->count = held->taken = 0;
    redis_rows_reset(&held->rows);
    arena_reset(&held->texts);
}

static int send_questions(struct redis_held *held, const struct mapping *mapping,
                          const struct row *row, struct bytes key)
{
    bool hash = redis_rows_form(mapping) == REDIS_HASH;
    ask(held, row->deleted ? "EXISTS" : hash ? "HGETALL" : "GET", key, "");
    ask(held, "GET", key, ":v");
    if (row->deleted)
        return 2;
    ask(held, "PTTL", key, "");
    ask(held, "PTTL", key, ":v");
    return QUESTIONS_MAX;
}

enum outcome redis_held_ask(struct redis_held *held, const struct mapping *mapping,
                            const struct row *row, struct bytes json, void *owner,
                            struct error *err)
{
    begin(held);
    struct asked *asked = &held->asked[held->count];
    *asked = (struct asked){.mapping = mapping,
                            .key = held->rows.keys.size,
                            .tenant = arena_copy(&held->texts, row->tenant),
                            .id = arena_copy(&held->texts, row->id),
                            .version = row->version,
                            .deleted = row->deleted,
                            .owner = owner};
    if (!asked->tenant.data || !asked->id.data)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the key is too long");
    if (redis_rows_add(&held->rows, mapping, row, json, err) != OUT_OK)
        return OUT_REJECT;
    asked->words = held->rows.record_at;
    size_t at = asked->key;
    asked->questions = send_questions(held, mapping, row, next_word(&held->rows.keys, &at));
    held->count++;
    return OUT_OK;
}

/* ---- answers ----------------------------------------------------------------------------- */

static bool is_error(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR; /* WRONGTYPE: a value of another type */
}

static bool is_nil(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_NIL;
}

static void say(struct redis_finding *finding, enum redis_state state, const char *reason)
{
    finding->state = state;
    finding->reason = reason;
}

/* True when the meta is the one that must be there. */
static bool meta_is_right(struct redis_finding *finding, struct bytes meta, struct bytes must)
{
    struct redis_meta is, wanted;
    if (bytes_equal(meta, must))
        return true;
    if (!redis_meta_parse(meta, &is)) {
        say(finding, REDIS_OTHER, "its meta is none of Drover's");
        return false;
    }
    if (!bytes_equal(redis_meta_owner(meta), redis_meta_owner(must)))
        say(finding, REDIS_OTHER, "the key holds another record");
    else if (is.version != finding->version)
        say(finding, is.version < finding->version ? REDIS_STALE : REDIS_TARGET_NEWER,
            "its meta has another version");
    else if (redis_meta_parse(must, &wanted) && is.generation != wanted.generation)
        say(finding, is.generation < wanted.generation ? REDIS_STALE : REDIS_TARGET_NEWER,
            "its meta is of another generation of the mapping");
    else
        say(finding, REDIS_OTHER, "its meta has another digest or mark");
    return false;
}

/* What is stored may have been written anew in another spelling of the same. */
static bool same_json(struct bytes is, struct bytes must)
{
    yyjson_doc *left = NULL, *right = NULL;
    if (bytes_equal(is, must))
        return true;
    bool same = json_parse(is, JSON_UNICODE_REJECT, NULL, &left, NULL) == OUT_OK &&
                json_parse(must, JSON_UNICODE_REJECT, NULL, &right, NULL) == OUT_OK &&
                canonical_equal(yyjson_doc_get_root(left), yyjson_doc_get_root(right));
    yyjson_doc_free(left);
    yyjson_doc_free(right);
    return same;
}

static bool ttl_is_right(const redisReply *left, uint64_t ttl_ms)
{
    return left->type == REDIS_REPLY_INTEGER && redis_rows_ttl_fits(left->integer, ttl_ms);
}

/* A meta goes with its value or outlives it. */
static bool meta_outlives(const redisReply *meta, const redisReply *value)
{
    return meta->integer == -1 || (value->integer >= 0 && meta->integer >= value->integer);
}

static void judge_json(const struct redis_held *held, size_t at, redisReply *const *answers,
                       struct redis_finding *finding)
{
    const struct buf *words = &held->rows.words;
    struct bytes must = next_word(words, &at);
    uint64_t ttl_ms = redis_rows_ttl_ms(finding->mapping);
    struct bytes value = next_word(words, &at);
    if (is_error(answers[0]) || is_error(answers[1]))
        say(finding, REDIS_OTHER, "the key holds a value of another type");
    else if (is_nil(answers[0]) && is_nil(answers[1]))
        say(finding, REDIS_ABSENT, "nothing is there");
    else if (is_nil(answers[1]))
        say(finding, REDIS_OTHER, "its meta is gone");
    else if (!meta_is_right(finding, redis_reply_text(answers[1]), must))
        return;
    else if (is_nil(answers[0]))
        say(finding, REDIS_ABSENT, "the value is gone, its meta is there");
    else if (!same_json(redis_reply_text(answers[0]), value))
        say(finding, REDIS_OTHER, "the value is another");
    else if (!ttl_is_right(answers[2], ttl_ms))
        say(finding, REDIS_OTHER, "the ttl is not the mapping's");
    else if (ttl_ms == 0 ? answers[3]->integer != -1 : !meta_outlives(answers[3], answers[2]))
        say(finding, REDIS_OTHER, "the meta's ttl is shorter than the value's");
}

static bool fields_are_right(const struct buf *words, size_t at, const redisReply *hash)
{
    uint64_t count = next_number(words, &at);
    if (hash->elements != count + 2) /* and the meta */
        return false;
    for (uint64_t i = 0; i < count; i += 2) {
        struct bytes name = next_word(words, &at), value = next_word(words, &at);
        struct bytes is = redis_reply_field(hash, name);
        if (!is.data || !bytes_equal(is, value))
            return false;
    }
    return true;
}

static void judge_hash(const struct redis_held *held, size_t at, redisReply *const *answers,
                       struct redis_finding *finding)
{
    const struct buf *words = &held->rows.words;
    const redisReply *hash = answers[0];
    struct bytes meta = redis_reply_field(hash, BYTES_LITERAL("_v"));
    struct bytes must = next_word(words, &at);
    uint64_t ttl_ms = redis_rows_ttl_ms(finding->mapping);
    bool fields = hash->type == REDIS_REPLY_ARRAY && hash->elements > 0;
    if (is_error(hash) || is_error(answers[1]))
        say(finding, REDIS_OTHER, "the key holds a value of another type");
    else if (!fields && is_nil(answers[1]))
        say(finding, REDIS_ABSENT, "nothing is there");
    else if (fields && !meta.data)
        say(finding, REDIS_OTHER, "its meta is gone");
    else if (!meta_is_right(finding, fields ? meta : redis_reply_text(answers[1]), must))
        return;
    else if (!fields)
        say(finding, REDIS_ABSENT, "the value is gone, its meta is there");
    else if (!fields_are_right(words, at, hash))
        say(finding, REDIS_OTHER, "a field is another");
    else if (!is_nil(answers[1]))
        say(finding, REDIS_OTHER, "a tombstone stands beside it");
    else if (!ttl_is_right(answers[2], ttl_ms))
        say(finding, REDIS_OTHER, "the ttl is not the mapping's");
}

static void judge_deleted(const struct redis_held *held, size_t at, redisReply *const *answers,
                          struct redis_finding *finding)
{
    struct bytes must = next_word(&held->rows.words, &at);
    if (is_error(answers[1]))
        say(finding, REDIS_OTHER, "a value of another type stands where the meta is");
    else if (!is_nil(answers[1]) && !meta_is_right(finding, redis_reply_text(answers[1]), must))
        return;
    else if (answers[0]->type != REDIS_REPLY_INTEGER || answers[0]->integer != 0)
        say(finding, REDIS_STALE, "the record is deleted, its key is there");
}

static void judge(const struct redis_held *held, const struct asked *asked,
                  redisReply *const *answers, struct redis_finding *finding)
{
    if (asked->deleted)
        judge_deleted(held, asked->words, answers, finding);
    else if (redis_rows_form(asked->mapping) == REDIS_HASH)
        judge_hash(held, asked->words, answers, finding);
    else
        judge_json(held, asked->words, answers, finding);
}

enum outcome redis_held_take(struct redis_held *held, struct redis_finding *finding, bool *found,
                             struct error *err)
{
    redisReply *answers[QUESTIONS_MAX] = {0};
    enum outcome outcome = OUT_OK;
    *found = held->taken < held->count;
    if (!*found)
        return OUT_OK;
    const struct asked *asked = &held->asked[held->taken++];
    for (int i = 0; i < asked->questions && outcome == OUT_OK; i++)
        outcome = redis_session_take_any(&held->session, &answers[i], err);
    size_t key = asked->key;
    *finding = (struct redis_finding){.mapping = asked->mapping,
                                      .key = next_word(&held->rows.keys, &key),
                                      .tenant = asked->tenant,
                                      .id = asked->id,
                                      .version = asked->version,
                                      .deleted = asked->deleted,
                                      .owner = asked->owner};
    if (outcome == OUT_OK)
        judge(held, asked, answers, finding);
    for (int i = 0; i < QUESTIONS_MAX; i++)
        freeReplyObject(answers[i]);
    return outcome == OUT_OK ? OUT_OK : OUT_FATAL;
}

/* ---- names ------------------------------------------------------------------------------- */

enum outcome redis_held_scan(struct redis_held *held, const struct mapping *mapping,
                             void (*each)(void *owner, struct bytes name), void *owner,
                             struct error *err)
{
    char cursor[REDIS_CURSOR_SIZE] = "0";
    redisReply *page;
    buf_reset(&held->key);
    redis_rows_append_glob(&held->key, mapping);
    do {
        if (redis_session_scan(&held->session, buf_view(&held->key), SCAN_COUNT, cursor, &page,
                               err) != OUT_OK)
            return OUT_FATAL;
        for (size_t i = 0; i < page->element[1]->elements; i++)
            each(owner, redis_reply_text(page->element[1]->element[i]));
        freeReplyObject(page);
    } while (strcmp(cursor, "0") != 0);
    return OUT_OK;
}

enum {
    FINDS = 4
}; /* the name's existence, the value's, its meta beside it, and the one in a hash */

enum outcome redis_held_find(struct redis_held *held, struct bytes name, bool *exists,
                             bool *tombstone, struct buf *place, struct error *err)
{
    redisReply *answers[FINDS] = {0};
    struct redis_meta meta;
    struct bytes stem = name;
    if (name.size > 2 && memcmp(name.data + name.size - 2, ":v", 2) == 0)
        stem.size -= 2;
    ask(held, "EXISTS", name, "");
    ask(held, "EXISTS", stem, "");
    ask(held, "GET", stem, ":v");
    redis_session_ask(&held->session, BYTES_LITERAL("HGET"), stem, BYTES_LITERAL("_v"));
    enum outcome outcome = OUT_OK;
    for (int i = 0; i < FINDS && outcome == OUT_OK; i++)
        outcome = redis_session_take_any(&held->session, &answers[i], err);
    *exists = outcome == OUT_OK && answers[0]->type == REDIS_REPLY_INTEGER && answers[0]->integer;
    *tombstone = false;
    buf_reset(place);
    if (outcome == OUT_OK && (redis_meta_parse(redis_reply_text(answers[2]), &meta) ||
                              redis_meta_parse(redis_reply_text(answers[3]), &meta))) {
        *tombstone = meta.deleted && answers[1]->type == REDIS_REPLY_INTEGER &&
                     answers[1]->integer == 0; /* a value beside it is a value */
        buf_append_bytes(place, meta.tenant);
        buf_append_char(place, '/');
        buf_append_bytes(place, meta.entity);
        buf_append_char(place, '/');
        buf_append_bytes(place, meta.id);
    }
    for (int i = 0; i < FINDS; i++)
        freeReplyObject(answers[i]);
    return outcome == OUT_OK ? OUT_OK : OUT_FATAL;
}

enum outcome redis_held_is_marked(struct redis_held *held, bool *marked, struct error *err)
{
    struct buf name;
    redisReply *reply = NULL;
    buf_init(&name, 4096);
    redis_rows_append_name(&name, "sentinel", held->settings->migration);
    ask(held, "EXISTS", buf_view(&name), "");
    buf_free(&name);
    enum outcome outcome = redis_session_take(&held->session, &reply, err);
    *marked = outcome == OUT_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    freeReplyObject(reply);
    return outcome == OUT_OK ? OUT_OK : OUT_FATAL;
}
