/*
 * The end of an element, also of a broken one.
 *
 * In sound JSON an element ends where the bracket it began with is closed. When the text is
 * broken, these rules keep the damage in one element; each only acts where the grammar is already
 * violated, so none can split a sound element:
 *
 *  1. A quote opens a string only when the string closes before a control character and what
 *     follows its closing quote is white space (or a control character), ',', ':', '}', ']' or
 *     the end. A quote that does not is skipped as if it were not there. So a missing or an extra
 * quote is noticed at the next quote and costs only its own element, instead of turning the rest of
 * the file inside out. Backslashes escape outside of strings too: whether a quote is escaped then
 * never depends on whether it opens or closes, which keeps the going back linear.
 *  2. A closing bracket of the wrong kind closes everything up to the nearest open one of its
 *     kind; with none, ']' is skipped and '}' closes the element (which a '[' began in its place).
 *  3. A '{' behind a ',' where a member's name belongs begins the next element: the one before
 *     lacks its closing brackets. (The stream believes this only when the new element is followed
 *     by ',' or the list's end, or else both are rejected.)
 *  4. What begins with no bracket lasts up to the next ',' or the end of the list, and up to a '{'
 *     that no ':' precedes.
 */
#include "common/model/json/json_scan.h"

#include <assert.h>

#include "common/model/json/json_scan_levels.h"

enum {
    STOP = 1,    /* ends the skipping between strings: " { } [ ] \ */
    COMMA = 2,   /* ends a run */
    IN = 4,      /* ends the skipping inside strings: " \ and control characters */
    FOLLOWS = 8, /* may follow a closing quote */
    SPACE = 16,
};

#define CONTROL (IN | FOLLOWS)
#define WHITE (IN | FOLLOWS | SPACE)
/* clang-format off */
static const unsigned char CLASS[256] = {
    [0x00] = CONTROL, [0x01] = CONTROL, [0x02] = CONTROL, [0x03] = CONTROL,
    [0x04] = CONTROL, [0x05] = CONTROL, [0x06] = CONTROL, [0x07] = CONTROL,
    [0x08] = CONTROL, [0x09] = WHITE, [0x0A] = WHITE, [0x0B] = CONTROL,
    [0x0C] = CONTROL, [0x0D] = WHITE, [0x0E] = CONTROL, [0x0F] = CONTROL,
    [0x10] = CONTROL, [0x11] = CONTROL, [0x12] = CONTROL, [0x13] = CONTROL,
    [0x14] = CONTROL, [0x15] = CONTROL, [0x16] = CONTROL, [0x17] = CONTROL,
    [0x18] = CONTROL, [0x19] = CONTROL, [0x1A] = CONTROL, [0x1B] = CONTROL,
    [0x1C] = CONTROL, [0x1D] = CONTROL, [0x1E] = CONTROL, [0x1F] = CONTROL,
    [' '] = FOLLOWS | SPACE,
    ['"'] = STOP | IN, ['\\'] = STOP | IN, ['{'] = STOP, ['['] = STOP,
    ['}'] = STOP | FOLLOWS, [']'] = STOP | FOLLOWS, [','] = COMMA | FOLLOWS, [':'] = FOLLOWS,
};
/* clang-format on */

static unsigned class_of(char c)
{
    return CLASS[(unsigned char)c];
}

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Sets the high bit of each byte of `word` that is `c`; exact below the first such byte. */
static uint64_t bytes_like(uint64_t word, unsigned char c)
{
    uint64_t difference = word ^ (EACH_BYTE * c);
    return (difference - EACH_BYTE) & ~difference & HIGH_BITS;
}

/* Eight at a time, as most bytes do not stop it. */
size_t json_scan_in_string(struct bytes text, size_t at)
{
    while (at + 8 <= text.size) {
        uint64_t word;
        memcpy(&word, text.data + at, 8);
        uint64_t control = (word - EACH_BYTE * 0x20) & ~word & HIGH_BITS;
        if (bytes_like(word, '"') | bytes_like(word, '\\') | control)
            break;
        at += 8;
    }
    while (at < text.size && !(class_of(text.data[at]) & IN))
        at++;
    return at;
}

