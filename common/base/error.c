#include "common/base/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/text.h"

struct code_row {
    const char *id;
    const char *meaning;
    const char *advice;
    enum exit_code exit_code;
};

static const struct code_row CODES[] = {
#define X(name, id, exit_code, meaning, advice) [name] = {id, meaning, advice, exit_code},
    ERROR_CODES(X)
#undef X
};

#define FORMAT_ROOM 1024
#define CODE_COUNT (sizeof(CODES) / sizeof(CODES[0]))

/* A value outside the list can only come from our own bug; it is shown as such, not crashed on,
 * because this code runs while something else is being reported. */
static const struct code_row *code_row(enum error_code code)
{
    return (size_t)code < CODE_COUNT ? &CODES[code] : &CODES[ERR_INTERNAL];
}

/* The longest prefix of at most `most` bytes that does not end inside a UTF-8 character. */
static size_t cut_at_character(const char *text, size_t max)
{
    size_t end = max;
    while (end > 0 && max - end < 3 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    return ((unsigned char)text[end] & 0xC0) == 0x80 ? max : end;
}

/* A text that does not fit into `room` is formatted into memory of its own (*longer). */
static struct bytes PRINTF_LIKE(3, 0)
    format_all(char room[FORMAT_ROOM], char **longer, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(room, FORMAT_ROOM, format, args);
    struct bytes all = bytes_of(room, length < 0 ? 0 : (size_t)length);
    *longer = NULL;
    if (all.size >= FORMAT_ROOM) {
        *longer = mem_alloc(all.size + 1);
        vsnprintf(*longer, all.size + 1, format, again);
        all.data = *longer;
    }
    va_end(again);
    return all;
}

/* Formats through a buffer of its own, as the arguments may be parts of the same error; masks what
 * looks like a secret before it is cut, as half of one would not be known any more. What a server
 * says often ends in a newline or spans lines: one part of an error is one line. */
static void PRINTF_LIKE(4, 0)
    set_part(char *part, size_t size, bool is_path, const char *format, va_list args)
{
    char room[FORMAT_ROOM], *longer;
    struct buf masked;
    struct bytes all = format_all(room, &longer, format, args);
    buf_init(&masked, SIZE_MAX / 2);
    if (is_path && all.size && all.data[0] == '/')
        text_append_masked_path(&masked, all);
    else
        text_append_masked(&masked, all);
    const char *formatted = buf_text(&masked);
    size_t used = masked.size;
    if (used >= size)
        used = cut_at_character(formatted, size - 1);
    for (size_t i = 0; i < used; i++) {
        unsigned char c = (unsigned char)formatted[i];
        part[i] = c < 0x20 || c == 0x7F ? ' ' : formatted[i];
    }
    while (used > 0 && part[used - 1] == ' ')
        used--;
    part[used] = '\0';
    buf_free(&masked);
    free(longer);
}

enum outcome error_set(struct error *err, enum outcome outcome, enum error_code code,
                       const char *format, ...)
{
    if (!err)
        return outcome;
    va_list args;
    va_start(args, format);
    set_part(err->text, sizeof(err->text), false, format, args);
    va_end(args);
    err->outcome = outcome;
    err->code = code;
    err->where[0] = err->cause[0] = err->hint[0] = err->path[0] = '\0';
    return outcome;
}

#define DEFINE_PART(name, is_path)                                                                 \
    void error_##name(struct error *err, const char *format, ...)                                  \
    {                                                                                              \
        if (!err)                                                                                  \
            return;                                                                                \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        set_part(err->name, sizeof(err->name), is_path, format, args);                             \
        va_end(args);                                                                              \
    }

DEFINE_PART(where, false)
DEFINE_PART(cause, false)
DEFINE_PART(hint, false)
DEFINE_PART(path, true)

const char *error_code_id(enum error_code code)
{
    return code_row(code)->id;
}

const char *error_code_meaning(enum error_code code)
{
    return code_row(code)->meaning;
}

const char *error_code_advice(enum error_code code)
{
    return code_row(code)->advice;
}

enum exit_code error_code_exit(enum error_code code)
{
    return code_row(code)->exit_code;
}

int error_code_find(const char *id, enum error_code *code)
{
    for (size_t i = 0; i < CODE_COUNT; i++) {
        if (strcasecmp(CODES[i].id, id) == 0) {
            *code = (enum error_code)i;
            return 1;
        }
    }
    return 0;
}

static void append_part(struct buf *out, const char *label, const char *part)
{
    buf_append_text(out, label);
    text_append_safe(out, bytes_text(part), SIZE_MAX);
}

/* "where: drover.yaml:14:5      did you mean ..." : a suggestion reads best beside its place. */
static void append_where_and_try(struct buf *out, const struct error *err)
{
    bool suggestion = strncmp(err->hint, "did you mean", 12) == 0;
    const char *advice = err->hint[0] ? err->hint : error_code_advice(err->code);
    bool placed = err->where[0] || err->path[0];
    if (placed) {
        append_part(out, "\n  where: ", err->where);
        append_part(out, err->where[0] && err->path[0] ? " at " : "", err->path);
    }
    if (advice[0])
        append_part(out, suggestion && placed ? "      " : "\n  try:   ", advice);
}

size_t error_format(const struct error *err, char *out, size_t size)
{
    if (size == 0)
        return 0;
    struct buf lines;
    buf_init(&lines, 16384); /* every part escaped to its widest fits */
    buf_append_format(&lines, "error[%s]: ", error_code_id(err->code));
    append_part(&lines, "", err->text[0] ? err->text : error_code_meaning(err->code));
    if (err->cause[0])
        append_part(&lines, "\n  cause: ", err->cause);
    append_where_and_try(&lines, err);

    size_t length = lines.size < size ? lines.size : cut_at_character(lines.data, size - 1);
    memcpy(out, lines.data, length);
    out[length] = '\0';
    buf_free(&lines);
    return length;
}
