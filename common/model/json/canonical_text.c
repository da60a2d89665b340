/*
 * The canonical form of JSON text that is nearly in it already, without a document in between. It
 * is as strict as json_parse, and where a rule is not seen to hold at a glance (an escape by
 * number, a number with an exponent, many members, deep nesting, the same name twice) it leaves
 * the text to it.
 */

#include "common/model/json/canonical.h"

#include <endian.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/model/json/json_scan.h"

enum { DEPTH_MAX = 8, MEMBERS_MAX = CANONICAL_MEMBERS_MAX, DIGITS_MAX = 18 };

struct scan {
    const char *at, *end;
    char *to;   /* there is room: no byte of the text becomes more than BYTES_MAX */
    bool ascii; /* all strings until now */
    struct canonical_member *told; /* of the root; NULL: nobody asks */
    size_t told_count;
    struct canonical_order *before; /* of the root before; NULL: nobody keeps it */
};

enum { BYTES_MAX = 3 }; /* \n, two bytes, becomes \u000a */

/* A member as it was written. */
struct written {
    uint64_t prefix; /* first eight bytes of the name, big endian */
    const char *name, *begin, *end;
    size_t name_size;
};

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

static bool take(struct scan *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static void put(struct scan *scan, const char *data, size_t size)
{
    memcpy(scan->to, data, size);
    scan->to += size;
}

/* At a backslash. */
static bool put_escape(struct scan *scan)
{
    if (scan->end - scan->at < 2)
        return false;
    char c = scan->at[1];
    scan->at += 2;
    switch (c) {
    case '"':
    case '\\':
        put(scan, (char[]){'\\', c}, 2);
        return true;
    case '/':
        *scan->to++ = '/';
        return true;
    case 'n':
        put(scan, "\\u000a", 6);
        return true;
    case 't':
        put(scan, "\\u0009", 6);
        return true;
    case 'r':
        put(scan, "\\u000d", 6);
        return true;
    default:
        return false;
    }
}

/* Puts what stands for itself in a string. */
static void put_plain(struct scan *scan)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1F);
    while (scan->end - scan->at >= 16) {
        const __m128i word = _mm_loadu_si128((const __m128i *)(const void *)scan->at);
        const __m128i special =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(word, quote), _mm_cmpeq_epi8(word, backslash)),
                         _mm_cmpeq_epi8(_mm_min_epu8(word, control), word));
        unsigned stops = (unsigned)_mm_movemask_epi8(special);
        int size = stops ? __builtin_ctz(stops) : 16;
        _mm_storeu_si128((__m128i *)(void *)scan->to, word); /* what is too much is written over */
        scan->ascii = scan->ascii && !_mm_movemask_epi8(word);
        scan->at += size;
        scan->to += size;
        if (stops)
            return;
    }
#endif
    struct bytes left = bytes_of(scan->at, (size_t)(scan->end - scan->at));
    size_t size = json_scan_in_string(left, 0);
    for (size_t i = 0; i < size; i++)
        scan->ascii = scan->ascii && (unsigned char)left.data[i] < 0x80;
    put(scan, left.data, size);
    scan->at += size;
}

/* At its first quote. `escapes`: whether it may have any. */
static bool put_string(struct scan *scan, bool escapes)
{
    scan->at++;
    *scan->to++ = '"';
    for (;;) {
        put_plain(scan);
        if (take(scan, '"'))
            break;
        if (!escapes || scan->at == scan->end || *scan->at != '\\' || !put_escape(scan))
            return false;
    }
    *scan->to++ = '"';
    return true;
}

static size_t count_digits(const struct scan *scan, const char *from)
{
    const char *at = from;
    while (at < scan->end && *at >= '0' && *at <= '9')
        at++;
    return (size_t)(at - from);
}

