#ifndef DROVER_MODEL_JSON_STREAM_PARTS_H
#define DROVER_MODEL_JSON_STREAM_PARTS_H

/* The splitter's own state, shared by its two files: json_stream_open.c (until the first record)
 * and json_stream.c (from then on). */

#include "common/model/json/json_scan.h"
#include "common/model/json/json_stream.h"
#include "common/model/json/json_stream_detect.h"
#include "common/model/json/json_window.h"

enum json_stream_state {
    STATE_BEGIN,
    STATE_DETECT,
    STATE_OPENING,
    STATE_BETWEEN,
    STATE_ELEMENT,
    STATE_LINE,
    STATE_AFTER,
    STATE_REST,
    STATE_DONE,
};

/* What a step asks of the loop; the first four are the answers of json_stream_next. */
enum json_stream_verdict {
    SAY_PIECE = JSON_STREAM_PIECE,
    SAY_REJECTED = JSON_STREAM_REJECTED,
    NEED_TEXT = JSON_STREAM_MORE,
    SAY_END = JSON_STREAM_END,
    GO_ON,
};

struct json_stream {
    struct json_window window;
    enum json_stream_state state;
    enum json_layout layout;
    size_t record_most;
    size_t detect_at; /* size of the view at which detecting is tried again */
    size_t spent;     /* bytes of the piece last returned */

    struct json_scan scan;
    bool ended;     /* the scan found the end; ELEMENT only waits for what follows */
    bool probation; /* the element before was broken */
    bool goes_on;   /* REST: an array, which goes on at the next ',' '{' */
    char before;    /* REST: last byte skipped that is not white space */
    bool large;     /* over the limit; begun at `large_from` */
    struct json_place large_from;
    uint64_t ordinal;
    struct buf key;
};

static inline struct bytes view(const struct json_stream *stream)
{
    return json_window_view(&stream->window);
}

static inline bool is_last(const struct json_stream *stream)
{
    return json_window_is_last(&stream->window);
}

static inline void consume(struct json_stream *stream, size_t size)
{
    json_window_consume(&stream->window, size);
}

/* Consumes white space and, with `commas`, commas. False when the window is empty then. */
static inline bool skip_space(struct json_stream *stream, bool commas)
{
    struct bytes text = view(stream);
    size_t at = 0;
    while (at < text.size && (json_is_space(text.data[at]) || (commas && text.data[at] == ',')))
        at++;
    consume(stream, at);
    return at < text.size;
}

static inline char closer_of(const struct json_stream *stream)
{
    if (stream->layout == JSON_LAYOUT_ARRAY)
        return ']';
    return stream->layout == JSON_LAYOUT_KEYED ? '}' : 0;
}

static inline void json_stream_locate(struct json_piece *piece, const struct json_place *place)
{
    piece->line = place->line;
    piece->column = place->byte - place->line_start + 1;
    piece->byte = place->byte;
}

static inline enum json_stream_verdict
reject_at(struct json_stream *stream, struct json_piece *piece, const struct json_place *place)
{
    *piece = (struct json_piece){.ordinal = stream->ordinal++};
    json_stream_locate(piece, place);
    return SAY_REJECTED;
}

static inline enum json_stream_verdict reject(struct json_stream *stream, struct json_piece *piece)
{
    return reject_at(stream, piece, &stream->window.here);
}

static inline enum json_stream_verdict reject_rest(struct json_stream *stream,
                                                   struct json_piece *piece)
{
    stream->state = STATE_REST;
    return reject(stream, piece);
}

/* The steps before the first record. */
enum json_stream_verdict json_stream_begin(struct json_stream *stream, struct json_piece *piece,
                                           struct error *err);
enum json_stream_verdict json_stream_detect(struct json_stream *stream, struct json_piece *piece,
                                            struct error *err);
enum json_stream_verdict json_stream_open(struct json_stream *stream, struct json_piece *piece,
                                          struct error *err);

#endif
