#include "common/model/message/dead_letter.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"

#define ADDED 12        /* headers a dead letter has besides the message's */
#define NAMED_MAX 2048u /* bytes of the list of what was left out */

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
    char line[NAMED_MAX + 16];
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

static void add(struct dead_letter_message *dead_letter, const char *name, struct bytes value)
{
    dead_letter->headers[dead_letter->view.header_count++] =
        (struct header){bytes_text(name), value};
}

static void add_reason(struct dead_letter_message *dead_letter,
                       const struct dead_letter_place *place, const struct error *reason,
                       int attempts)
{
    struct buf *text = &dead_letter->text;
    add(dead_letter, DEAD_LETTER_PREFIX "topic", keep(text, "%s", place->topic));
    add(dead_letter, DEAD_LETTER_PREFIX "partition", keep(text, "%d", place->partition));
    add(dead_letter, DEAD_LETTER_PREFIX "offset", keep(text, "%" PRId64, place->offset));
    add(dead_letter, DEAD_LETTER_PREFIX "stage", bytes_text(stage_of(reason->code)));
    add(dead_letter, DEAD_LETTER_PREFIX "exception.class.name",
        bytes_text(error_code_id(reason->code)));
    add(dead_letter, DEAD_LETTER_PREFIX "exception.message",
        keep(text, "%s%s%s%s%s%s", reason->text, reason->cause[0] ? ": " : "", reason->cause,
             reason->where[0] ? " (" : "", reason->where, reason->where[0] ? ")" : ""));
    add(dead_letter, DEAD_LETTER_CODE, bytes_text(error_code_id(reason->code)));
    if (reason->path[0])
        add(dead_letter, DEAD_LETTER_PATH, keep(text, "%s", reason->path));
    add(dead_letter, DEAD_LETTER_ATTEMPTS, keep(text, "%d", attempts));
    add(dead_letter, DEAD_LETTER_ID,
        keep(text, "%s-%d-%" PRId64, place->topic, place->partition, place->offset));
    if (place->log_version > 0)
        add(dead_letter, DEAD_LETTER_LOG_VERSION, keep(text, "%" PRId64, place->log_version));
}

/* What a message that is here again says of its attempts is counted on, and said once. */
static int take_attempts(struct dead_letter_message *dead_letter)
{
    int64_t number, attempts = 0;
    size_t kept = 0;
    for (size_t i = 0; i < dead_letter->view.header_count; i++) {
        const struct header *header = &dead_letter->headers[i];
        if (!bytes_equal(header->name, BYTES_LITERAL(DEAD_LETTER_ATTEMPTS)))
            dead_letter->headers[kept++] = *header;
        else if (text_parse_int64(header->value, &number) && number > 0 && number < INT32_MAX / 2)
            attempts = number;
    }
    dead_letter->view.header_count = kept;
    return (int)attempts;
}

/* The largest of the message's own headers (the first `count`) that may go; NULL when none may. */
static struct header *find_largest(struct header *headers, size_t count)
{
    struct header *largest = NULL;
    for (size_t i = 0; i < count; i++)
        if (headers[i].name.data && !envelope_is_ours(headers[i].name) &&
            (!largest || message_header_size(&headers[i]) > message_header_size(largest)))
            largest = &headers[i];
    return largest;
}

/* "name:bytes", for the list of what went; what the list has no room for is an ellipsis. */
static void name_lost(struct buf *lost, const struct header *header)
{
    if (lost->size + header->name.size + 40 > NAMED_MAX) {
        if (lost->size == 0 || lost->data[lost->size - 1] != '.')
            buf_append_text(lost, lost->size ? ",..." : "...");
        return;
    }
    buf_append_format(lost, "%s%.*s:%zu", lost->size ? "," : "", BYTES_ARGS(header->name),
                      header->value.size);
}

