/*
 * The log writer. One line is one write(2), so that lines of several processes on one terminal do
 * not mix.
 *
 * Repeats (FAULTS X14, K14): an event, of one key where it has several, may say a few different
 * lines a second, fewer the louder its level, and never the same line twice; what is left out is
 * counted and said with the last fields that were left out, by log_flush or with the event's next
 * line. A line that stays the same is said after 1, 2, 4, … 32 seconds.
 */
#include "common/io/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/terminal.h"

enum {
    LINE_LIMIT = 8192,
    VALUE_BYTES_MAX = 1024, /* bytes of one line's fields (FAULTS X13) */
    EVENTS = 128, /* told apart; a further one takes the place of the one silent longest */
    WINDOW_MS = 1000,
    WINDOW_MAX_MS = 32000,
    LEFT_OUT_MAX = 1024, /* bytes kept of the last line that was left out */
};

static const char *const LEVEL_NAMES[] = {"error", "warn", "info", "debug"};
static const char *const LEVEL_COLOURS[] = {"\033[31m", "\033[33m", "\033[36m", "\033[2m"};
static const unsigned LINES_A_WINDOW[] = {1, 1, 32, 500};

struct event_window {
    const char *event;
    uint64_t key; /* which of several that are told apart (log_quoted_of) */
    enum log_level level;
    uint64_t began_ms;
    uint64_t wait_ms; /* longer with each summary that says the same again */
    unsigned lines;
    unsigned repeated;           /* left out */
    uint64_t last_line;          /* hash of its fields */
    uint64_t left_out_line;      /* the same of the last that was left out */
    char left_out[LEFT_OUT_MAX]; /* its fields */
};

static struct {
    const char *component;
    enum log_level level;
    enum log_format format;
    bool colour;
    bool watched;
    log_printer print;
    void *print_owner;
    struct event_window windows[EVENTS];
} state = {.component = "drover", .level = LOG_INFO, .format = LOG_PRETTY};

void log_setup(const char *component, enum log_level level, enum log_format format)
{
    state.component = component;
    state.level = level;
    state.format = format;
    state.colour = format == LOG_PRETTY && terminal_colour(STDERR_FILENO);
}

void log_setup_names(const char *component, const char *level, const char *format)
{
    enum log_level chosen = LOG_INFO;
    for (size_t i = 0; level && i < sizeof(LEVEL_NAMES) / sizeof(LEVEL_NAMES[0]); i++)
        if (strcmp(level, LEVEL_NAMES[i]) == 0)
            chosen = (enum log_level)i;

    enum log_format form = terminal_is(STDERR_FILENO) ? LOG_PRETTY : LOG_LOGFMT;
    if (format && strcmp(format, "pretty") == 0)
        form = LOG_PRETTY;
    else if (format && strcmp(format, "logfmt") == 0)
        form = LOG_LOGFMT;
    else if (format && strcmp(format, "json") == 0)
        form = LOG_JSON;
    log_setup(component, chosen, form);
}

void log_print_through(log_printer print, void *owner)
{
    state.print = print;
    state.print_owner = owner;
}

static void write_line(struct buf *line)
{
    if (state.print) {
        state.print(state.print_owner, buf_view(line));
        return;
    }
    buf_append_char(line, '\n');
    /* nobody reads the log, or its disk is full: the work is more important */
    (void)terminal_write(STDERR_FILENO, buf_view(line));
}

static void append_time(struct buf *line, bool short_form)
{
    int64_t now_ms = clock_unix_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    char text[32];
    if (short_form) {
        localtime_r(&seconds, &parts);
        strftime(text, sizeof(text), "%H:%M:%S", &parts);
    } else {
        gmtime_r(&seconds, &parts);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    }
    buf_append_format(line, "%s.%03d%s", text, (int)(now_ms % 1000), short_form ? "" : "Z");
}

/* The next `name=value` of `fields`; value without its quotes. False at the end. Text that is no
 * pair is a value named "text". */
static bool next_field(struct bytes *fields, struct bytes *name, struct bytes *value)
{
    while (fields->size && fields->data[0] == ' ')
        *fields = bytes_of(fields->data + 1, fields->size - 1);
    if (fields->size == 0)
        return false;
    size_t equals = 0;
    while (equals < fields->size && fields->data[equals] != '=' && fields->data[equals] != ' ')
        equals++;
    bool pair = equals < fields->size && fields->data[equals] == '=';
    size_t start = pair ? equals + 1 : 0;
    bool quoted = start < fields->size && fields->data[start] == '"';
    size_t end = start + quoted;
    while (end < fields->size && fields->data[end] != (quoted ? '"' : ' '))
        end++;
    *name = pair ? bytes_of(fields->data, equals) : BYTES_LITERAL("text");
    *value = bytes_of(fields->data + start + quoted, end - start - quoted);
    end += quoted && end < fields->size;
    *fields = bytes_of(fields->data + end, fields->size - end);
    return true;
}

/* Fields as they may be seen, whatever the format: masked first as a whole, as a name tells what
 * its value is; then each value by itself, as a long line is no place where a path's '/' begins a
 * word (token_shape.c); cut last, as half a secret would not be known any more. */
