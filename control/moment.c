#include "control/moment.h"

#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/model/value/timestamp.h"

#define DAY_US (INT64_C(86400) * 1000000)

bool moment_parse(const char *text, int64_t *unix_ms)
{
    int32_t days;
    uint64_t ago_ms;
    bool exact;
    if (timestamp_parse_ms(bytes_text(text), unix_ms))
        return true;
    if (timestamp_parse_date(bytes_text(text), &days))
        *unix_ms = timestamp_to_epoch(days * DAY_US, 1000, &exact);
    else if (text_parse_millis(bytes_text(text), &ago_ms) && ago_ms < INT64_MAX / 2)
        *unix_ms = clock_unix_ms() - (int64_t)ago_ms;
    else
        return false;
    return true;
}
