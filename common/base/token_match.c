/*
 * Matching the table of kinds (token_kinds.h). The first three bytes of every row's values make a
 * set; a word whose first three are not in it is none of them, which settles nearly every word of
 * nearly every text without a look at the table. The others are compared with the rows that begin
 * with the same byte.
 */

#include <ctype.h>
#include <assert.h>

#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

#include "common/base/token_chars.h"
#include "common/base/token_kinds.h"

#define ROWS_MAX 512
#define HEAD 3               /* bytes that are looked at first */
#define HEAD_SET_BITS 13     /* 8,192 bits: 1 KiB */
#define RUN_MAX 512          /* of "{20,}" while it is matched; then the rest of the run is taken */
#define LETTERS_OF_ITS_OWN 4 /* of a row that may begin inside a word */
#define DISTINCT_MIN 5       /* different characters in what was drawn at random */

/* ---- patterns -------------------------------------------------------------------------------- */

struct element {
    const char *set; /* "[…]": its characters; else NULL */
    size_t set_size;
    unsigned class; /* "%x": its flag; else 0 */
    char literal;   /* when neither */
    size_t min, max;
    bool endless;
};

static size_t number(const char **at)
{
    char *end;
    size_t value = strtoul(*at, &end, 10);
    *at = end;
    return value;
}

static void read_count(const char **at, struct element *element)
{
    element->min = element->max = 1;
    element->endless = false;
    if (**at != '{')
        return;
    ++*at;
    element->min = element->max = number(at);
    if (**at == ',') {
        ++*at;
        element->endless = **at == '}';
        element->max = element->endless ? RUN_MAX : number(at);
    }
    ++*at; /* '}' */
}

/* The next element; *at is not at the pattern's end, nor at a bracket. */
static void read_element(const char **at, struct element *element)
{
    element->set = NULL;
    element->class = 0;
    element->literal = **at;
    if (**at == '%') {
        element->class = token_class(*++*at);
    } else if (**at == '[') {
        element->set = ++*at;
        element->set_size = strcspn(*at, "]");
        *at += element->set_size;
    }
    ++*at;
    read_count(at, element);
}

static bool takes(const struct element *element, char c)
{
    if (element->set)
        return memchr(element->set, c, element->set_size) != NULL;
    return element->class ? token_char_is(c, element->class) : c == element->literal;
}

static bool is_literal(const struct element *element)
{
    return !element->set && !element->class;
}

static size_t run(const struct element *element, struct bytes text, size_t at)
{
    size_t count = 0;
    while (count < element->max && at + count < text.size && takes(element, text.data[at + count]))
        count++;
    if (element->endless && count == RUN_MAX)
        while (at + count < text.size && takes(element, text.data[at + count]))
            count++;
    return count;
}

/* What people write where a key belongs has no digit and no mixed case, or few characters. */
static bool looks_drawn(const bool *seen, bool digit, unsigned changes)
{
    unsigned distinct = 0;
    for (size_t c = 0; c < 256; c++)
        distinct += seen[c];
    return distinct >= DISTINCT_MIN && (digit || changes >= 4);
}

struct drawn {
    bool seen[256], digit;
    unsigned changes; /* between small letters and capitals */
    size_t count;
};

static void draw(struct drawn *drawn, const char *text, size_t size)
{
    size_t most = size < RUN_MAX ? size : RUN_MAX;
    for (size_t i = 0; i < most; i++) {
        drawn->seen[(unsigned char)text[i]] = true;
        drawn->digit = drawn->digit || token_char_is(text[i], CHAR_DIGIT);
        if (i)
            drawn->changes +=
                (token_char_is(text[i], CHAR_CAPITAL) && token_char_is(text[i - 1], CHAR_SMALL)) ||
                (token_char_is(text[i], CHAR_SMALL) && token_char_is(text[i - 1], CHAR_CAPITAL));
    }
    drawn->count += size;
}

/* Drops the full stop of a sentence from a run that may have dots. */
static size_t without_stop(struct bytes text, size_t start, size_t end)
{
    while (end > start && text.data[end - 1] == '.')
        end--;
    return end;
}

