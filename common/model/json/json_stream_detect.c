/*
 * '[' is an array. For '{' the first value's end decides: another value behind it makes NDJSON
 * (or, when the first one spans lines, values one after the other); alone it is an object keyed by
 * id when all its members are objects and there are two or more, or it lacks a member without which
 * it would be no record, else a single record. A first line that is broken must not hide that the
 * lines are records: the second line is asked too.
 */
#include "common/model/json/json_stream_detect.h"

#include "common/model/json/json_scan.h"

bool json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct bytes behind(struct bytes text, size_t at)
{
    return bytes_of(text.data + at, text.size - at);
}

static size_t space_size(struct bytes text)
{
    size_t at = 0;
    while (at < text.size && json_is_space(text.data[at]))
        at++;
    return at;
}

const char *json_detect_encoding(struct bytes start)
{
    const unsigned char *p = (const unsigned char *)start.data;
    if (start.size >= 4 && !p[0] && !p[1] && (p[2] || p[3]))
        return "UTF-32";
    if (start.size >= 4 && p[0] && (!p[1] || p[1] == 0xFE) && !p[2] && !p[3])
        return "UTF-32";
    if (start.size >= 2 && ((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF)))
        return "UTF-16";
    if (start.size >= 2 && !p[0] != !p[1])
        return "UTF-16";
    return NULL;
}

/* First byte of a member's value, or 0 when it is not visible. */
static char value_start(struct bytes member)
{
    size_t at = 1;
    while (at < member.size && member.data[at] != '"')
        at += member.data[at] == '\\' ? 2 : 1;
    at++;
    while (at < member.size && (json_is_space(member.data[at]) || member.data[at] == ':'))
        at++;
    return at < member.size ? member.data[at] : 0;
}

/* Of the groups that have a name among the members. */
static unsigned groups_of(const struct json_expected *expected, struct bytes member)
{
    unsigned groups = 0;
    const char *end = member.size > 1 ? memchr(member.data + 1, '"', member.size - 1) : NULL;
    struct bytes name = bytes_of(member.data + 1, end ? (size_t)(end - member.data) - 1 : 0);
    for (size_t i = 0; i < expected->count; i++)
        if (bytes_equal(expected->names[i], name))
            groups |= 1U << expected->groups[i];
    return groups;
}

/* A whole object in which a group has no name. */
static bool is_no_record(const struct json_expected *expected, unsigned found)
{
    for (size_t i = 0; i < expected->count; i++)
        if (!(found & 1U << expected->groups[i]))
            return true;
    return false;
}

/* All members are objects as far as can be seen, and there are two or more, or it is no record. */
static bool looks_keyed(struct bytes object, const struct json_expected *expected)
{
    size_t members = 0;
    unsigned found = 0;
    bool is_whole = false;
    for (size_t at = 1; at < object.size && !is_whole;) {
        char c = object.data[at];
        is_whole = c == '}';
        if (json_is_space(c) || c == ',' || is_whole) {
            at++;
            continue;
        }
        struct bytes rest = behind(object, at);
        struct json_scan scan;
        json_scan_init(&scan, c, '}', false);
        enum json_scan_result result = json_scan_step(&scan, rest, false);
        char value = c == '"' ? value_start(rest) : 0;
        if (c == '"' && !scan.broken && value && value != '{')
            return false;
        members += value == '{';
        found |= c == '"' ? groups_of(expected, rest) : 0;
        if (result == JSON_SCAN_MORE || result == JSON_SCAN_CUT || scan.at == 0)
            break;
        at += scan.at;
    }
    return members >= 2 || (is_whole && is_no_record(expected, found));
}

/* True when the second line is a whole object by itself. */
static bool second_line_is_object(struct bytes sample)
{
    const char *line = memchr(sample.data, '\n', sample.size);
    if (!line)
        return false;
    struct bytes rest = behind(sample, (size_t)(line - sample.data));
    rest = behind(rest, space_size(rest));
    const char *end = rest.size ? memchr(rest.data, '\n', rest.size) : NULL;
    if (end)
        rest.size = (size_t)(end - rest.data);
    if (rest.size == 0 || rest.data[0] != '{')
        return false;
    struct json_scan scan;
    json_scan_init(&scan, '{', 0, false);
    if (json_scan_step(&scan, rest, true) != JSON_SCAN_END || scan.broken)
        return false;
    return scan.at + space_size(behind(rest, scan.at)) == rest.size;
}

static bool some_line_is_object(struct bytes sample)
{
    for (const char *line = memchr(sample.data, '\n', sample.size); line;) {
        struct bytes rest = behind(sample, (size_t)(line - sample.data));
        rest = behind(rest, space_size(rest));
        if (rest.size && rest.data[0] == '{')
            return true;
        line = rest.size ? memchr(rest.data, '\n', rest.size) : NULL;
    }
    return false;
}

/* The first value is text[0, size); what follows it tells the shape. */
static enum json_shape by_follower(struct bytes sample, size_t size, bool last, bool full,
                                   const struct json_expected *expected)
{
    struct bytes value = bytes_of(sample.data, size);
    struct bytes rest = behind(sample, size);
    size_t gap = space_size(rest);
    bool spans_lines = memchr(value.data, '\n', value.size) != NULL;
    bool new_line = gap > 0 && memchr(rest.data, '\n', gap) != NULL;
    if (gap == rest.size && !last)
        return full ? JSON_SHAPE_VALUES : JSON_SHAPE_DETECT;
    char next = gap < rest.size ? rest.data[gap] : 0;
    if (next && new_line && !spans_lines)
        return JSON_SHAPE_NDJSON;
    if (next == '{' || next == ',')
        return JSON_SHAPE_VALUES;
    return looks_keyed(value, expected) ? JSON_SHAPE_KEYED : JSON_SHAPE_SINGLE;
}

enum json_shape json_detect(struct bytes sample, bool last, const struct json_expected *expected)
{
    bool full = sample.size >= JSON_DETECT_MAX;
    if (sample.size > JSON_DETECT_MAX) {
        sample.size = JSON_DETECT_MAX;
        last = false;
    }
    if (sample.data[0] == '[')
        return JSON_SHAPE_ARRAY;
    if (sample.data[0] != '{') {
        if (!full && !last)
            return JSON_SHAPE_DETECT;
        return some_line_is_object(sample) ? JSON_SHAPE_NDJSON : JSON_SHAPE_NONE;
    }
    struct json_scan scan;
    json_scan_init(&scan, '{', 0, false);
    enum json_scan_result result = json_scan_step(&scan, sample, last);
    if (result == JSON_SCAN_END && !scan.broken)
        return by_follower(sample, scan.at, last, full, expected);
    if (!full && !last)
        return JSON_SHAPE_DETECT;
    if (second_line_is_object(sample))
        return JSON_SHAPE_NDJSON;
    return looks_keyed(sample, expected) ? JSON_SHAPE_KEYED : JSON_SHAPE_VALUES;
}
