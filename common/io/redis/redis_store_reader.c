/*
 * Mapping after mapping: SCAN gives keys; of each the meta, the value and its ttl are asked for in
 * one go.
 *   JSON form   <key>:v gives the meta, <key> the value
 *   hash form   the hash, of which _v is the meta and _j the record, or a tombstone under <key>:v
 */

#include "common/io/redis/redis_store_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_session.h"
#include "common/policy/apply/record_row.h"

#define ANSWER_MS 30000
#define SCAN_COUNT 256
#define QUESTIONS 3 /* of a candidate: meta, value, ttl; of a hash: fields, tombstone, ttl */
#define ARENA_MAX (1u << 20)
#define FIELDS_MAX (512u << 20) /* as large as a value of Redis may be */

/* Digests of the records that have come: SCAN may give a key twice. */
struct seen {
    struct digest *slots; /* all zero: free */
    size_t capacity, used;
};

/* A key of a page; bare: a value without its meta's name, of which only that is asked. */
struct candidate {
    size_t name, answer; /* places in the page and in the answers */
    bool bare;
};

struct redis_store_reader {
    struct store_reader base;
    const struct settings *settings;
    const struct mapping_set *mappings;
    struct redis_session session;
    struct seen seen;
    size_t mapping; /* being read */
    char cursor[REDIS_CURSOR_SIZE];
    bool scanning, strays;
    redisReply **answers; /* QUESTIONS of each candidate, one of a bare one */
    size_t answer_count, answer_room;
    redisReply *page; /* of SCAN: names, and which of them are candidates */
    struct candidate *candidates;
    size_t candidate_count, candidate_at;
    struct buf place;  /* name of the key that a record's meta stands for */
    struct buf fields; /* of the last record that is a hash */
    redisReply *found[QUESTIONS];
    struct buf key;
    struct mapping_work work;
    struct arena arena;
};

static struct redis_store_reader *of(struct store_reader *reader)
{
    return (struct redis_store_reader *)reader;
}

/* ---- seen -------------------------------------------------------------------------------- */

static struct digest *slot_of(struct digest *slots, size_t capacity, const struct digest *digest)
{
    static const struct digest FREE;
    uint64_t at;
    memcpy(&at, digest->bytes, sizeof at);
    for (;; at++) {
        struct digest *slot = &slots[at & (capacity - 1)];
        if (digest_equal(slot, &FREE) || digest_equal(slot, digest))
            return slot;
    }
}

static void grow(struct seen *seen)
{
    static const struct digest FREE;
    size_t capacity = seen->capacity ? seen->capacity * 2 : 4096;
    struct digest *slots = mem_zeroed(capacity, sizeof *slots);
    for (size_t i = 0; i < seen->capacity; i++)
        if (!digest_equal(&seen->slots[i], &FREE))
            *slot_of(slots, capacity, &seen->slots[i]) = seen->slots[i];
    free(seen->slots);
    seen->slots = slots;
    seen->capacity = capacity;
}

/* False when it has come before. */
static bool see(struct seen *seen, struct bytes owner)
{
    struct digest digest = digest_of(owner);
    if (seen->used * 2 >= seen->capacity)
        grow(seen);
    struct digest *slot = slot_of(seen->slots, seen->capacity, &digest);
    if (digest_equal(slot, &digest))
        return false;
    *slot = digest;
    seen->used++;
    return true;
}

/* ---- asking ------------------------------------------------------------------------------ */

static void ask(struct redis_store_reader *stored, const char *command, struct bytes key)
{
    redis_session_ask(&stored->session, bytes_text(command), key);
}

/* `beside` is where its meta is, or, of a hash, its tombstone. */
static void send_questions(struct redis_store_reader *stored, bool hash, struct bytes key,
                           struct bytes beside)
{
    if (hash)
        ask(stored, "HGETALL", key);
    ask(stored, "GET", beside);
    if (!hash)
        ask(stored, "GET", key);
    ask(stored, "PTTL", key);
}

static bool is_own(struct bytes key)
{
    struct bytes own = BYTES_LITERAL("drover:");
    return key.size >= own.size && memcmp(key.data, own.data, own.size) == 0;
}

static bool is_beside(struct bytes key)
{
    return key.size > 2 && memcmp(key.data + key.size - 2, ":v", 2) == 0;
}

static void send_bare(struct redis_store_reader *stored, struct bytes key)
{
    buf_reset(&stored->key);
    buf_append_bytes(&stored->key, key);
    buf_append_text(&stored->key, ":v");
    ask(stored, "EXISTS", buf_view(&stored->key));
}

static void forget_answers(struct redis_store_reader *stored)
{
    for (size_t i = 0; i < stored->answer_count; i++)
        freeReplyObject(stored->answers[i]);
    stored->answer_count = 0;
    stored->candidate_count = stored->candidate_at = 0;
}

