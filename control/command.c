/* What every command does alike: failing, choosing by a word, refusing words. */
#include "control/command.h"

#include <string.h>

#include "common/base/text.h"

enum exit_code command_fail(const struct error *err)
{
    return error_code_exit(err->code);
}

int command_choose(const struct invocation *invocation, const char *const *choices,
                   struct error *err)
{
    const char *word = invocation->words.count == 1 ? invocation->words.items[0] : "";
    size_t count = 0;
    for (; choices[count]; count++)
        if (strcmp(choices[count], word) == 0)
            return (int)count;
    error_set(err, OUT_FATAL, ERR_USAGE, "drover %s takes one word: %s", invocation->command->name,
              invocation->command->words);
    const char *nearest = word[0] ? text_nearest(word, choices, count) : NULL;
    if (nearest)
        error_hint(err, "did you mean drover %s %s?", invocation->command->name, nearest);
    return -1;
}

int command_takes_no_words(const struct invocation *invocation, struct error *err)
{
    if (invocation->words.count == 0)
        return 1;
    error_set(err, OUT_FATAL, ERR_USAGE, "drover %s takes flags only", invocation->command->name);
    return 0;
}
