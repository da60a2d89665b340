#ifndef DROVER_CONTROL_CHILD_ARGS_H
#define DROVER_CONTROL_CHILD_ARGS_H

/*
 * A child's command line: the flags its parent was given, as far as the child's command takes them.
 * File and environment it reads by itself. Secrets have no flags, so none is handed on here.
 * Sources go through a file in memory (DROVER_ARGS_FD): there may be more than a command line of
 * the child's could hold, whose flags are longer than the parent's words.
 */

#include "common/base/conf.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "control/child/child_role.h"

/* The child's command: "produce". */
const char *child_role_name(enum child_role role);
/* NULL-terminated, malloc'ed; freed by child_args_free. `more`: flags besides ("--follow"),
 * NULL-terminated; NULL: none. */
char **child_args_make(const struct settings *settings, const struct conf *conf,
                       enum child_role role, const char *const *more);
/* For a child that reads sources. *file: a file in memory with the rest of the child's arguments,
 * each ended by a NUL, for DROVER_ARGS_FD; the caller closes it; -1: there are none. OUT_FATAL
 * DRV-X999. */
MUST_USE enum outcome child_args_sources(const struct conf_list *sources, enum child_role role,
                                         int *file, struct error *err);
void child_args_free(char **args);

#endif