static void mark_broken(struct json_scan *scan, const char *why)
{
    if (scan->broken)
        return;
    scan->broken = why;
    scan->broken_at = scan->at;
}

/* The depth that closing the nearest open bracket of a kind leaves (rule 2).
 * Whole words first: a million stray brackets in a deep record must not each walk its levels. */
static uint32_t depth_without(const struct json_scan *scan, bool object)
{
    uint64_t none = object ? 0 : ~UINT64_C(0);
    uint32_t level = scan->depth;
    while (level > 0) {
        if (level % 64 == 0 && scan->kinds[level / 64 - 1] == none)
            level -= 64;
        else if (json_scan_level_is_object(scan, --level) == object)
            return level;
    }
    return object ? 0 : scan->depth;
}

/* Rule 2. */
static void pop(struct json_scan *scan, bool object)
{
    if (scan->depth > JSON_SCAN_KINDS || json_scan_in_object(scan) == object) {
        scan->depth--;
        return;
    }
    mark_broken(scan, "a closing bracket of the wrong kind");
    scan->depth = depth_without(scan, object);
}

/* Rule 1: the quote that opened this string did not open one. */
static void unopen(struct json_scan *scan, const char *why)
{
    mark_broken(scan, why);
    scan->state = JSON_SCAN_PLAIN;
    if (!scan->forgetting)
        scan->at = scan->quote + 1;
}

/* Returns false when the text does not suffice. */
static bool step_string(struct json_scan *scan, struct bytes text, bool last)
{
    size_t at = json_scan_in_string(text, scan->at);
    while (at + 1 < text.size && text.data[at] == '\\')
        at = json_scan_in_string(text, at + 2);
    scan->at = at < text.size ? at : text.size;
    if (at < text.size && text.data[at] == '"') {
        scan->at = at + 1;
        scan->state = JSON_SCAN_CLOSED;
        return true;
    }
    if (at < text.size && text.data[at] != '\\') {
        unopen(scan, "a control character inside a string: its closing quote is missing");
        return true;
    }
    if (!last)
        return false;
    scan->at = text.size;
    unopen(scan, "a string that is not closed");
    return true;
}

static bool step_closed(struct json_scan *scan, struct bytes text, bool last)
{
    if (scan->at == text.size && !last)
        return false;
    if (scan->at < text.size && !(class_of(text.data[scan->at]) & FOLLOWS))
        unopen(scan, "a quote too many or too few");
    else
        scan->state = JSON_SCAN_PLAIN;
    return true;
}

static enum json_scan_result open_bracket(struct json_scan *scan, struct bytes text, bool object)
{
    char before = json_scan_before(scan, text, scan->at);
    if (scan->depth == 0 && scan->run && before != ':')
        return JSON_SCAN_BOUNDARY;
    if (scan->depth > 0 && before != ':' && json_scan_in_object(scan)) {
        mark_broken(scan, "a closing bracket is missing before this one");
        if (object && scan->bounded && before == ',')
            return JSON_SCAN_BOUNDARY;
    }
    json_scan_push(scan, object);
    scan->at++;
    return JSON_SCAN_MORE;
}

static enum json_scan_result close_bracket(struct json_scan *scan, char bracket)
{
    if (scan->depth == 0) {
        if (bracket == scan->closer)
            return JSON_SCAN_END;
        mark_broken(scan, "a closing bracket that nothing opened");
        scan->at++;
        return JSON_SCAN_MORE;
    }
    pop(scan, bracket == '}');
    scan->at++;
    return scan->depth == 0 && !scan->run ? JSON_SCAN_END : JSON_SCAN_MORE;
}

static bool is_closing(char c)
{
    return c == '}' || c == ']';
}

