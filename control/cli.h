#ifndef DROVER_CONTROL_CLI_H
#define DROVER_CONTROL_CLI_H

/* The command line: finds the command, loads its settings, runs it, prints its error. */

#include <stdbool.h>

#include "common/base/error.h"

/* Who read our output has closed it (`| head`): there is nobody to tell anything to. */
bool output_is_unread(void);
enum exit_code cli_main(int argc, char **argv, char **environment);

#endif