/* Leaves headers out until the dead letter fits; `own` of them are the message's. */
static void cut(struct dead_letter_message *dead_letter, size_t own, size_t max)
{
    struct buf lost;
    struct message_view *view = &dead_letter->view;
    buf_init(&lost, NAMED_MAX + 16);
    size_t size = message_size(view);
    const struct header truncated = {BYTES_LITERAL(DEAD_LETTER_TRUNCATED), {0}};
    while (size + message_header_size(&truncated) + lost.size > max) {
        struct header *largest = find_largest(dead_letter->headers, own);
        if (!largest)
            break;
        size -= message_header_size(largest);
        name_lost(&lost, largest);
        *largest = (struct header){0};
    }
    size_t kept = 0;
    for (size_t i = 0; i < view->header_count; i++)
        if (dead_letter->headers[i].name.data)
            dead_letter->headers[kept++] = dead_letter->headers[i];
    view->header_count = kept;
    if (lost.size)
        add(dead_letter, DEAD_LETTER_TRUNCATED, keep(&dead_letter->text, "%s", buf_text(&lost)));
    buf_free(&lost);
}

enum outcome dead_letter_make(const struct message_view *message,
                              const struct dead_letter_place *place, const struct error *reason,
                              int attempts, size_t max, bool bare,
                              struct dead_letter_message *dead_letter, struct error *err)
{
    size_t own = message->header_count;
    dead_letter->view = *message;
    dead_letter->headers = mem_zeroed(own + ADDED, sizeof *dead_letter->headers);
    buf_init(&dead_letter->text, DEAD_LETTER_ADDED_BYTES);
    mem_sure(buf_extend(&dead_letter->text, DEAD_LETTER_ADDED_BYTES));
    buf_reset(&dead_letter->text);
    if (own)
        memcpy(dead_letter->headers, message->headers, own * sizeof *dead_letter->headers);
    dead_letter->view.headers = dead_letter->headers;
    attempts += take_attempts(dead_letter);
    own = dead_letter->view.header_count;
    add_reason(dead_letter, place, reason, attempts);
    if (bare || message_size(&dead_letter->view) > max)
        cut(dead_letter, own, bare ? 0 : max);
    if (message_size(&dead_letter->view) <= max)
        return OUT_OK;
    error_set(err, OUT_REJECT, ERR_DEAD_LETTER_SIZE,
              "the dead letter of a record has %zu bytes, its topic takes %zu",
              message_size(&dead_letter->view), max);
    error_where(err, "%s-%d@%" PRId64, place->topic, place->partition, place->offset);
    return OUT_REJECT;
}

void dead_letter_free(struct dead_letter_message *dead_letter)
{
    free(dead_letter->headers);
    dead_letter->headers = NULL;
    buf_free(&dead_letter->text);
}

static enum error_code parse_code(struct bytes text)
{
    char id[16] = "";
    enum error_code code;
    if (text.size >= sizeof id)
        return ERR_NONE;
    memcpy(id, text.data, text.size);
    return error_code_find(id, &code) ? code : ERR_NONE;
}

struct dead_letter_origin dead_letter_read(const struct envelope *dead_letter)
{
    uint64_t partition, offset;
    struct dead_letter_origin origin = {.code = ERR_NONE};
    for (size_t i = 0; i < dead_letter->header_count; i++) {
        const struct header *header = &dead_letter->headers[i];
        if (bytes_equal(header->name, BYTES_LITERAL(DEAD_LETTER_ID)))
            origin.id = header->value;
        else if (bytes_equal(header->name, BYTES_LITERAL(DEAD_LETTER_CODE)))
            origin.code = parse_code(header->value);
    }
    origin.topic = origin.id;
    origin.has_place = text_cut_number(&origin.topic, "-", &offset) &&
                       text_cut_number(&origin.topic, "-", &partition) && partition <= INT32_MAX;
    origin.offset = origin.has_place ? (int64_t)offset : 0;
    origin.partition = origin.has_place ? (int32_t)partition : 0;
    return origin;
}