/* Few digits, a fraction or none, no exponent. */
static bool put_number(struct scan *scan)
{
    const char *first = scan->at, *whole = first + (*first == '-'), *at;
    size_t count = count_digits(scan, whole), fraction = 0;
    if (count == 0 || count > DIGITS_MAX || (*whole == '0' && count > 1))
        return false;
    at = whole + count;
    if (at < scan->end && *at == '.') {
        fraction = count_digits(scan, at + 1);
        if (fraction == 0 || fraction > DIGITS_MAX)
            return false;
        at += 1 + fraction;
    }
    if (at < scan->end && (*at == 'e' || *at == 'E' || *at == '.'))
        return false;
    scan->at = at;
    while (fraction && at[-1] == '0') {
        at--;
        fraction--;
    }
    if (fraction == 0)
        at = whole + count;
    if (fraction == 0 && *whole == '0')
        first = whole; /* -0 is 0 */
    put(scan, first, (size_t)(at - first));
    return true;
}

static bool put_word(struct scan *scan, const char *word, size_t size)
{
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0)
        return false;
    put(scan, word, size);
    scan->at += size;
    return true;
}

static bool put_value(struct scan *scan, int depth);

static bool put_array(struct scan *scan, int depth)
{
    scan->at++;
    *scan->to++ = '[';
    skip_space(scan);
    if (take(scan, ']')) {
        *scan->to++ = ']';
        return true;
    }
    for (;;) {
        if (!put_value(scan, depth))
            return false;
        if (!take(scan, ','))
            break;
        *scan->to++ = ',';
    }
    *scan->to++ = ']';
    return take(scan, ']');
}

/* Of a name where it was written: there is room for as many bytes behind it, which are cut off. */
static uint64_t prefix_of(const char *name, size_t size)
{
    uint64_t word;
    memcpy(&word, name, sizeof word);
    uint64_t prefix = be64toh(word);
    return size < sizeof word ? prefix & ~(UINT64_MAX >> 8 * size) : prefix;
}

static int compare(const struct written *a, const struct written *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return bytes_compare(bytes_of(a->name, a->name_size), bytes_of(b->name, b->name_size));
}

#define RANKED_MAX 24

/* The order by the names' beginnings alone: each member's place is the number of those before it,
 * which takes no branch that depends on the names. False: two begin alike. */
static bool rank_members(const struct written *members, size_t count, uint8_t *order, bool *sorted)
{
    uint64_t prefixes[RANKED_MAX];
    uint32_t places = 0;
    *sorted = true;
    if (count > RANKED_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        prefixes[i] = members[i].prefix;
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        for (size_t k = 0; k < count; k++)
            at += prefixes[k] < prefixes[i];
        order[at] = (uint8_t)i;
        places |= UINT32_C(1) << at;
        *sorted = *sorted && at == i;
    }
    return places == (UINT32_C(1) << count) - 1;
}

/* The members' order by name. False: two have one name. */
static bool order_members(const struct written *members, size_t count, uint8_t *order, bool *sorted)
{
    if (rank_members(members, count, order, sorted))
        return true;
    *sorted = true;
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0; at--) {
            int side = compare(&members[i], &members[order[at - 1]]);
            if (side == 0)
                return false;
            if (side > 0)
                break;
            order[at] = order[at - 1];
        }
        order[at] = (uint8_t)i;
        *sorted = *sorted && at == i;
    }
    return true;
}

/* Most records have the order of the one before. False: it is not this one's. */
static bool order_as_before(const struct canonical_order *before, const struct written *members,
                            size_t count, uint8_t *order, bool *sorted)
{
    if (before->count != count)
        return false;
    for (size_t i = 1; i < count; i++)
        if (members[before->places[i - 1]].prefix >= members[before->places[i]].prefix)
            return false;
    memcpy(order, before->places, count);
    *sorted = before->sorted;
    return true;
}

static bool order_root(struct canonical_order *before, const struct written *members, size_t count,
                       uint8_t *order, bool *sorted)
{
    if (order_as_before(before, members, count, order, sorted))
        return true;
    if (!order_members(members, count, order, sorted))
        return false;
    memcpy(before->places, order, count);
    before->count = count;
    before->sorted = *sorted;
    return true;
}

/* Puts the members, which stand one behind the other, in their order: they are written once more
 * behind themselves, then moved. */
