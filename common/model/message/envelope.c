/*
 * A record as a message. What the record has as text is viewed; the key, numbers and the origin
 * are built one after the other in a buffer and viewed only when it does not move any longer.
 * Decoding copies nothing.
 */
#include "common/model/message/envelope.h"

#include <assert.h>
#include <string.h>

#include "common/base/text.h"
#include "common/model/message/tenant.h"

/* ---- encode ---- */

/* A header's value while the buffer still moves: its place there, or a view of the record. */
struct draft {
    const char *name;
    const char *view; /* NULL: in the buffer, at `at` */
    size_t at;
    size_t size;
};

struct drafts {
    struct buf *text;
    struct draft items[ENVELOPE_HEADERS_MAX];
    size_t count;
};

static void begin_header(struct drafts *drafts, const char *name)
{
    assert(drafts->count < ENVELOPE_HEADERS_MAX);
    drafts->items[drafts->count++] = (struct draft){.name = name, .at = drafts->text->size};
}

static void finish_header(struct drafts *drafts)
{
    struct draft *draft = &drafts->items[drafts->count - 1];
    draft->size = drafts->text->size - draft->at;
}

static void add_bytes(struct drafts *drafts, const char *name, struct bytes value)
{
    begin_header(drafts, name);
    drafts->items[drafts->count - 1].view = value.data;
    drafts->items[drafts->count - 1].size = value.size;
}

#define DIGITS_MAX 20 /* of 64 bits, or 19 and a sign */

/* Five numbers a record: printf would be a tenth of the producer's time. What stands between them
 * is written with them, from its end on: `put_…` gives where what was written begins. */
static char *put_number(char *end, uint64_t value)
{
    do
        *--end = (char)('0' + value % 10);
    while (value /= 10);
    return end;
}

