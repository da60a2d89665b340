#ifndef DROVER_MODEL_JSON_STREAM_H
#define DROVER_MODEL_JSON_STREAM_H

/*
 * Splits a byte stream into records without I/O: feed any chunks, take records. It knows strings
 * and brackets, not values: each record's own text is checked later by json_parse, so one bad
 * record costs one record, and the splitter finds the next (resynchronisation rules in the .c).
 *
 * Shapes: array of values, object keyed by id (each member one record, the member name is its
 * source_key), NDJSON, one single value. Memory: one record at most, `record_max` bytes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

/* Each with its word in produce.format. */
#define JSON_SHAPES(X)                                                                             \
    X(ARRAY, "array")                                                                              \
    X(KEYED, "keyed")                                                                              \
    X(NDJSON, "ndjson")                                                                            \
    X(SINGLE, "single")

enum json_shape {
    JSON_SHAPE_DETECT, /* '[' = array; '{' = NDJSON if a second top-level value follows, keyed if
                          every member of the first 64 KiB is an object and there are two or more
                          or it lacks what is expected of a record, else single */
#define X(shape, word) JSON_SHAPE_##shape,
    JSON_SHAPES(X)
#undef X
        JSON_SHAPE_VALUES, /* only detected: values one after the other, told apart by their
                              brackets */
    JSON_SHAPE_NONE,       /* only detected: nothing that could be read */
};

struct json_record_text {
    struct bytes text; /* the record's bytes as read, without surrounding white space; valid until
                          the next call */
    struct bytes key;  /* keyed: member name, escapes decoded, may be ""; else data NULL */
    uint64_t line, column; /* of its first byte, from 1; columns count bytes */
    uint64_t byte;         /* offset of its first byte in the (decompressed) stream */
    uint64_t ordinal;      /* pieces before it, rejected ones included */
};

struct json_stream;

struct json_stream *json_stream_new(enum json_shape shape, size_t record_max);
void json_stream_free(struct json_stream *stream);
#define JSON_EXPECTED_MAX 16

/* Members that a single record has, as it could not be taken without them: of each group one or
 * more. Of an object with one member, or none, nothing else tells whether it is a record. */
struct json_expected {
    struct bytes names[JSON_EXPECTED_MAX]; /* borrowed as long as the stream lives */
    unsigned char groups[JSON_EXPECTED_MAX];
    size_t count;
};
/* Before the first chunk, for JSON_SHAPE_DETECT; copies *expected. */
void json_stream_expect(struct json_stream *stream, const struct json_expected *expected);
/* The shape found, JSON_SHAPE_DETECT while not known. */
enum json_shape json_stream_shape(const struct json_stream *stream);

/* Where a stream of lines begins anew, for who reads on behind what was read before. */
struct json_line_start {
    uint64_t byte, line, ordinal;
};
/* Before the first chunk of an NDJSON stream: its first byte is that one. */
void json_stream_begin_at(struct json_stream *stream, const struct json_line_start *start);
/* After END: what would be appended begins there. False: it is no NDJSON, or its last line has no
 * end. */
bool json_stream_ended_at(const struct json_stream *stream, struct json_line_start *start);

/* Hands over the next chunk (borrowed until json_stream_next returns JSON_STREAM_MORE). */
void json_stream_feed(struct json_stream *stream, struct bytes chunk);
/* No more chunks will come. */
void json_stream_finish(struct json_stream *stream);

enum json_stream_result {
    JSON_STREAM_RECORD,   /* *record_text is a record's text */
    JSON_STREAM_REJECTED, /* *record_text says where; err says why (too large DRV-J007, broken
                             DRV-J001, cut DRV-J009, …); the stream goes on */
    JSON_STREAM_MORE,     /* feed or finish */
    JSON_STREAM_END,
};
enum json_stream_result json_stream_next(struct json_stream *stream,
                                         struct json_record_text *record_text, struct error *err);

#endif
