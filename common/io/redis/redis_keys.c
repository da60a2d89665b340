/* How keys in Redis are named, and the meta beside each record. */

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/hex.h"
#include "common/base/text.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_script.h"
#include "common/model/message/envelope.h"

#define DEFAULT_KEY "{isolation_key}/{entity}/{id}"
#define VERSION_DIGITS 16
#define DIGEST_DIGITS 32

static const char *template_of(const struct mapping *mapping)
{
    return mapping->redis.key ? mapping->redis.key : DEFAULT_KEY;
}

/* The next part of a template: a literal, or a placeholder without its braces. */
static bool next_part(const char **at, struct bytes *part, bool *placeholder)
{
    const char *begin = *at;
    *placeholder = *begin == '{';
    if (*begin == '\0')
        return false;
    const char *end = *placeholder ? strchr(begin, '}') : strchr(begin, '{');
    if (!end) /* a brace that is never closed was refused when the mapping was read */
        end = begin + strlen(begin);
    *part = bytes_of(begin + *placeholder, (size_t)(end - begin) - *placeholder);
    *at = end + (*placeholder && *end == '}');
    return true;
}

static bool append_column(struct buf *out, const struct mapping *mapping, struct bytes name,
                          const struct cell *cells)
{
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct column *column = &mapping->columns[mapping->key[i]];
        const struct cell *cell = &cells[mapping->key[i]];
        struct buf text;
        if (!bytes_equal(bytes_text(column->name), name))
            continue;
        buf_init(&text, 64u << 10);
        bool good = cell->size >= 0 && value_append_key(&column->type, *cell, &text);
        text_percent_encode(out, buf_view(&text));
        good = good && !text.failed;
        buf_free(&text);
        return good;
    }
    return false;
}

bool redis_rows_append_key(struct buf *out, const struct mapping *mapping, struct bytes tenant,
                           struct bytes id, const struct cell *cells)
{
    struct bytes part;
    bool placeholder, good = true;
    for (const char *at = template_of(mapping); good && next_part(&at, &part, &placeholder);) {
        if (!placeholder)
            buf_append_bytes(out, part);
        else if (bytes_equal(part, BYTES_LITERAL("isolation_key")))
            buf_append_bytes(out, tenant); /* percent-encoded as it is; so is an id */
        else if (bytes_equal(part, BYTES_LITERAL("id")))
            buf_append_bytes(out, id);
        else if (bytes_equal(part, BYTES_LITERAL("entity")))
            text_percent_encode(out, bytes_text(mapping->entity));
        else
            good = append_column(out, mapping, part, cells);
    }
    return good && !out->failed;
}

void redis_rows_append_glob(struct buf *out, const struct mapping *mapping)
{
    struct bytes part;
    bool placeholder;
    for (const char *at = template_of(mapping); next_part(&at, &part, &placeholder);) {
        if (placeholder) {
            buf_append_char(out, '*');
            continue;
        }
        for (size_t i = 0; i < part.size; i++) {
            if (strchr("*?[]\\", part.data[i]))
                buf_append_char(out, '\\');
            buf_append_char(out, part.data[i]);
        }
    }
    buf_append_char(out, '*'); /* the meta beside it ends in :v */
}

void redis_rows_append_progress_key(struct buf *out, const char *group, const char *topic,
                                    int32_t partition)
{
    buf_append_format(out, "drover:progress:%s:%s:%" PRId32, group, topic, partition);
}

void redis_rows_append_vault_key(struct buf *out, struct bytes tenant)
{
    buf_append_text(out, "drover:vault:");
    buf_append_bytes(out, tenant);
}

void redis_rows_append_name(struct buf *out, const char *what, const char *migration)
{
    buf_append_format(out, "drover:%s:%s", what, migration);
}

/* ---- meta -------------------------------------------------------------------------------- */

void redis_meta_append(struct buf *out, const struct mapping *mapping, const struct row *row)
{
    static const struct digest NONE;
    char hex[33];
    digest_format(row->deleted ? &NONE : &row->digest, hex);
    char *version = buf_extend(out, VERSION_DIGITS);
    uint64_t bits = (uint64_t)row->version ^ (UINT64_C(1) << 63);
    for (int i = VERSION_DIGITS; version && i > 0; bits >>= 4)
        version[--i] = HEX_DIGITS[bits & 15];
    buf_append(out, hex, DIGEST_DIGITS);
    buf_append_char(out, row->deleted ? 'd' : 'u');
    envelope_append_key(out, row->tenant, bytes_text(mapping->entity), row->id);
}

static bool parse_version(struct bytes hex, int64_t *version)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < hex.size; i++) {
        char c = hex.data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        bits = bits << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *version = (int64_t)(bits ^ (UINT64_C(1) << 63));
    return true;
}

bool redis_meta_parse(struct bytes text, struct redis_meta *meta)
{
    if (text.size < REDIS_META_OWNER)
        return false;
    struct bytes owner = bytes_of(text.data + REDIS_META_OWNER, text.size - REDIS_META_OWNER);
    const char *first = owner.size ? memchr(owner.data, '/', owner.size) : NULL;
    const char *end = owner.data + owner.size;
    const char *second = first ? memchr(first + 1, '/', (size_t)(end - first - 1)) : NULL;
    char mark = text.data[REDIS_META_OWNER - 1];
    if (!second || (mark != 'u' && mark != 'd'))
        return false;
    *meta = (struct redis_meta){
        .deleted = mark == 'd',
        .tenant = bytes_of(owner.data, (size_t)(first - owner.data)),
        .entity = bytes_of(first + 1, (size_t)(second - first - 1)),
        .id = bytes_of(second + 1, (size_t)(end - second - 1)),
    };
    return parse_version(bytes_of(text.data, VERSION_DIGITS), &meta->version) &&
           digest_parse(bytes_of(text.data + VERSION_DIGITS, DIGEST_DIGITS), &meta->digest);
}
