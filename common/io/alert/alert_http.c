/* See the header. curl calls on_socket and on_timer to say what it waits for; whatever happens
 * there is told to it, and then it is asked which transfers have ended. */
#include "common/io/alert/alert_http.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { ANSWER_MAX = 1 << 20 };

struct alert_post {
    struct alert_http *http;
    struct alert_post *next;
    CURL *easy;
    struct curl_slist *headers;
    uint64_t answered; /* bytes, thrown away */
    alert_post_ended *on_ended;
    void *owner;
};

struct alert_http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct alert_post *posts;
    unsigned open; /* handles that are not closed */
    void (*on_closed)(void *owner);
    void *owner;
};

struct watch {
    uv_poll_t poll;
    struct alert_http *http;
    curl_socket_t socket;
};

/* ---- transfers that ended ---- */

static void free_post(struct alert_post *post)
{
    struct alert_post **at = &post->http->posts;
    while (*at != post)
        at = &(*at)->next;
    *at = post->next;
    curl_multi_remove_handle(post->http->multi, post->easy);
    curl_easy_cleanup(post->easy);
    curl_slist_free_all(post->headers);
    free(post);
}

static enum alert_answer judge(CURL *easy, CURLcode code, char cause[80])
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300)
        return ALERT_TAKEN; /* also when its text was too long to be read */
    if (status > 0) {
        snprintf(cause, 80, "HTTP %ld", status);
        return status >= 500 || status == 408 || status == 429 ? ALERT_TRY_AGAIN : ALERT_REFUSED;
    }
    snprintf(cause, 80, "%s", curl_easy_strerror(code));
    return code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ? ALERT_REFUSED
                                                                             : ALERT_TRY_AGAIN;
}

/* An owner may post anew, but not close, while it is told. */
static void take_ended(struct alert_http *http)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(http->multi, &left))) {
        char *place, cause[80] = "";
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &place);
        struct alert_post *post = (struct alert_post *)place;
        enum alert_answer answer = judge(post->easy, code, cause);
        alert_post_ended *on_ended = post->on_ended;
        void *owner = post->owner;
        free_post(post);
        on_ended(owner, answer, answer == ALERT_TAKEN ? NULL : cause);
    }
}

/* ---- curl's sockets and timer on the loop ---- */

static void count_closed(struct alert_http *http)
{
    if (--http->open > 0)
        return;
    void (*on_closed)(void *) = http->on_closed;
    void *owner = http->owner;
    curl_multi_cleanup(http->multi);
    free(http);
    on_closed(owner);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct alert_http *http = watch->http;
    free(watch);
    count_closed(http);
}

static void on_timer_closed(uv_handle_t *handle)
{
    count_closed(handle->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct alert_http *http = watch->http;
    int running, what = status < 0 ? CURL_CSELECT_ERR : 0;
    what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    curl_multi_socket_action(http->multi, watch->socket, what, &running);
    take_ended(http);
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *owner, void *known)
{
    struct alert_http *http = owner;
    struct watch *watch = known;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        return 0;
    }
    if (!watch) {
        watch = mem_new(sizeof(*watch));
        watch->http = http;
        watch->socket = socket;
        watch->poll.data = watch;
        if (uv_poll_init_socket(http->loop, &watch->poll, socket) != 0) {
            free(watch);
            return -1;
        }
        http->open++;
        curl_multi_assign(http->multi, socket, watch);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_ready) == 0 ? 0 : -1;
}

static void on_time(uv_timer_t *timer)
{
    struct alert_http *http = timer->data;
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_ended(http);
}

/* Never at once, as curl calls this from within itself. */
static int on_timer(CURLM *multi, long timeout_ms, void *owner)
{
    struct alert_http *http = owner;
    (void)multi;
    if (uv_is_closing((uv_handle_t *)&http->timer))
        return 0;
    if (timeout_ms < 0)
        uv_timer_stop(&http->timer);
    else
        uv_timer_start(&http->timer, on_time, (uint64_t)(timeout_ms > 0 ? timeout_ms : 1), 0);
    return 0;
}

/* ---- open, post, close ---- */

struct alert_http *alert_http_open(uv_loop_t *loop)
{
    struct alert_http *http = mem_new(sizeof(*http));
    curl_global_init(CURL_GLOBAL_DEFAULT); /* again, when others did already */
    http->loop = loop;
    http->multi = mem_sure(curl_multi_init());
    http->open = 1;
    http->timer.data = http;
    uv_timer_init(loop, &http->timer);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    return http;
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *owner)
{
    struct alert_post *post = owner;
    (void)bytes;
    post->answered += size * count;
    return post->answered > ANSWER_MAX ? 0 : size * count;
}

void alert_http_post(struct alert_http *http, const char *url, struct bytes body,
                     uint64_t timeout_ms, alert_post_ended *on_ended, void *owner)
{
    struct alert_post *post = mem_new(sizeof(*post));
    CURL *easy = mem_sure(curl_easy_init());
    *post = (struct alert_post){
        .http = http, .next = http->posts, .easy = easy, .on_ended = on_ended, .owner = owner};
    http->posts = post;
    post->headers = mem_sure(curl_slist_append(NULL, "Content-Type: application/json"));
    mem_sure(curl_slist_append(post->headers, "Expect:"));
    curl_easy_setopt(easy, CURLOPT_PRIVATE, post);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body.data);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "drover/" DROVER_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, post);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_multi_add_handle(http->multi, easy); /* whatever fails comes as the transfer's end */
}

void alert_http_close(struct alert_http *http, void (*on_closed)(void *owner), void *owner)
{
    http->on_closed = on_closed;
    http->owner = owner;
    while (http->posts)
        free_post(http->posts);
    uv_close((uv_handle_t *)&http->timer, on_timer_closed);
}
