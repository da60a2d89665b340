#include "common/model/json/json_text.h"

#include <stdint.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/text.h"

/* What starts at a byte inside a string. */
enum piece_kind {
    PIECE_PLAIN,
    PIECE_END,     /* the closing quote */
    PIECE_NUL,     /* \u0000 */
    PIECE_INVALID, /* a lone surrogate escape, a byte that is not UTF-8 */
};

struct piece {
    enum piece_kind kind;
    size_t size;
};

/* The code unit of a \uXXXX at `at`, or -1. */
static int code_unit(struct bytes text, size_t at)
{
    if (text.size - at < 6 || text.data[at] != '\\' || text.data[at + 1] != 'u')
        return -1;
    int unit = 0;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = hex_value(text.data[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static bool is_high(int unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(int unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static struct piece escape_at(struct bytes text, size_t at)
{
    int unit = code_unit(text, at);
    if (unit == 0)
        return (struct piece){PIECE_NUL, 6};
    if (is_high(unit) && is_low(code_unit(text, at + 6)))
        return (struct piece){PIECE_PLAIN, 12};
    if (is_high(unit) || is_low(unit))
        return (struct piece){PIECE_INVALID, 6};
    return (struct piece){PIECE_PLAIN, text.size - at < 2 ? 1 : 2};
}

static struct piece piece_at(struct bytes text, size_t at)
{
    char c = text.data[at];
    if (c == '"')
        return (struct piece){PIECE_END, 1};
    if (c == '\\')
        return escape_at(text, at);
    size_t size = text_utf8_size(text, at);
    return size ? (struct piece){PIECE_PLAIN, size} : (struct piece){PIECE_INVALID, 1};
}

static void open_bracket(struct json_text_facts *scan, size_t *depth, size_t at)
{
    if (++*depth > scan->deepest) {
        scan->deepest = *depth;
        scan->deepest_at = at;
    }
}

void json_text_scan(struct bytes text, struct json_text_facts *scan)
{
    *scan = (struct json_text_facts){.fault_at = SIZE_MAX};
    size_t depth = 0;
    bool in_string = false;
    for (size_t at = 0; at < text.size;) {
        if (in_string) {
            struct piece piece = piece_at(text, at);
            if (piece.kind == PIECE_INVALID && scan->fault_at == SIZE_MAX)
                scan->fault_at = at;
            in_string = piece.kind != PIECE_END;
            at += piece.size;
            continue;
        }
        char c = text.data[at];
        in_string = c == '"';
        if (c == '[' || c == '{')
            open_bracket(scan, &depth, at);
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
        at++;
    }
    scan->complete = depth == 0 && !in_string;
}

void json_text_repair(struct bytes text, struct buf *out)
{
    bool in_string = false;
    size_t kept = 0; /* start of bytes not yet appended that stay as they are */
    for (size_t at = 0; at < text.size;) {
        if (!in_string) {
            in_string = text.data[at++] == '"';
            continue;
        }
        struct piece piece = piece_at(text, at);
        in_string = piece.kind != PIECE_END;
        if (piece.kind == PIECE_NUL || piece.kind == PIECE_INVALID) {
            buf_append(out, text.data + kept, at - kept);
            buf_append(out, "\xEF\xBF\xBD", 3); /* U+FFFD */
            kept = at + piece.size;
        }
        at += piece.size;
    }
    buf_append(out, text.data + kept, text.size - kept);
}
