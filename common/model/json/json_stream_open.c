/* Until the first record: the byte order mark, the shape, the list's opening bracket. */
#include "common/model/json/json_stream_parts.h"

enum json_stream_verdict json_stream_begin(struct json_stream *stream, struct json_piece *piece,
                                           struct error *err)
{
    struct bytes text = view(stream);
    if (text.size < 4 && !is_last(stream))
        return NEED_TEXT;
    const char *foreign = json_detect_foreign(text);
    if (foreign) {
        error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source is written in %s", foreign);
        error_hint(err, "convert it to UTF-8: iconv -f %s -t UTF-8", foreign);
        return reject_rest(stream, piece);
    }
    if (text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
        consume(stream, 3);
        stream->window.here.line_start = 3;
    }
    stream->detect_at = 256;
    stream->state = stream->layout == JSON_LAYOUT_UNKNOWN ? STATE_DETECT : STATE_OPENING;
    return GO_ON;
}

enum json_stream_verdict json_stream_detect(struct json_stream *stream, struct json_piece *piece,
                                            struct error *err)
{
    if (!skip_space(stream, false)) {
        stream->state = is_last(stream) ? STATE_DONE : stream->state;
        return is_last(stream) ? GO_ON : NEED_TEXT;
    }
    struct bytes text = view(stream);
    bool worth = text.data[0] == '[' || text.size >= stream->detect_at || is_last(stream);
    if (worth)
        stream->layout = json_detect(text, is_last(stream));
    if (stream->layout == JSON_LAYOUT_UNKNOWN) {
        stream->detect_at = text.size * 2 < JSON_DETECT_MOST ? text.size * 2 : JSON_DETECT_MOST;
        return NEED_TEXT;
    }
    stream->state = STATE_OPENING;
    if (stream->layout != JSON_LAYOUT_NONE)
        return GO_ON;
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source does not begin as JSON does");
    error_cause(err, "its first byte is 0x%02X, not '[' or '{'", (unsigned char)text.data[0]);
    return reject_rest(stream, piece);
}

enum json_stream_verdict json_stream_open(struct json_stream *stream, struct json_piece *piece,
                                          struct error *err)
{
    char closer = closer_of(stream);
    stream->state = stream->layout == JSON_LAYOUT_LINES ? STATE_LINE : STATE_BETWEEN;
    if (!closer)
        return GO_ON;
    stream->state = STATE_OPENING;
    if (!skip_space(stream, false)) {
        stream->state = is_last(stream) ? STATE_DONE : stream->state;
        return is_last(stream) ? GO_ON : NEED_TEXT;
    }
    char opener = closer == ']' ? '[' : '{';
    if (view(stream).data[0] != opener) {
        error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source does not begin with '%c'",
                  opener);
        error_hint(err, "leave --format away, or give the one the source has");
        return reject_rest(stream, piece);
    }
    consume(stream, 1);
    stream->state = STATE_BETWEEN;
    return GO_ON;
}
