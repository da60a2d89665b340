#include "common/base/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/text.h"

#define DOUBLES_EXACT (((uint64_t)1 << 53) - 1) /* RFC 8259, section 6 */

void json_out_init(struct json_out *out, struct buf *buf)
{
    *out = (struct json_out){.buf = buf, .first = true};
}

/* What stands before a value: the comma, the name. */
static void begin_value(struct json_out *out, const char *name)
{
    if (!out->first)
        buf_append_char(out->buf, ',');
    if (name) {
        buf_append_json(out->buf, bytes_text(name));
        buf_append_char(out->buf, ':');
    }
    out->first = false;
}

static void open_container(struct json_out *out, const char *name, char opener, char closer)
{
    begin_value(out, name);
    if (out->depth == JSON_OUT_DEPTH_MAX)
        abort();
    buf_append_char(out->buf, opener);
    out->closers[out->depth++] = closer;
    out->first = true;
}

void json_out_object(struct json_out *out, const char *name)
{
    open_container(out, name, '{', '}');
}

void json_out_list(struct json_out *out, const char *name)
{
    open_container(out, name, '[', ']');
}

void json_out_end(struct json_out *out)
{
    if (out->depth == 0)
        abort();
    buf_append_char(out->buf, out->closers[--out->depth]);
    out->first = false;
}

void json_out_end_to(struct json_out *out, unsigned depth)
{
    while (out->depth > depth)
        json_out_end(out);
}

void json_out_null(struct json_out *out, const char *name)
{
    begin_value(out, name);
    buf_append_text(out->buf, "null");
}

void json_out_bool(struct json_out *out, const char *name, bool value)
{
    begin_value(out, name);
    buf_append_text(out->buf, value ? "true" : "false");
}

void json_out_count(struct json_out *out, const char *name, uint64_t value)
{
    begin_value(out, name);
    buf_append_format(out->buf, value > DOUBLES_EXACT ? "\"%" PRIu64 "\"" : "%" PRIu64, value);
}

void json_out_int(struct json_out *out, const char *name, int64_t value)
{
    bool exact = value <= (int64_t)DOUBLES_EXACT && value >= -(int64_t)DOUBLES_EXACT;
    begin_value(out, name);
    buf_append_format(out->buf, exact ? "%" PRId64 : "\"%" PRId64 "\"", value);
}

void json_out_real(struct json_out *out, const char *name, double value, int decimals)
{
    if (!isfinite(value)) {
        json_out_null(out, name);
        return;
    }
    begin_value(out, name);
    buf_append_format(out->buf, "%.*f", decimals, value);
}

void json_out_text(struct json_out *out, const char *name, const char *text)
{
    if (text)
        json_out_bytes(out, name, bytes_text(text));
    else
        json_out_null(out, name);
}

void json_out_bytes(struct json_out *out, const char *name, struct bytes text)
{
    struct buf masked;
    begin_value(out, name);
    buf_init(&masked, SIZE_MAX / 2);
    text_append_masked(&masked, text);
    buf_append_json(out->buf, buf_view(&masked));
    buf_free(&masked);
}

void json_out_verbatim(struct json_out *out, const char *name, struct bytes text)
{
    begin_value(out, name);
    buf_append_json(out->buf, text);
}

void json_out_digest(struct json_out *out, const char *name, const struct digest *digest)
{
    char hex[33];
    digest_format(digest, hex);
    json_out_verbatim(out, name, bytes_text(hex));
}

void json_out_exact(struct json_out *out, const char *name, int64_t value)
{
    begin_value(out, name);
    buf_append_format(out->buf, "\"%" PRId64 "\"", value);
}

void json_out_seconds(struct json_out *out, const char *name, uint64_t ms)
{
    begin_value(out, name);
    buf_append_format(out->buf, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
}

void json_out_time(struct json_out *out, const char *name, int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm moment;
    char text[40];
    if (unix_ms < 0 || !gmtime_r(&seconds, &moment) ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &moment) == 0) {
        json_out_null(out, name);
        return;
    }
    begin_value(out, name);
    buf_append_format(out->buf, "\"%s.%03dZ\"", text, (int)(unix_ms % 1000));
}

void json_out_raw(struct json_out *out, const char *name, struct bytes json)
{
    begin_value(out, name);
    buf_append_bytes(out->buf, json);
}
