/*
 * Times: ISO text and Unix numbers to PostgreSQL's microseconds since 2000-01-01 and back.
 *
 * Calendar arithmetic is Howard Hinnant's days_from_civil / civil_from_days (proleptic Gregorian,
 * as PostgreSQL): years start in March, so that the leap day is a year's last day, and an era is
 * 400 years = 146,097 days. No libc time function is used: they know the host's zone.
 */

#include "common/model/value/timestamp.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define DAY (INT64_C(86400) * SECOND)

enum {
    EPOCH_DAYS = 10957, /* 1970-01-01 to 2000-01-01 */
    ERA_DAYS = 146097,
    MARCH_SHIFT = 730425, /* 0000-03-01 to 2000-01-01 */
};

static int32_t days_from_civil(int year, int month, int day)
{
    year -= month <= 2;
    int era = year >= 0 ? year / 400 : -((399 - year) / 400);
    int of_era = year - era * 400;
    int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - MARCH_SHIFT;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += MARCH_SHIFT;
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    int of_era = (int)(days - era * ERA_DAYS);
    int year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int shifted = (5 * of_year + 2) / 153;
    *day = of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (int)(year_of_era + era * 400) + (*month <= 2);
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return DAYS[month - 1] + (month == 2 && is_leap(year));
}

/* Exactly `digits` digits from *at; moves on. */
static bool take_number(struct bytes text, size_t *at, int digits, int *value)
{
    if (text.size - *at < (size_t)digits)
        return false;
    *value = 0;
    for (int i = 0; i < digits; i++) {
        char c = text.data[(*at)++];
        if (c < '0' || c > '9')
            return false;
        *value = *value * 10 + (c - '0');
    }
    return true;
}

static bool take_char(struct bytes text, size_t *at, char c)
{
    if (*at >= text.size || text.data[*at] != c)
        return false;
    (*at)++;
    return true;
}

