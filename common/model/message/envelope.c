/*
 * A record as a message. What the record has as text is viewed; the key, numbers and the origin
 * are built one after the other in a buffer and viewed only when it does not move any longer.
 * Decoding copies nothing.
 */
#include "common/model/message/envelope.h"

#include <assert.h>

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

/* Four numbers a record: printf would be a tenth of the producer's time. */
static void append_number(struct buf *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    buf_append(out, digits + at, sizeof(digits) - at);
}

static void add_number(struct drafts *drafts, const char *name, int64_t value)
{
    begin_header(drafts, name);
    if (value < 0)
        buf_append_char(drafts->text, '-');
    append_number(drafts->text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    finish_header(drafts);
}

/* File names may hold any byte: those that would break a line or a decoder are percent-encoded. */
static void append_uri(struct buf *out, struct bytes uri)
{
    for (size_t at = 0; at < uri.size;) {
        size_t size = text_utf8_size(uri, at);
        unsigned char c = (unsigned char)uri.data[at];
        if (size == 0 || c < 0x20 || c == 0x7F || c == '%') {
            buf_append_format(out, "%%%02X", c);
            at++;
            continue;
        }
        buf_append(out, uri.data + at, size);
        at += size;
    }
}

static void add_origin(struct drafts *drafts, const struct origin *origin)
{
    begin_header(drafts, HEADER_ORIGIN);
    append_uri(drafts->text, origin->uri);
    buf_append_char(drafts->text, ':');
    append_number(drafts->text, origin->line);
    buf_append_char(drafts->text, ':');
    append_number(drafts->text, origin->column);
    buf_append_char(drafts->text, '@');
    append_number(drafts->text, origin->byte);
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

static void add_headers(struct drafts *drafts, const struct record *record)
{
    add_bytes(drafts, HEADER_TENANT, record->tenant);
    add_bytes(drafts, HEADER_ENTITY, record->entity);
    add_bytes(drafts, HEADER_ID, record->id);
    if (record->has_version)
        add_number(drafts, HEADER_VERSION, record->version);
    if (record->run.size)
        add_bytes(drafts, HEADER_RUN, record->run);
    if (record->sequence >= 0)
        add_number(drafts, HEADER_SEQUENCE, record->sequence);
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
    add_bytes(drafts, HEADER_CONTENT_TYPE, BYTES_LITERAL("application/json"));
}

enum outcome envelope_encode(const struct record *record, struct buf *text, struct envelope *out,
                             struct error *err)
{
    if (record->id.size == 0 || record->tenant.size == 0 || record->entity.size == 0)
        return error_set(err, OUT_REJECT, ERR_ENVELOPE, "a message needs tenant, entity and id");
    buf_reset(text);
    envelope_append_key(text, record->tenant, record->entity, record->id);
    size_t key_size = text->size;
    struct drafts drafts = {.text = text};
    add_headers(&drafts, record);
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

/* ---- decode ---- */

static enum outcome bad(struct error *err, const char *header, const char *what)
{
    return error_set(err, OUT_REJECT, ERR_ENVELOPE, "the header %s %s", header, what);
}

/* *value has no data when the header is absent. Twice the same header could mean two tenants. */
static enum outcome find(const struct envelope *envelope, const char *name, struct bytes *value,
                         struct error *err)
{
    struct bytes wanted = bytes_text(name);
    bool found = false;
    *value = (struct bytes){0};
    for (size_t i = 0; i < envelope->header_count; i++) {
        const struct header *header = &envelope->headers[i];
        if (!bytes_equal(header->name, wanted))
            continue;
        if (found && !bytes_equal(*value, header->value))
            return bad(err, name, "is there twice");
        *value = header->value;
        found = true;
    }
    return OUT_OK;
}

/* *value keeps its value when the header is absent. */
static enum outcome find_number(const struct envelope *envelope, const char *name, int64_t *value,
                                bool *found, struct error *err)
{
    struct bytes text;
    if (find(envelope, name, &text, err) != OUT_OK)
        return OUT_REJECT;
    *found = text.data != NULL;
    if (*found && !text_parse_int64(text, value))
        return bad(err, name, "is not a whole number of 64 bits");
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

static enum outcome decode_names(const struct envelope *envelope, struct record *record,
                                 struct error *err)
{
    if (find(envelope, HEADER_TENANT, &record->tenant, err) != OUT_OK ||
        find(envelope, HEADER_ENTITY, &record->entity, err) != OUT_OK ||
        find(envelope, HEADER_ID, &record->id, err) != OUT_OK ||
        find(envelope, HEADER_RUN, &record->run, err) != OUT_OK ||
        find(envelope, HEADER_SOURCE_KEY, &record->source_key, err) != OUT_OK ||
        find(envelope, HEADER_USER, &record->user, err) != OUT_OK ||
        find(envelope, HEADER_LOCALSTORAGE_ORIGIN, &record->localstorage_origin, err) != OUT_OK ||
        find(envelope, HEADER_SEALED, &record->sealed, err) != OUT_OK ||
        merge_key(envelope, record, err) != OUT_OK)
        return OUT_REJECT;
    if (!record->tenant.size)
        return bad(err, HEADER_TENANT, "is missing");
    if (!tenant_key_is_valid(record->tenant))
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
    struct bytes origin;
    bool found;
    if (decode_names(envelope, record, err) != OUT_OK ||
        find_number(envelope, HEADER_VERSION, &record->version, &record->has_version, err) !=
            OUT_OK ||
        find_number(envelope, HEADER_SEQUENCE, &record->sequence, &found, err) != OUT_OK ||
        find_number(envelope, HEADER_INDEX, &record->index, &found, err) != OUT_OK ||
        find(envelope, HEADER_ORIGIN, &origin, err) != OUT_OK)
        return OUT_REJECT;
    if (record->sequence < -1 || record->index < -1)
        return bad(err, record->index < -1 ? HEADER_INDEX : HEADER_SEQUENCE, "is negative");
    decode_origin(origin, &record->origin);
    return OUT_OK;
}

static struct bytes find_first(const struct envelope *envelope, const char *name)
{
    for (size_t i = 0; i < envelope->header_count; i++)
        if (bytes_equal(envelope->headers[i].name, bytes_text(name)))
            return envelope->headers[i].value;
    return (struct bytes){0};
}

int64_t envelope_sequence(const struct envelope *envelope, struct bytes *run)
{
    int64_t sequence;
    struct bytes text = find_first(envelope, HEADER_SEQUENCE);
    *run = find_first(envelope, HEADER_RUN);
    if (text.size == 0)
        return -1;
    return text_parse_int64(text, &sequence) && sequence >= 0 ? sequence : -2;
}
