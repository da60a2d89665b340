#include "common/policy/log_clock.h"

#include <string.h>

int64_t log_clock_start(struct log_clock *log, int64_t from, const struct log_mark *stored)
{
    *log = (struct log_clock){.ahead = {-1, 0}, .count = 1};
    bool behind = stored->end >= 0 && stored->end <= from;
    if (behind)
        log->clock.last = stored->clock;
    else if (stored->end >= 0) /* the watermarks were set back: what came before is not known */
        log->ahead = *stored;
    log->marks[0] = (struct log_mark){behind ? stored->end : from, log->clock.last};
    return log->marks[0].end;
}

int64_t log_clock_take(struct log_clock *log, int64_t timestamp_ms, int64_t offset)
{
    if (log->ahead.end >= 0 && offset >= log->ahead.end) {
        version_observe(&log->clock, log->ahead.clock);
        log->ahead.end = -1;
    }
    return version_in_log(&log->clock, timestamp_ms, offset);
}

void log_clock_mark(struct log_clock *log, int64_t end)
{
    if (log->count == LOG_MARKS) {
        for (size_t i = 1; i < LOG_MARKS / 2; i++)
            log->marks[i] = log->marks[2 * i];
        log->count = LOG_MARKS / 2;
    }
    log->marks[log->count++] = (struct log_mark){end, log->clock.last};
}

struct log_mark log_clock_safe(struct log_clock *log, int64_t watermark)
{
    size_t at = 0;
    while (at + 1 < log->count && log->marks[at + 1].end <= watermark)
        at++;
    memmove(log->marks, log->marks + at, (log->count - at) * sizeof log->marks[0]);
    log->count -= at;
    return log->clock.last ? log->marks[0] : (struct log_mark){-1, 0};
}