static void move_members(struct scan *scan, const struct written *members, size_t count,
                         const uint8_t *order)
{
    char *place = scan->to, *begin = scan->to - (members[count - 1].end - members[0].begin);
    for (size_t i = 0; i < count; i++) {
        const struct written *member = &members[order[i]];
        size_t size = (size_t)(member->end - member->begin);
        memcpy(place, member->begin, size);
        *place = i ? ',' : '{';
        place += size;
    }
    memcpy(begin, scan->to, (size_t)(scan->to - begin));
}

/* Where the root's members are now. */
static void tell_members(struct scan *scan, const struct written *members, size_t count,
                         const uint8_t *order)
{
    const char *at = members[0].begin;
    for (size_t i = 0; i < count; i++) {
        const struct written *member = &members[order[i]];
        size_t name = member->name_size, size = (size_t)(member->end - member->begin);
        size_t before = name + 4; /* a separator, two quotes, the colon */
        scan->told[i] =
            (struct canonical_member){bytes_of(at + 2, name), bytes_of(at + before, size - before)};
        at += size;
    }
    scan->told_count = count;
}

static bool put_object(struct scan *scan, int depth)
{
    struct written members[MEMBERS_MAX];
    uint8_t order[MEMBERS_MAX];
    size_t count = 0;
    bool sorted;
    scan->at++;
    skip_space(scan);
    if (take(scan, '}')) {
        put(scan, "{}", 2);
        return true;
    }
    do {
        skip_space(scan);
        if (count == MEMBERS_MAX || scan->at == scan->end || *scan->at != '"')
            return false;
        struct written *member = &members[count];
        member->begin = scan->to;
        *scan->to++ = count++ ? ',' : '{';
        member->name = scan->to + 1;
        if (!put_string(scan, false))
            return false;
        member->name_size = (size_t)(scan->to - 1 - member->name);
        member->prefix = prefix_of(member->name, member->name_size);
        skip_space(scan);
        *scan->to++ = ':';
        if (!take(scan, ':') || !put_value(scan, depth))
            return false;
        member->end = scan->to;
    } while (take(scan, ','));
    bool kept = depth == 1 && scan->before;
    if (!take(scan, '}') || !(kept ? order_root(scan->before, members, count, order, &sorted)
                                   : order_members(members, count, order, &sorted)))
        return false;
    if (!sorted)
        move_members(scan, members, count, order);
    if (depth == 1 && scan->told)
        tell_members(scan, members, count, order);
    *scan->to++ = '}';
    return true;
}

/* With the white space around it. */
static bool put_value(struct scan *scan, int depth)
{
    bool done = false;
    skip_space(scan);
    if (scan->at == scan->end || depth == DEPTH_MAX)
        return false;
    switch (*scan->at) {
    case '{':
        done = put_object(scan, depth + 1);
        break;
    case '[':
        done = put_array(scan, depth + 1);
        break;
    case '"':
        done = put_string(scan, true);
        break;
    case 't':
        done = put_word(scan, "true", 4);
        break;
    case 'f':
        done = put_word(scan, "false", 5);
        break;
    case 'n':
        done = put_word(scan, "null", 4);
        break;
    default:
        done = put_number(scan);
        break;
    }
    skip_space(scan);
    return done;
}

static bool append_text(struct buf *out, struct bytes text, struct scan *scan)
{
    size_t before = out->size, room = 2 * BYTES_MAX * text.size; /* twice: to sort members */
    char *place = text.size ? buf_extend(out, room) : NULL;
    scan->at = text.data;
    scan->end = text.data + text.size;
    scan->to = place;
    scan->ascii = true;
    bool told = place && put_value(scan, 0) && scan->at == scan->end &&
                (scan->ascii || text_is_utf8(text, NULL));
    if (place)
        out->size = told ? before + (size_t)(scan->to - place) : before;
    return told;
}

bool canonical_append_text(struct buf *out, struct bytes text)
{
    struct scan scan = {0};
    return append_text(out, text, &scan);
}

bool canonical_append_members(struct buf *out, struct bytes text, struct canonical_order *order,
                              struct canonical_member *members, size_t *count)
{
    struct scan scan = {.told = members, .before = order};
    size_t before = out->size;
    bool told = append_text(out, text, &scan);
    bool object = told && out->data[before] == '{';
    if (told && !object)
        out->size = before;
    *count = scan.told_count;
    return object;
}
