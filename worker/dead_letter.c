#include "worker/dead_letter.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ADDED 10 /* headers a dead letter has besides the message's */

/* Where in the pipeline it failed, in Connect's words. */
static const char *stage_of(enum error_code code)
{
    const char *id = error_code_id(code);
    switch (strlen(id) > 4 ? id[4] : 0) {
    case 'E':
    case 'J':
        return "VALUE_CONVERTER";
    case 'P':
        return "TASK_PUT";
    default:
        return "TRANSFORMATION";
    }
}

static struct bytes keep(struct buf *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* The buffer does not move: room for everything is made first. */
static struct bytes keep(struct buf *text, const char *format, ...)
{
    va_list args;
    char line[1200];
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    size_t used = size < 0 ? 0 : (size_t)size < sizeof line ? (size_t)size : sizeof line - 1;
    char *copy = buf_extend(text, used);
    if (!copy)
        return (struct bytes){0};
    memcpy(copy, line, used);
    return bytes_of(copy, used);
}

static void add(struct envelope *letter, const char *name, struct bytes value)
{
    letter->headers[letter->header_count++] = (struct header){bytes_text(name), value};
}

void dead_letter_make(const struct envelope *message, const struct letter_place *place,
                      const struct error *err, int attempts, struct buf *text,
                      struct envelope *letter)
{
    *letter = *message;
    if (letter->header_count > ENVELOPE_HEADERS_MOST - ADDED)
        letter->header_count = ENVELOPE_HEADERS_MOST - ADDED;
    buf_reset(text);
    if (!buf_extend(text, 4096))
        return;
    buf_reset(text);
    add(letter, LETTER_PREFIX "topic", keep(text, "%s", place->topic));
    add(letter, LETTER_PREFIX "partition", keep(text, "%d", place->partition));
    add(letter, LETTER_PREFIX "offset", keep(text, "%" PRId64, place->offset));
    add(letter, LETTER_PREFIX "stage", bytes_text(stage_of(err->code)));
    add(letter, LETTER_PREFIX "exception.class.name", bytes_text(error_code_id(err->code)));
    add(letter, LETTER_PREFIX "exception.message",
        keep(text, "%s%s%s%s%s%s", err->text, err->cause[0] ? ": " : "", err->cause,
             err->where[0] ? " (" : "", err->where, err->where[0] ? ")" : ""));
    add(letter, LETTER_CODE, bytes_text(error_code_id(err->code)));
    if (err->path[0])
        add(letter, LETTER_PATH, keep(text, "%s", err->path));
    add(letter, LETTER_ATTEMPTS, keep(text, "%d", attempts));
    add(letter, LETTER_ID,
        keep(text, "%s-%d-%" PRId64, place->topic, place->partition, place->offset));
}
