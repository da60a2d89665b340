/* See the header. */
#include "common/policy/rate/rolling.h"

#include <math.h>
#include <string.h>

#include "common/policy/rate/rate_bound.h"

enum { MINUTE_MS = 60000 };

static const int64_t SPANS[FOLLOW_WINDOWS] = {
    [FOLLOW_MINUTE] = 1, [FOLLOW_FIVE_MINUTES] = 5, [FOLLOW_HOUR] = 60, [FOLLOW_DAY] = 24 * 60};

const struct rolling_gauges ROLLING_NO_GAUGES = {.lag = -1,
                                                 .behind = -1,
                                                 .old_p50_ms = NAN,
                                                 .old_p99_ms = NAN,
                                                 .new_p50_ms = NAN,
                                                 .new_p99_ms = NAN};

void rolling_init(struct rolling *rolling)
{
    memset(rolling, 0, sizeof(*rolling));
    rolling->now_ms = -1;
    for (size_t i = 0; i < ROLLING_MINUTES; i++)
        rolling->minutes[i].minute = -1;
}

void rolling_resume(struct rolling *rolling, int64_t now_ms, int64_t shift_ms)
{
    rolling->now_ms = now_ms;
    rolling->shift_ms = shift_ms;
}

int64_t rolling_step(struct rolling *rolling, int64_t unix_ms)
{
    int64_t now_ms = unix_ms + rolling->shift_ms;
    if (now_ms < rolling->now_ms) {
        rolling->shift_ms += rolling->now_ms - now_ms;
        now_ms = rolling->now_ms;
    }
    rolling->now_ms = now_ms;
    return now_ms / MINUTE_MS;
}

static int64_t running(const struct rolling *rolling)
{
    return rolling->now_ms / MINUTE_MS;
}

int64_t rolling_oldest(const struct rolling *rolling)
{
    return running(rolling) - (ROLLING_MINUTES - 1);
}

int64_t rolling_first(const struct rolling *rolling, enum follow_window_kind kind)
{
    return kind == FOLLOW_TOTAL ? INT64_MIN : running(rolling) - SPANS[kind];
}

static struct rolling_minute *place_of(struct rolling *rolling, int64_t minute)
{
    return &rolling->minutes[minute % ROLLING_MINUTES];
}

/* NULL: it is not kept. */
static struct rolling_minute *get_minute(struct rolling *rolling, int64_t minute)
{
    if (minute < 0 || minute < rolling_oldest(rolling) || minute > running(rolling))
        return NULL;
    struct rolling_minute *place = place_of(rolling, minute);
    if (place->minute != minute)
        *place = (struct rolling_minute){.minute = minute, .gauges = ROLLING_NO_GAUGES};
    return place;
}

/* NULL: nothing is known of it. */
static const struct rolling_minute *find_minute(const struct rolling *rolling, int64_t minute)
{
    if (minute < 0)
        return NULL;
    const struct rolling_minute *place = &rolling->minutes[minute % ROLLING_MINUTES];
    return place->minute == minute ? place : NULL;
}

void rolling_add(struct rolling *rolling, int64_t minute, unsigned class, uint64_t count)
{
    struct rolling_minute *place = get_minute(rolling, minute);
    if (place)
        place->counts[class] += count;
    rolling->total[class] += count;
}

static void take_max(int64_t *known, int64_t value)
{
    if (value > *known)
        *known = value;
}

static void take_newest(double *known, double value)
{
    if (!isnan(value))
        *known = value;
}

void rolling_note(struct rolling *rolling, int64_t minute, const struct rolling_gauges *gauges)
{
    struct rolling_minute *place = get_minute(rolling, minute);
    if (!place)
        return;
    place->gauges.committed += gauges->committed;
    take_max(&place->gauges.lag, gauges->lag);
    take_max(&place->gauges.behind, gauges->behind);
    take_newest(&place->gauges.old_p50_ms, gauges->old_p50_ms);
    take_newest(&place->gauges.old_p99_ms, gauges->old_p99_ms);
    take_newest(&place->gauges.new_p50_ms, gauges->new_p50_ms);
    take_newest(&place->gauges.new_p99_ms, gauges->new_p99_ms);
}

void rolling_counts(const struct rolling *rolling, enum follow_window_kind kind,
                    uint64_t counts[ROLLING_CLASSES])
{
    if (kind == FOLLOW_TOTAL) {
        memcpy(counts, rolling->total, sizeof(rolling->total));
        return;
    }
    memset(counts, 0, sizeof(rolling->total));
    for (int64_t minute = rolling_first(rolling, kind); minute <= running(rolling); minute++) {
        const struct rolling_minute *known = find_minute(rolling, minute);
        for (size_t i = 0; known && i < ROLLING_CLASSES; i++)
            counts[i] += known->counts[i];
    }
}

static double bound_of(uint64_t wrong, uint64_t compared)
{
    return compared ? rate_bound_upper(wrong, compared) : NAN;
}

void rolling_window(const struct rolling *rolling, enum follow_window_kind kind,
                    struct follow_window *window)
{
    uint64_t counts[ROLLING_CLASSES];
    rolling_counts(rolling, kind, counts);
    memcpy(window->counts, counts, sizeof(window->counts));
    window->upper = bound_of(follow_report_wrong(counts), follow_report_compared(counts));
}

/* Of the hour that ends with each minute, as sums that go along. */
struct hour {
    uint64_t compared, wrong;
};

static void hour_add(struct hour *hour, const struct rolling_minute *minute)
{
    hour->compared += minute ? follow_report_compared(minute->counts) : 0;
    hour->wrong += minute ? follow_report_wrong(minute->counts) : 0;
}

static void hour_drop(struct hour *hour, const struct rolling_minute *minute)
{
    hour->compared -= minute ? follow_report_compared(minute->counts) : 0;
    hour->wrong -= minute ? follow_report_wrong(minute->counts) : 0;
}

static void show_minute(const struct rolling *rolling, const struct rolling_minute *minute,
                        const struct hour *hour, struct follow_minute *shown)
{
    const struct rolling_gauges *gauges = &minute->gauges;
    *shown = (struct follow_minute){
        .unix_ms = minute->minute * MINUTE_MS - rolling->shift_ms,
        .committed = (int64_t)gauges->committed,
        .lag = gauges->lag,
        .behind = gauges->behind,
        .compared = follow_report_compared(minute->counts),
        .wrong = follow_report_wrong(minute->counts),
        .rate = hour->compared ? (double)hour->wrong / (double)hour->compared : NAN,
        .upper = bound_of(hour->wrong, hour->compared),
        .old_p50_ms = gauges->old_p50_ms,
        .old_p99_ms = gauges->old_p99_ms,
        .new_p50_ms = gauges->new_p50_ms,
        .new_p99_ms = gauges->new_p99_ms,
    };
}

size_t rolling_series(const struct rolling *rolling, size_t max, struct follow_minute *minutes)
{
    size_t known = 0, count = 0;
    int64_t oldest = rolling_oldest(rolling), now = running(rolling);
    for (int64_t minute = oldest; minute <= now; minute++)
        known += find_minute(rolling, minute) != NULL;
    size_t skipped = known > max ? known - max : 0;
    struct hour hour = {0};
    for (int64_t minute = oldest; minute <= now; minute++) {
        const struct rolling_minute *here = find_minute(rolling, minute);
        hour_add(&hour, here);
        if (minute - oldest >= 60)
            hour_drop(&hour, find_minute(rolling, minute - 60));
        if (here && skipped > 0)
            skipped--;
        else if (here)
            show_minute(rolling, here, &hour, &minutes[count++]);
    }
    return count;
}
