#include "common/policy/text_line.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/text_width.h"

#define FORMAT_SIZE 1024

struct text_line text_line_begin(struct buf *out, size_t indent, size_t width)
{
    size_t start = out->size;
    while (start > 0 && out->data[start - 1] != '\n')
        start--;
    size_t column = (size_t)text_width(bytes_of(out->data + start, out->size - start));
    return (struct text_line){out, column, indent, width};
}

static void break_line(struct text_line *line)
{
    struct buf *out = line->out;
    while (out->size && out->data[out->size - 1] == ' ')
        out->size--;
    buf_append_char(out, '\n');
    for (size_t i = 0; i < line->indent; i++)
        buf_append_char(out, ' ');
    line->column = line->indent;
}

void text_line_put(struct text_line *line, struct bytes piece)
{
    if (line->column + (size_t)text_width(piece) > line->width && line->column > line->indent) {
        break_line(line);
        while (piece.size && piece.data[0] == ' ')
            piece = bytes_of(piece.data + 1, piece.size - 1);
    }
    buf_append_bytes(line->out, piece);
    line->column += (size_t)text_width(piece);
}

void text_line_format(struct text_line *line, const char *format, ...)
{
    char text[FORMAT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_line_put(line, bytes_text(text));
}

void text_line_words(struct text_line *line, struct bytes text)
{
    size_t at = 0;
    while (at < text.size) {
        size_t end = at;
        while (end < text.size && text.data[end] == ' ')
            end++;
        size_t start = end > at + 1 && at ? end - 1 : at;
        while (end < text.size && text.data[end] != ' ')
            end++;
        text_line_put(line, bytes_of(text.data + start, end - start));
        at = end;
    }
}

void text_line_end(struct text_line *line)
{
    buf_append_char(line->out, '\n');
    line->column = 0;
}
