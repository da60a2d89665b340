/* The tables are Unicode 16's East_Asian_Width W and F and the marks met in names of people and
 * files; blocks that are mostly wide (emoji) are taken as wide throughout. */
#include "common/base/text_width.h"

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

struct range {
    uint32_t first, last;
};

static const struct range NONE_WIDE[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489},   {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},   {0x1AB0, 0x1ACE}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F},
    {0x202A, 0x202E}, {0x2060, 0x2064},   {0x20D0, 0x20F0}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
    {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF},
};

static const struct range TWO_WIDE[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23F3},
    {0x25FD, 0x25FE},   {0x2614, 0x2615},   {0x2630, 0x2637},   {0x2648, 0x2653},
    {0x267F, 0x267F},   {0x268A, 0x268F},   {0x2693, 0x2693},   {0x26A1, 0x26A1},
    {0x26AA, 0x26AB},   {0x26BD, 0x26BE},   {0x26C4, 0x26C5},   {0x26CE, 0x26CE},
    {0x26D4, 0x26D4},   {0x26EA, 0x26EA},   {0x26F2, 0x26FD},   {0x2705, 0x2705},
    {0x270A, 0x270B},   {0x2728, 0x2728},   {0x274C, 0x274E},   {0x2753, 0x2757},
    {0x2795, 0x2797},   {0x27B0, 0x27BF},   {0x2B1B, 0x2B1C},   {0x2B50, 0x2B55},
    {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97C},   {0xAC00, 0xD7A3},
    {0xF900, 0xFAFF},   {0xFE10, 0xFE19},   {0xFE30, 0xFE6F},   {0xFF01, 0xFF60},
    {0xFFE0, 0xFFE6},   {0x16FE0, 0x18DFF}, {0x1AFF0, 0x1B2FB}, {0x1D300, 0x1D376},
    {0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F19A}, {0x1F200, 0x1F265},
    {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7F0}, {0x1F900, 0x1FAFF},
    {0x20000, 0x3FFFD},
};

static bool is_in(uint32_t code, const struct range *ranges, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && code >= ranges[low].first;
}

/* Of the character at the start; *size its bytes. A byte that is none counts as one column. */
static int next_width(struct bytes text, size_t *size)
{
    *size = text_utf8_size(text, 0);
    if (*size <= 1) {
        *size = 1;
        return 1;
    }
    uint32_t code = text_utf8_point(text.data, *size);
    if (is_in(code, NONE_WIDE, sizeof(NONE_WIDE) / sizeof(NONE_WIDE[0])))
        return 0;
    return is_in(code, TWO_WIDE, sizeof(TWO_WIDE) / sizeof(TWO_WIDE[0])) ? 2 : 1;
}

/* Bytes of the SGR sequence ("\033[31m") that `text` begins with; 0: none. */
static size_t colour_size(struct bytes text)
{
    if (text.size < 2 || text.data[0] != '\033' || text.data[1] != '[')
        return 0;
    size_t size = 2;
    while (size < text.size && text.data[size] != 'm')
        size++;
    return size < text.size ? size + 1 : size;
}

/* Goes over `text` until more than `width` columns would be taken. */
static size_t walk(struct bytes text, int width, int *columns)
{
    size_t at = 0;
    *columns = 0;
    while (at < text.size) {
        struct bytes rest = bytes_of(text.data + at, text.size - at);
        size_t size = colour_size(rest);
        int more = size ? 0 : next_width(rest, &size);
        if (more > width - *columns)
            break;
        *columns += more;
        at += size;
    }
    return at;
}

int text_width(struct bytes text)
{
    int columns;
    walk(text, INT32_MAX, &columns);
    return columns;
}

size_t text_width_fit(struct bytes text, int width)
{
    int columns;
    return width < 0 ? 0 : walk(text, width, &columns);
}

void text_append_fit(struct buf *out, struct bytes text, int width)
{
    size_t fits = text_width_fit(text, width);
    if (fits == text.size || width < 1) {
        buf_append(out, text.data, fits);
        return;
    }
    fits = text_width_fit(text, width - 1);
    buf_append(out, text.data, fits);
    buf_append_text(out, "…");
    for (size_t at = fits; at < text.size; at++) {
        struct bytes rest = bytes_of(text.data + at, text.size - at);
        size_t size = colour_size(rest);
        buf_append(out, rest.data, size);
        at += size ? size - 1 : 0;
    }
}
