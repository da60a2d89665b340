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
#define HEADS_OF_A_ROW 300   /* more: its rows are loose */
#define RUN_MAX 512          /* of "{20,}" while it is matched; then the rest of the run is taken */
#define LETTERS_OF_ITS_OWN 4 /* of a row that may begin inside a word */
#define DISTINCT_MIN 5       /* different characters in what was drawn at random */
#define DISTINCT_CAPITALS 8  /* of capitals alone */

/* ---- patterns -------------------------------------------------------------------------------- */

struct element {
    const char *set; /* "[…]": its characters; else NULL */
    size_t set_size;
    unsigned class; /* "%x": its flag; else 0 */
    size_t run;     /* of its letter in struct token_runs */
    char literal;   /* when neither */
    size_t min, max;
    bool endless;
};

/* The classes, in the order of struct token_runs. */
static const char CLASSES[TOKEN_RUNS + 1] = "aulxhwjtbd";

static unsigned class_of(char letter)
{
    switch (letter) {
    case 'd':
        return CHAR_DIGIT;
    case 'a':
        return CHAR_ALNUM;
    case 'u':
        return CHAR_CAPITAL | CHAR_DIGIT;
    case 'l':
        return CHAR_SMALL | CHAR_DIGIT;
    case 'x':
        return CHAR_HEX;
    case 'h':
        return CHAR_HEX_ANY;
    case 'w':
        return CHAR_WORD;
    case 'j':
        return CHAR_WORD | CHAR_DOT;
    case 't':
        return CHAR_WORD | CHAR_DOT | CHAR_TILDE | CHAR_BASE64;
    case 'b':
        return CHAR_ALNUM | CHAR_BASE64;
    default:
        assert(!"a class that patterns do not have");
        return 0;
    }
}

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
        element->class = class_of(*++*at);
        element->run = (size_t)(strchr(CLASSES, **at) - CLASSES);
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

static size_t run_end(const struct element *element, struct bytes text, size_t at,
                      struct token_runs *runs)
{
    size_t *from = &runs->of[element->run].from, *to = &runs->of[element->run].to;
    if (at >= *from && at < *to)
        return *to;
    size_t end = at;
    while (end < text.size && takes(element, text.data[end]))
        end++;
    *from = at;
    *to = end;
    return end;
}

static size_t run(const struct element *element, struct bytes text, size_t at,
                  struct token_runs *runs)
{
    size_t count = 0;
    while (count < element->max && at + count < text.size && takes(element, text.data[at + count]))
        count++;
    if (element->endless && count == RUN_MAX)
        count = run_end(element, text, at + count, runs) - at;
    return count;
}

/* What was drawn at random of a value: all but the pattern's own letters. */
struct drawn {
    bool seen[256], digit, any_case; /* small letters might have been drawn */
    unsigned changes;                /* between small letters and capitals */
};

static void draw(struct drawn *drawn, const char *text, size_t size)
{
    size_t max = size < RUN_MAX ? size : RUN_MAX;
    for (size_t i = 0; i < max; i++) {
        drawn->seen[(unsigned char)text[i]] = true;
        drawn->digit = drawn->digit || token_char_is(text[i], CHAR_DIGIT);
        if (i)
            drawn->changes +=
                (token_char_is(text[i], CHAR_CAPITAL) && token_char_is(text[i - 1], CHAR_SMALL)) ||
                (token_char_is(text[i], CHAR_SMALL) && token_char_is(text[i - 1], CHAR_CAPITAL));
    }
}

/* What people write where a key belongs has no digit and no mixed case, or few characters. The
 * value matches the pattern. */
static bool looks_drawn(const char *pattern, struct bytes text, size_t at, struct token_runs *runs)
{
    struct drawn drawn = {.changes = 0};
    struct element element;
    unsigned distinct = 0;
    while (*pattern) {
        if (*pattern == '(' || *pattern == ')') {
            pattern++;
            continue;
        }
        read_element(&pattern, &element);
        size_t count = run(&element, text, at, runs);
        drawn.any_case = drawn.any_case || (element.max > 1 && takes(&element, 'k'));
        if (!is_literal(&element) && element.max > 1)
            draw(&drawn, text.data + at, count);
        at += count;
    }
    for (size_t c = 0; c < 256; c++)
        distinct += drawn.seen[c];
    if (!drawn.any_case && !drawn.digit) /* 1 of 30 AWS key ids has no digit */
        return distinct >= DISTINCT_CAPITALS;
    return distinct >= DISTINCT_MIN && (drawn.digit || drawn.changes >= 4);
}

/* Drops the full stop of a sentence from a run that may have dots. */
static size_t without_stop(struct bytes text, size_t start, size_t end)
{
    while (end > start && text.data[end - 1] == '.')
        end--;
    return end;
}

