#include "common/policy/apply/log_clock.h"

#include <string.h>

int64_t log_clock_start(struct log_clock *log, int64_t from, const struct log_place *stored)
{
    const struct log_mark *mark = &stored->from;
    bool behind = mark->end >= 0 && mark->end <= from; /* else the watermarks were set back */
    *log = (struct log_clock){.count = 1, .floor = stored->next};
    if (behind)
        log->clock.last = mark->clock;
    log->marks[0] = (struct log_mark){behind ? mark->end : from, log->clock.last};
    return log->marks[0].end;
}

int64_t log_clock_take(struct log_clock *log, int64_t timestamp_ms, int64_t offset)
{
    if (log->floor.end >= 0 && offset >= log->floor.end) {
        version_observe(&log->clock, log->floor.clock);
        log->floor.end = -1;
    }
    return version_in_log(&log->clock, timestamp_ms, offset);
}

static void drop_below(struct log_clock *log, int64_t watermark)
{
    size_t at = 0;
    while (at + 1 < log->count && log->marks[at + 1].end <= watermark)
        at++;
    memmove(log->marks, log->marks + at, (log->count - at) * sizeof log->marks[0]);
    log->count -= at;
}

struct log_place log_clock_mark(struct log_clock *log, int64_t end, int64_t watermark)
{
    drop_below(log, watermark);
    struct log_place place = {log->marks[0], {end, log->clock.last}};
    if (log->count == LOG_MARKS) {
        for (size_t i = 1; i < LOG_MARKS / 2; i++)
            log->marks[i] = log->marks[2 * i];
        log->count = LOG_MARKS / 2;
    }
    log->marks[log->count++] = place.next;
    return log->clock.last ? place : LOG_PLACE_NONE;
}
