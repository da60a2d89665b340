/*
 * The scan's fast path, for sound text: 64 bytes become bit masks, a running exclusive-or over the
 * quotes tells which bits are inside strings (Langdale and Lemire 2019), and only the brackets
 * outside are looked at one by one. It decides nothing that json_scan.c would decide otherwise:
 * wherever a rule for broken text might act, it stops before, and the byte-wise scan goes on.
 * Without SSE2 everything is byte-wise.
 */
#include "common/model/json/json_scan_levels.h"

#ifdef __SSE2__

#include <emmintrin.h>

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
        bool in_object = scan->depth > 0 && json_scan_in_object(scan);
        scan->at = at;
        if (masks->opens & brackets & -brackets) {
            if (in_object && json_scan_before(scan, text, at) != ':')
                return false;
            json_scan_push(scan, object);
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

bool json_scan_blocks(struct json_scan *scan, struct bytes text)
{
    bool ended = false;
    if (scan->state == JSON_SCAN_CLOSED || (scan->run && scan->depth == 0))
        return false;
    while (scan->at + BLOCK < text.size && take_block(scan, text, &ended))
        ;
    return ended;
}

#else

bool json_scan_blocks(struct json_scan *scan, struct bytes text)
{
    (void)scan;
    (void)text;
    return false;
}

#endif
