/* What the processes of the profile reader say to each other when something is wrong. */
#include <string.h>

#include "common/io/source/chromium_profile_internal.h"

void chromium_word_fail(struct chromium_word *word, const char *text, const char *cause)
{
    struct error whole; /* masks before it cuts */
    error_set(&whole, OUT_REJECT, ERR_NONE, "%s", text);
    error_cause(&whole, "%s", cause ? cause : "");
    word->said = CHROMIUM_FAILED;
    memcpy(word->text, whole.text, sizeof(word->text));
    memcpy(word->cause, whole.cause, sizeof(word->cause));
}
