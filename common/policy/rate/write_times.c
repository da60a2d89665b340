#include "common/policy/rate/write_times.h"

#define HIGHEST_MS ((uint64_t)24 * 3600 * 1000)
#define DIGITS 2
#define MINUTE_MS 60000

static void init_stages(struct histogram *stages)
{
    for (int i = 0; i < WRITE_STAGES; i++)
        histogram_init(&stages[i], HIGHEST_MS, DIGITS);
}

static void free_stages(struct histogram *stages)
{
    for (int i = 0; i < WRITE_STAGES; i++)
        histogram_free(&stages[i]);
}

void write_times_init(struct write_times *times, bool follows_redis)
{
    *times = (struct write_times){.follows_redis = follows_redis};
    init_stages(times->total);
    for (int i = 0; i < WRITE_MINUTES; i++) {
        times->minutes[i].minute = -1;
        init_stages(times->minutes[i].stages);
    }
}

void write_times_free(struct write_times *times)
{
    free_stages(times->total);
    for (int i = 0; i < WRITE_MINUTES; i++)
        free_stages(times->minutes[i].stages);
}

static struct write_minute *minute_of(struct write_times *times, int64_t minute)
{
    struct write_minute *at = &times->minutes[minute % WRITE_MINUTES];
    for (int i = 0; at->minute != minute && i < WRITE_STAGES; i++)
        histogram_reset(&at->stages[i]);
    at->minute = minute;
    return at;
}

void write_times_add(struct write_times *times, const struct write_moments *moments,
                     uint64_t now_ms)
{
    struct write_minute *minute = minute_of(times, (int64_t)(now_ms / MINUTE_MS));
    for (int i = 0; i < WRITE_STAGES; i++) {
        if (moments->reached_ms[i] < 0)
            continue;
        bool is_ahead = moments->reached_ms[i] < moments->produced_ms;
        uint64_t ms = is_ahead ? 0 : (uint64_t)(moments->reached_ms[i] - moments->produced_ms);
        times->ahead += is_ahead && i == WRITE_COMMITTED;
        histogram_record(&times->total[i], ms);
        histogram_record(&minute->stages[i], ms);
    }
}

static struct write_latency_stage tell(const struct histogram *histogram)
{
    return (struct write_latency_stage){.count = histogram->count,
                                        .p50_ms = histogram_percentile(histogram, 50),
                                        .p95_ms = histogram_percentile(histogram, 95),
                                        .p99_ms = histogram_percentile(histogram, 99),
                                        .max_ms = histogram->max};
}

void write_times_tell(const struct write_times *times, uint64_t now_ms,
                      struct write_latency *latency)
{
    struct histogram recent;
    int64_t running = (int64_t)(now_ms / MINUTE_MS);
    histogram_init(&recent, HIGHEST_MS, DIGITS);
    *latency = (struct write_latency){.follows_redis = times->follows_redis, .ahead = times->ahead};
    for (int stage = 0; stage < WRITE_STAGES; stage++) {
        histogram_reset(&recent);
        for (int i = 0; i < WRITE_MINUTES; i++)
            if (times->minutes[i].minute > running - WRITE_MINUTES)
                histogram_merge(&recent, &times->minutes[i].stages[stage]);
        latency->recent[stage] = tell(&recent);
        latency->total[stage] = tell(&times->total[stage]);
    }
    histogram_free(&recent);
}
