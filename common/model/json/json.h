#ifndef DROVER_MODEL_JSON_H
#define DROVER_MODEL_JSON_H

/*
 * Reads one record's JSON text into a yyjson document, with the rules a migration needs on top of
 * the grammar: numbers are kept as raw text (never doubles), duplicate members are refused,
 * nesting is bounded, and what PostgreSQL cannot store (NUL in a string, numbers of more than 40
 * digits or exponents beyond 308) is refused here, before it is sent anywhere.
 * Rows J01-J18 of the fault catalogue.
 */

#include <yyjson.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/hash.h"

struct members;

#define JSON_DEPTH_MAX 256 /* fault row J17; PostgreSQL itself fails somewhere above 10,000 */

/* What happens to a lone surrogate, an invalid UTF-8 byte or a NUL character. */
enum json_unicode {
    JSON_UNICODE_REJECT,
    JSON_UNICODE_REPLACE, /* each becomes U+FFFD; never stripped silently */
};

/* Parses and checks `text`. On OUT_OK the caller owns *doc (yyjson_doc_free). Number values have
 * the type YYJSON_TYPE_RAW and hold their source text. OUT_REJECT fills err with a DRV-J code, the
 * JSON path where there is one, and error_where "byte N" for syntax errors. `alc` may be NULL.
 * The document does not refer to `text` afterwards. */
MUST_USE enum outcome json_parse(struct bytes text, enum json_unicode unicode,
                                 const yyjson_alc *alc, yyjson_doc **doc, struct error *err);

/* json_parse, which sorts the members of every object to find duplicates: those of the root stay in
 * `members` (reset or zero-length before; none when the root is no object). They live as long as
 * the document. */
MUST_USE enum outcome json_parse_members(struct bytes text, enum json_unicode unicode,
                                         const yyjson_alc *alc, yyjson_doc **doc,
                                         struct members *members, struct error *err);

/* Writes the value of `val` as compact JSON text (numbers as they were). */
void json_append(struct buf *out, yyjson_val *val);

/* The same for one value that is no container, and for a string of valid UTF-8 that is not in a
 * document. The escapes are those of the canonical form. */
void json_append_scalar(struct buf *out, yyjson_val *val);
void json_append_string(struct buf *out, struct bytes text);
/* A member's start: `before` ('{' or ','), the key, a colon. */
void json_append_key(struct buf *out, char before, yyjson_val *key);
/* That and its value. */
void json_append_member(struct buf *out, char before, yyjson_val *key, yyjson_val *val);

/* The text of a string, or of a number that is raw; none (NULL) of anything else. Of the document's
 * memory. */
static inline struct bytes json_text_of(yyjson_val *val)
{
    bool text = yyjson_is_str(val) || yyjson_is_raw(val);
    return text ? bytes_of(unsafe_yyjson_get_str(val), unsafe_yyjson_get_len(val))
                : (struct bytes){0};
}

/* A copy with its NUL, which outlives the document: to be freed; empty when it is no text. */
struct bytes json_copy_text(yyjson_val *val);
/* Of its hex digits; false: they are none. */
bool json_get_digest(yyjson_val *val, struct digest *digest);

/* Follows an RFC 6901 pointer ("" = the whole value); NULL when a part is absent. */
yyjson_val *json_at(yyjson_val *root, struct bytes pointer);

#endif
