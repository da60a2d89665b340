#ifndef DROVER_IO_REDIS_LOOKUP_H
#define DROVER_IO_REDIS_LOOKUP_H

/* One key of Redis, as an application asks for it: GET or HGETALL, over a connection that is kept.
 * Blocking; one thread's. */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

struct redis_lookup;

enum redis_lookup_answer {
    LOOKUP_FOUND,
    LOOKUP_NONE,
    LOOKUP_OTHER_TYPE, /* what is there is no string, or no hash: ask the other way */
};

/* Whether it can be used; asks no server. As redis_url_parse. */
MUST_USE enum outcome redis_lookup_check(const char *url, struct error *err);
/* Connects to nothing yet. `url` outlives it. */
struct redis_lookup *redis_lookup_new(const char *url, uint64_t timeout_ms);
/* NULL is allowed. */
void redis_lookup_close(struct redis_lookup *lookup);

/* Before the clock runs: the connection, where there is none (any more). */
MUST_USE enum outcome redis_lookup_prepare(struct redis_lookup *lookup, struct error *err);
/* `hash`: HGETALL, else GET. A connection that was lost is made anew by the next prepare. */
MUST_USE enum outcome redis_lookup_find(struct redis_lookup *lookup, struct bytes key, bool hash,
                                        enum redis_lookup_answer *answer, struct error *err);

#endif
