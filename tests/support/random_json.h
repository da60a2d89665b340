#ifndef DROVER_TESTS_RANDOM_JSON_H
#define DROVER_TESTS_RANDOM_JSON_H

/* Seeded random JSON that is hard to keep: unicode of every width, escapes, numbers beyond
 * doubles, deep and empty containers, null beside absent. Text only; valid and storable. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/buf.h"

struct random {
    uint64_t state;
};

/* splitmix64 (Steele, Lea, Flood 2014) */
static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline unsigned random_below(struct random *random, unsigned limit)
{
    return (unsigned)(random_next(random) % limit);
}

static const char *const RANDOM_PIECES[] = {"a",
                                            "Zz",
                                            " ",
                                            "0",
                                            "\\\"",
                                            "\\\\",
                                            "\\/",
                                            "\\n",
                                            "\\u0001",
                                            "\\t",
                                            "\xc3\xa4",
                                            "\xe2\x82\xac",
                                            "\xf0\x9f\x98\x80",
                                            "\\ud83d\\ude00",
                                            "e\\u0301",
                                            "\xe2\x80\xae",
                                            "\xef\xbf\xbd",
                                            "\\u007f",
                                            "{",
                                            "[1]",
                                            "null",
                                            "%2F",
                                            "'; --",
                                            "~1",
                                            "\xe2\x80\xa8",
                                            "\\u00e9",
                                            "<b>",
                                            "$key",
                                            "*",
                                            "_"};

static const char *const RANDOM_NUMBERS[] = {"0",
                                             "-0",
                                             "1",
                                             "-1",
                                             "1.0",
                                             "1e2",
                                             "1E-7",
                                             "9007199254740993",
                                             "-9223372036854775808",
                                             "18446744073709551616",
                                             "0.1",
                                             "0.10",
                                             "3.14159265358979323846",
                                             "1e300",
                                             "-1.5e-300",
                                             "123456789012345678901234567890",
                                             "1e0",
                                             "2.50"};

#define RANDOM_COUNT(list) (sizeof(list) / sizeof((list)[0]))

static inline void random_string(struct random *random, struct buf *out)
{
    buf_append_char(out, '"');
    for (unsigned i = random_below(random, 7); i > 0; i--)
        buf_append_text(out, RANDOM_PIECES[random_below(random, RANDOM_COUNT(RANDOM_PIECES))]);
    buf_append_char(out, '"');
}

/* Whole numbers within int4 when `small`. */
static inline void random_number(struct random *random, struct buf *out)
{
    if (random_below(random, 3))
        buf_append_format(out, "%d", (int)random_below(random, 2000000) - 1000000);
    else
        buf_append_text(out, RANDOM_NUMBERS[random_below(random, RANDOM_COUNT(RANDOM_NUMBERS))]);
}

static inline void random_value(struct random *random, unsigned depth, struct buf *out);

/* Members "x0", "x1" … with odd names between; `before` is '{' or ','. */
static inline void random_members(struct random *random, unsigned depth, char before,
                                  struct buf *out)
{
    static const char *const NAMES[] = {"x", "\xc3\xa4 ", "a/b~c ", "\\u0000x", "$ ", "0", "", "_"};
    unsigned first = random_below(random, 8);
    for (unsigned i = random_below(random, 4); i > 0; i--) {
        const char *name = NAMES[(first + i) % 8];
        buf_append_format(out, "%c\"%s%u\":", before, name[0] == '\\' ? "x" : name, i);
        random_value(random, depth, out);
        before = ',';
    }
    if (before == '{')
        buf_append_char(out, '{');
}

static inline void random_array(struct random *random, unsigned depth, struct buf *out)
{
    buf_append_char(out, '[');
    for (unsigned i = random_below(random, 4); i > 0; i--) {
        random_value(random, depth, out);
        buf_append_text(out, i > 1 ? "," : "");
    }
    buf_append_char(out, ']');
}

static inline void random_value(struct random *random, unsigned depth, struct buf *out)
{
    static const char *const WORDS[] = {"null", "true", "false", "{}", "[]", "\"\""};
    switch (random_below(random, depth ? 6 : 4)) {
    case 0:
    case 1:
        random_string(random, out);
        break;
    case 2:
        random_number(random, out);
        break;
    case 3:
        buf_append_text(out, WORDS[random_below(random, RANDOM_COUNT(WORDS))]);
        break;
    case 4:
        random_array(random, depth - 1, out);
        break;
    default:
        random_members(random, depth - 1, '{', out);
        buf_append_char(out, '}');
    }
}

#endif
