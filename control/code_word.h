#ifndef DROVER_CONTROL_CODE_WORD_H
#define DROVER_CONTROL_CODE_WORD_H

/* An error code as a person writes it. Where codes of other systems stand beside ours, what was
 * meant as one of ours and is none is told: nothing would be found by it. */

#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/error.h"

/* In whichever case; false after filling err: DRV-C001, with the nearest code. */
bool code_word_find(const char *word, enum error_code *code, struct error *err);
/* It begins as ours do (DRV-…) or, where `bare_too`, is one without that (V004); whether or not
 * there is such a code. */
bool code_word_is_ours(const char *word, bool bare_too);
/* All of them, as they are written. */
const char *const *code_words(size_t *count);

#endif
