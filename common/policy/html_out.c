#include "common/policy/html_out.h"

#include <ctype.h>
#include <time.h>

#include "common/base/text.h"

#define SAFE_GROWTH 16 /* bytes that text_append_safe makes of one, and a little more */

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static void append_char(struct buf *out, char c)
{
    const char *escape = escape_of(c);
    if (escape)
        buf_append_text(out, escape);
    else
        buf_append_char(out, c);
}

void html_append_words(struct buf *out, struct bytes words)
{
    for (size_t i = 0; i < words.size; i++) {
        if (words.data[i] == ' ' && i > 0 && isdigit((unsigned char)words.data[i - 1]))
            buf_append_text(out, "&#160;");
        else
            append_char(out, words.data[i]);
    }
}

void html_append_isolated(struct buf *out, struct bytes safe)
{
    buf_append_text(out, "<bdi>");
    for (size_t i = 0; i < safe.size; i++)
        append_char(out, safe.data[i]);
    buf_append_text(out, "</bdi>");
}

void html_append_outside(struct buf *out, struct bytes text, size_t max)
{
    struct buf safe;
    buf_init(&safe, SAFE_GROWTH * (max + 64));
    text_append_safe(&safe, text, max);
    html_append_isolated(out, buf_view(&safe));
    buf_free(&safe);
}

void html_append_count(struct buf *out, uint64_t count)
{
    char text[28];
    html_append_words(out, bytes_text(text_format_count(count, text)));
}

void html_append_time(struct buf *out, int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm moment;
    char text[40];
    if (!gmtime_r(&seconds, &moment) ||
        !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &moment))
        text[0] = '\0';
    buf_append_text(out, text);
}
