#include "common/io/redis/redis_url.h"

#include <stdio.h>
#include <string.h>

#include "common/base/text.h"

#define DEFAULT_PORT 6379
#define DATABASE_MAX 65535

/* `part` percent-decoded, with its NUL; false when it does not fit or holds a NUL. */
static bool decode(struct bytes part, char *out, size_t size)
{
    struct buf decoded;
    buf_init(&decoded, size - 1);
    bool ok = text_percent_decode(&decoded, part) && !decoded.failed &&
              (decoded.size == 0 || !memchr(decoded.data, '\0', decoded.size));
    if (ok)
        snprintf(out, size, "%s", buf_text(&decoded));
    if (decoded.size)
        explicit_bzero(decoded.data, decoded.size);
    buf_free(&decoded);
    return ok;
}

/* Cuts `rest` at the first `c`; the part before it, or all of it when there is none. */
static struct bytes cut(struct bytes *rest, char c, bool *found)
{
    const char *at = rest->size ? memchr(rest->data, c, rest->size) : NULL;
    size_t size = at ? (size_t)(at - rest->data) : rest->size;
    struct bytes part = bytes_of(rest->data, size);
    *rest = bytes_of(rest->data + size + (at != NULL), rest->size - size - (at != NULL));
    *found = at != NULL;
    return part;
}

/* user[:password]@, when there is one: the last '@' before the path ends it. */
static bool take_login(struct bytes *rest, struct redis_url *out)
{
    bool found;
    const char *slash = rest->size ? memchr(rest->data, '/', rest->size) : NULL;
    size_t max = slash ? (size_t)(slash - rest->data) : rest->size;
    const char *at = max ? memrchr(rest->data, '@', max) : NULL;
    if (!at)
        return true;
    size_t size = (size_t)(at - rest->data);
    struct bytes login = bytes_of(rest->data, size);
    *rest = bytes_of(at + 1, rest->size - size - 1);
    struct bytes user = cut(&login, ':', &found);
    return decode(user, out->user, sizeof out->user) &&
           (!found || decode(login, out->password, sizeof out->password));
}

static bool take_number(struct bytes text, int64_t min, int64_t max, int64_t *value)
{
    return text_parse_int64(text, value) && *value >= min && *value <= max;
}

static bool take_database(struct bytes text, struct redis_url *out)
{
    int64_t number = 0;
    if (text.size && !take_number(text, 0, DATABASE_MAX, &number))
        return false;
    out->database = (uint32_t)number;
    return true;
}

static bool parse_unix(struct bytes rest, struct redis_url *out)
{
    bool found;
    if (!take_login(&rest, out))
        return false;
    struct bytes path = cut(&rest, '?', &found);
    if (found && (rest.size < 3 || memcmp(rest.data, "db=", 3) != 0 ||
                  !take_database(bytes_of(rest.data + 3, rest.size - 3), out)))
        return false;
    return path.size > 1 && path.data[0] == '/' && decode(path, out->path, sizeof out->path);
}

/* host, [v6], each with a port or without */
static bool parse_address(struct bytes address, struct redis_url *out)
{
    bool found;
    int64_t port = DEFAULT_PORT;
    struct bytes host;
    if (address.size && address.data[0] == '[') {
        address = bytes_of(address.data + 1, address.size - 1);
        host = cut(&address, ']', &found);
        if (!found || (address.size && address.data[0] != ':'))
            return false;
        found = address.size > 0;
        address = found ? bytes_of(address.data + 1, address.size - 1) : address;
    } else {
        host = cut(&address, ':', &found);
    }
    if (found && !take_number(address, 1, 65535, &port))
        return false;
    out->port = (uint16_t)port;
    return host.size > 0 && decode(host, out->host, sizeof out->host);
}

static bool parse_tcp(struct bytes rest, struct redis_url *out)
{
    bool found;
    if (!take_login(&rest, out))
        return false;
    struct bytes address = cut(&rest, '/', &found);
    return parse_address(address, out) && take_database(rest, out);
}

enum outcome redis_url_parse(const char *url, struct redis_url *out, struct error *err)
{
    *out = (struct redis_url){.port = DEFAULT_PORT};
    if (!url || !url[0]) {
        error_set(err, OUT_FATAL, ERR_CONF_MISSING, "redis.url is not set");
        error_hint(err, "set REDIS_URL, or redis.url in drover.yaml");
        return OUT_FATAL;
    }
    bool ok = false;
    if (strncmp(url, "rediss://", 9) == 0)
        return error_set(err, OUT_FATAL, ERR_REDIS_TLS,
                         "redis.url asks for TLS, which this build's hiredis does not have");
    if (strncmp(url, "redis://", 8) == 0)
        ok = parse_tcp(bytes_text(url + 8), out);
    else if (strncmp(url, "unix://", 7) == 0)
        ok = parse_unix(bytes_text(url + 7), out);
    if (ok)
        return OUT_OK;
    redis_url_wipe(out);
    return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                     "redis.url is not of the form redis://[user[:password]@]host[:port][/db] or "
                     "unix:///path");
}

bool redis_url_is_local(const struct redis_url *url)
{
    return url->host[0] == '\0' || strcmp(url->host, "localhost") == 0 ||
           strncmp(url->host, "127.", 4) == 0 || strcmp(url->host, "::1") == 0;
}

void redis_url_format(const struct redis_url *url, char *out, size_t size)
{
    if (url->host[0])
        snprintf(out, size, "%s:%u", url->host, url->port);
    else
        snprintf(out, size, "%s", url->path);
}

void redis_url_wipe(struct redis_url *url)
{
    explicit_bzero(url, sizeof *url);
}
