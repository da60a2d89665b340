#ifndef DROVER_IO_LOG_H
#define DROVER_IO_LOG_H

/*
 * The log writer: one line an event on standard error, `time level component event key=value …`,
 * as pretty text, logfmt or JSON lines. Repeats of one event within a second are counted and said
 * with their last fields ("repeated=41"), the same line ever more rarely, so that a failing
 * dependency is said once and not in a storm. Names
 * and values are masked (token_shape.h), then cut, then escaped, the same in every format;
 * payloads, keys and secrets are never handed to it all the same. Loop thread only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

enum log_level {
    LOG_ERROR,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG,
};

enum log_format {
    LOG_PRETTY,
    LOG_LOGFMT,
    LOG_JSON,
};

/* `component` ("worker") must outlive the log. Default before: info, pretty, "drover". */
void log_setup(const char *component, enum log_level level, enum log_format format);
/* Names as in settings; "auto" = pretty on a terminal, else logfmt. Unknown names: info/auto. */
void log_setup_names(const char *component, const char *level, const char *format);

/* `event` is a static, stable dotted name ("batch.retry"); then key=value pairs already formatted:
 * log_line(LOG_INFO, "partition.claimed", "partition=%d next=%" PRId64, …). Values that may have
 * blanks (paths): log_quoted. */
void log_line(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same with `name="value"` before the pairs, for a text that is not ours: a path, a place. */
void log_quoted(enum log_level level, const char *event, const char *name, const char *value,
                const char *format, ...) PRINTF_LIKE(5, 6);
/* The same of one of several things that are summarised each by itself, so that none is left out
 * for another: `key` says which, above 0; some dozens of them at most. */
void log_quoted_of(enum log_level level, const char *event, uint64_t key, const char *name,
                   const char *value, const char *format, ...) PRINTF_LIKE(6, 7);
/* As log_line, never summarised: for what is said of one thing among many at once, by a caller who
 * bounds how often. */
void log_each(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);
/* An error with its code, text, where, cause as fields. */
void log_error(enum log_level level, const char *event, const struct error *err);
/* A server that is away, and one that is back: a warning and a piece of news; only for debugging
 * where a parent process watches the servers and shows their state (log_watched). */
void log_away(const char *event, const struct error *err);
void log_back(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_watched(bool watched);
/* Says what was left out of each event, with its last fields. Called by the loop once a second;
 * log_finish at exit, which does not wait for the end of an event's silence. */
void log_flush(void);
void log_finish(void);

/* Where lines go instead of standard error: to who owns the terminal and has something drawn there.
 * `line` is without its '\n' and valid for the call. NULL: standard error again. */
typedef void (*log_printer)(void *owner, struct bytes line);
void log_print_through(log_printer print, void *owner);

#endif
