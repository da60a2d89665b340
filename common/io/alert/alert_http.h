#ifndef DROVER_IO_ALERT_HTTP_H
#define DROVER_IO_ALERT_HTTP_H

/*
 * Webhooks on the loop: libcurl's multi interface, its sockets and its timer watched by libuv. A
 * URL may hold a secret anywhere: neither it nor what a server answers stands in any text. No
 * redirect is followed, for the same reason. Certificates are checked.
 */

#include <stdint.h>
#include <uv.h>

#include "common/base/bytes.h"

struct alert_http;
struct alert_post;

struct alert_http *alert_http_open(uv_loop_t *loop);
/* Ends what is on its way, without a word to its owners. */
void alert_http_close(struct alert_http *http, void (*on_closed)(void *owner), void *owner);

enum alert_answer {
    ALERT_TAKEN,     /* 2xx */
    ALERT_TRY_AGAIN, /* no answer, 5xx, 408, 429 */
    ALERT_REFUSED,   /* any other answer, or no URL that could be asked */
};
/* `cause`: "HTTP 500", "Timeout was reached"; NULL when it was taken. The post is freed behind it.
 */
typedef void alert_post_ended(void *owner, enum alert_answer answer, const char *cause);

/* One POST of JSON; the body is copied. Ends in any case, never before it returns. */
void alert_http_post(struct alert_http *http, const char *url, struct bytes body,
                     uint64_t timeout_ms, alert_post_ended *on_ended, void *owner);

#endif