static enum outcome take_answers(struct redis_store_reader *stored, size_t count, struct error *err)
{
    stored->answers = mem_grown(stored->answers, &stored->answer_room, count, sizeof(redisReply *));
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && stored->answer_count < count) {
        outcome =
            redis_session_take_any(&stored->session, &stored->answers[stored->answer_count], err);
        stored->answer_count += outcome == OUT_OK;
    }
    return outcome;
}

static enum outcome fetch(struct redis_store_reader *stored, const struct mapping *mapping,
                          const redisReply *keys, struct error *err)
{
    size_t count = 0;
    bool hash = redis_rows_form(mapping) == REDIS_HASH;
    free(stored->candidates);
    stored->candidates = mem_zeroed(keys->elements + 1, sizeof *stored->candidates);
    for (size_t i = 0; i < keys->elements; i++) {
        struct bytes key = bytes_of(keys->element[i]->str, keys->element[i]->len);
        bool bare = !hash && !is_beside(key);
        if (is_own(key) || (bare && !stored->strays))
            continue;
        if (bare)
            send_bare(stored, key);
        else
            send_questions(stored, hash, hash ? key : bytes_of(key.data, key.size - 2), key);
        stored->candidates[stored->candidate_count++] = (struct candidate){i, count, bare};
        count += bare ? 1 : QUESTIONS;
    }
    return take_answers(stored, count, err);
}

