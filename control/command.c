/* What is asked of the commands, and what each does alike: failing, choosing by a word, refusing
 * words. */
#include "control/command.h"

#include <string.h>

#include "common/base/text.h"

static const struct command TABLE[] = {
#define X(bit, upper, name, words, summary, examples)                                              \
    {#name, CMD_##upper, words, summary, examples},
    COMMANDS(X)
#undef X
};

const struct command *command_table(size_t *count)
{
    *count = sizeof(TABLE) / sizeof(TABLE[0]);
    return TABLE;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
        if (strcmp(TABLE[i].name, name) == 0)
            return &TABLE[i];
    return NULL;
}

const char *const *command_names(void)
{
    static const char *const NAMES[32] = {
#define X(bit, upper, name, words, summary, examples) [bit] = #name,
        COMMANDS(X)
#undef X
    };
    return NAMES;
}

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