static char *put_signed(char *end, int64_t value)
{
    char *at = put_number(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    if (value < 0)
        *--at = '-';
    return at;
}

static char *put_char(char *end, char c)
{
    *--end = c;
    return end;
}

static void add_number(struct drafts *drafts, const char *name, int64_t value)
{
    char digits[DIGITS_MAX], *end = digits + sizeof digits, *at = put_signed(end, value);
    begin_header(drafts, name);
    buf_append(drafts->text, at, (size_t)(end - at));
    finish_header(drafts);
}

void envelope_append_uri(struct buf *out, struct bytes uri)
{
    size_t plain = 0; /* start of the run that stays as it is */
    for (size_t at = 0; at < uri.size;) {
        unsigned char c = (unsigned char)uri.data[at];
        size_t size = c < 0x80 ? 1 : text_utf8_size(uri, at);
        if (size != 0 && c >= 0x20 && c != 0x7F && c != '%') {
            at += size;
            continue;
        }
        buf_append(out, uri.data + plain, at - plain);
        buf_append_format(out, "%%%02X", c);
        plain = ++at;
    }
    if (plain < uri.size)
        buf_append(out, uri.data + plain, uri.size - plain);
}

static void add_origin(struct drafts *drafts, const struct origin *origin)
{
    char place[3 * (1 + DIGITS_MAX)], *end = place + sizeof place;
    char *at = put_char(put_number(end, origin->byte), '@');
    at = put_char(put_number(at, origin->column), ':');
    at = put_char(put_number(at, origin->line), ':');
    begin_header(drafts, HEADER_ORIGIN);
    envelope_append_uri(drafts->text, origin->uri);
    buf_append(drafts->text, at, (size_t)(end - at));
    finish_header(drafts);
}

void envelope_append_key(struct buf *out, struct bytes tenant, struct bytes entity, struct bytes id)
{
    buf_append_bytes(out, tenant);
    buf_append_char(out, '/');
    text_percent_encode(out, entity);
    buf_append_char(out, '/');
    buf_append_bytes(out, id);
}

/* "version run sequence"; '-' for what the record does not have. */
static void add_packed(struct drafts *drafts, const struct record *record)
{
    char before[DIGITS_MAX + 1], *end = before + sizeof before, *at = put_char(end, ' ');
    at = record->has_version ? put_signed(at, record->version) : put_char(at, '-');
    begin_header(drafts, HEADER_PACKED);
    buf_append(drafts->text, at, (size_t)(end - at));
    buf_append_bytes(drafts->text, record->run);
    at = record->sequence < 0 ? put_char(end, '-') : put_number(end, (uint64_t)record->sequence);
    at = put_char(at, ' ');
    buf_append(drafts->text, at, (size_t)(end - at));
    finish_header(drafts);
}

static void add_headers(struct drafts *drafts, const struct record *record, struct bytes in_key)
{
    if (!bytes_equal(in_key, record->entity)) /* percent-encoded there */
        add_bytes(drafts, HEADER_ENTITY, record->entity);
    if (record->has_version || record->run.size || record->sequence >= 0)
        add_packed(drafts, record);
    if (record->origin.uri.size)
        add_origin(drafts, &record->origin);
    if (record->source_key.data)
        add_bytes(drafts, HEADER_SOURCE_KEY, record->source_key);
    if (record->index >= 0)
        add_number(drafts, HEADER_INDEX, record->index);
    if (record->user.size)
        add_bytes(drafts, HEADER_USER, record->user);
    if (record->localstorage_origin.size)
        add_bytes(drafts, HEADER_LOCALSTORAGE_ORIGIN, record->localstorage_origin);
    if (record->sealed.size)
        add_bytes(drafts, HEADER_SEALED, record->sealed);
}

enum outcome envelope_encode(const struct record *record, struct buf *text, struct envelope *out,
                             struct error *err)
{
    buf_reset(text);
    envelope_append_key(text, record->tenant, record->entity, record->id);
    return envelope_encode_keyed(record, text, out, err);
}

enum outcome envelope_encode_keyed(const struct record *record, struct buf *text,
                                   struct envelope *out, struct error *err)
{
    if (record->id.size == 0 || record->tenant.size == 0 || record->entity.size == 0)
        return error_set(err, OUT_REJECT, ERR_ENVELOPE, "a message needs tenant, entity and id");
    size_t key_size = text->size;
    size_t entity_size = key_size - record->tenant.size - record->id.size - 2;
    struct drafts drafts;
    drafts.text = text;
    drafts.count = 0;
    add_headers(&drafts, record,
                bytes_of(text->data + record->tenant.size + 1, text->failed ? 0 : entity_size));
    if (text->failed)
        return error_set(err, OUT_REJECT, ERR_ENVELOPE, "key and headers are larger than %zu bytes",
                         text->limit);
    out->key = bytes_of(text->data, key_size);
    out->null_value = record->operation == OP_DELETE;
    out->value = out->null_value ? (struct bytes){0} : record->payload;
    out->header_count = drafts.count;
    for (size_t i = 0; i < drafts.count; i++) {
        const struct draft *draft = &drafts.items[i];
        const char *value = draft->view ? draft->view : text->data + draft->at;
        out->headers[i] = (struct header){bytes_text(draft->name), bytes_of(value, draft->size)};
    }
    return OUT_OK;
}

bool envelope_is_ours(struct bytes name)
{
    static const size_t SIZE = sizeof HEADER_PACKED - 1;
    return name.size >= SIZE && memcmp(name.data, HEADER_PACKED, SIZE) == 0 &&
           (name.size == SIZE || name.data[SIZE] == '-');
}

/* ---- decode ---- */

static enum outcome bad(struct error *err, const char *header, const char *what)
{
    return error_set(err, OUT_REJECT, ERR_ENVELOPE, "the header %s %s", header, what);
}

/* The headers that have a meaning, by place in NAMES. */
enum known {
    KNOWN_PACKED,
    KNOWN_TENANT,
    KNOWN_ENTITY,
    KNOWN_ID,
    KNOWN_VERSION,
    KNOWN_RUN,
    KNOWN_SEQUENCE,
    KNOWN_ORIGIN,
    KNOWN_SOURCE_KEY,
    KNOWN_INDEX,
    KNOWN_USER,
    KNOWN_LOCALSTORAGE_ORIGIN,
    KNOWN_SEALED,
    KNOWN_COUNT,
};

#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
static const struct bytes NAMES[KNOWN_COUNT] = {
    [KNOWN_PACKED] = NAME(HEADER_PACKED),
    [KNOWN_TENANT] = NAME(HEADER_TENANT),
    [KNOWN_ENTITY] = NAME(HEADER_ENTITY),
    [KNOWN_ID] = NAME(HEADER_ID),
    [KNOWN_VERSION] = NAME(HEADER_VERSION),
    [KNOWN_RUN] = NAME(HEADER_RUN),
    [KNOWN_SEQUENCE] = NAME(HEADER_SEQUENCE),
    [KNOWN_ORIGIN] = NAME(HEADER_ORIGIN),
    [KNOWN_SOURCE_KEY] = NAME(HEADER_SOURCE_KEY),
    [KNOWN_INDEX] = NAME(HEADER_INDEX),
    [KNOWN_USER] = NAME(HEADER_USER),
    [KNOWN_LOCALSTORAGE_ORIGIN] = NAME(HEADER_LOCALSTORAGE_ORIGIN),
    [KNOWN_SEALED] = NAME(HEADER_SEALED),
};

/* Values by enum known; no data: absent. */
struct found {
    struct bytes values[KNOWN_COUNT];
    const char
        *contested; /* the first, in order of NAMES, that is there with two values; or NULL */
};

static enum known known_of(struct bytes name)
{
    int i = KNOWN_PACKED;
    while (i < KNOWN_COUNT && !bytes_equal(NAMES[i], name))
        i++;
    return (enum known)i;
}

static void find_headers(const struct envelope *envelope, struct found *found)
{
    int contested = KNOWN_COUNT;
    unsigned seen = 0;
    memset(found, 0, sizeof *found);
    for (size_t i = 0; i < envelope->header_count; i++) {
        const struct header *header = &envelope->headers[i];
        enum known known = known_of(header->name);
        if (known == KNOWN_COUNT)
            continue;
        struct bytes *value = &found->values[known];
        bool again = seen & 1u << known;
        if (again && !bytes_equal(*value, header->value) && (int)known < contested)
            contested = (int)known;
        if (!again)
            *value = header->value;
        seen |= 1u << known;
    }
    if (contested < KNOWN_COUNT)
        found->contested = NAMES[contested].data;
}

/* "version run sequence": the run may hold any byte, spaces too. False: of another form. */
static bool split_packed(struct bytes packed, struct bytes parts[3])
{
    const char *first = packed.size ? memchr(packed.data, ' ', packed.size) : NULL;
    const char *last = packed.size ? memrchr(packed.data, ' ', packed.size) : NULL;
    if (!first || first == last)
        return false;
    parts[0] = bytes_of(packed.data, (size_t)(first - packed.data));
    parts[1] = bytes_of(first + 1, (size_t)(last - first - 1));
    parts[2] = bytes_of(last + 1, (size_t)(packed.data + packed.size - last - 1));
    return true;
}

static bool is_none(struct bytes part)
{
    return part.size == 1 && part.data[0] == '-';
}

/* A header of its own goes on beside the packed one when it says the same. */
static enum outcome take_part(struct found *found, enum known known, struct bytes part,
                              struct error *err)
{
    struct bytes *value = &found->values[known];
    if (value->data && !bytes_equal(*value, part))
        return bad(err, NAMES[known].data, "contradicts " HEADER_PACKED);
    *value = part;
    return OUT_OK;
}

static enum outcome unpack(struct found *found, struct error *err)
{
    struct bytes parts[3];
    if (!found->values[KNOWN_PACKED].data)
        return OUT_OK;
    if (!split_packed(found->values[KNOWN_PACKED], parts))
        return bad(err, HEADER_PACKED, "is not \"version run sequence\"");
    if (!is_none(parts[0]) && take_part(found, KNOWN_VERSION, parts[0], err) != OUT_OK)
        return OUT_REJECT;
    if (parts[1].size && take_part(found, KNOWN_RUN, parts[1], err) != OUT_OK)
        return OUT_REJECT;
    return is_none(parts[2]) ? OUT_OK : take_part(found, KNOWN_SEQUENCE, parts[2], err);
}

/* *value keeps its value when the header is absent. */
static enum outcome take_number(const struct found *found, enum known known, int64_t *value,
                                bool *has, struct error *err)
{
    struct bytes text = found->values[known];
    *has = text.data != NULL;
    if (*has && !text_parse_int64(text, value))
        return bad(err, NAMES[known].data, "is not a whole number of 64 bits");
    return OUT_OK;
}

/* The parts of a key of our form; false for any other key. */
static bool split_key(struct bytes key, struct bytes parts[3])
{
    for (int i = 0; i < 2; i++) {
        const char *slash = key.size ? memchr(key.data, '/', key.size) : NULL;
        if (!slash)
            return false;
        size_t size = (size_t)(slash - key.data);
        parts[i] = bytes_of(key.data, size);
        key = bytes_of(slash + 1, key.size - size - 1);
    }
    parts[2] = key;
    return parts[0].size && parts[1].size && key.size && !memchr(key.data, '/', key.size) &&
           tenant_key_is_valid(parts[0]);
}

/* True when `part` of a key is this entity percent-encoded. */
static bool is_entity(struct bytes part, struct bytes entity)
{
    if (bytes_equal(part, entity))
        return true;
    struct buf encoded;
    buf_init(&encoded, 3 * entity.size);
    text_percent_encode(&encoded, entity);
    bool same = bytes_equal(buf_view(&encoded), part);
    buf_free(&encoded);
    return same;
}

/* Takes what the headers leave out from the key, and refuses a key that contradicts them. */
static enum outcome merge_key(const struct envelope *envelope, struct record *record,
                              struct error *err)
{
    struct bytes parts[3];
    bool ours = split_key(envelope->key, parts);
    if (ours && record->tenant.size && !bytes_equal(record->tenant, parts[0]))
        return error_set(err, OUT_REJECT, ERR_ENVELOPE,
                         "the key names another tenant than the header " HEADER_TENANT);
    if (ours && record->entity.size && !is_entity(parts[1], record->entity))
        return error_set(err, OUT_REJECT, ERR_ENVELOPE,
                         "the key names another entity than the header " HEADER_ENTITY);
    if (ours && !record->tenant.size)
        record->tenant = parts[0];
    if (ours && !record->entity.size && !memchr(parts[1].data, '%', parts[1].size))
        record->entity = parts[1];
    if (ours && record->id.size && envelope->null_value)
        record->key_id = parts[2];
    if (ours && !record->id.size)
        record->id = parts[2];
    return OUT_OK;
}

static enum outcome decode_names(const struct envelope *envelope, const struct found *found,
                                 struct record *record, struct error *err)
{
    record->tenant = found->values[KNOWN_TENANT];
    record->entity = found->values[KNOWN_ENTITY];
    record->id = found->values[KNOWN_ID];
    record->run = found->values[KNOWN_RUN];
    record->source_key = found->values[KNOWN_SOURCE_KEY];
    record->user = found->values[KNOWN_USER];
    record->localstorage_origin = found->values[KNOWN_LOCALSTORAGE_ORIGIN];
    record->sealed = found->values[KNOWN_SEALED];
    if (merge_key(envelope, record, err) != OUT_OK)
        return OUT_REJECT;
    if (!record->tenant.size)
        return bad(err, HEADER_TENANT, "is missing");
    if (found->values[KNOWN_TENANT].size && !tenant_key_is_valid(record->tenant)) /* a key's is */
        return bad(err, HEADER_TENANT, "is not an isolation key");
    if (!record->entity.size)
        return bad(err, HEADER_ENTITY, "is missing");
    if (envelope->null_value && !record->id.size)
        return bad(err, HEADER_ID, "is missing: a delete needs it");
    return OUT_OK;
}

/* An origin is for people: one that is not of our form is kept as it is. */
static void decode_origin(struct bytes text, struct origin *origin)
{
    struct bytes rest = text;
    if (text_cut_number(&rest, "@", &origin->byte) &&
        text_cut_number(&rest, ":", &origin->column) &&
        text_cut_number(&rest, ":", &origin->line)) {
        origin->uri = rest;
        return;
    }
    *origin = (struct origin){.uri = text};
}

enum outcome envelope_decode(const struct envelope *envelope, struct record *record,
                             struct error *err)
{
    *record = (struct record){
        .operation = envelope->null_value ? OP_DELETE : OP_UPSERT,
        .payload = envelope->value,
        .index = -1,
        .sequence = -1,
    };
    struct found found;
    bool has;
    find_headers(envelope, &found);
    if (found.contested)
        return bad(err, found.contested, "is there twice");
    if (unpack(&found, err) != OUT_OK || decode_names(envelope, &found, record, err) != OUT_OK ||
        take_number(&found, KNOWN_VERSION, &record->version, &record->has_version, err) != OUT_OK ||
        take_number(&found, KNOWN_SEQUENCE, &record->sequence, &has, err) != OUT_OK ||
        take_number(&found, KNOWN_INDEX, &record->index, &has, err) != OUT_OK)
        return OUT_REJECT;
    if (record->sequence < -1 || record->index < -1)
        return bad(err, record->index < -1 ? HEADER_INDEX : HEADER_SEQUENCE, "is negative");
    decode_origin(found.values[KNOWN_ORIGIN], &record->origin);
    return OUT_OK;
}

/* The value of the first header of this name; no data: there is none. */
static struct bytes find_first(const struct envelope *envelope, enum known known)
{
    for (size_t i = 0; i < envelope->header_count; i++)
        if (bytes_equal(envelope->headers[i].name, NAMES[known]))
            return envelope->headers[i].value;
    return (struct bytes){0};
}

int64_t envelope_sequence(const struct envelope *envelope, struct bytes *run)
{
    int64_t sequence;
    struct bytes parts[3] = {{0}}, text = find_first(envelope, KNOWN_SEQUENCE);
    *run = find_first(envelope, KNOWN_RUN);
    if (split_packed(find_first(envelope, KNOWN_PACKED), parts)) {
        *run = parts[1].size ? parts[1] : *run;
        text = is_none(parts[2]) ? text : parts[2];
    }
    if (text.size == 0)
        return -1;
    return text_parse_int64(text, &sequence) && sequence >= 0 ? sequence : -2;
}

bool envelope_has_version(const struct envelope *envelope)
{
    struct bytes packed = find_first(envelope, KNOWN_PACKED);
    bool none =
        packed.size == 0 || (packed.size > 1 && packed.data[0] == '-' && packed.data[1] == ' ');
    return !none || find_first(envelope, KNOWN_VERSION).size > 0;
}
