#ifndef DROVER_IO_HTTP_GET_H
#define DROVER_IO_HTTP_GET_H

/*
 * GET over HTTP, as an application asks for a record: one connection that is kept alive, no
 * redirects followed, an answer of at most 16 MiB read to its end. A URL may hold a password or a
 * token: neither it nor anything a server or libcurl makes of it stands in an error. Blocking; one
 * thread's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"

struct http_get;

/* `header`: one line that goes with each request ("Authorization: …"), or NULL. The first one is
 * made before there are threads. */
struct http_get *http_get_new(uint64_t timeout_ms, const char *header);
/* NULL is allowed. */
void http_get_close(struct http_get *get);

/* *status as the server said it, whatever it is. OUT_RETRY DRV-Y007: it did not answer in time, or
 * cannot be reached; OUT_REJECT: the URL can be none, or the answer is too large. */
MUST_USE enum outcome http_get_run(struct http_get *get, const char *url, long *status,
                                   struct error *err);

#endif