static bool matches(const struct token_kind *kind, struct bytes text, size_t at,
                    struct token_runs *runs, struct token_match *match)
{
    struct element element;
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
        size_t count = run(&element, text, end, runs);
        if (count < element.min)
            return false;
        end += count;
    }
    if (end < text.size && (token_char_is(text.data[end], CHAR_ALNUM) || text.data[end] == '_'))
        return false;
    if (!looks_drawn(kind->pattern, text, at, runs))
        return false;
    stop = without_stop(text, start, stop ? stop : end);
    *match = (struct token_match){start, stop - start, end, kind};
    return true;
}

/* ---- finding the row ------------------------------------------------------------------------- */

/* Rows sorted by the first byte of their values. A few rows begin with no letters of their own (a
 * bot's number): their heads would fill the set, so they are tried at every word that begins with
 * their first byte, and fail within it. */
struct row_index {
    uint16_t rows[ROWS_MAX];
    uint16_t first[257]; /* of each first byte, in `rows` */
};

static uint8_t head_set[1u << (HEAD_SET_BITS - 3)];
static struct row_index tight, loose;
static uint8_t letters_of_its_own[ROWS_MAX];   /* of each row, at most 255 */
static struct element first_element[ROWS_MAX]; /* of rows without letters of their own */
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

static size_t count_taken(const struct element *element)
{
    size_t count = 0;
    for (int c = 0; c < 256; c++)
        count += takes(element, (char)c);
    return count;
}

static bool is_loose(const struct element head[HEAD])
{
    return count_taken(&head[0]) * count_taken(&head[1]) * count_taken(&head[2]) > HEADS_OF_A_ROW;
}

static void add_head(const struct element head[HEAD])
{
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
        if (!is_literal(&element) || element.max > 1)
            break;
        count += element.min;
    }
    return count < 255 ? count : 255;
}

static void build_index(struct row_index *index, bool of_loose)
{
    struct element head[HEAD];
    size_t count = 0;
    for (int first = 0; first < 256; first++) {
        index->first[first] = (uint16_t)count;
        for (size_t i = 0; i < TOKEN_KIND_COUNT; i++) {
            read_head(TOKEN_KINDS[i].pattern, head);
            if (!takes(&head[0], (char)first) || is_loose(head) != of_loose)
                continue;
            assert(count < ROWS_MAX);
            index->rows[count++] = (uint16_t)i;
        }
    }
    index->first[256] = (uint16_t)count;
}

static void prepare(void)
{
    struct element head[HEAD];
    assert(TOKEN_KIND_COUNT <= ROWS_MAX);
    build_index(&tight, false);
    build_index(&loose, true);
    for (size_t i = 0; i < TOKEN_KIND_COUNT; i++) {
        read_head(TOKEN_KINDS[i].pattern, head);
        if (!is_loose(head))
            add_head(head);
        first_element[i] = head[0];
        letters_of_its_own[i] = (uint8_t)count_letters(TOKEN_KINDS[i].pattern);
    }
}

/* Whether a look at the whole pattern is worth it: its letters stand there, or its first run is
 * long enough. */
static bool may_match(size_t row, struct bytes text, size_t at)
{
    size_t letters = letters_of_its_own[row];
    if (letters)
        return text.size - at >= letters &&
               memcmp(text.data + at, TOKEN_KINDS[row].pattern, letters) == 0;
    const struct element *first = &first_element[row];
    size_t end = at;
    while (end < text.size && end - at < first->min && takes(first, text.data[end]))
        end++;
    return end - at == first->min;
}

static bool try_rows(const struct row_index *index, struct bytes text, size_t at, bool inside,
                     bool found, struct token_runs *runs, struct token_match *match)
{
    unsigned char first = (unsigned char)text.data[at];
    for (size_t i = index->first[first]; i < index->first[first + 1]; i++) {
        struct token_match here;
        size_t row = index->rows[i];
        if ((inside && letters_of_its_own[row] < LETTERS_OF_ITS_OWN) || !may_match(row, text, at) ||
            !matches(&TOKEN_KINDS[row], text, at, runs, &here) || (found && here.end <= match->end))
            continue;
        *match = here;
        found = true;
    }
    return found;
}

bool token_kind_at(struct bytes text, size_t at, bool inside, struct token_runs *runs,
                   struct token_match *match)
{
    bool found = false;
    call_once(&prepared, prepare);
    if (text.size - at < HEAD)
        return false;
    const unsigned char *head = (const unsigned char *)text.data + at;
    unsigned bit = head_bit(head[0], head[1], head[2]);
    if (head_set[bit >> 3] & (1u << (bit & 7)))
        found = try_rows(&tight, text, at, inside, false, runs, match);
    return inside ? found : try_rows(&loose, text, at, false, found, runs, match);
}
