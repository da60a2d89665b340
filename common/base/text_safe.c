/*
 * What people see of names, keys, paths and messages: without what looks like a secret, and without
 * what a terminal would act upon. Every such text passes here, so that no place can forget it.
 */

#include <stdint.h>

#include "common/base/text.h"
#include "common/base/token_shape.h"

#define MASK "***"
#define MARGIN 1024 /* bytes behind the cut that tell whether a secret begins before it */

/* What moves the cursor, colours, breaks the line or turns the reading direction. The marks and
 * overrides are those of "Trojan Source" (CVE-2021-42574). */
static bool is_unsafe(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point <= 0x9F) || point == 0x061C || point == 0x200E ||
           point == 0x200F || (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

static void append_escaped(struct buf *out, struct bytes text)
{
    size_t plain = 0;
    size_t at = 0;
    while (at < text.size) {
        size_t size = text_utf8_size(text, at);
        size_t taken = size ? size : 1;
        uint32_t point = size ? text_utf8_point(text.data + at, size) : 0;
        if (size && !is_unsafe(point)) {
            at += size;
            continue;
        }
        if (at > plain)
            buf_append(out, text.data + plain, at - plain);
        if (size > 1)
            buf_append_format(out, "\\u{%X}", point);
        else
            buf_append_format(out, "\\x%02X", (unsigned char)text.data[at]);
        at += taken;
        plain = at;
    }
    if (at > plain)
        buf_append(out, text.data + plain, at - plain);
}

/* The largest size of at most `most` bytes behind `from` that does not end inside a character. */
static size_t cut(struct bytes text, size_t from, size_t max)
{
    size_t at = from;
    while (at < text.size) {
        size_t size = text_utf8_size(text, at);
        if ((size ? size : 1) > max - at)
            break;
        at += size ? size : 1;
    }
    return at;
}

void text_append_safe(struct buf *out, struct bytes text, size_t max)
{
    struct bytes seen = text;
    struct token_scan scan;
    struct token_span span;
    size_t at = 0;
    if (max < SIZE_MAX - MARGIN && seen.size > max + MARGIN)
        seen.size = max + MARGIN;
    token_scan_init(&scan, seen);
    while (at < max && token_scan_next(&scan, &span) && span.start < max) {
        append_escaped(out, bytes_of(text.data + at, span.start - at));
        buf_append_text(out, MASK);
        at = span.start + span.size;
    }
    size_t end = at < max ? cut(text, at, max) : at;
    if (end > at)
        append_escaped(out, bytes_of(text.data + at, end - at));
    if (end < text.size)
        buf_append_text(out, "…");
}

void text_append_masked(struct buf *out, struct bytes text)
{
    struct token_scan scan;
    struct token_span span;
    size_t at = 0;
    token_scan_init(&scan, text);
    while (token_scan_next(&scan, &span)) {
        buf_append(out, text.data + at, span.start - at);
        buf_append_text(out, MASK);
        at = span.start + span.size;
    }
    if (at < text.size)
        buf_append(out, text.data + at, text.size - at);
}

static void append_step(struct buf *out, struct bytes step)
{
    struct buf name, masked;
    buf_init(&name, step.size);
    buf_init(&masked, sizeof MASK * (step.size + 1));
    for (size_t i = 0; i < step.size; i++) {
        bool escape = step.data[i] == '~' && i + 1 < step.size &&
                      (step.data[i + 1] == '0' || step.data[i + 1] == '1');
        buf_append_char(&name, escape ? (step.data[i + 1] == '1' ? '/' : '~') : step.data[i]);
        i += escape;
    }
    text_append_masked(&masked, buf_view(&name));
    if (bytes_equal(buf_view(&masked), buf_view(&name)))
        buf_append_bytes(out, step);
    else
        text_append_pointer_name(out, buf_view(&masked));
    buf_free(&name);
    buf_free(&masked);
}

void text_append_masked_path(struct buf *out, struct bytes path)
{
    struct buf steps;
    size_t at = 0;
    buf_init(&steps, SIZE_MAX / 2);
    while (at < path.size) {
        const char *slash = memchr(path.data + at, '/', path.size - at);
        size_t end = slash ? (size_t)(slash - path.data) : path.size;
        if (end > at)
            append_step(&steps, bytes_of(path.data + at, end - at));
        if (slash)
            buf_append_char(&steps, '/');
        at = end + 1;
    }
    text_append_masked(out, buf_view(&steps)); /* names with a '/' that nobody escaped */
    buf_free(&steps);
}
