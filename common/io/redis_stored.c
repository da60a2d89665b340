/*
 * Mapping after mapping: SCAN gives keys; of each the meta and the value are asked for in one go.
 *   JSON form   <key>:v gives the meta, <key> the value
 *   hash form   the hash, of which _v is the meta and _j the record, or a tombstone under <key>:v
 */

#include "common/io/redis_stored.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/io/redis_rows.h"
#include "common/io/redis_session.h"
#include "common/io/redis_wire.h"

#define ANSWER_MS 30000
#define SCAN_COUNT 256
#define ARENA_MOST (1u << 20)
#define FIELDS_MOST (512u << 20) /* as large as a value of Redis may be */

/* Digests of the records that have come: SCAN may give a key twice. */
struct seen {
    struct digest *slots; /* all zero: free */
    size_t capacity, used;
};

struct redis_stored {
    struct stored_reader base;
    const struct settings *settings;
    const struct mapping_set *mappings;
    struct redis_session session;
    struct seen seen;
    size_t mapping; /* being read */
    char cursor[24];
    bool scanning;
    redisReply **answers; /* two of each candidate: meta, value */
    size_t answer_count, answer_at, answer_room;
    redisReply *page; /* of SCAN: names, and which of them are candidates */
    size_t *candidates;
    struct buf place;  /* name of the key that a record's meta stands for */
    struct buf fields; /* of the last record that is a hash */
    redisReply *found[2];
    struct buf command, key;
    struct mapping_work work;
    struct arena arena;
};

static struct redis_stored *of(struct stored_reader *reader)
{
    return (struct redis_stored *)reader;
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
    struct digest *slots = calloc(capacity, sizeof *slots);
    if (!slots)
        abort();
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

static void send_words(struct redis_stored *stored, size_t count, const struct bytes *words)
{
    buf_reset(&stored->command);
    redis_wire_begin(&stored->command, count);
    for (size_t i = 0; i < count; i++)
        redis_wire_word(&stored->command, words[i]);
    redis_session_send(&stored->session, buf_view(&stored->command));
}

static void send_get(struct redis_stored *stored, struct bytes key)
{
    struct bytes words[] = {BYTES_LITERAL("GET"), key};
    send_words(stored, 2, words);
}

static void send_fields(struct redis_stored *stored, struct bytes key)
{
    struct bytes words[] = {BYTES_LITERAL("HGETALL"), key};
    send_words(stored, 2, words);
}

static bool is_beside(struct bytes key)
{
    return key.size > 2 && memcmp(key.data + key.size - 2, ":v", 2) == 0;
}

/* Two questions; how they are read is take_answers's. */
static void send_candidate(struct redis_stored *stored, enum redis_form form, struct bytes key)
{
    if (form == REDIS_HASH) {
        send_fields(stored, key);
        send_get(stored, key);
    } else {
        send_get(stored, key);
        send_get(stored, bytes_of(key.data, key.size - 2));
    }
}

static void forget_answers(struct redis_stored *stored)
{
    for (size_t i = 0; i < stored->answer_count; i++)
        freeReplyObject(stored->answers[i]);
    stored->answer_count = stored->answer_at = 0;
}

static enum outcome take_answers(struct redis_stored *stored, size_t count, struct error *err)
{
    if (count > stored->answer_room) {
        stored->answers = realloc(stored->answers, count * sizeof(redisReply *));
        if (!stored->answers)
            abort();
        stored->answer_room = count;
    }
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && stored->answer_count < count) {
        outcome =
            redis_session_take_any(&stored->session, &stored->answers[stored->answer_count], err);
        stored->answer_count += outcome == OUT_OK;
    }
    return outcome;
}

