#include "common/base/token_text.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "common/base/token_chars.h"

#define RANDOM_LEAST 20
#define RANDOM_MOST 1024
#define HEADER_BLANKS 2 /* "Authorization: Bearer eyJ…" */

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
    if (text.size < RANDOM_LEAST || text.size > RANDOM_MOST || is_uuid(text) ||
        !token_chars_are_mixed(text))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!token_char_is(text.data[i], CHAR_WORD | CHAR_DOT | CHAR_TILDE | CHAR_BASE64) &&
            text.data[i] != '%' && text.data[i] != ':')
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

bool token_shape_has_words(struct bytes text)
{
    size_t blanks = 0;
    for (size_t i = 0; i < text.size && blanks <= HEADER_BLANKS; i++)
        blanks += text.data[i] == ' ';
    return blanks > HEADER_BLANKS;
}

bool token_shape_is_placeholder(struct bytes value)
{
    static const char *const WORDS[] = {
        "none",   "null",        "undefined", "true",     "false",    "yes",
        "no",     "include",     "omit",      "required", "optional", "enabled",
        "n/a",    "same-origin", "hidden",    "disabled", "redacted", "string",
        "bearer", "ok",          "fail",      "changeme"};
    if (value.size == 0)
        return true;
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
