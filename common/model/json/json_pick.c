/*
 * A pass over the text, token by token. Of strings sixteen bytes at a time are looked at.
 *
 * No object may have a member twice. Records of a source are alike: as long as a record has the
 * names of the one before, in the same order and each in the object of the same number, it has none
 * twice either, and comparing is all there is to do. From the first name that differs on each one
 * becomes 64 bits, mixed with the number of its object, and 40 of them are looked for in a table,
 * to which the names before are added then. Two names that give the same bits are no error here,
 * but json_parse's to compare.
 *
 * What is kept lies as yyjson lays out its documents: values in their order, a container before
 * what is in it, with the distance to what follows.
 */
#include "common/model/json/json_pick.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/base/hash.h"
#include "common/base/hex.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/model/json/json_string.h"
#include "common/model/value/decimal.h"

#define LEVELS_MAX 64
#define VALUES_FIRST 128
#define VALUES_MAX 32768 /* 512 KiB */
#define DECODED_MAX (256u << 10)
#define NAMES_SEEN 2048 /* places of the table; half of them are used */
#define SHAPE_NAMES_MAX 256
#define SHAPE_TEXT_MAX 4096
#define EXPONENT_SIZE_MAX 40

struct level {
    bool object;
    uint32_t start;  /* of the container among the values, while it is kept */
    uint32_t count;  /* of its children kept */
    uint32_t number; /* of the object in the record, in the order they begin */
};

/* A name of the record before. */
struct shape_name {
    uint32_t object;
    uint16_t at, size; /* in the shape's text */
    bool wanted;
};

struct json_picker {
    const char *start, *at, *end;
    const struct bytes *names; /* NULL: every member is kept */
    size_t name_count;

    struct level levels[LEVELS_MAX];
    size_t depth;
    bool keeps; /* the value being read is kept */
    yyjson_val *values;
    size_t value_count, value_capacity;
    char *decoded; /* of strings kept that have escapes */
    size_t decoded_size, decoded_capacity;

    struct shape_name shape[SHAPE_NAMES_MAX];
    size_t shape_count;
    size_t shape_text_size;
    char shape_text[SHAPE_TEXT_MAX];

    uint32_t objects;          /* of this record */
    size_t name_at;            /* names read of it */
    bool like_before;          /* as the shape says, so far */
    bool learns;               /* the shape is made anew, as far as it has room */
    uint64_t record;           /* 24 bits: marks the table's places that are of this record */
    size_t seen_count;         /* of this record */
    uint64_t seen[NAMES_SEEN]; /* 24 bits of `record`, 40 of a name */
};

struct json_picker *json_picker_new(void)
{
    return mem_new(sizeof(struct json_picker));
}

void json_picker_free(struct json_picker *picker)
{
    if (!picker)
        return;
    free(picker->values);
    free(picker->decoded);
    free(picker);
}

/* ---- what is kept ---- */

static bool grow_values(struct json_picker *picker)
{
    if (picker->value_capacity == VALUES_MAX)
        return false;
    picker->value_capacity = picker->value_capacity ? 2 * picker->value_capacity : VALUES_FIRST;
    picker->values = mem_resize(picker->values, picker->value_capacity, sizeof(*picker->values));
    return true;
}

static bool keep(struct json_picker *picker, uint8_t type, size_t size, const char *text)
{
    if (picker->value_count == picker->value_capacity && !grow_values(picker))
        return false;
    yyjson_val *val = &picker->values[picker->value_count++];
    val->tag = (uint64_t)size << YYJSON_TAG_BIT | type;
    val->uni.str = text;
    return true;
}

/* The container's children are all there. */
static void close_kept(struct json_picker *picker, const struct level *level)
{
    yyjson_val *val = &picker->values[level->start];
    uint8_t type = level->object ? YYJSON_TYPE_OBJ : YYJSON_TYPE_ARR;
    val->tag = (uint64_t)level->count << YYJSON_TAG_BIT | type;
    val->uni.ofs = (picker->value_count - level->start) * sizeof(*val);
}

