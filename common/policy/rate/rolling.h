#ifndef DROVER_POLICY_ROLLING_H
#define DROVER_POLICY_ROLLING_H

/*
 * Counts by minute, and the windows that end now: a minute, five, an hour, a day, everything.
 * A window is the running minute and as many whole ones before it as its name says, so that it
 * never covers less. What is older than a day is in the total alone.
 *
 * Time is the rolling's own. It goes on with the clock that is handed in, but never back: a clock
 * that was set back is followed from where the time stood, at the distance `shift_ms`; so no minute
 * counts twice and windows grow old at the pace of the clock. Pure; about half a MiB.
 */

#include <stdint.h>

#include "common/policy/verify/follow_report.h"

/* What is counted: the verdicts, and what was not looked at. */
enum rolling_class {
    ROLLING_NOT_COMPARED = VERDICT_COUNT, /* left out while only a share of the keys is compared */
    ROLLING_NOT_RECHECKED,                /* suspects above the bound */
    ROLLING_CLASSES,
};

/* What a minute has besides counts. */
struct rolling_gauges {
    uint64_t committed;                                    /* records; they are added */
    int64_t lag, behind;                                   /* messages; the greatest counts */
    double old_p50_ms, old_p99_ms, new_p50_ms, new_p99_ms; /* the newest counts */
};
/* Nothing known: committed 0, the others negative or NaN. */
extern const struct rolling_gauges ROLLING_NO_GAUGES;

struct rolling_minute {
    int64_t minute; /* of the rolling's time, since 1970; negative: unused */
    uint64_t counts[ROLLING_CLASSES];
    struct rolling_gauges gauges;
};

#define ROLLING_MINUTES (24 * 60 + 1) /* kept: a day, and the running one */

struct rolling {
    int64_t now_ms;   /* its time; negative: it has not begun */
    int64_t shift_ms; /* its time less the clock's, as of the last rolling_step */
    uint64_t total[ROLLING_CLASSES];
    struct rolling_minute minutes[ROLLING_MINUTES]; /* a ring: minute % ROLLING_MINUTES */
};

void rolling_init(struct rolling *rolling);
/* Restores the time of an earlier one, before anything is added; `total` is restored after that. */
void rolling_resume(struct rolling *rolling, int64_t now_ms, int64_t shift_ms);
/* Time goes on to that of the clock (Unix time). Returns the running minute. */
int64_t rolling_step(struct rolling *rolling, int64_t unix_ms);
/* Oldest minute that is kept; what is below counts in the total only. */
int64_t rolling_oldest(const struct rolling *rolling);

/* Into a minute that is kept, and the total; of one that is not, into the total alone. `class`: a
 * verdict or a rolling_class. */
void rolling_add(struct rolling *rolling, int64_t minute, unsigned class, uint64_t count);
void rolling_note(struct rolling *rolling, int64_t minute, const struct rolling_gauges *gauges);

/* First minute of a window; the total's is INT64_MIN. */
int64_t rolling_first(const struct rolling *rolling, enum follow_window_kind kind);
/* Counts of a window, by ROLLING_CLASSES. */
void rolling_counts(const struct rolling *rolling, enum follow_window_kind kind,
                    uint64_t counts[ROLLING_CLASSES]);
/* The same with its bound (rate_bound.h), as reports show it. */
void rolling_window(const struct rolling *rolling, enum follow_window_kind kind,
                    struct follow_window *window);
/* The last `max` minutes that have anything, oldest first, with the rate of the hour that ends with
 * each; returns how many. Their times are the clock's. */
size_t rolling_series(const struct rolling *rolling, size_t max, struct follow_minute *minutes);

#endif
