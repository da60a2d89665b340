#ifndef DROVER_IO_REDIS_VERSION_H
#define DROVER_IO_REDIS_VERSION_H

/* Which Redis it is, for reports and `drover doctor`. */

#include <stddef.h>
#include <stdint.h>

#include "common/io/redis/redis_session.h"

/* "7.0.15"; empty when the server does not tell. */
void redis_version_ask(struct redis_session *session, char *out, size_t size);
/* The same of the server at `url`, which is asked for `timeout_ms` at most. */
void redis_version_read(const char *url, int timeout_ms, char *out, size_t size);

#endif
