#ifndef DROVER_IO_REDIS_GREETING_H
#define DROVER_IO_REDIS_GREETING_H

/*
 * What every connection says first, blocking or not: AUTH, SELECT, a look at how the server is set
 * up, and the scripts. A server that may throw keys away (a maxmemory with another policy than
 * noeviction) or that is a cluster is refused; INFO denied by an ACL is let pass.
 */

#include <hiredis/read.h>
#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/redis/redis_script.h"
#include "common/io/redis/redis_url.h"

struct redisReply;

#define REDIS_SHA_SIZE 41

struct redis_greeting {
    int steps[8];
    int count, at; /* replies expected and seen */
    char shas[SCRIPT_COUNT][REDIS_SHA_SIZE];
    char run_id[REDIS_SHA_SIZE]; /* another one after each start of the server; "": not told */
};

/* Appends the commands and notes what replies are to come. `scripts` false: only to look around. */
void redis_greeting_begin(struct redis_greeting *greeting, const struct redis_url *url,
                          bool scripts, struct buf *out);
/* The next reply. OUT_RETRY, OUT_FATAL: the connection is not to be used. Done when at == count. */
MUST_USE enum outcome redis_greeting_take(struct redis_greeting *greeting,
                                          const struct redisReply *reply, struct error *err);

#endif