/* A stop between strings, text.data[at]. MORE: go on. */
static enum json_scan_result take_stop(struct json_scan *scan, struct bytes text, bool last)
{
    char c = text.data[scan->at];
    switch (c) {
    case '"':
        if (scan->run && scan->depth == 0 && is_closing(json_scan_before(scan, text, scan->at)))
            return JSON_SCAN_BOUNDARY;
        scan->quote = scan->at++;
        scan->state = JSON_SCAN_STRING;
        return JSON_SCAN_MORE;
    case '{':
    case '[':
        return open_bracket(scan, text, c == '{');
    case '}':
    case ']':
        return close_bracket(scan, c);
    case '\\':
        mark_broken(scan, "a backslash outside of a string");
        scan->at += scan->at + 1 < text.size || !last ? 2 : 1;
        return JSON_SCAN_MORE;
    default:
        assert(c == ',');
        if (scan->at > 0 || scan->forgetting)
            return JSON_SCAN_END;
        mark_broken(scan, "a comma in the place of a value");
        scan->at++;
        return JSON_SCAN_MORE;
    }
}

static bool at_run_level(const struct json_scan *scan)
{
    return scan->run && scan->depth == 0;
}

static enum json_scan_result step_plain(struct json_scan *scan, struct bytes text, bool last)
{
    while (scan->state == JSON_SCAN_PLAIN) {
        unsigned stops = at_run_level(scan) ? STOP | COMMA : STOP;
        size_t at = scan->at;
        while (at < text.size && !(class_of(text.data[at]) & stops))
            at++;
        scan->at = at;
        if (at >= text.size || (text.data[at] == '\\' && at + 1 == text.size && !last))
            return JSON_SCAN_MORE;
        enum json_scan_result result = take_stop(scan, text, last);
        if (result != JSON_SCAN_MORE)
            return result;
    }
    return JSON_SCAN_MORE;
}

void json_scan_init(struct json_scan *scan, char first, char closer, bool bounded)
{
    memset(scan, 0,
           offsetof(struct json_scan, kinds)); /* levels are written before they are read */
    scan->closer = closer;
    scan->bounded = bounded;
    scan->run = first != '{' && first != '[';
}

enum json_scan_result json_scan_step(struct json_scan *scan, struct bytes text, bool last)
{
    for (;;) {
        if (json_scan_blocks(scan, text))
            return JSON_SCAN_END;
        if (scan->state == JSON_SCAN_STRING && !step_string(scan, text, last))
            return JSON_SCAN_MORE;
        if (scan->state == JSON_SCAN_CLOSED && !step_closed(scan, text, last))
            return JSON_SCAN_MORE;
        enum json_scan_result result = step_plain(scan, text, last);
        if (result != JSON_SCAN_MORE)
            return result;
        if (scan->state != JSON_SCAN_PLAIN)
            continue;
        if (!last)
            return JSON_SCAN_MORE;
        return at_run_level(scan) ? JSON_SCAN_END : JSON_SCAN_CUT;
    }
}

size_t json_scan_drop(struct json_scan *scan, struct bytes text)
{
    scan->before = json_scan_before(scan, text, scan->at);
    scan->forgetting = true;
    size_t dropped = scan->at;
    scan->at = 0;
    return dropped;
}

size_t json_scan_lines(struct bytes text, size_t *last)
{
    size_t lines = 0;
    const char *first = text.size ? memchr(text.data, '\n', text.size) : NULL;
    if (!first) /* most often: one line a record, or all on one */
        return 0;
    size_t at = (size_t)(first - text.data);
    while (at + 8 <= text.size) {
        uint64_t sum = 0; /* of each of eight byte columns, at most 255 */
        for (int i = 0; i < 255 && at + 8 <= text.size; i++, at += 8) {
            uint64_t word;
            memcpy(&word, text.data + at, 8);
            uint64_t other = word ^ (EACH_BYTE * '\n');
            uint64_t filled = ((other & ~HIGH_BITS) + ~HIGH_BITS) | other; /* high bit: not LF */
            sum += (~filled & HIGH_BITS) >> 7;
        }
        for (; sum; sum >>= 8)
            lines += sum & 255;
    }
    for (; at < text.size; at++)
        lines += text.data[at] == '\n';
    *last = (size_t)((const char *)memrchr(text.data, '\n', text.size) - text.data) + 1;
    return lines;
}