/* ---- strings ---- */

#ifdef __SSE2__

/* Position of the lowest bit of a mask that is not 0 (as `lowest` of json_scan.c). */
static inline size_t lowest(uint32_t mask)
{
    static const unsigned char POSITIONS[32] = {0,  1,  28, 2,  29, 14, 24, 3,  30, 22, 20,
                                                15, 25, 17, 4,  8,  31, 27, 13, 23, 21, 19,
                                                16, 7,  26, 12, 18, 6,  11, 5,  10, 9};
    return POSITIONS[((mask & (0 - mask)) * UINT32_C(0x077CB531)) >> 27];
}

#endif

/* The first byte from `at` on that does not just stand for itself, or is not ASCII. */
static inline const char *skip_plain(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1F);
    for (; end - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i stops = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)),
            _mm_cmpeq_epi8(_mm_min_epu8(block, control), block));
        /* the sign bit: not ASCII */
        uint32_t mask = (uint32_t)_mm_movemask_epi8(_mm_or_si128(stops, block));
        if (mask)
            return at + lowest(mask);
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20 &&
           (unsigned char)*at < 0x80)
        at++;
    return at;
}

/* The code unit of the four digits at `at`, or -1. */
static int code_unit(const char *at, const char *end)
{
    int unit = 0;
    if (end - at < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* Behind the escape whose backslash is at `at`; NULL: not sound, or NUL. */
static const char *skip_escape(const char *at, const char *end)
{
    static const char NAMES[] = "\"\\/bfnrt";
    if (end - at < 2)
        return NULL;
    if (at[1] != 'u')
        return at[1] && strchr(NAMES, at[1]) ? at + 2 : NULL;
    int unit = code_unit(at + 2, end);
    if (unit <= 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return NULL;
    if (unit < 0xD800 || unit > 0xDBFF)
        return at + 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u')
        return NULL;
    int low = code_unit(at + 8, end);
    return low >= 0xDC00 && low <= 0xDFFF ? at + 12 : NULL;
}

/* Reads the string whose opening quote is at picker->at; *text is what is between its quotes. */
static bool take_string(struct json_picker *picker, struct bytes *text, bool *escaped)
{
    const char *start = picker->at + 1, *at = start, *end = picker->end;
    *escaped = false;
    for (;;) {
        at = skip_plain(at, end);
        if (at == end)
            return false;
        if (*at == '"')
            break;
        if (*at == '\\') {
            *escaped = true;
            at = skip_escape(at, end);
            if (!at)
                return false;
            continue;
        }
        size_t size = text_utf8_size(bytes_of(at, (size_t)(end - at)), 0);
        if ((unsigned char)*at < 0x20 || size == 0)
            return false;
        at += size;
    }
    *text = bytes_of(start, (size_t)(at - start));
    picker->at = at + 1;
    return true;
}

/* Room for all strings of a text, none of which is longer than it was written: made before the
 * first one of a record, as what is decoded does not move. */
static void make_room_for_decoded(struct json_picker *picker)
{
    size_t size = (size_t)(picker->end - picker->start);
    size_t wanted = (size < DECODED_MAX ? size : DECODED_MAX) + JSON_STRING_ROOM;
    if (picker->decoded_size == 0)
        picker->decoded = mem_grown(picker->decoded, &picker->decoded_capacity, wanted, 1);
}

static bool keep_string(struct json_picker *picker, struct bytes text, bool escaped)
{
    if (!escaped)
        return keep(picker, YYJSON_TYPE_STR | YYJSON_SUBTYPE_NOESC, text.size, text.data);
    make_room_for_decoded(picker);
    char *out = picker->decoded + picker->decoded_size;
    size_t room = picker->decoded_capacity - picker->decoded_size, at = 0, size = 0;
    struct bytes quoted = bytes_of(text.data, text.size + 1); /* with its closing quote */
    if (json_string_decode(quoted, &at, out, room, &size) != JSON_STRING_CLOSED)
        return false;
    picker->decoded_size += size;
    return keep(picker, YYJSON_TYPE_STR, size, out);
}

/* ---- names ---- */

static inline uint64_t load(const char *at, size_t size)
{
    uint64_t word = 0;
    uint32_t half;
    if (size == 8) {
        memcpy(&word, at, 8);
        return word;
    }
    memcpy(&half, at, 4);
    return half;
}

static inline uint64_t name_bits(struct bytes name, uint32_t object)
{
    const char *at = name.data;
    size_t size = name.size;
    uint64_t first = 0, last = 0;
    if (size > 16) {
        first = hash64(name);
    } else if (size >= 8) {
        first = load(at, 8);
        last = load(at + size - 8, 8);
    } else if (size >= 4) {
        first = load(at, 4);
        last = load(at + size - 4, 4);
    } else if (size > 0) {
        first = (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[size / 2] << 8 |
                (uint64_t)(unsigned char)at[size - 1] << 16;
    }
    /* odd constants of XXH3 (Collet 2019) */
    uint64_t bits = (first ^ ((uint64_t)object << 32 | size)) * UINT64_C(0x9E3779B185EBCA87);
    bits = ((bits ^ bits >> 29) + last) * UINT64_C(0xC2B2AE3D27D4EB4F);
    return bits ^ bits >> 32;
}

/* False when the object may have the name already. */
static bool is_new_name(struct json_picker *picker, struct bytes name, uint32_t object)
{
    uint64_t bits = name_bits(name, object);
    uint64_t entry = picker->record << 40 | bits >> 24;
    size_t place = (size_t)bits & (NAMES_SEEN - 1);
    if (++picker->seen_count > NAMES_SEEN / 2)
        return false;
    for (; picker->seen[place] >> 40 == picker->record; place = (place + 1) & (NAMES_SEEN - 1))
        if (picker->seen[place] == entry)
            return false;
    picker->seen[place] = entry;
    return true;
}

static bool is_wanted(const struct json_picker *picker, struct bytes name)
{
    for (size_t i = 0; i < picker->name_count; i++)
        if (bytes_equal(picker->names[i], name))
            return true;
    return false;
}

static inline struct bytes shape_text(const struct json_picker *picker,
                                      const struct shape_name *name)
{
    return bytes_of(picker->shape_text + name->at, name->size);
}

/* The record differs from the one before: its names up to here go to the table. */
static bool leave_shape(struct json_picker *picker)
{
    picker->like_before = false;
    picker->shape_count = picker->name_at;
    picker->shape_text_size = 0;
    picker->learns = true;
    for (size_t i = 0; i < picker->name_at; i++) {
        const struct shape_name *name = &picker->shape[i];
        picker->shape_text_size = (size_t)name->at + name->size;
        if (!is_new_name(picker, shape_text(picker, name), name->object))
            return false;
    }
    return true;
}

static void learn(struct json_picker *picker, struct bytes name, uint32_t object, bool wanted)
{
    picker->learns = picker->learns && picker->shape_count < SHAPE_NAMES_MAX &&
                     name.size <= SHAPE_TEXT_MAX - picker->shape_text_size;
    if (!picker->learns)
        return;
    char *text = picker->shape_text + picker->shape_text_size;
    picker->shape[picker->shape_count++] =
        (struct shape_name){object, (uint16_t)picker->shape_text_size, (uint16_t)name.size, wanted};
    memcpy(text, name.data, name.size);
    picker->shape_text_size += name.size;
}

/* A name that differs from the one before it stood for. */
static bool take_new_name(struct json_picker *picker, struct bytes name, uint32_t object,
                          bool *wanted)
{
    if ((picker->like_before && !leave_shape(picker)) || !is_new_name(picker, name, object))
        return false;
    *wanted = object == 0 && is_wanted(picker, name);
    learn(picker, name, object, *wanted);
    return true;
}

/* ---- tokens ---- */

static inline void skip_space(struct json_picker *picker)
{
    const char *at = picker->at, *end = picker->end;
    if (at < end && (unsigned char)*at > ' ') /* most often */
        return;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    picker->at = at;
}

/* White space, then `c`. */
static inline bool take_char(struct json_picker *picker, char c)
{
    skip_space(picker);
    if (picker->at == picker->end || *picker->at != c)
        return false;
    picker->at++;
    return true;
}

static inline struct level *innermost(struct json_picker *picker)
{
    return &picker->levels[picker->depth - 1];
}

static inline bool same_text(const char *a, const char *b, size_t size)
{
    if (size > 16)
        return memcmp(a, b, size) == 0;
    if (size >= 8)
        return load(a, 8) == load(b, 8) && load(a + size - 8, 8) == load(b + size - 8, 8);
    if (size >= 4)
        return load(a, 4) == load(b, 4) && load(a + size - 4, 4) == load(b + size - 4, 4);
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/* The name that stood here in the record before. */
static inline bool take_same_name(struct json_picker *picker, uint32_t object, struct bytes *name,
                                  bool *wanted)
{
    if (!picker->like_before || picker->name_at >= picker->shape_count)
        return false;
    const struct shape_name *before = &picker->shape[picker->name_at];
    const char *start = picker->at + 1;
    if (before->object != object || (size_t)(picker->end - start) <= before->size ||
        start[before->size] != '"' ||
        !same_text(start, picker->shape_text + before->at, before->size))
        return false;
    *name = bytes_of(start, before->size);
    *wanted = before->wanted;
    picker->at = start + before->size + 1;
    return true;
}

static bool take_name(struct json_picker *picker)
{
    struct level *level = innermost(picker);
    struct bytes name;
    bool escaped, wanted;
    skip_space(picker);
    if (picker->at == picker->end || *picker->at != '"')
        return false;
    if (!take_same_name(picker, level->number, &name, &wanted) &&
        (!take_string(picker, &name, &escaped) || escaped ||
         !take_new_name(picker, name, level->number, &wanted)))
        return false;
    picker->name_at++;
    if (picker->depth == 1)
        picker->keeps = wanted || !picker->names;
    if (picker->keeps && !keep_string(picker, name, false))
        return false;
    level->count += picker->keeps;
    return take_char(picker, ':');
}

static inline bool is_digit(const char *at, const char *end)
{
    return at < end && (unsigned char)(*at - '0') < 10;
}

static inline const char *skip_digits(const char *at, const char *end)
{
    while (is_digit(at, end))
        at++;
    return at;
}

static bool take_number(struct json_picker *picker)
{
    const char *start = picker->at, *end = picker->end;
    const char *at = start + (*start == '-');
    size_t max = DECIMAL_DIGITS_MAX;
    if (!is_digit(at, end))
        return false;
    at = *at == '0' ? at + 1 : skip_digits(at, end);
    if (at < end && *at == '.') {
        if (!is_digit(at + 1, end))
            return false;
        at = skip_digits(at + 1, end);
    }
    if (at < end && (*at | 0x20) == 'e') { /* two digits are far from the limits */
        max = EXPONENT_SIZE_MAX;
        at++;
        at += at < end && (*at == '+' || *at == '-');
        const char *digits = at;
        at = skip_digits(at, end);
        if (at == digits || at - digits > 2)
            return false;
    }
    size_t size = (size_t)(at - start);
    picker->at = at;
    return size <= max && (!picker->keeps || keep(picker, YYJSON_TYPE_RAW, size, start));
}

static bool take_word(struct json_picker *picker, const char *word, size_t size, uint8_t type)
{
    if ((size_t)(picker->end - picker->at) < size || memcmp(picker->at, word, size) != 0)
        return false;
    picker->at += size;
    return !picker->keeps || keep(picker, type, 0, NULL);
}

static bool enter(struct json_picker *picker, bool object)
{
    if (picker->depth == LEVELS_MAX)
        return false;
    picker->at++;
    picker->levels[picker->depth++] = (struct level){.object = object,
                                                     .start = (uint32_t)picker->value_count,
                                                     .number = object ? picker->objects++ : 0};
    return !picker->keeps || keep(picker, YYJSON_TYPE_NONE, 0, NULL);
}

/* A value, or the opening bracket of one. */
static bool take_value(struct json_picker *picker)
{
    struct bytes text;
    bool escaped;
    skip_space(picker);
    if (picker->at == picker->end)
        return false;
    switch (*picker->at) {
    case '"':
        return take_string(picker, &text, &escaped) &&
               (!picker->keeps || keep_string(picker, text, escaped));
    case '{':
    case '[':
        return enter(picker, *picker->at == '{');
    case 't':
        return take_word(picker, "true", 4, YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_TRUE);
    case 'f':
        return take_word(picker, "false", 5, YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_FALSE);
    case 'n':
        return take_word(picker, "null", 4, YYJSON_TYPE_NULL);
    default:
        return take_number(picker);
    }
}

/* Every closing bracket that comes next. False when the outermost was among them. */
static bool leave(struct json_picker *picker)
{
    while (picker->depth > 0 && take_char(picker, innermost(picker)->object ? '}' : ']')) {
        if (picker->keeps || picker->depth == 1)
            close_kept(picker, innermost(picker));
        picker->depth--;
    }
    return picker->depth > 0;
}

static bool walk(struct json_picker *picker)
{
    bool more = leave(picker);
    while (more) {
        struct level *level = innermost(picker);
        if (level->object && !take_name(picker))
            return false;
        size_t depth = picker->depth;
        level->count += picker->keeps && !level->object;
        if (!take_value(picker))
            return false;
        bool entered = picker->depth > depth;
        if (!entered && picker->at < picker->end && *picker->at == ',') { /* most often */
            picker->at++;
            continue;
        }
        depth = picker->depth;
        more = leave(picker);
        bool first =
            entered && picker->depth == depth; /* of what is in the brackets just entered */
        if (more && !first && !take_char(picker, ','))
            return false;
    }
    skip_space(picker);
    return picker->at == picker->end;
}

static void begin(struct json_picker *picker, struct bytes text)
{
    picker->start = picker->at = text.data;
    picker->end = text.data + text.size;
    picker->depth = 0;
    picker->value_count = 0;
    picker->decoded_size = 0;
    picker->seen_count = 0;
    picker->objects = 0;
    picker->name_at = 0;
    picker->like_before = true;
    picker->learns = false;
    picker->record = (picker->record + 1) & 0xFFFFFF;
    if (picker->record == 0) { /* the marks come again */
        memset(picker->seen, 0, sizeof(picker->seen));
        picker->record = 1;
    }
}

static yyjson_val *pick(struct json_picker *picker, struct bytes text, const struct bytes *names,
                        size_t count)
{
    if (text.size == 0 || text.data[0] != '{')
        return NULL;
    begin(picker, text);
    if (picker->names != names || picker->name_count != count) /* the shape says what is wanted */
        picker->shape_count = 0;
    picker->names = names;
    picker->name_count = count;
    picker->keeps = true;
    if (!enter(picker, true))
        return NULL;
    picker->keeps = !names;
    return walk(picker) ? picker->values : NULL;
}

yyjson_val *json_pick(struct json_picker *picker, struct bytes text, const struct bytes *names,
                      size_t count)
{
    static const struct bytes NONE;
    return pick(picker, text, count ? names : &NONE, count);
}

yyjson_val *json_pick_all(struct json_picker *picker, struct bytes text)
{
    return pick(picker, text, NULL, 0);
}
