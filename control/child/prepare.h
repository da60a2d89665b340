#ifndef DROVER_CONTROL_PREPARE_H
#define DROVER_CONTROL_PREPARE_H

/*
 * Before roles are started: all mistakes of sources and mappings first, then what is missing in
 * PostgreSQL and Kafka is made, and said on standard error. Blocks.
 */

#include "common/base/conf.h"
#include "common/base/error.h"
#include "common/io/settings.h"

/* The report's folder, tables, topics. OUT_RETRY: a server is away; else OUT_FATAL. */
MUST_USE enum outcome prepare_servers(const struct settings *settings, struct error *err);
/* Sources and whose the records are, before anything is touched; then the servers. */
MUST_USE enum outcome prepare_all(const struct settings *settings, const struct conf_list *sources,
                                  struct error *err);

#endif
