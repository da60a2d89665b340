#ifndef DROVER_TESTS_TOKEN_VALUES_H
#define DROVER_TESTS_TOKEN_VALUES_H

/*
 * Random values of a kind of token, made from its row's pattern (token_kinds.h) by a reading of its
 * own, so that the matcher is not tested against itself.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TV_DIGITS "0123456789"
#define TV_SMALL "abcdefghijklmnopqrstuvwxyz"
#define TV_CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct token_value {
    char text[1024];
    size_t size;                      /* of the text; a NUL follows */
    size_t secret_start, secret_size; /* what must go */
};

/* splitmix64: the same values everywhere. */
static inline uint64_t tv_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline size_t tv_below(uint64_t *state, size_t limit)
{
    return (size_t)(tv_random(state) % limit);
}

static inline const char *tv_alphabet(char letter)
{
    switch (letter) {
    case 'd':
        return TV_DIGITS;
    case 'a':
        return TV_DIGITS TV_SMALL TV_CAPITALS;
    case 'u':
        return TV_DIGITS TV_CAPITALS;
    case 'l':
        return TV_DIGITS TV_SMALL;
    case 'x':
        return TV_DIGITS "abcdef";
    case 'h':
        return TV_DIGITS "ABCDEF";
    case 'w':
    case 'j': /* dots: rare, and not at the end */
    case 't':
        return TV_DIGITS TV_SMALL TV_CAPITALS "_-";
    case 'b':
        return TV_DIGITS TV_SMALL TV_CAPITALS "+/";
    default:
        abort();
    }
}

static inline void tv_make(const char *pattern, uint64_t *state, struct token_value *value)
{
    char set[64];
    size_t stop = 0;
    *value = (struct token_value){.size = 0};
    for (const char *at = pattern; *at;) {
        if (*at == '(' || *at == ')') {
            if (*at++ == '(')
                value->secret_start = value->size;
            else
                stop = value->size;
            continue;
        }
        char literal[2] = {*at, '\0'};
        const char *from = literal;
        if (*at == '%') {
            from = tv_alphabet(*++at);
        } else if (*at == '[') {
            size_t size = strcspn(++at, "]");
            memcpy(set, at, size);
            set[size] = '\0';
            from = set;
            at += size;
        }
        size_t count = 1, max;
        if (*++at == '{') {
            char *end;
            count = max = strtoul(at + 1, &end, 10);
            if (*end == ',')
                max = end[1] == '}' ? count + 24 : strtoul(end + 1, &end, 10);
            if (max > count + 24)
                max = count + 24;
            count += tv_below(state, max - count + 1);
            at = strchr(at, '}') + 1;
        }
        for (size_t alphabet = strlen(from); count > 0; count--)
            value->text[value->size++] = from[tv_below(state, alphabet)];
    }
    value->text[value->size] = '\0';
    value->secret_size = (stop ? stop : value->size) - value->secret_start;
}

#endif
