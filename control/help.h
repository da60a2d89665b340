#ifndef DROVER_CONTROL_HELP_H
#define DROVER_CONTROL_HELP_H

/*
 * What --help shows of a command: examples first, then its everyday flags, then the others in
 * groups, then the variables of the environment that act on it. -h shows the first two. Everything
 * comes from the table of settings, so that nothing is forgotten.
 */

#include <stdbool.h>
#include <stdio.h>

#include "control/command.h"

/* All commands. */
void help_print_commands(FILE *out);
/* One command; `brief`: as for -h. On standard output. */
void help_print(const struct command *command, const struct conf *conf, bool brief);

#endif
