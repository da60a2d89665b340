/*
 * Values. One pass looks, at every place where a word begins, for the beginnings issuers give their
 * keys ("sk-", "AKIA", "eyJ" of a JWT, …), and at every '=' and ':' for a name before it that is a
 * token's or a secret's. Long base64 (images) must stay plain, hence what counts as a beginning.
 *
 * A text that holds a token among other words is a secret, not a token: sealing keeps the words.
 */

#include "common/policy/token_shape.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include <sodium.h>

#include "common/base/buf.h"
#include "common/base/text.h"

#define RANDOM_LEAST 20
#define RANDOM_MOST 1024
#define BLOB_LEAST 512     /* text without a URL that is longer may be base64, where '/' joins */
#define NAME_MOST 64       /* of a name before '=' or ':' */
#define JWT_HEAD_MOST 2048 /* bytes of a JWT's first part */
#define DECODE_MOST 65536  /* percent-encoded texts up to this size are looked into */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static bool is_token_char(char c)
{
    return is_word(c) || (c && strchr(".~+/=", c));
}

static size_t run(struct bytes text, size_t at, bool (*takes)(char))
{
    size_t end = at;
    while (end < text.size && takes(text.data[end]))
        end++;
    return end - at;
}

static bool has_digit(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (isdigit((unsigned char)text.data[i]))
            return true;
    return false;
}

static bool is_mixed(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (isalpha((unsigned char)text.data[i]))
            return has_digit(text);
    return false;
}

static bool is_uuid(struct bytes text)
{
    if (text.size != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.data[i] != '-' : !isxdigit((unsigned char)text.data[i]))
            return false;
    }
    return true;
}

static int class_of(char c)
{
    unsigned char byte = (unsigned char)c;
    return isdigit(byte) ? 1 : isupper(byte) ? 2 : islower(byte) ? 3 : 0;
}

/* Words change between digits, capitals and small letters rarely; random hex does so every second
 * character, random base32 every third. */
bool token_shape_is_random(struct bytes text)
{
    unsigned counts[256] = {0};
    size_t changes = 0;
    if (text.size < RANDOM_LEAST || text.size > RANDOM_MOST || is_uuid(text) || !is_mixed(text))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_token_char(text.data[i]) && text.data[i] != '%' && text.data[i] != ':')
            return false;
        counts[(unsigned char)text.data[i]]++;
        if (i && class_of(text.data[i]) && class_of(text.data[i - 1]))
            changes += class_of(text.data[i]) != class_of(text.data[i - 1]);
    }
    if (changes * 5 < text.size)
        return false;
    double bits = 0;
    for (int c = 0; c < 256; c++)
        if (counts[c])
            bits -= counts[c] * log2((double)counts[c] / (double)text.size);
    return bits / (double)text.size >= 3.2;
}

/* ---- beginnings ---------------------------------------------------------------------------- */

