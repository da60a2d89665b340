#ifndef DROVER_CONTROL_CLI_H
#define DROVER_CONTROL_CLI_H

/* The command line: finds the command, loads its settings, runs it, prints its error. */

#include "common/base/error.h"

enum exit_code cli_main(int argc, char **argv, char **environment);

#endif