static void append_seen(struct buf *seen, struct bytes fields)
{
    struct buf whole, parts;
    struct bytes name, value;
    buf_init(&whole, SIZE_MAX / 2);
    buf_init(&parts, SIZE_MAX / 2);
    while (fields.size && fields.data[0] == ' ')
        fields = bytes_of(fields.data + 1, fields.size - 1);
    text_append_masked(&whole, fields);
    const char *copied = whole.data;
    for (struct bytes rest = buf_view(&whole); next_field(&rest, &name, &value);
         copied = value.data + value.size) {
        buf_append(&parts, copied, (size_t)(value.data - copied));
        if (value.size && value.data[0] == '/')
            text_append_masked_path(&parts, value);
        else
            text_append_masked(&parts, value);
    }
    if (whole.size)
        buf_append(&parts, copied, (size_t)(whole.data + whole.size - copied));
    text_append_safe(seen, buf_view(&parts), VALUE_BYTES_MAX);
    buf_free(&whole);
    buf_free(&parts);
}

static void append_json_fields(struct buf *line, struct bytes fields)
{
    struct bytes name, value;
    while (next_field(&fields, &name, &value)) {
        int64_t number;
        buf_append_char(line, ',');
        buf_append_json(line, name);
        buf_append_char(line, ':');
        if (text_parse_int64(value, &number))
            buf_append_bytes(line, value);
        else
            buf_append_json(line, value);
    }
}

static void append_json(struct buf *line, enum log_level level, const char *event,
                        struct bytes fields, unsigned repeated)
{
    buf_append_text(line, "{\"ts\":\"");
    append_time(line, false);
    buf_append_format(line, "\",\"level\":\"%s\",\"component\":", LEVEL_NAMES[level]);
    buf_append_json(line, bytes_text(state.component));
    buf_append_text(line, ",\"event\":");
    buf_append_json(line, bytes_text(event));
    append_json_fields(line, fields);
    if (repeated)
        buf_append_format(line, ",\"repeated\":%u", repeated);
    buf_append_char(line, '}');
}

static void append_text(struct buf *line, enum log_level level, const char *event,
                        struct bytes fields, unsigned repeated)
{
    if (state.format == LOG_PRETTY) {
        append_time(line, true);
        buf_append_format(line, " %s%-5s%s %-8s %s", state.colour ? LEVEL_COLOURS[level] : "",
                          LEVEL_NAMES[level], state.colour ? "\033[0m" : "", state.component,
                          event);
    } else {
        buf_append_text(line, "ts=");
        append_time(line, false);
        buf_append_format(line, " level=%s component=%s event=%s", LEVEL_NAMES[level],
                          state.component, event);
    }
    if (fields.size) {
        buf_append_char(line, ' ');
        buf_append_bytes(line, fields);
    }
    if (repeated)
        buf_append_format(line, " repeated=%u", repeated);
}

/* `fields` here and below: as append_seen made them. */
static void say(enum log_level level, const char *event, struct bytes fields, unsigned repeated)
{
    struct buf line;
    buf_init(&line, LINE_LIMIT);
    if (state.format == LOG_JSON)
        append_json(&line, level, event, fields, repeated);
    else
        append_text(&line, level, event, fields, repeated);
    write_line(&line);
    buf_free(&line);
}

/* What was left out: one line is said as it was, of several the last one with their number. */
static void say_left_out(struct event_window *window, uint64_t now_ms)
{
    bool same = window->left_out_line == window->last_line;
    say(window->level, window->event, bytes_text(window->left_out),
        window->repeated > 1 || same ? window->repeated : 0);
    window->wait_ms = same ? window->wait_ms * 2 : WINDOW_MS;
    if (window->wait_ms > WINDOW_MAX_MS)
        window->wait_ms = WINDOW_MAX_MS;
    window->repeated = 0;
    window->began_ms = now_ms;
    window->lines = 1; /* the summary was this window's line */
    window->last_line = window->left_out_line;
}

static void leave_out(struct event_window *window, enum log_level level, struct bytes fields,
                      uint64_t line)
{
    window->level = level;
    window->repeated++;
    window->left_out_line = line;
    size_t kept = fields.size < LEFT_OUT_MAX ? fields.size : LEFT_OUT_MAX - 1;
    while (kept > 0 && kept < fields.size && ((unsigned char)fields.data[kept] & 0xC0) == 0x80)
        kept--; /* not within a character */
    memcpy(window->left_out, fields.data, kept);
    window->left_out[kept] = '\0';
}

static struct event_window *window_of(const char *event, uint64_t key, uint64_t now_ms)
{
    struct event_window *oldest = &state.windows[0];
    for (size_t i = 0; i < EVENTS; i++) {
        struct event_window *window = &state.windows[i];
        if (window->event && window->key == key && strcmp(window->event, event) == 0)
            return window;
        if (!window->event || (oldest->event && window->began_ms < oldest->began_ms))
            oldest = window;
    }
    if (oldest->repeated)
        say_left_out(oldest, now_ms);
    *oldest = (struct event_window){.event = event, .key = key, .wait_ms = WINDOW_MS};
    return oldest;
}