static bool matches(const struct token_kind *kind, struct bytes text, size_t at,
                    struct token_match *match)
{
    struct element element = {.min = 1};
    struct drawn drawn = {.count = 0};
    size_t end = at, start = at, stop = 0;
    for (const char *next = kind->pattern; *next;) {
        if (*next == '(') {
            start = end;
            next++;
            continue;
        }
        if (*next == ')') {
            stop = end;
            next++;
            continue;
        }
        read_element(&next, &element);
        size_t count = run(&element, text, end);
        if (count < element.min)
            return false;
        if (!is_literal(&element) && element.max > 1)
            draw(&drawn, text.data + end, count);
        end += count;
    }
    if (end < text.size && (token_char_is(text.data[end], CHAR_ALNUM) || text.data[end] == '_'))
        return false;
    if (!looks_drawn(drawn.seen, drawn.digit, drawn.changes))
        return false;
    stop = without_stop(text, start, stop ? stop : end);
    *match = (struct token_match){start, stop - start, end, kind};
    return true;
}

/* ---- finding the row ------------------------------------------------------------------------- */

static uint8_t head_set[1u << (HEAD_SET_BITS - 3)];
static uint16_t rows[ROWS_MAX];              /* sorted by the first byte of their values */
static uint16_t first_row[257];              /* of each first byte, in `rows` */
static uint8_t letters_of_its_own[ROWS_MAX]; /* of each row, at most 255 */
static once_flag prepared = ONCE_FLAG_INIT;

static unsigned head_bit(unsigned char a, unsigned char b, unsigned char c)
{
    return ((unsigned)a * 0x1f3du + (unsigned)b * 0x2c1u + (unsigned)c * 0x3bu) &
           ((1u << HEAD_SET_BITS) - 1);
}

/* The elements of the first HEAD bytes. */
static void read_head(const char *pattern, struct element head[HEAD])
{
    struct element element;
    for (size_t at = 0; at < HEAD;) {
        pattern += *pattern == '(' || *pattern == ')';
        assert(*pattern);
        read_element(&pattern, &element);
        for (size_t i = 0; i < element.min && at < HEAD; i++)
            head[at++] = element;
    }
}

static void add_head(const char *pattern)
{
    struct element head[HEAD];
    read_head(pattern, head);
    for (int a = 0; a < 256; a++)
        for (int b = 0; takes(&head[0], (char)a) && b < 256; b++)
            for (int c = 0; takes(&head[1], (char)b) && c < 256; c++)
                if (takes(&head[2], (char)c)) {
                    unsigned bit = head_bit((unsigned char)a, (unsigned char)b, (unsigned char)c);
                    head_set[bit >> 3] |= (uint8_t)(1u << (bit & 7));
                }
}

static size_t count_letters(const char *pattern)
{
    struct element element;
    size_t count = 0;
    while (*pattern && *pattern != '(' && *pattern != ')') {
        read_element(&pattern, &element);
        if (!is_literal(&element))
            break;
        count += element.min;
    }
    return count < 255 ? count : 255;
}

static void prepare(void)
{
    struct element head[HEAD];
    size_t count = 0;
    assert(TOKEN_KIND_COUNT <= ROWS_MAX);
    for (int first = 0; first < 256; first++) {
        first_row[first] = (uint16_t)count;
        for (size_t i = 0; i < TOKEN_KIND_COUNT; i++) {
            read_head(TOKEN_KINDS[i].pattern, head);
            if (takes(&head[0], (char)first)) {
                assert(count < ROWS_MAX);
                rows[count++] = (uint16_t)i;
            }
        }
    }
    first_row[256] = (uint16_t)count;
    for (size_t i = 0; i < TOKEN_KIND_COUNT; i++) {
        add_head(TOKEN_KINDS[i].pattern);
        letters_of_its_own[i] = (uint8_t)count_letters(TOKEN_KINDS[i].pattern);
    }
}

bool token_kind_at(struct bytes text, size_t at, bool inside, struct token_match *match)
{
    call_once(&prepared, prepare);
    if (text.size - at < HEAD)
        return false;
    const unsigned char *head = (const unsigned char *)text.data + at;
    unsigned bit = head_bit(head[0], head[1], head[2]);
    if (!(head_set[bit >> 3] & (1u << (bit & 7))))
        return false;
    bool found = false;
    for (size_t i = first_row[head[0]]; i < first_row[head[0] + 1]; i++) {
        struct token_match here;
        if (inside && letters_of_its_own[rows[i]] < LETTERS_OF_ITS_OWN)
            continue;
        if (!matches(&TOKEN_KINDS[rows[i]], text, at, &here) || (found && here.end <= match->end))
            continue;
        *match = here;
        found = true;
    }
    return found;
}
