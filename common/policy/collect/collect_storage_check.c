/* See the header. One state a place of the grammar; brackets open are bits of `object`. */
#include "common/policy/collect/collect_storage_check.h"

#include <stdlib.h>

#include "common/model/json/json_walk.h"

enum state {
    WANT_VALUE,
    WANT_ELEMENT, /* behind '[': a value or ']' */
    WANT_MEMBER,  /* behind '{': a name or '}' */
    WANT_NAME,
    WANT_COLON,
    WANT_MORE, /* behind a value: ',' or the closing bracket, or the end */
    IN_STRING,
    IN_ESCAPE,
    IN_HEX,
    IN_LITERAL,
    IN_MINUS,
    IN_ZERO,
    IN_DIGITS,
    IN_POINT,
    IN_FRACTION,
    IN_POWER,
    IN_SIGN,
    IN_EXPONENT,
    IS_BROKEN,
};

void storage_check_init(struct storage_check *check)
{
    *check = (struct storage_check){.state = WANT_VALUE};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool in_object(const struct storage_check *check)
{
    uint32_t top = check->depth - 1;
    return check->depth && (check->object[top / 8] >> (top % 8) & 1);
}

static enum state open_bracket(struct storage_check *check, char c)
{
    if (check->depth == STORAGE_CHECK_DEPTH)
        return IS_BROKEN;
    uint8_t bit = (uint8_t)(1u << (check->depth % 8));
    uint8_t *bits = &check->object[check->depth++ / 8];
    *bits = (uint8_t)(c == '{' ? *bits | bit : *bits & ~bit);
    return c == '{' ? WANT_MEMBER : WANT_ELEMENT;
}

static enum state close_bracket(struct storage_check *check, char c)
{
    if (check->depth == 0 || c != (in_object(check) ? '}' : ']'))
        return IS_BROKEN;
    check->depth--;
    return WANT_MORE;
}

static enum state begin_string(struct storage_check *check, char quote)
{
    check->quote = quote;
    return IN_STRING;
}

static enum state begin_literal(struct storage_check *check, const char *rest)
{
    check->literal = rest;
    return IN_LITERAL;
}

static enum state begin_value(struct storage_check *check, char c)
{
    if (!check->kind)
        check->kind = c;
    switch (c) {
    case '{':
    case '[':
        return open_bracket(check, c);
    case '"':
        return begin_string(check, 'v');
    case 't':
        return begin_literal(check, "rue");
    case 'f':
        return begin_literal(check, "alse");
    case 'n':
        return begin_literal(check, "ull");
    case '-':
        return IN_MINUS;
    case '0':
        return IN_ZERO;
    default:
        return is_digit(c) ? IN_DIGITS : IS_BROKEN;
    }
}

static enum state behind_value(struct storage_check *check, char c)
{
    if (c != ',')
        return close_bracket(check, c);
    if (check->depth == 0)
        return IS_BROKEN;
    return in_object(check) ? WANT_NAME : WANT_VALUE;
}

/* Outside strings, literals and numbers. */
static enum state between(struct storage_check *check, char c)
{
    if (is_space(c))
        return check->state;
    switch (check->state) {
    case WANT_ELEMENT:
        return c == ']' ? close_bracket(check, c) : begin_value(check, c);
    case WANT_MEMBER:
        if (c == '}')
            return close_bracket(check, c);
        return c == '"' ? begin_string(check, 'k') : IS_BROKEN;
    case WANT_NAME:
        return c == '"' ? begin_string(check, 'k') : IS_BROKEN;
    case WANT_COLON:
        return c == ':' ? WANT_VALUE : IS_BROKEN;
    case WANT_MORE:
        return behind_value(check, c);
    default:
        return begin_value(check, c);
    }
}

static enum state in_string(struct storage_check *check, char c)
{
    if (check->state == IN_HEX) {
        if (!is_hex(c))
            return IS_BROKEN;
        return --check->left ? IN_HEX : IN_STRING;
    }
    if (check->state == IN_ESCAPE) {
        check->left = 4;
        if (c == 'u')
            return IN_HEX;
        return c && strchr("\"\\/bfnrt", c) ? IN_STRING : IS_BROKEN;
    }
    if (c == '"')
        return check->quote == 'k' ? WANT_COLON : WANT_MORE;
    if (c == '\\')
        return IN_ESCAPE;
    return (unsigned char)c < 0x20 ? IS_BROKEN : IN_STRING;
}

static enum state in_literal(struct storage_check *check, char c)
{
    if (c != *check->literal)
        return IS_BROKEN;
    return *++check->literal ? IN_LITERAL : WANT_MORE;
}

static enum state in_number(struct storage_check *check, char c)
{
    bool point = c == '.';
    bool power = (c | 0x20) == 'e';
    switch (check->state) {
    case IN_MINUS:
        return c == '0' ? IN_ZERO : is_digit(c) ? IN_DIGITS : IS_BROKEN;
    case IN_ZERO:
        return point ? IN_POINT : power ? IN_POWER : WANT_MORE;
    case IN_DIGITS:
        return is_digit(c) ? IN_DIGITS : point ? IN_POINT : power ? IN_POWER : WANT_MORE;
    case IN_POINT:
        return is_digit(c) ? IN_FRACTION : IS_BROKEN;
    case IN_FRACTION:
        return is_digit(c) ? IN_FRACTION : power ? IN_POWER : WANT_MORE;
    case IN_POWER:
        return c == '+' || c == '-' ? IN_SIGN : is_digit(c) ? IN_EXPONENT : IS_BROKEN;
    case IN_SIGN:
        return is_digit(c) ? IN_EXPONENT : IS_BROKEN;
    default:
        return is_digit(c) ? IN_EXPONENT : WANT_MORE;
    }
}

/* A number has no closing byte: the byte behind it is looked at again. */
static bool ends_number(const struct storage_check *check, char c)
{
    switch (check->state) {
    case IN_ZERO:
        return c != '.' && (c | 0x20) != 'e';
    case IN_DIGITS:
        return !is_digit(c) && c != '.' && (c | 0x20) != 'e';
    case IN_FRACTION:
        return !is_digit(c) && (c | 0x20) != 'e';
    case IN_EXPONENT:
        return !is_digit(c);
    default:
        return false;
    }
}

static enum state step(struct storage_check *check, char c)
{
    if (ends_number(check, c))
        check->state = WANT_MORE;
    switch (check->state) {
    case IN_STRING:
    case IN_ESCAPE:
    case IN_HEX:
        return in_string(check, c);
    case IN_LITERAL:
        return in_literal(check, c);
    case IN_MINUS:
    case IN_ZERO:
    case IN_DIGITS:
    case IN_POINT:
    case IN_FRACTION:
    case IN_POWER:
    case IN_SIGN:
    case IN_EXPONENT:
        return in_number(check, c);
    default:
        return between(check, c);
    }
}

/* Bytes of a string that mean themselves, from `from` on. */
static size_t skip_plain(struct bytes text, size_t from)
{
    while (from < text.size && text.data[from] != '"' && text.data[from] != '\\' &&
           (unsigned char)text.data[from] >= 0x20)
        from++;
    return from;
}

void storage_check_feed(struct storage_check *check, struct bytes text)
{
    size_t i = 0;
    while (i < text.size && check->state != IS_BROKEN) {
        if (check->state == IN_STRING)
            i = skip_plain(text, i);
        if (i < text.size)
            check->state = step(check, text.data[i]);
        i += i < text.size && check->state != IS_BROKEN;
    }
    check->at += i;
}

enum storage_form storage_check_finish(struct storage_check *check)
{
    if (ends_number(check, ' '))
        check->state = WANT_MORE;
    if (check->state != WANT_MORE || check->depth)
        return STORAGE_BROKEN;
    return check->kind == '['   ? STORAGE_ARRAY
           : check->kind == '{' ? STORAGE_OBJECT
                                : STORAGE_SCALAR;
}

/* ---- levels ---- */

/* walks[i] decodes the string that the text of level i is, into the text of level i + 1. */
struct storage_judge {
    struct storage_check checks[STORAGE_LEVELS_MOST + 1];
    struct json_walk *walks[STORAGE_LEVELS_MOST];
    bool decoding[STORAGE_LEVELS_MOST];
};

struct storage_judge *storage_judge_new(void)
{
    struct storage_judge *judge = calloc(1, sizeof(*judge));
    if (!judge)
        abort();
    for (size_t i = 0; i < STORAGE_LEVELS_MOST; i++)
        judge->walks[i] = json_walk_new(0);
    storage_judge_reset(judge);
    return judge;
}

void storage_judge_free(struct storage_judge *judge)
{
    if (!judge)
        return;
    for (size_t i = 0; i < STORAGE_LEVELS_MOST; i++)
        json_walk_free(judge->walks[i]);
    free(judge);
}

void storage_judge_reset(struct storage_judge *judge)
{
    for (size_t i = 0; i <= STORAGE_LEVELS_MOST; i++)
        storage_check_init(&judge->checks[i]);
    for (size_t i = 0; i < STORAGE_LEVELS_MOST; i++) {
        if (judge->decoding[i])
            json_walk_reset(judge->walks[i]);
        judge->decoding[i] = false;
    }
}

static void feed_level(struct storage_judge *judge, size_t level, struct bytes text, bool last);

/* What the string of `level` gives, into the next level. Returns when it wants more text. */
static void decode(struct storage_judge *judge, size_t level)
{
    struct json_walk_step piece;
    struct error err;
    for (;;) {
        switch (json_walk_next(judge->walks[level], &piece, &err)) {
        case JSON_WALK_VALUE:
            json_walk_read(judge->walks[level]);
            break;
        case JSON_WALK_PART:
            feed_level(judge, level + 1, piece.text, piece.last);
            break;
        case JSON_WALK_REJECTED: /* the level's own check has seen it */
            break;
        default:
            return;
        }
    }
}

static void feed_level(struct storage_judge *judge, size_t level, struct bytes text, bool last)
{
    struct storage_check *check = &judge->checks[level];
    storage_check_feed(check, text);
    if (level == STORAGE_LEVELS_MOST || check->kind != '"' || check->state == IS_BROKEN)
        return;
    /* all that came before the quote was white space */
    judge->decoding[level] = true;
    json_walk_feed(judge->walks[level], text);
    decode(judge, level);
    if (!last)
        return;
    json_walk_finish(judge->walks[level]);
    decode(judge, level);
}

void storage_judge_feed(struct storage_judge *judge, struct bytes text, bool last)
{
    feed_level(judge, 0, text, last);
}

struct storage_verdict storage_judge_finish(struct storage_judge *judge)
{
    struct storage_verdict outer = {storage_check_finish(&judge->checks[0]), 0,
                                    judge->checks[0].at};
    unsigned level = 0;
    enum storage_form form = outer.form;
    while (form == STORAGE_SCALAR && judge->checks[level].kind == '"' &&
           level < STORAGE_LEVELS_MOST) {
        form = storage_check_finish(&judge->checks[++level]);
        if (form == STORAGE_ARRAY || form == STORAGE_OBJECT)
            return (struct storage_verdict){form, level, 0};
    }
    return outer;
}
