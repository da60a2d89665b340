#include "common/io/redis/redis_wire.h"

#include <inttypes.h>
#include <stdio.h>

/* By hand: a call has some ten thousand of these lines. */
static void head(struct buf *out, char mark, size_t number)
{
    char line[24];
    size_t at = sizeof line;
    line[--at] = '\n';
    line[--at] = '\r';
    do
        line[--at] = (char)('0' + number % 10);
    while (number /= 10);
    line[--at] = mark;
    buf_append(out, line + at, sizeof line - at);
}

void redis_wire_begin(struct buf *out, size_t words)
{
    head(out, '*', words);
}

void redis_wire_word(struct buf *out, struct bytes word)
{
    head(out, '$', word.size);
    buf_append_bytes(out, word);
    buf_append(out, "\r\n", 2);
}

void redis_wire_text(struct buf *out, const char *word)
{
    redis_wire_word(out, bytes_text(word));
}

void redis_wire_number(struct buf *out, int64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%" PRId64, number);
    redis_wire_word(out, bytes_of(text, (size_t)size));
}

void redis_wire_command(struct buf *out, size_t count, const char *const *words)
{
    redis_wire_begin(out, count);
    for (size_t i = 0; i < count; i++)
        redis_wire_text(out, words[i]);
}
