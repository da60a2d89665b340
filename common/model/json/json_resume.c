/*
 * A place is taken for the next element's beginning when
 *  - it begins with the same bytes as the endless element, up to its first member's name;
 *  - it begins a line in the same column, or follows a ',' (not when the element may just be
 *    large: what it holds must never become records);
 *  - the next elements from there on are sound, sixteen or up to the end: what only looks like an
 *    element inside the broken one is followed by what closes it.
 * An input that does not end with its list's closing bracket was cut: then there is no neighbour.
 */
#include "common/model/json/json_resume.h"

#include "common/model/json/json_scan.h"
#include "common/model/json/json_stream_detect.h"

#define SOUND_ENOUGH 16

static struct bytes behind(struct bytes text, size_t at)
{
    return bytes_of(text.data + at, text.size - at);
}

static size_t skip_space(struct bytes text, size_t at)
{
    while (at < text.size && json_is_space(text.data[at]))
        at++;
    return at;
}

/* Bytes from the element's first to behind its first member's name. */
static size_t opening_size(struct bytes text)
{
    size_t at = text.data[0] == '{' ? skip_space(text, 1) : 0;
    if (at == text.size || text.data[at] != '"')
        return 0;
    const char *end = memchr(text.data + at + 1, '"', text.size - at - 1);
    return end ? (size_t)(end - text.data) + 1 : 0;
}

static bool begins_line(struct bytes text, size_t at, size_t indent)
{
    for (size_t i = 1; i <= indent; i++)
        if (i > at || !strchr(" \t,", text.data[at - i]))
            return false;
    return at > indent && text.data[at - indent - 1] == '\n';
}

static bool follows_comma(struct bytes text, size_t at)
{
    while (at > 0 && json_is_space(text.data[at - 1]))
        at--;
    return at > 0 && text.data[at - 1] == ',';
}

static bool goes_on_sound(struct bytes text, char closer, bool to_end)
{
    for (int i = 0; i < SOUND_ENOUGH; i++) {
        struct json_scan scan;
        json_scan_init(&scan, text.data[0], closer, text.data[0] == '{');
        enum json_scan_result result = json_scan_step(&scan, text, false);
        if (scan.broken || result == JSON_SCAN_BOUNDARY)
            return false;
        if (result == JSON_SCAN_MORE)
            return !to_end;
        size_t at = skip_space(text, scan.at);
        if (at == text.size)
            return !to_end || !closer;
        if (text.data[at] == closer)
            return skip_space(text, at + 1) == text.size;
        if (text.data[at] != ',')
            return false;
        at = skip_space(text, at + 1);
        if (at == text.size)
            return !to_end;
        text = behind(text, at);
    }
    return true;
}

static bool ends_with(struct bytes text, char closer)
{
    while (text.size && json_is_space(text.data[text.size - 1]))
        text.size--;
    return text.size && text.data[text.size - 1] == closer;
}

size_t json_resume_at(struct bytes text, size_t indent, char closer, enum json_endless endless)
{
    bool to_end = endless == JSON_ENDLESS_INPUT;
    size_t opening = opening_size(text);
    if (opening == 0 || (to_end && !ends_with(text, closer ? closer : '}')))
        return 0;
    for (size_t at = 1; at + opening <= text.size; at++) {
        const char *found = memchr(text.data + at, text.data[0], text.size - opening - at + 1);
        if (!found)
            return 0;
        at = (size_t)(found - text.data);
        if (memcmp(found, text.data, opening) != 0)
            continue;
        if (!begins_line(text, at, indent) &&
            (endless == JSON_ENDLESS_LARGE || !follows_comma(text, at)))
            continue;
        if (goes_on_sound(behind(text, at), closer, to_end))
            return at;
    }
    return 0;
}
