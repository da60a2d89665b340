#ifndef DROVER_BASE_CONF_MISTAKES_H
#define DROVER_BASE_CONF_MISTAKES_H

/* As conf_load_yaml, but it goes on behind a mistake: all of the file's are added to the list, and
 * what is right is loaded. OUT_FATAL when there was one. */

#include "common/base/conf.h"
#include "common/base/error_list.h"

MUST_USE enum outcome conf_load_yaml_all(struct conf *conf, const char *file, struct bytes text,
                                         struct error_list *mistakes);
/* As conf_load_flags: all mistakes of the command line are added to the list. */
MUST_USE enum outcome conf_load_flags_all(struct conf *conf, int argc, char *const *argv,
                                          uint32_t command, const char *const *command_names,
                                          struct conf_list *positionals,
                                          struct error_list *mistakes);

#endif
