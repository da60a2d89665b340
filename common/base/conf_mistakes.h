#ifndef DROVER_BASE_CONF_MISTAKES_H
#define DROVER_BASE_CONF_MISTAKES_H

/* As conf_load_yaml, conf_load_env and conf_load_flags, but they go on behind a mistake: all are
 * added to the list, and what is right is loaded. OUT_FATAL when there was one. */

#include "common/base/conf.h"
#include "common/base/error_list.h"

/* *is_yaml false: nothing of the file could be read. */
MUST_USE enum outcome conf_load_yaml_all(struct conf *conf, const char *file, struct bytes text,
                                         bool *is_yaml, struct error_list *mistakes);
MUST_USE enum outcome conf_load_env_all(struct conf *conf, char *const *environment,
                                        conf_read_secret read_secret, struct error_list *mistakes);
MUST_USE enum outcome conf_load_flags_all(struct conf *conf, int argc, char *const *argv,
                                          uint32_t command, const char *const *command_names,
                                          struct conf_list *positionals,
                                          struct error_list *mistakes);

#endif
