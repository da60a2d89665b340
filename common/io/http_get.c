#include "common/io/http_get.h"

#include <stdlib.h>

#include <curl/curl.h>

#include "common/base/mem.h"

#define BODY_MAX (16u << 20)

struct http_get {
    CURL *handle;
    struct curl_slist *headers;
    uint64_t body_bytes; /* of the last answer */
};

/* Read, not kept: what an application makes of it is its own affair. */
static size_t take_body(char *data, size_t size, size_t count, void *owner)
{
    struct http_get *get = owner;
    (void)data;
    get->body_bytes += size * count;
    return get->body_bytes > BODY_MAX ? 0 : size * count;
}

/* Signals are the program's own. */
static void set_up(struct http_get *get, uint64_t timeout_ms)
{
    curl_easy_setopt(get->handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(get->handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(get->handle, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(get->handle, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(get->handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(get->handle, CURLOPT_USERAGENT, "drover/" DROVER_VERSION);
    curl_easy_setopt(get->handle, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(get->handle, CURLOPT_WRITEDATA, get);
    if (get->headers)
        curl_easy_setopt(get->handle, CURLOPT_HTTPHEADER, get->headers);
}

struct http_get *http_get_new(uint64_t timeout_ms, const char *header)
{
    struct http_get *get = mem_new(sizeof *get);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort(); /* no memory */
    get->handle = mem_sure(curl_easy_init());
    if (header && header[0])
        get->headers = mem_sure(curl_slist_append(NULL, header));
    set_up(get, timeout_ms);
    return get;
}

void http_get_close(struct http_get *get)
{
    if (!get)
        return;
    curl_easy_cleanup(get->handle);
    curl_slist_free_all(get->headers);
    free(get);
}

enum outcome http_get_run(struct http_get *get, const char *url, long *status, struct error *err)
{
    get->body_bytes = 0;
    *status = 0;
    if (curl_easy_setopt(get->handle, CURLOPT_URL, url) != CURLE_OK)
        abort(); /* no memory */
    CURLcode code = curl_easy_perform(get->handle);
    curl_easy_getinfo(get->handle, CURLINFO_RESPONSE_CODE, status);
    if (code == CURLE_OK)
        return OUT_OK;
    if (get->body_bytes > BODY_MAX)
        return error_set(err, OUT_REJECT, ERR_READ_OLD, "an answer over HTTP is above 16 MiB");
    bool url_is_bad = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    enum outcome outcome = error_set(err, url_is_bad ? OUT_REJECT : OUT_RETRY, ERR_READ_OLD,
                                     "the old store did not answer over HTTP");
    error_cause(err, "%s", curl_easy_strerror(code)); /* a text of libcurl's own, without names */
    return outcome;
}