static enum outcome fetch(struct redis_stored *stored, const struct mapping *mapping,
                          const redisReply *keys, struct error *err)
{
    size_t count = 0;
    enum redis_form form = redis_rows_form(mapping);
    free(stored->candidates);
    stored->candidates = calloc(keys->elements + 1, sizeof *stored->candidates);
    if (!stored->candidates)
        abort();
    for (size_t i = 0; i < keys->elements; i++) {
        struct bytes key = bytes_of(keys->element[i]->str, keys->element[i]->len);
        if (form != REDIS_HASH && !is_beside(key))
            continue;
        send_candidate(stored, form, key);
        stored->candidates[count / 2] = i;
        count += 2;
    }
    return take_answers(stored, count, err);
}

/* The next keys of the mapping's pattern, and what they hold. */
static enum outcome scan(struct redis_stored *stored, const struct mapping *mapping,
                         struct error *err)
{
    redisReply *reply = NULL;
    char count[16];
    int size = snprintf(count, sizeof count, "%d", SCAN_COUNT);
    buf_reset(&stored->key);
    redis_rows_append_glob(&stored->key, mapping);
    struct bytes words[] = {BYTES_LITERAL("SCAN"),  bytes_text(stored->cursor),
                            BYTES_LITERAL("MATCH"), buf_view(&stored->key),
                            BYTES_LITERAL("COUNT"), bytes_of(count, (size_t)size)};
    send_words(stored, 6, words);
    enum outcome outcome = redis_session_take(&stored->session, &reply, err);
    if (outcome != OUT_OK)
        return outcome;
    bool good = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->str;
    if (good) {
        snprintf(stored->cursor, sizeof stored->cursor, "%s", reply->element[0]->str);
        outcome = fetch(stored, mapping, reply->element[1], err);
    } else {
        outcome = error_set(err, OUT_FATAL, ERR_REDIS_PROTOCOL,
                            "Redis answered SCAN with something else");
    }
    freeReplyObject(stored->page);
    stored->page = reply;
    return outcome;
}

/* ---- reading ----------------------------------------------------------------------------- */

static struct bytes text_of(const redisReply *reply)
{
    bool text = reply && reply->type == REDIS_REPLY_STRING;
    return text ? bytes_of(reply->str, reply->len) : (struct bytes){0};
}

static struct bytes field_of(const redisReply *hash, const char *name)
{
    for (size_t i = 0; hash->type == REDIS_REPLY_ARRAY && i + 1 < hash->elements; i += 2)
        if (bytes_equal(text_of(hash->element[i]), bytes_text(name)))
            return text_of(hash->element[i + 1]);
    return (struct bytes){0};
}

/* Column by column, and how many fields are no column's. */
static struct bytes read_fields(struct redis_stored *reader, const struct mapping *mapping,
                                const redisReply *hash)
{
    size_t others = hash->elements / 2;
    buf_reset(&reader->fields);
    for (size_t i = 0; i < mapping->column_count; i++) {
        struct bytes text = field_of(hash, mapping->columns[i].name);
        redis_rows_append_field(&reader->fields, text);
        others -= text.data != NULL;
    }
    if (others != 2) /* the meta and the record */
        redis_rows_append_field(&reader->fields, BYTES_LITERAL("more"));
    return buf_view(&reader->fields);
}

/* Of a candidate's two answers; false when they are no record of the mapping. */
static bool read_pair(struct redis_stored *reader, const struct mapping *mapping,
                      redisReply *const pair[2], struct stored *stored)
{
    bool hash = redis_rows_form(mapping) == REDIS_HASH;
    bool fields = hash && pair[0]->type == REDIS_REPLY_ARRAY && pair[0]->elements > 0;
    struct bytes meta_text = fields ? field_of(pair[0], "_v") : (struct bytes){0};
    struct bytes json = fields ? field_of(pair[0], "_j") : (struct bytes){0};
    struct redis_meta meta;
    if (hash && !meta_text.size) {
        meta_text = text_of(pair[1]); /* only a tombstone stands there */
    } else if (!hash) {
        meta_text = text_of(pair[0]);
        json = text_of(pair[1]);
    }
    if (!redis_meta_parse(meta_text, &meta) ||
        !bytes_equal(meta.entity, bytes_text(mapping->entity)) || (!meta.deleted && !json.size))
        return false;
    *stored = (struct stored){.mapping = mapping,
                              .tenant = meta.tenant,
                              .id = meta.id,
                              .version = meta.version,
                              .digest = meta.digest,
                              /* a value beside a tombstone is there for whoever reads the key */
                              .deleted = meta.deleted && !json.size,
                              .json = json};
    if (fields && !stored->deleted)
        stored->fields = read_fields(reader, mapping, pair[0]);
    return true;
}

