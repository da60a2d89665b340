#ifndef DROVER_MODEL_TIMESTAMP_H
#define DROVER_MODEL_TIMESTAMP_H

/*
 * Times as PostgreSQL holds them: microseconds (dates: days) since 2000-01-01, UTC. Text is ISO
 * 8601 / RFC 3339. Fault rows T01-T05: a timestamptz needs a zone in the text, a timestamp must not
 * have one other than Z; years 1..9999; 24:00, :60 and impossible dates are refused; more than six
 * fraction digits are truncated and reported as inexact, never rounded.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"

/* 0001-01-01 and 9999-12-31 in days since 2000-01-01. */
#define DATE_MIN (-730119)
#define DATE_MAX 2921939

enum timestamp_zone {
    TIMESTAMP_ZONE_REQUIRED, /* timestamptz: Z or an offset */
    TIMESTAMP_ZONE_NONE,     /* timestamp: no zone, or Z taken as "the wall clock is UTC" */
};

/* False when the text is not a time of that kind. *truncated tells that digits beyond
 * microseconds were cut. Accepts 'T' or one space between date and time, and a bare date (midnight,
 * UTC for timestamptz is NOT assumed: a bare date is refused with TIMESTAMP_ZONE_REQUIRED). */
MUST_USE bool timestamp_parse(struct bytes text, enum timestamp_zone zone, int64_t *micros,
                              bool *truncated);
/* One with its zone, as Unix milliseconds; what is finer is cut, towards the past. */
MUST_USE bool timestamp_parse_ms(struct bytes text, int64_t *unix_ms);
/* "2024-01-15" only. */
MUST_USE bool timestamp_parse_date(struct bytes text, int32_t *days);

/* What JavaScript's toISOString writes: 2024-01-15T10:30:00.123Z; with six fraction digits when
 * there are microseconds. `zulu` false leaves the Z off. */
void timestamp_append(struct buf *out, int64_t micros, bool zulu);
void timestamp_append_date(struct buf *out, int32_t days);
/* The same of Unix milliseconds; "unknown" outside of years 1..9999. */
void timestamp_append_ms(struct buf *out, int64_t unix_ms);

/* False for 'infinity' and for years outside 1..9999, which only somebody else can have stored. */
bool timestamp_is_usable(int64_t micros);

/* Unix time: units per second is 1, 1000 or 1000000. False when outside years 1..9999. */
MUST_USE bool timestamp_from_epoch(int64_t value, int64_t units_per_second, int64_t *micros);
/* Exact only when *exact. */
int64_t timestamp_to_epoch(int64_t micros, int64_t units_per_second, bool *exact);

#endif
