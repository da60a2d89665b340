#ifndef DROVER_CONTROL_COMMAND_H
#define DROVER_CONTROL_COMMAND_H

/*
 * The commands of the program: parsing, help, suggestions and the functions below come from one
 * list (common/io/commands.h). A command gets its settings loaded and checked, writes its answer to
 * standard output (with --json the members of its document into `answer`) and everything else to
 * standard error, and returns the exit code; `err` is printed when the command filled it, and is in
 * the document.
 */

#include <stdint.h>

#include "common/base/conf.h"
#include "common/base/error.h"
#include "common/io/answer.h"
#include "common/io/settings.h"

struct invocation {
    const struct command *command;
    struct settings settings;
    struct conf conf;
    struct conf_list words; /* what is neither flag nor value */
    struct answer *answer;  /* with --json; answer->wanted says so */
};

struct command {
    const char *name;
    enum command_bit bit;
    const char *words;
    const char *summary;  /* one line, lower case */
    const char *examples; /* lines of help */
};

const struct command *command_table(size_t *count);
const struct command *command_find(const char *name);
/* By bit, as conf_load_flags wants them. */
const char *const *command_names(void);
/* Exit code for a filled err. */
enum exit_code command_fail(const struct error *err);
/* The only word, which must be one of `choices` (NULL-terminated); its index, or -1 after filling
 * err. */
int command_choose(const struct invocation *invocation, const char *const *choices,
                   struct error *err);
/* No words allowed: false after filling err. */
int command_takes_no_words(const struct invocation *invocation, struct error *err);

#define X(bit, upper, name, words, summary, examples)                                              \
    enum exit_code name##_command(const struct invocation *invocation, struct error *err);
COMMANDS(X)
#undef X

#endif
