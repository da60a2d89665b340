#include "control/code_word.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/text.h"

#define PREFIX "DRV-"
enum { PREFIX_SIZE = sizeof(PREFIX) - 1, BARE_SIZE = 4 };

const char *const *code_words(size_t *count)
{
    static const char *ids[] = {
#define X(name, id, exit_code, meaning, advice) id,
        ERROR_CODES(X)
#undef X
    };
    *count = sizeof(ids) / sizeof(ids[0]);
    return ids;
}

static bool is_digit_like(char c)
{
    return isdigit((unsigned char)c) || c == 'O' || c == 'o' || c == 'I' || c == 'l';
}

/* V004, and with an O for a 0: V0O4. */
static bool is_bare(const char *word)
{
    int digits = 0;
    if (strlen(word) != BARE_SIZE || !isalpha((unsigned char)word[0]))
        return false;
    for (int i = 1; i < BARE_SIZE; i++) {
        if (!is_digit_like(word[i]))
            return false;
        digits += isdigit((unsigned char)word[i]) != 0;
    }
    return digits > 0;
}

bool code_word_is_ours(const char *word, bool bare_too)
{
    return strncasecmp(word, PREFIX, PREFIX_SIZE) == 0 || (bare_too && is_bare(word));
}

bool code_word_find(const char *word, enum error_code *code, struct error *err)
{
    char whole[16];
    size_t count;
    const char *const *ids = code_words(&count);
    if (error_code_find(word, code))
        return true;
    snprintf(whole, sizeof whole, PREFIX "%.*s", BARE_SIZE, word);
    for (char *at = whole; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    const char *nearest = text_nearest(is_bare(word) ? whole : word, ids, count);
    error_set(err, OUT_FATAL, ERR_USAGE, "there is no such error code");
    error_where(err, "%.100s", word);
    error_hint(err, nearest ? "did you mean %s?" : "drover explain lists them all%s",
               nearest ? nearest : "");
    return false;
}
