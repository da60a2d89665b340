#ifndef DROVER_IO_REDIS_URL_H
#define DROVER_IO_REDIS_URL_H

/*
 * Where Redis is: redis://[user[:password]@]host[:port][/db] or
 * unix://[user[:password]@]/path[?db=n], percent-decoded. rediss:// is understood and refused:
 * Debian's hiredis has no TLS.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"

struct redis_url {
    char user[256], password[512];
    char host[256]; /* empty: a unix socket at `path` */
    char path[108]; /* sun_path */
    uint16_t port;
    uint32_t database;
};

/* OUT_FATAL DRV-C009 (none given), DRV-C008 (malformed), DRV-R008 (TLS). The url never stands in
 * the error: it holds a password. */
MUST_USE enum outcome redis_url_parse(const char *url, struct redis_url *out, struct error *err);
/* A unix socket or a loopback address: what is sent does not leave the machine. */
bool redis_url_is_local(const struct redis_url *url);
/* "host:port" or the path, for people. */
void redis_url_format(const struct redis_url *url, char *out, size_t size);
void redis_url_wipe(struct redis_url *url);

#endif