/* The next keys of the mapping's pattern, and what they hold. */
static enum outcome scan(struct redis_store_reader *stored, const struct mapping *mapping,
                         struct error *err)
{
    buf_reset(&stored->key);
    redis_rows_append_glob(&stored->key, mapping);
    freeReplyObject(stored->page);
    stored->page = NULL;
    enum outcome outcome = redis_session_scan(&stored->session, buf_view(&stored->key), SCAN_COUNT,
                                              stored->cursor, &stored->page, err);
    return outcome == OUT_OK ? fetch(stored, mapping, stored->page->element[1], err) : outcome;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Column by column, and how many fields are no column's. */
static struct bytes read_fields(struct redis_store_reader *reader, const struct mapping *mapping,
                                const redisReply *hash)
{
    size_t others = hash->elements / 2;
    buf_reset(&reader->fields);
    for (size_t i = 0; i < mapping->column_count; i++) {
        struct bytes text = redis_reply_field(hash, bytes_text(mapping->columns[i].name));
        redis_rows_append_field(&reader->fields, text);
        others -= text.data != NULL;
    }
    if (others != 2) /* the meta and the record */
        redis_rows_append_field(&reader->fields, BYTES_LITERAL("more"));
    return buf_view(&reader->fields);
}

/* Some of the ttl has run off since it was written. */
static const char *flaw_of(const struct mapping *mapping, const redisReply *left)
{
    uint64_t ttl_ms = mapping->redis.ttl_s * 1000;
    if (left->type != REDIS_REPLY_INTEGER || left->integer == -2) /* faded just now */
        return NULL;
    if (redis_rows_ttl_fits(left->integer, ttl_ms))
        return NULL;
    return ttl_ms ? "the key's ttl is not the mapping's"
                  : "the key has a ttl, its mapping has none";
}

/* Of a candidate's answers; false when they are no record of the mapping. */
static bool read_answers(struct redis_store_reader *reader, const struct mapping *mapping,
                         redisReply *const pair[QUESTIONS], struct stored_record *stored)
{
    bool hash = redis_rows_form(mapping) == REDIS_HASH;
    bool fields = hash && pair[0]->type == REDIS_REPLY_ARRAY && pair[0]->elements > 0;
    struct bytes meta_text = redis_reply_field(pair[0], BYTES_LITERAL("_v"));
    struct bytes json = redis_reply_field(pair[0], BYTES_LITERAL("_j"));
    struct redis_meta meta;
    if (hash && !meta_text.size) {
        meta_text = redis_reply_text(pair[1]); /* only a tombstone stands there */
    } else if (!hash) {
        meta_text = redis_reply_text(pair[0]);
        json = redis_reply_text(pair[1]);
    }
    if (!redis_meta_parse(meta_text, &meta) ||
        !bytes_equal(meta.entity, bytes_text(mapping->entity)) || (!meta.deleted && !json.size))
        return false;
    *stored =
        (struct stored_record){.mapping = mapping,
                               .tenant = meta.tenant,
                               .id = meta.id,
                               .version = meta.version,
                               .generation = meta.generation,
                               .digest = meta.digest,
                               /* a value beside a tombstone is there for whoever reads the key */
                               .deleted = meta.deleted && !json.size,
                               .json = json};
    if (!stored->deleted)
        stored->flaw = flaw_of(mapping, pair[2]);
    if (fields && !stored->deleted)
        stored->fields = read_fields(reader, mapping, pair[0]);
    return true;
}

static bool is_new(struct redis_store_reader *stored, const struct stored_record *record)
{
    buf_reset(&stored->key);
    buf_append_bytes(&stored->key, record->tenant);
    buf_append_char(&stored->key, '/');
    buf_append_bytes(&stored->key, record->id);
    return see(&stored->seen, buf_view(&stored->key));
}

static enum outcome name_key(struct redis_store_reader *stored, const struct mapping *mapping,
                             struct bytes tenant, struct bytes id, struct buf *name,
                             struct error *err);

/* Whose record a key holds is what its meta says; where that record belongs is what its name says.
 */
static bool is_at_home(struct redis_store_reader *stored, const struct mapping *mapping,
                       const struct stored_record *record, struct bytes name)
{
    struct bytes stem = name;
    if (name_key(stored, mapping, record->tenant, record->id, &stored->place, NULL) != OUT_OK)
        return false;
    if (is_beside(name))
        stem.size -= 2;
    /* a key whose own name ends as a meta's does is no meta */
    return bytes_equal(stem, buf_view(&stored->place)) ||
           (redis_rows_form(mapping) == REDIS_HASH && bytes_equal(name, buf_view(&stored->place)));
}

/* Whether nothing of Drover's is there: no meta is, or one that Drover does not write. */
static bool is_stray(const struct redis_store_reader *stored, const struct mapping *mapping,
                     const struct candidate *candidate)
{
    redisReply *const *answers = &stored->answers[candidate->answer];
    struct redis_meta meta;
    if (candidate->bare)
        return answers[0]->type == REDIS_REPLY_INTEGER && answers[0]->integer == 0;
    if (redis_rows_form(mapping) != REDIS_HASH)
        return answers[0]->type != REDIS_REPLY_NIL &&
               !redis_meta_parse(redis_reply_text(answers[0]), &meta);
    bool gone = answers[0]->type == REDIS_REPLY_ARRAY && answers[0]->elements == 0;
    return !gone && !redis_meta_parse(redis_reply_field(answers[0], BYTES_LITERAL("_v")), &meta) &&
           !redis_meta_parse(redis_reply_text(answers[1]), &meta);
}

static enum outcome say_stray(struct redis_store_reader *stored, const struct mapping *mapping,
                              struct bytes name, const char *what, struct stored_record *record,
                              bool *found, struct error *err)
{
    buf_reset(&stored->key);
    buf_append_char(&stored->key, '\0');
    buf_append_bytes(&stored->key, name);
    *found = see(&stored->seen, buf_view(&stored->key));
    *record = (struct stored_record){.mapping = mapping, .id = name};
    return *found ? error_set(err, OUT_REJECT, ERR_REDIS_UNOWNED, "%s", what) : OUT_OK;
}

/* OUT_REJECT: a key that holds no record, or another one's; record->id is its name, without a
 * tenant. */
static enum outcome next_answer(struct redis_store_reader *stored, const struct mapping *mapping,
                                struct stored_record *record, bool *found, struct error *err)
{
    enum outcome outcome = OUT_OK;
    *found = false;
    while (!*found && stored->candidate_at < stored->candidate_count) {
        const struct candidate *candidate = &stored->candidates[stored->candidate_at++];
        const redisReply *key = stored->page->element[1]->element[candidate->name];
        struct bytes name = bytes_of(key->str, key->len);
        if (stored->strays && is_stray(stored, mapping, candidate)) {
            outcome = say_stray(stored, mapping, name,
                                "the key fits a mapping's pattern and holds no record of Drover's",
                                record, found, err);
            continue;
        }
        if (candidate->bare ||
            !read_answers(stored, mapping, &stored->answers[candidate->answer], record))
            continue;
        if (!is_at_home(stored, mapping, record, name)) {
            outcome = say_stray(stored, mapping, name, "the key holds the record of another one",
                                record, found, err);
            continue;
        }
        *found = is_new(stored, record);
    }
    return outcome;
}

static void next_mapping(struct redis_store_reader *stored)
{
    stored->mapping++;
    stored->scanning = false;
    free(stored->seen.slots);
    stored->seen = (struct seen){0};
}

static enum outcome read_next(struct store_reader *base, struct stored_record *record,
                              struct error *err)
{
    struct redis_store_reader *stored = of(base);
    *record = (struct stored_record){0};
    while (stored->mapping < stored->mappings->count) {
        const struct mapping *mapping = stored->mappings->items[stored->mapping];
        bool found;
        enum outcome outcome = next_answer(stored, mapping, record, &found, err);
        if (found)
            return outcome;
        forget_answers(stored);
        if (stored->scanning && strcmp(stored->cursor, "0") == 0) {
            next_mapping(stored);
            continue;
        }
        if (!stored->scanning)
            snprintf(stored->cursor, sizeof stored->cursor, "0");
        stored->scanning = true;
        if (scan(stored, mapping, err) != OUT_OK)
            return OUT_FATAL; /* what has come cannot be continued on another connection */
    }
    return OUT_OK;
}

/* ---- one record -------------------------------------------------------------------------- */

static enum outcome name_key(struct redis_store_reader *stored, const struct mapping *mapping,
                             struct bytes tenant, struct bytes id, struct buf *name,
                             struct error *err)
{
    struct row row;
    arena_reset(&stored->arena);
    enum outcome outcome =
        record_key_row(mapping, tenant, id, &stored->work, &stored->arena, &row, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_reset(name);
    if (!redis_rows_append_key(name, mapping, tenant, id, row.cells))
        return error_set(err, OUT_REJECT, ERR_VALUE_KEY, "the record's id makes no Redis key");
    return OUT_OK;
}

static void forget_found(struct redis_store_reader *stored)
{
    for (int i = 0; i < QUESTIONS; i++) {
        freeReplyObject(stored->found[i]);
        stored->found[i] = NULL;
    }
}

static enum outcome find(struct store_reader *base, const struct mapping *mapping,
                         struct bytes tenant, struct bytes id, struct stored_record *record,
                         bool *found, struct error *err)
{
    struct redis_store_reader *stored = of(base);
    *found = false;
    enum outcome outcome = name_key(stored, mapping, tenant, id, &stored->key, err);
    if (outcome != OUT_OK)
        return outcome;
    forget_found(stored);
    buf_append_text(&stored->key, ":v");
    struct bytes beside = buf_view(&stored->key);
    send_questions(stored, redis_rows_form(mapping) == REDIS_HASH,
                   bytes_of(beside.data, beside.size - 2), beside);
    for (int i = 0; i < QUESTIONS && outcome == OUT_OK; i++)
        outcome = redis_session_take_any(&stored->session, &stored->found[i], err);
    if (outcome != OUT_OK)
        return OUT_FATAL;
    *found = read_answers(stored, mapping, stored->found, record) &&
             bytes_equal(record->tenant, tenant) && bytes_equal(record->id, id);
    return OUT_OK;
}

static enum outcome checkpoint(struct store_reader *base, const char *group, const char *topic,
                               int32_t partition, int64_t *next_offset, struct error *err)
{
    struct redis_store_reader *stored = of(base);
    redisReply *reply = NULL;
    *next_offset = -1;
    buf_reset(&stored->key);
    redis_rows_append_checkpoint_key(&stored->key, group, topic, partition);
    redis_session_ask(&stored->session, BYTES_LITERAL("HGET"), buf_view(&stored->key),
                      BYTES_LITERAL("next_offset"));
    enum outcome outcome = redis_session_take(&stored->session, &reply, err);
    if (outcome != OUT_OK)
        return OUT_FATAL;
    if (reply->type == REDIS_REPLY_STRING &&
        !text_parse_int64(redis_reply_text(reply), next_offset))
        *next_offset = -1;
    freeReplyObject(reply);
    return OUT_OK;
}

/* ---- life -------------------------------------------------------------------------------- */

static void close_reader(struct store_reader *base)
{
    struct redis_store_reader *stored = of(base);
    forget_answers(stored);
    free(stored->answers);
    free(stored->candidates);
    freeReplyObject(stored->page);
    buf_free(&stored->place);
    buf_free(&stored->fields);
    forget_found(stored);
    free(stored->seen.slots);
    redis_session_close(&stored->session);
    buf_free(&stored->key);
    mapping_work_free(&stored->work);
    arena_free(&stored->arena);
    free(stored);
}

enum outcome redis_store_reader_open(const struct settings *settings,
                                     const struct mapping_set *mappings, bool strays,
                                     struct store_reader **reader, struct error *err)
{
    static const struct store_reader_ops OPS = {checkpoint, read_next, find, close_reader};
    struct redis_store_reader *stored = mem_new(sizeof *stored);
    *reader = NULL;
    if (redis_session_open(settings->redis_url, ANSWER_MS, false, &stored->session, err) !=
        OUT_OK) {
        free(stored);
        return OUT_FATAL;
    }
    stored->base.ops = &OPS;
    stored->settings = settings;
    stored->strays = strays;
    stored->mappings = mappings;
    buf_init(&stored->key, 1u << 16);
    buf_init(&stored->place, 1u << 16);
    buf_init(&stored->fields, FIELDS_MAX);
    mapping_work_init(&stored->work);
    arena_init(&stored->arena, ARENA_MAX);
    *reader = &stored->base;
    return OUT_OK;
}
