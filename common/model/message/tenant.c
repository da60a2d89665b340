/*
 * Isolation keys. A component never holds ':' after encoding, a plain tenantId has none and a
 * context always four, so the key can be taken apart in one way only. A key that is too long, or
 * that could be mistaken for a cut one, is cut and ends in a digest of the whole.
 */

#include "common/model/message/tenant.h"

#include <stdint.h>

#include "common/base/hash.h"
#include "common/base/text.h"
#include "common/model/json/json.h"

enum {
    PARTS = 5,
    HEX_SIZE = 32,
    CUT_SIZE = TENANT_KEY_MAX - 1 - HEX_SIZE, /* 222 */
};

/* Of one component, before encoding. */
#define PART_MAX ((size_t)64 * 1024)

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Has the form of a cut key: '~' and the digest at its end. */
static bool looks_cut(struct bytes key)
{
    if (key.size != TENANT_KEY_MAX || key.data[CUT_SIZE] != '~')
        return false;
    for (size_t i = CUT_SIZE + 1; i < key.size; i++) {
        if (!is_hex(key.data[i]))
            return false;
    }
    return true;
}

static enum outcome check_part(struct bytes part, struct error *err)
{
    if (part.size > PART_MAX)
        return error_set(err, OUT_REJECT, ERR_TENANT_FORM, "a part of the tenant is over 64 KiB");
    if (part.size > 0 && memchr(part.data, '\0', part.size))
        return error_set(err, OUT_REJECT, ERR_TENANT_FORM, "the tenant holds the NUL character");
    if (!text_is_utf8(part, NULL))
        return error_set(err, OUT_REJECT, ERR_TENANT_FORM, "the tenant is not valid UTF-8");
    return OUT_OK;
}

static void append_short_key(struct buf *out, struct bytes key)
{
    if (key.size <= TENANT_KEY_MAX && !looks_cut(key)) {
        buf_append_bytes(out, key);
        return;
    }
    struct digest digest = digest_of(key);
    char hex[HEX_SIZE + 1];
    digest_format(&digest, hex);
    buf_append(out, key.data, CUT_SIZE);
    buf_append_char(out, '~');
    buf_append(out, hex, HEX_SIZE);
}

static enum outcome append_parts(const struct bytes *parts, size_t count, struct buf *out,
                                 struct error *err)
{
    struct buf key;
    buf_init(&key, PARTS * (PART_MAX * 3 + 1));
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < count && outcome == OUT_OK; i++) {
        outcome = check_part(parts[i], err);
        if (i > 0)
            buf_append_char(&key, ':');
        text_percent_encode(&key, parts[i]);
    }
    if (outcome == OUT_OK)
        append_short_key(out, buf_view(&key));
    buf_free(&key);
    if (outcome == OUT_OK && out->failed)
        return error_set(err, OUT_REJECT, ERR_TENANT_FORM, "the tenant is too long");
    return outcome;
}

enum outcome tenant_append_key(const struct tenant *tenant, struct buf *out, struct error *err)
{
    const struct bytes parts[PARTS] = {tenant->organization_id, tenant->server_id,
                                       tenant->project_id, tenant->codebase_hash,
                                       tenant->environment};
    size_t given = 0;
    for (size_t i = 0; i < PARTS; i++)
        given += parts[i].size > 0;
    if (given == 0 && tenant->tenant_id.size == 0)
        return error_set(err, OUT_REJECT, ERR_TENANT_MISSING, "the record names no tenant");
    if (given > 0 && tenant->tenant_id.size > 0)
        return error_set(err, OUT_REJECT, ERR_TENANT_FORM,
                         "the record names both a tenantId and a tenant context");
    bool is_short = 3 * tenant->tenant_id.size < TENANT_KEY_MAX; /* never cut */
    if (given == 0 && is_short && check_part(tenant->tenant_id, err) == OUT_OK) {
        text_percent_encode(out, tenant->tenant_id);
        if (!out->failed)
            return OUT_OK;
    }
    if (given == 0)
        return append_parts(&tenant->tenant_id, 1, out, err);
    return append_parts(parts, PARTS, out, err);
}

static int upper_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* Decodes `key` to its components' bytes, ':' kept; false when it is not as encoded here: another
 * spelling of the same component would be another tenant. */
static bool decode_strictly(struct bytes key, char *out, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < key.size; i++) {
        char c = key.data[i];
        if (c == '%') {
            int high = i + 2 < key.size ? upper_hex(key.data[i + 1]) : -1;
            int low = i + 2 < key.size ? upper_hex(key.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            if (c == '\0' || is_unreserved(c))
                return false;
            i += 2;
        } else if (c != ':' && !is_unreserved(c)) {
            return false;
        }
        out[(*size)++] = c;
    }
    return true;
}

static size_t count_colons(struct bytes key)
{
    size_t count = 0;
    for (size_t i = 0; i < key.size; i++)
        count += key.data[i] == ':';
    return count;
}

bool tenant_key_is_valid(struct bytes isolation_key)
{
    if (isolation_key.size == 0 || isolation_key.size > TENANT_KEY_MAX)
        return false;
    size_t colons = count_colons(isolation_key);
    struct bytes text = isolation_key;
    bool cut = looks_cut(isolation_key);
    if (cut) {
        text.size = CUT_SIZE;
        /* The cut may have gone through a %XX. */
        for (size_t back = 1; back <= 2; back++) {
            if (text.data[CUT_SIZE - back] == '%')
                text.size = CUT_SIZE - back;
        }
        if (colons > PARTS - 1)
            return false;
    } else if ((colons != 0 && colons != PARTS - 1) || colons == isolation_key.size) {
        return false;
    }
    char decoded[TENANT_KEY_MAX];
    size_t size, bad_at;
    if (!decode_strictly(text, decoded, &size))
        return false;
    /* A cut may also have gone through a character. */
    return text_is_utf8(bytes_of(decoded, size), &bad_at) || (cut && size - bad_at < 4);
}

/* The component that starts at *at; *at moves behind its ':'. */
static struct bytes next_part(struct bytes key, size_t *at)
{
    size_t from = *at;
    while (*at < key.size && key.data[*at] != ':')
        (*at)++;
    return bytes_of(key.data + from, (*at)++ - from);
}

static void append_member(struct buf *out, const char *name, struct bytes encoded, bool *first)
{
    if (encoded.size == 0)
        return; /* an absent part */
    struct buf decoded;
    buf_init(&decoded, TENANT_KEY_MAX);
    if (!text_percent_decode(&decoded, encoded))
        out->failed = true;
    buf_append_char(out, *first ? '{' : ',');
    json_append_string(out, bytes_text(name));
    buf_append_char(out, ':');
    json_append_string(out, buf_view(&decoded));
    *first = false;
    buf_free(&decoded);
}

bool tenant_append_context(struct bytes isolation_key, struct buf *out)
{
    static const char *const NAMES[PARTS] = {"organizationId", "serverId", "projectId",
                                             "codebaseHash", "environment"};
    if (!tenant_key_is_valid(isolation_key))
        return false;
    bool first = true;
    if (looks_cut(isolation_key)) {
        buf_append_text(out, "{\"isolationKey\":"); /* as it is: there may be half a %XX in it */
        json_append_string(out, isolation_key);
    } else if (count_colons(isolation_key) == 0) {
        append_member(out, "tenantId", isolation_key, &first);
    } else {
        size_t at = 0;
        for (size_t i = 0; i < PARTS; i++)
            append_member(out, NAMES[i], next_part(isolation_key, &at), &first);
    }
    buf_append_char(out, '}');
    return !out->failed;
}
