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

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ---- the brackets that are open: the innermost ones, by kind ---- */

static inline bool level_is_object(const struct json_scan *scan, uint32_t level)
{
    return scan->kinds[level / 64] >> (level % 64) & 1;
}

/* Of a depth > 0; levels beyond those remembered count as arrays. */
static inline bool in_object_of(const struct json_scan *scan)
{
    return scan->depth <= JSON_SCAN_KINDS && level_is_object(scan, scan->depth - 1);
}

static inline void push(struct json_scan *scan, bool object)
{
    uint32_t level = scan->depth++;
    if (level >= JSON_SCAN_KINDS)
        return;
    uint64_t bit = UINT64_C(1) << (level % 64);
    if (object)
        scan->kinds[level / 64] |= bit;
    else
        scan->kinds[level / 64] &= ~bit;
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The byte before `at` that is not white space; 0 when there is none. */
static inline char before_of(const struct json_scan *scan, struct bytes text, size_t at)
{
    while (at > 0)
        if (!is_space(text.data[--at]))
            return text.data[at];
    return scan->before;
}

/*
 * ---- the fast path, for sound text: 64 bytes become bit masks, a running exclusive-or over the
 * quotes tells which bits are inside strings (Langdale and Lemire 2019), and only the brackets
 * outside are looked at one by one. It decides nothing that the rules would decide otherwise:
 * wherever a rule for broken text might act, it stops before, and the byte-wise scan goes on.
 * Without SSE2 everything is byte-wise.
 * ----
 */

#ifdef __SSE2__

#define BLOCK 64

/* One bit a byte of the block, the lowest for the first. */
struct masks {
    uint64_t quotes;
    uint64_t backslashes;
    uint64_t opens;
    uint64_t closes;
    uint64_t controls;
    uint64_t follows; /* what may follow a closing quote */
};

/* The compilers keep these in registers only when written out, not as a loop over an array. */
struct block {
    __m128i a, b, c, d;
};

static inline uint64_t bits(__m128i a, __m128i b, __m128i c, __m128i d)
{
    uint32_t low = (uint32_t)_mm_movemask_epi8(a) | (uint32_t)_mm_movemask_epi8(b) << 16;
    uint32_t high = (uint32_t)_mm_movemask_epi8(c) | (uint32_t)_mm_movemask_epi8(d) << 16;
    return (uint64_t)high << 32 | low;
}

static inline uint64_t bits_like(struct block block, char c)
{
    __m128i wanted = _mm_set1_epi8(c);
    return bits(_mm_cmpeq_epi8(block.a, wanted), _mm_cmpeq_epi8(block.b, wanted),
                _mm_cmpeq_epi8(block.c, wanted), _mm_cmpeq_epi8(block.d, wanted));
}

static inline __m128i up_to(__m128i lane, __m128i max)
{
    return _mm_cmpeq_epi8(_mm_min_epu8(lane, max), lane);
}

static inline uint64_t bits_up_to(struct block block, char c)
{
    __m128i max = _mm_set1_epi8(c);
    return bits(up_to(block.a, max), up_to(block.b, max), up_to(block.c, max), up_to(block.d, max));
}

static inline __m128i load(const char *lane)
{
    return _mm_loadu_si128((const __m128i *)(const void *)lane);
}

static inline struct masks masks_of(const char *start)
{
    struct block block = {load(start), load(start + 16), load(start + 32), load(start + 48)};
    __m128i bit = _mm_set1_epi8(0x20); /* the only one '[' and '{', ']' and '}' differ in */
    struct block folded = {_mm_or_si128(block.a, bit), _mm_or_si128(block.b, bit),
                           _mm_or_si128(block.c, bit), _mm_or_si128(block.d, bit)};
    struct masks masks;
    masks.quotes = bits_like(block, '"');
    masks.backslashes = bits_like(block, '\\');
    masks.opens = bits_like(folded, '{');
    masks.closes = bits_like(folded, '}');
    masks.controls = bits_up_to(block, 0x1F);
    masks.follows =
        masks.closes | bits_up_to(block, ' ') | bits_like(block, ',') | bits_like(block, ':');
    return masks;
}

/* Position of the lowest bit of a mask that is not 0 (Leiserson et al. 1998: a de Bruijn sequence
 * shifted by it has other upper six bits for each). */
static inline size_t lowest(uint64_t mask)
{
    static const unsigned char POSITIONS[64] = {
        0,  1,  2,  53, 3,  7,  54, 27, 4,  38, 41, 8,  34, 55, 48, 28, 62, 5,  39, 46, 44, 42,
        22, 9,  24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
        23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12};
    return POSITIONS[((mask & (0 - mask)) * UINT64_C(0x022FDD63CC95386D)) >> 58];
}

/* Each bit becomes the exclusive-or of itself and all lower ones. */
static inline uint64_t running_xor(uint64_t mask)
{
    mask ^= mask << 1;
    mask ^= mask << 2;
    mask ^= mask << 4;
    mask ^= mask << 8;
    mask ^= mask << 16;
    mask ^= mask << 32;
    return mask;
}

/* The quotes that no backslash escapes. False when the last backslash escapes beyond the block. */
static bool drop_escaped(struct masks *masks)
{
    uint64_t left = masks->backslashes;
    while (left) {
        size_t at = lowest(left);
        if (at == BLOCK - 1)
            return false;
        uint64_t escaped = UINT64_C(2) << at;
        masks->quotes &= ~escaped;
        left &= ~(escaped | escaped >> 1);
    }
    return true;
}

/* Follows the brackets of the block at scan->at. False when the scan must stop at scan->at. */
static bool take_brackets(struct json_scan *scan, struct bytes text, const struct masks *masks,
                          bool *ended)
{
    size_t block = scan->at;
    uint64_t brackets = masks->opens | masks->closes;
    for (; brackets; brackets &= brackets - 1) {
        size_t at = block + lowest(brackets);
        bool object = text.data[at] == '{' || text.data[at] == '}';
        bool in_object = scan->depth > 0 && in_object_of(scan);
        scan->at = at;
        if (masks->opens & brackets & -brackets) {
            if (in_object && before_of(scan, text, at) != ':')
                return false;
            push(scan, object);
            continue;
        }
        if (scan->depth <= JSON_SCAN_KINDS && in_object != object)
            return false;
        scan->depth--;
        scan->at = at + 1;
        *ended = scan->depth == 0 && !scan->run;
        if (scan->depth == 0)
            return false;
    }
    scan->at = block;
    return true;
}

static bool may_follow(char c)
{
    return (unsigned char)c <= ' ' || c == ',' || c == ':' || c == '}' || c == ']';
}

/* One block; false when the scan must stop at scan->at. */
static bool take_block(struct json_scan *scan, struct bytes text, bool *ended)
{
    const char *block = text.data + scan->at;
    struct masks masks = masks_of(block);
    if (masks.backslashes && !drop_escaped(&masks))
        return false;
    uint64_t inside = running_xor(masks.quotes);
    if (scan->state == JSON_SCAN_STRING)
        inside = ~inside;
    uint64_t closing = masks.quotes & ~inside;
    uint64_t bad = ((closing << 1) & ~masks.follows) | (masks.controls & inside) |
                   (masks.backslashes & ~inside);
    if (bad || (closing >> (BLOCK - 1) && !may_follow(block[BLOCK])))
        return false;
    masks.opens &= ~inside;
    masks.closes &= ~inside;
    if ((masks.opens | masks.closes) && !take_brackets(scan, text, &masks, ended)) {
        scan->state = JSON_SCAN_PLAIN; /* brackets are outside of strings */
        return false;
    }
    if (inside >> (BLOCK - 1) && masks.quotes)
        scan->quote = (size_t)((const char *)memrchr(block, '"', BLOCK) - text.data);
    scan->state = inside >> (BLOCK - 1) ? JSON_SCAN_STRING : JSON_SCAN_PLAIN;
    scan->at += BLOCK;
    return true;
}

/* Goes on in whole blocks of 64 bytes while nothing in them is broken; leaves the rest to the
 * byte-wise scan. True when the element ended. Same preconditions as json_scan_step. */
static bool step_blocks(struct json_scan *scan, struct bytes text)
{
    bool ended = false;
    if (scan->state == JSON_SCAN_CLOSED || (scan->run && scan->depth == 0))
        return false;
    while (scan->at + BLOCK < text.size && take_block(scan, text, &ended))
        ;
    return ended;
}

#else

static bool step_blocks(struct json_scan *scan, struct bytes text)
{
    (void)scan;
    (void)text;
    return false;
}

#endif

/* ---- byte by byte ---- */

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
        else if (level_is_object(scan, --level) == object)
            return level;
    }
    return object ? 0 : scan->depth;
}

/* Rule 2. */
static void pop(struct json_scan *scan, bool object)
{
    if (scan->depth > JSON_SCAN_KINDS || in_object_of(scan) == object) {
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
    char before = before_of(scan, text, scan->at);
    if (scan->depth == 0 && scan->run && before != ':')
        return JSON_SCAN_BOUNDARY;
    if (scan->depth > 0 && before != ':' && in_object_of(scan)) {
        mark_broken(scan, "a closing bracket is missing before this one");
        if (object && scan->bounded && before == ',')
            return JSON_SCAN_BOUNDARY;
    }
    push(scan, object);
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
        if (scan->run && scan->depth == 0 && is_closing(before_of(scan, text, scan->at)))
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
        if (step_blocks(scan, text))
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
    scan->before = before_of(scan, text, scan->at);
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
