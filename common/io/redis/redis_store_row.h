#ifndef DROVER_IO_REDIS_STORE_ROW_H
#define DROVER_IO_REDIS_STORE_ROW_H

/* What the row of storage redis (common/io/stores.h) shares with that of hybrid. */

#include "common/io/stores.h"

/* The row's `check`: OUT_FATAL when redis.url cannot be used. Asks no server. */
MUST_USE enum outcome redis_store_row_check(const struct store_opening *opening, struct error *err);
/* The row's `read_redis_version`. */
void redis_store_row_version(const struct settings *settings, char *out, size_t size);
/* The row's `examine`; `needed`: with the scripts, as who may not load them cannot work. */
void redis_store_row_examine(struct findings *findings, bool needed);

#endif