static bool take_date(struct bytes text, size_t *at, int32_t *days)
{
    int year, month, day;
    if (!take_number(text, at, 4, &year) || !take_char(text, at, '-') ||
        !take_number(text, at, 2, &month) || !take_char(text, at, '-') ||
        !take_number(text, at, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    *days = days_from_civil(year, month, day);
    return true;
}

/* ".123" behind the seconds; digits beyond six are looked at, not taken. */
static bool take_fraction(struct bytes text, size_t *at, int64_t *micros, bool *truncated)
{
    int64_t unit = SECOND;
    size_t from = *at;
    for (; *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9'; (*at)++) {
        unit /= 10;
        *micros += (text.data[*at] - '0') * unit;
        if (unit == 0)
            *truncated = true;
    }
    return *at > from;
}

/* "10:30", "10:30:00", "10:30:00.123456" */
static bool take_clock(struct bytes text, size_t *at, int64_t *micros, bool *truncated)
{
    int hour, minute, second = 0;
    if (!take_number(text, at, 2, &hour) || !take_char(text, at, ':') ||
        !take_number(text, at, 2, &minute))
        return false;
    int64_t fraction = 0;
    if (take_char(text, at, ':')) {
        if (!take_number(text, at, 2, &second))
            return false;
        if (take_char(text, at, '.') && !take_fraction(text, at, &fraction, truncated))
            return false;
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *micros = ((hour * INT64_C(60) + minute) * 60 + second) * SECOND + fraction;
    return true;
}

/* "Z", "+05:30", "+0530", "+05" to the end of the text; "+05:53:28", as PostgreSQL writes the local
 * mean time of a zone's early years. */
static bool take_zone(struct bytes text, size_t at, int64_t *offset)
{
    *offset = 0;
    if (take_char(text, &at, 'Z') || take_char(text, &at, 'z'))
        return at == text.size;
    bool west = take_char(text, &at, '-');
    if (!west && !take_char(text, &at, '+'))
        return false;
    int hours, minutes = 0, seconds = 0;
    if (!take_number(text, &at, 2, &hours))
        return false;
    if (at < text.size) {
        bool colon = take_char(text, &at, ':');
        if (!take_number(text, &at, 2, &minutes))
            return false;
        if (colon && take_char(text, &at, ':') && !take_number(text, &at, 2, &seconds))
            return false;
    }
    if (at != text.size || hours > 23 || minutes > 59 || seconds > 59)
        return false;
    *offset = ((hours * INT64_C(60) + minutes) * 60 + seconds) * SECOND * (west ? -1 : 1);
    return true;
}

bool timestamp_is_usable(int64_t micros)
{
    return micros >= DATE_MIN * DAY && micros < (DATE_MAX + 1) * DAY;
}

bool timestamp_parse(struct bytes text, enum timestamp_zone zone, int64_t *micros, bool *truncated)
{
    size_t at = 0;
    int32_t days;
    int64_t clock = 0, offset = 0;
    *truncated = false;
    if (!take_date(text, &at, &days))
        return false;
    if (at == text.size) {
        *micros = days * DAY;
        return zone == TIMESTAMP_ZONE_NONE;
    }
    if (!take_char(text, &at, 'T') && !take_char(text, &at, 't') && !take_char(text, &at, ' '))
        return false;
    if (!take_clock(text, &at, &clock, truncated))
        return false;
    if (zone == TIMESTAMP_ZONE_REQUIRED) {
        if (!take_zone(text, at, &offset))
            return false;
    } else if (at < text.size) {
        bool zulu = take_char(text, &at, 'Z') || take_char(text, &at, 'z');
        if (!zulu || at != text.size)
            return false;
    }
    *micros = days * DAY + clock - offset;
    return timestamp_is_usable(*micros);
}

bool timestamp_parse_date(struct bytes text, int32_t *days)
{
    size_t at = 0;
    return take_date(text, &at, days) && at == text.size;
}

static void put_number(char *at, int digits, int64_t value)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

static void put_date(char at[10], int64_t days)
{
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    memcpy(at, "0000-00-00", 10);
    put_number(at, 4, year);
    put_number(at + 5, 2, month);
    put_number(at + 8, 2, day);
}

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

void timestamp_append(struct buf *out, int64_t micros, bool zulu)
{
    char text[] = "0000-00-00T00:00:00.000000Z";
    int64_t days = floor_divide(micros, DAY);
    int64_t clock = micros - days * DAY;
    int64_t seconds = clock / SECOND;
    int64_t fraction = clock % SECOND;
    put_date(text, days);
    text[10] = 'T';
    put_number(text + 11, 2, seconds / 3600);
    put_number(text + 14, 2, seconds / 60 % 60);
    put_number(text + 17, 2, seconds % 60);
    put_number(text + 20, 6, fraction);
    size_t size = fraction % 1000 ? 26 : 23;
    text[size] = 'Z';
    buf_append(out, text, size + zulu);
}

void timestamp_append_date(struct buf *out, int32_t days)
{
    char text[10];
    put_date(text, days);
    buf_append(out, text, sizeof(text));
}

bool timestamp_from_epoch(int64_t value, int64_t units_per_second, int64_t *micros)
{
    int64_t unit = SECOND / units_per_second;
    /* The range in units first, so that the product cannot overflow. */
    int64_t max = (DATE_MAX + 1 + EPOCH_DAYS) * (DAY / unit);
    int64_t min = (DATE_MIN + EPOCH_DAYS) * (DAY / unit);
    if (value < min || value >= max)
        return false;
    *micros = value * unit - EPOCH_DAYS * DAY;
    return true;
}

int64_t timestamp_to_epoch(int64_t micros, int64_t units_per_second, bool *exact)
{
    int64_t unit = SECOND / units_per_second;
    int64_t value = floor_divide(micros + EPOCH_DAYS * DAY, unit);
    *exact = value * unit == micros + EPOCH_DAYS * DAY;
    return value;
}

bool timestamp_parse_ms(struct bytes text, int64_t *unix_ms)
{
    int64_t micros;
    bool cut, exact;
    if (!timestamp_parse(text, TIMESTAMP_ZONE_REQUIRED, &micros, &cut))
        return false;
    *unix_ms = timestamp_to_epoch(micros, 1000, &exact);
    return true;
}

void timestamp_append_ms(struct buf *out, int64_t unix_ms)
{
    int64_t micros;
    if (timestamp_from_epoch(unix_ms, 1000, &micros))
        timestamp_append(out, micros, true);
    else
        buf_append_text(out, "unknown");
}
