#ifndef DROVER_CONTROL_COMMAND_H
#define DROVER_CONTROL_COMMAND_H

/*
 * The commands of the program, as one table: parsing, help and suggestions come from it. A command
 * gets its settings loaded and checked, writes its answer to standard output (with --json the
 * members of its document into `answer`) and everything else to standard error, and returns the
 * exit code; `err` is printed when the command filled it, and is in the document.
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
    const char *words;    /* "print|apply", "[SOURCE…]", or "" */
    const char *summary;  /* one line, lower case */
    const char *examples; /* lines of help */
};

/* Runs invocation->command. */
enum exit_code command_run(const struct invocation *invocation, struct error *err);

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

enum exit_code run_command(const struct invocation *invocation, struct error *err);
enum exit_code status_command(const struct invocation *invocation, struct error *err);
enum exit_code doctor_command(const struct invocation *invocation, struct error *err);
enum exit_code config_command(const struct invocation *invocation, struct error *err);
enum exit_code schema_command(const struct invocation *invocation, struct error *err);
enum exit_code topics_command(const struct invocation *invocation, struct error *err);
enum exit_code rebuild_command(const struct invocation *invocation, struct error *err);
enum exit_code secret_command(const struct invocation *invocation, struct error *err);
enum exit_code export_command(const struct invocation *invocation, struct error *err);
enum exit_code rehearse_command(const struct invocation *invocation, struct error *err);

#endif