static bool decodes_to_alg(struct bytes part)
{
    unsigned char plain[JWT_HEAD_MOST];
    size_t size = 0;
    if (sodium_base642bin(plain, sizeof plain, part.data, part.size, NULL, &size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    return size > 2 && plain[0] == '{' && plain[size - 1] == '}' &&
           memmem(plain, size, "\"alg\"", 5);
}

/* Three parts (signed; the last may be empty: unsigned) or five (encrypted). */
static bool is_jwt(struct bytes text)
{
    const char *dot = text.size > 20 ? memchr(text.data, '.', text.size) : NULL;
    if (!dot || (size_t)(dot - text.data) > JWT_HEAD_MOST)
        return false;
    size_t dots = 0;
    for (size_t i = 0; i < text.size; i++)
        dots += text.data[i] == '.';
    return dots >= 2 && dots <= 5 && decodes_to_alg(bytes_of(text.data, (size_t)(dot - text.data)));
}

static bool is_jwt_char(char c)
{
    return is_word(c) || c == '.';
}

static bool is_upper_or_digit(char c)
{
    return isupper((unsigned char)c) || isdigit((unsigned char)c);
}

/* Issuers' published prefixes and the least number of characters behind them. */
static const struct beginning {
    const char *text;
    size_t least;
    bool (*takes)(char);
    enum shape shape;
} BEGINNINGS[] = {
    {"sk-ant-", 12, is_word, SHAPE_SECRET},
    {"sk_live_", 10, is_word, SHAPE_SECRET},
    {"sk_test_", 10, is_word, SHAPE_SECRET},
    {"rk_live_", 10, is_word, SHAPE_SECRET},
    {"whsec_", 16, is_word, SHAPE_SECRET},
    {"AKIA", 16, is_upper_or_digit, SHAPE_SECRET},
    {"ASIA", 16, is_upper_or_digit, SHAPE_SECRET},
    {"ghp_", 30, is_word, SHAPE_SECRET},
    {"gho_", 30, is_word, SHAPE_SECRET},
    {"ghu_", 30, is_word, SHAPE_SECRET},
    {"ghs_", 30, is_word, SHAPE_SECRET},
    {"ghr_", 30, is_word, SHAPE_SECRET},
    {"github_pat_", 22, is_word, SHAPE_SECRET},
    {"glpat-", 20, is_word, SHAPE_SECRET},
    {"xoxb-", 10, is_word, SHAPE_SECRET},
    {"xoxp-", 10, is_word, SHAPE_SECRET},
    {"xoxa-", 10, is_word, SHAPE_SECRET},
    {"xoxr-", 10, is_word, SHAPE_SECRET},
    {"xoxs-", 10, is_word, SHAPE_SECRET},
    {"xapp-", 10, is_word, SHAPE_SECRET},
    {"AIza", 35, is_word, SHAPE_SECRET},
    {"npm_", 36, is_word, SHAPE_SECRET},
    {"hf_", 30, is_word, SHAPE_SECRET},
    {"gsk_", 30, is_word, SHAPE_SECRET},
    {"SG.", 40, is_jwt_char, SHAPE_SECRET},
    {"ya29.", 20, is_jwt_char, SHAPE_TOKEN},
    {"dop_v1_", 40, is_word, SHAPE_SECRET},
    {"shpat_", 32, is_word, SHAPE_SECRET},
    {"pypi-", 50, is_word, SHAPE_SECRET},
    {"lin_api_", 30, is_word, SHAPE_SECRET},
};

/* "sk-" is short: what follows must have a long part without '-' or be random, so that
 * "sk-learn-0.24-release-notes" is none. */
static bool is_sk_key(struct bytes key)
{
    size_t part = 0;
    for (size_t i = 0; i <= key.size; i++) {
        if (i < key.size && isalnum((unsigned char)key.data[i])) {
            part++;
            continue;
        }
        if (part >= 16 && is_mixed(bytes_of(key.data + i - part, part)))
            return true;
        part = 0;
    }
    return token_shape_is_random(key);
}

/* The first two characters of every beginning above, of "sk-" and of a JWT: nearly every word of
 * nearly every text is settled here. */
static bool may_begin(char first, char second)
{
    switch (first) {
    case 'A':
        return second == 'K' || second == 'S' || second == 'I';
    case 'S':
        return second == 'G';
    case 'd':
        return second == 'o';
    case 'e':
        return second == 'y' || second == 'w';
    case 'g':
        return second == 'h' || second == 'i' || second == 'l' || second == 's';
    case 'h':
        return second == 'f';
    case 'l':
        return second == 'i';
    case 'n':
        return second == 'p';
    case 'p':
        return second == 'y';
    case 'r':
        return second == 'k';
    case 's':
        return second == 'k' || second == 'h';
    case 'w':
        return second == 'h';
    case 'x':
        return second == 'o' || second == 'a';
    case 'y':
        return second == 'a';
    default:
        return false;
    }
}

static enum shape shape_of_beginning(struct bytes text, size_t at)
{
    struct bytes rest = bytes_of(text.data + at, text.size - at);
    if (rest.size < 12 || !may_begin(rest.data[0], rest.data[1]))
        return SHAPE_PLAIN;
    if (rest.size > 20 && rest.data[0] == 'e' && (rest.data[1] == 'y' || rest.data[1] == 'w'))
        return is_jwt(bytes_of(rest.data, run(rest, 0, is_jwt_char))) ? SHAPE_TOKEN : SHAPE_PLAIN;
    if (rest.size > 19 && memcmp(rest.data, "sk-", 3) == 0 &&
        is_sk_key(bytes_of(rest.data + 3, run(rest, 3, is_word))))
        return SHAPE_SECRET;
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof BEGINNINGS[0]; i++) {
        const struct beginning *known = &BEGINNINGS[i];
        if (rest.data[0] != known->text[0] || rest.size < known->least ||
            rest.data[1] != known->text[1])
            continue;
        size_t size = strlen(known->text);
        if (rest.size < size + known->least || memcmp(rest.data, known->text, size) != 0)
            continue;
        size_t length = run(rest, size, known->takes);
        if (length >= known->least && has_digit(bytes_of(rest.data + size, length)))
            return known->shape;
    }
    return SHAPE_PLAIN;
}

/* ---- "Bearer …", "Basic …", user:password@host, PEM ------------------------------------------ */

static enum shape shape_of_scheme(struct bytes text, size_t at)
{
    struct bytes rest = bytes_of(text.data + at, text.size - at);
    if ((rest.data[0] | 0x20) != 'b')
        return SHAPE_PLAIN;
    if (rest.size > 7 && strncasecmp(rest.data, "bearer ", 7) == 0) {
        struct bytes key = bytes_of(rest.data + 7, run(rest, 7, is_token_char));
        if (key.size < 16 || !has_digit(key))
            return SHAPE_PLAIN;
        enum shape shape = shape_of_beginning(key, 0);
        return shape == SHAPE_PLAIN ? SHAPE_TOKEN : shape;
    }
    if (rest.size > 13 && strncasecmp(rest.data, "basic ", 6) == 0) {
        unsigned char plain[512];
        size_t size = 0;
        int failed =
            sodium_base642bin(plain, sizeof plain, rest.data + 6, run(rest, 6, is_token_char), NULL,
                              &size, NULL, sodium_base64_VARIANT_ORIGINAL);
        bool found =
            !failed && memchr(plain, ':', size) && text_is_utf8(bytes_of(plain, size), NULL);
        sodium_memzero(plain, sizeof plain);
        return found ? SHAPE_SECRET : SHAPE_PLAIN;
    }
    return SHAPE_PLAIN;
}

static bool is_placeholder_start(char c)
{
    return c == '$' || c == '<' || c == '{' || c == '*' || c == '[' || c == '%';
}

/* `at` is behind "://". */
static bool has_password(struct bytes text, size_t at)
{
    size_t colon = 0;
    for (size_t i = at; i < text.size && !strchr("/?# \t\r\n\"'", text.data[i]); i++) {
        if (text.data[i] == '@')
            return colon && i > colon + 1 && !is_placeholder_start(text.data[colon + 1]);
        if (text.data[i] == ':' && !colon)
            colon = i;
    }
    return false;
}

static bool has_private_key(struct bytes text)
{
    const char *begin = memmem(text.data, text.size, "-----BEGIN ", 11);
    if (!begin)
        return false;
    size_t left = text.size - (size_t)(begin - text.data);
    return memmem(begin, left < 80 ? left : 80, "PRIVATE KEY", 11) != NULL;
}

/* ---- name=value, name: value ------------------------------------------------------------------
 */

static bool is_name_char(char c)
{
    return is_word(c) || c == '.';
}

static bool is_value_char(char c)
{
    return !isspace((unsigned char)c) && c != '\0' && !strchr("&;,\"'<>()[]{}\\", c);
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'' || c == '\\';
}

static enum shape shape_before(struct bytes text, size_t at, size_t *start)
{
    size_t end = at;
    while (end > 0 && is_quote(text.data[end - 1]))
        end--;
    *start = end;
    while (*start > 0 && end - *start < NAME_MOST && is_name_char(text.data[*start - 1]))
        --*start;
    struct bytes name = bytes_of(text.data + *start, end - *start);
    if (bytes_equal(name, BYTES_LITERAL("sig")) ||
        bytes_equal(name, BYTES_LITERAL("X-Amz-Signature")))
        return SHAPE_SECRET; /* signed links of object stores */
    return token_shape_of_name(name);
}

/* In a URL's query, in "a=b;c=d" and where JSON was expected any value counts; in prose only one
 * that is no word. */
static enum shape shape_of_assignment(struct bytes text, size_t at, bool any)
{
    size_t start, from = at + 1;
    if (at == 0 || shape_before(text, at, &start) == SHAPE_PLAIN)
        return SHAPE_PLAIN;
    while (from < text.size && (is_quote(text.data[from]) || text.data[from] == ' '))
        from++;
    struct bytes value = bytes_of(text.data + from, run(text, from, is_value_char));
    if (value.size == 0 || is_placeholder_start(value.data[0]))
        return SHAPE_PLAIN;
    char before = start ? text.data[start - 1] : '\0';
    bool query = text.data[at] == '=' && (before == '?' || before == '&' || before == ';');
    /* "--password=…", "DB_PASSWORD=…": the text is nothing else */
    bool alone = start == 0 && text.data[at] == '=' && from + value.size == text.size;
    bool sure = any || (alone && value.size >= 4) || (query && value.size >= 4) ||
                (value.size >= 8 && is_mixed(value));
    return sure ? SHAPE_SECRET : SHAPE_PLAIN;
}

/* ---- the pass -------------------------------------------------------------------------------- */

static bool begins_word(struct bytes text, size_t at, bool slash_joins)
{
    char before = at ? text.data[at - 1] : ' ';
    return !is_word(before) && before != '+' && !(before == '/' && slash_joins);
}

static enum shape scan(struct bytes text, bool any)
{
    enum shape found = SHAPE_PLAIN;
    bool slash_joins = text.size >= BLOB_LEAST && !memmem(text.data, text.size, "://", 3);
    size_t blanks = 0;
    for (size_t at = 0; at < text.size; at++) {
        enum shape shape = SHAPE_PLAIN;
        char here = text.data[at];
        blanks += here == ' ';
        if (isalpha((unsigned char)here) && begins_word(text, at, slash_joins)) {
            shape = shape_of_beginning(text, at);
            if (shape == SHAPE_PLAIN && (here == 'b' || here == 'B'))
                shape = shape_of_scheme(text, at);
        } else if (here == '=' || here == ':') {
            shape = shape_of_assignment(text, at, any);
            if (here == ':' && at + 3 < text.size && memcmp(text.data + at, "://", 3) == 0)
                shape = has_password(text, at + 3) ? SHAPE_SECRET : SHAPE_PLAIN;
        }
        if (shape == SHAPE_TOKEN || found == SHAPE_PLAIN)
            found = shape == SHAPE_PLAIN ? found : shape;
    }
    bool among_words = blanks > 2; /* "Authorization: Bearer eyJ…" has two */
    return found == SHAPE_TOKEN && among_words ? SHAPE_SECRET : found;
}

/* A link inside a link's parameter is percent-encoded. */
static enum shape scan_decoded(struct bytes text)
{
    struct buf plain;
    enum shape shape = SHAPE_PLAIN;
    buf_init(&plain, DECODE_MOST);
    if (text.size <= DECODE_MOST && memchr(text.data, '%', text.size) &&
        text_percent_decode(&plain, text))
        shape = scan(buf_view(&plain), false);
    if (plain.data)
        sodium_memzero(plain.data, plain.capacity);
    buf_free(&plain);
    return shape;
}

enum shape token_shape_of_value(struct bytes value)
{
    if (value.size < 8)
        return SHAPE_PLAIN;
    if (has_private_key(value))
        return SHAPE_SECRET;
    enum shape shape = scan(value, false);
    return shape == SHAPE_PLAIN ? scan_decoded(value) : shape;
}

enum shape token_shape_of_broken(struct bytes text)
{
    enum shape shape = token_shape_of_value(text);
    return shape == SHAPE_PLAIN && text.size ? scan(text, true) : shape;
}

static bool is_placeholder(struct bytes value)
{
    static const char *const WORDS[] = {
        "none",   "null",        "undefined", "true",     "false",    "yes",
        "no",     "include",     "omit",      "required", "optional", "enabled",
        "n/a",    "same-origin", "hidden",    "disabled", "redacted", "string",
        "bearer", "ok",          "fail",      "changeme"};
    bool masked = true; /* "***", "<your key>", "${TOKEN}" */
    for (size_t i = 0; i < value.size && masked; i++)
        masked = value.data[i] == '*' || value.data[i] == ' ' || value.data[i] == '.';
    if (masked)
        return true;
    char last = value.data[value.size - 1];
    if ((value.data[0] == '<' && last == '>') || (value.data[0] == '$' && last == '}'))
        return true;
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (value.size == strlen(WORDS[i]) && strncasecmp(value.data, WORDS[i], value.size) == 0)
            return true;
    return false;
}

enum shape token_shape_of_member(struct bytes name, struct bytes value)
{
    enum shape by_value = token_shape_of_value(value);
    enum shape by_name = token_shape_of_name(name);
    if (by_value == SHAPE_TOKEN || (by_name != SHAPE_PLAIN && is_placeholder(value)))
        return by_value;
    if (by_name != SHAPE_PLAIN || by_value != SHAPE_PLAIN)
        return by_name != SHAPE_PLAIN ? by_name : by_value;
    enum shape suspect = token_shape_of_suspect(name);
    return suspect != SHAPE_PLAIN && token_shape_is_random(value) ? suspect : SHAPE_PLAIN;
}