static bool is_new(struct redis_stored *stored, const struct stored *record)
{
    buf_reset(&stored->key);
    buf_append_bytes(&stored->key, record->tenant);
    buf_append_char(&stored->key, '/');
    buf_append_bytes(&stored->key, record->id);
    return see(&stored->seen, buf_view(&stored->key));
}

static enum outcome name_key(struct redis_stored *stored, const struct mapping *mapping,
                             struct bytes tenant, struct bytes id, struct buf *name,
                             struct error *err);

/* Whose record a key holds is what its meta says; where that record belongs is what its name says.
 */
static bool is_at_home(struct redis_stored *stored, const struct mapping *mapping,
                       const struct stored *record, struct bytes name)
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

/* OUT_REJECT: a key that holds another one's record; record->id is its name, without a tenant. */
static enum outcome next_answer(struct redis_stored *stored, const struct mapping *mapping,
                                struct stored *record, bool *found, struct error *err)
{
    *found = false;
    while (stored->answer_at < stored->answer_count) {
        redisReply *const *pair = &stored->answers[stored->answer_at];
        const redisReply *keys = stored->page->element[1];
        const redisReply *key = keys->element[stored->candidates[stored->answer_at / 2]];
        struct bytes name = bytes_of(key->str, key->len);
        stored->answer_at += 2;
        if (!read_pair(stored, mapping, pair, record))
            continue;
        if (!is_at_home(stored, mapping, record, name)) {
            *record = (struct stored){.mapping = mapping, .id = name};
            *found = true;
            return error_set(err, OUT_REJECT, ERR_REDIS_FOREIGN,
                             "a key holds the record of another one");
        }
        if (!is_new(stored, record))
            continue;
        *found = true;
        return OUT_OK;
    }
    return OUT_OK;
}

static bool is_held(const struct redis_stored *stored, const struct mapping *mapping)
{
    return stored->settings->storage == STORAGE_REDIS || mapping->redis.form != REDIS_NONE;
}

static void next_mapping(struct redis_stored *stored)
{
    stored->mapping++;
    stored->scanning = false;
    free(stored->seen.slots);
    stored->seen = (struct seen){0};
}