static void log_fields(enum log_level level, const char *event, uint64_t key, struct bytes fields)
{
    uint64_t now_ms = clock_monotonic_ms();
    struct event_window *window = window_of(event, key, now_ms);
    uint64_t line = hash64(fields);
    uint64_t age_ms = now_ms - window->began_ms;
    bool same = line == window->last_line && window->lines;
    bool fresh = window->lines == 0 || age_ms >= (same ? window->wait_ms : WINDOW_MS);
    if (!fresh && (same || window->lines >= LINES_A_WINDOW[level])) {
        leave_out(window, level, fields, line);
        return;
    }
    if (fresh && window->repeated) {
        leave_out(window, level, fields, line); /* this line is the one that is said */
        say_left_out(window, now_ms);
        return;
    }
    if (fresh) {
        window->began_ms = now_ms;
        window->lines = 0;
        if (!same)
            window->wait_ms = WINDOW_MS;
    }
    window->lines++;
    window->last_line = line;
    say(level, event, fields, 0);
}

enum { KEY_NONE = 0 }; /* of an event whose lines are all of one thing */

static void log_seen(enum log_level level, const char *event, bool each, uint64_t key,
                     struct bytes fields)
{
    struct buf seen;
    buf_init(&seen, LINE_LIMIT);
    append_seen(&seen, fields);
    if (each)
        say(level, event, buf_view(&seen), 0);
    else
        log_fields(level, event, key, buf_view(&seen));
    buf_free(&seen);
}

/* Fields beyond the line's limit are cut, once they are masked. */
static void log_args(enum log_level level, const char *event, bool each, const char *format,
                     va_list args)
{
    char room[LINE_LIMIT / 2], *longer = NULL;
    if (level > state.level)
        return;
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(room, sizeof(room), format, args);
    struct bytes fields = bytes_of(room, length < 0 ? 0 : (size_t)length);
    if (fields.size >= sizeof(room)) {
        longer = mem_alloc(fields.size + 1);
        vsnprintf(longer, fields.size + 1, format, again);
        fields.data = longer;
    }
    va_end(again);
    log_seen(level, event, each, KEY_NONE, fields);
    free(longer);
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_args(level, event, false, format, args);
    va_end(args);
}

void log_each(enum log_level level, const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_args(level, event, true, format, args);
    va_end(args);
}

/* A quote would end the value early, and a reader of logfmt expects no escapes. */
static void append_quoted(struct buf *out, const char *name, const char *value)
{
    if (!value[0])
        return;
    buf_append_format(out, " %s=\"", name);
    for (; *value; value++)
        buf_append_char(out, *value == '"' ? '\'' : *value);
    buf_append_char(out, '"');
}

static void quoted_args(enum log_level level, const char *event, uint64_t key, const char *name,
                        const char *value, const char *format, va_list args)
{
    if (level > state.level)
        return;
    struct buf fields;
    char text[LINE_LIMIT / 2];
    vsnprintf(text, sizeof(text), format, args); /* numbers and names of ours */
    buf_init(&fields, SIZE_MAX / 2);
    append_quoted(&fields, name, value);
    buf_append_format(&fields, "%s%s", text[0] ? " " : "", text);
    log_seen(level, event, false, key, buf_view(&fields));
    buf_free(&fields);
}

void log_quoted(enum log_level level, const char *event, const char *name, const char *value,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    quoted_args(level, event, KEY_NONE, name, value, format, args);
    va_end(args);
}

void log_quoted_of(enum log_level level, const char *event, uint64_t key, const char *name,
                   const char *value, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    quoted_args(level, event, key, name, value, format, args);
    va_end(args);
}

void log_error(enum log_level level, const char *event, const struct error *err)
{
    if (level > state.level)
        return;
    struct buf fields;
    buf_init(&fields, LINE_LIMIT / 2);
    buf_append_format(&fields, "code=%s", error_code_id(err->code));
    append_quoted(&fields, "error", err->text);
    append_quoted(&fields, "where", err->where);
    append_quoted(&fields, "path", err->path);
    append_quoted(&fields, "cause", err->cause);
    append_quoted(&fields, "try", err->hint);
    log_seen(level, event, false, KEY_NONE, buf_view(&fields));
    buf_free(&fields);
}

void log_watched(bool watched)
{
    state.watched = watched;
}

void log_away(const char *event, const struct error *err)
{
    log_error(state.watched ? LOG_DEBUG : LOG_WARN, event, err);
}

void log_back(const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_args(state.watched ? LOG_DEBUG : LOG_INFO, event, false, format, args);
    va_end(args);
}

void log_flush(void)
{
    uint64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < EVENTS; i++) {
        struct event_window *window = &state.windows[i];
        bool same = window->left_out_line == window->last_line;
        uint64_t wait_ms = same ? window->wait_ms : WINDOW_MS;
        if (window->repeated && now_ms - window->began_ms >= wait_ms)
            say_left_out(window, now_ms);
    }
}

void log_finish(void)
{
    uint64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < EVENTS; i++)
        if (state.windows[i].repeated)
            say_left_out(&state.windows[i], now_ms);
}