static enum outcome read_next(struct stored_reader *base, struct stored *record, struct error *err)
{
    struct redis_stored *stored = of(base);
    *record = (struct stored){0};
    while (stored->mapping < stored->mappings->count) {
        const struct mapping *mapping = stored->mappings->items[stored->mapping];
        if (!is_held(stored, mapping)) {
            next_mapping(stored);
            continue;
        }
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

static enum outcome name_key(struct redis_stored *stored, const struct mapping *mapping,
                             struct bytes tenant, struct bytes id, struct buf *name,
                             struct error *err)
{
    struct row row;
    struct record record = {
        .tenant = tenant, .id = id, .operation = OP_DELETE, .has_version = true, .index = -1};
    arena_reset(&stored->arena);
    enum outcome outcome =
        mapping_forward(mapping, &record, &stored->work, &stored->arena, &row, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_reset(name);
    if (!redis_rows_append_key(name, mapping, tenant, id, row.cells))
        return error_set(err, OUT_REJECT, ERR_VALUE_KEY, "the record's id makes no Redis key");
    return OUT_OK;
}

/* As send_candidate, for the key of one record. */
static void send_find(struct redis_stored *stored, enum redis_form form)
{
    buf_append_text(&stored->key, ":v");
    struct bytes beside = buf_view(&stored->key);
    struct bytes key = bytes_of(beside.data, beside.size - 2);
    if (form == REDIS_HASH) {
        send_fields(stored, key);
        send_get(stored, beside);
    } else {
        send_get(stored, beside);
        send_get(stored, key);
    }
}

static enum outcome find(struct stored_reader *base, const struct mapping *mapping,
                         struct bytes tenant, struct bytes id, struct stored *record, bool *found,
                         struct error *err)
{
    struct redis_stored *stored = of(base);
    *found = false;
    enum outcome outcome = name_key(stored, mapping, tenant, id, &stored->key, err);
    if (outcome != OUT_OK)
        return outcome;
    for (int i = 0; i < 2; i++) {
        freeReplyObject(stored->found[i]);
        stored->found[i] = NULL;
    }
    send_find(stored, redis_rows_form(mapping));
    for (int i = 0; i < 2 && outcome == OUT_OK; i++)
        outcome = redis_session_take_any(&stored->session, &stored->found[i], err);
    if (outcome != OUT_OK)
        return OUT_FATAL;
    *found = read_pair(stored, mapping, stored->found, record) &&
             bytes_equal(record->tenant, tenant) && bytes_equal(record->id, id);
    return OUT_OK;
}

static enum outcome progress(struct stored_reader *base, const char *group, const char *topic,
                             int32_t partition, int64_t *next_offset, struct error *err)
{
    struct redis_stored *stored = of(base);
    redisReply *reply = NULL;
    *next_offset = -1;
    buf_reset(&stored->key);
    redis_rows_append_progress_key(&stored->key, group, topic, partition);
    struct bytes words[] = {BYTES_LITERAL("HGET"), buf_view(&stored->key),
                            BYTES_LITERAL("next_offset")};
    send_words(stored, 3, words);
    enum outcome outcome = redis_session_take(&stored->session, &reply, err);
    if (outcome != OUT_OK)
        return OUT_FATAL;
    if (reply->type == REDIS_REPLY_STRING && !text_parse_int64(text_of(reply), next_offset))
        *next_offset = -1;
    freeReplyObject(reply);
    return OUT_OK;
}

/* ---- life -------------------------------------------------------------------------------- */

static void close_reader(struct stored_reader *base)
{
    struct redis_stored *stored = of(base);
    forget_answers(stored);
    free(stored->answers);
    free(stored->candidates);
    freeReplyObject(stored->page);
    buf_free(&stored->place);
    buf_free(&stored->fields);
    freeReplyObject(stored->found[0]);
    freeReplyObject(stored->found[1]);
    free(stored->seen.slots);
    redis_session_close(&stored->session);
    buf_free(&stored->command);
    buf_free(&stored->key);
    mapping_work_free(&stored->work);
    arena_free(&stored->arena);
    free(stored);
}

enum outcome redis_stored_open(const struct settings *settings, const struct mapping_set *mappings,
                               struct stored_reader **reader, struct error *err)
{
    static const struct stored_ops OPS = {progress, read_next, find, close_reader};
    struct redis_stored *stored = calloc(1, sizeof *stored);
    if (!stored)
        abort();
    *reader = NULL;
    if (redis_session_open(settings->redis_url, ANSWER_MS, false, &stored->session, err) !=
        OUT_OK) {
        free(stored);
        return OUT_FATAL;
    }
    stored->base.ops = &OPS;
    stored->settings = settings;
    stored->mappings = mappings;
    buf_init(&stored->command, 1u << 20);
    buf_init(&stored->key, 1u << 16);
    buf_init(&stored->place, 1u << 16);
    buf_init(&stored->fields, FIELDS_MOST);
    mapping_work_init(&stored->work);
    arena_init(&stored->arena, ARENA_MOST);
    *reader = &stored->base;
    return OUT_OK;
}
