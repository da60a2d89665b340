/*
 * Showing a setting without its secret. When in doubt everything is hidden: a text counts as a
 * URL or a keyword string only when it has the whole form of one.
 */

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/conf_put.h"
#include "common/base/text.h"

static const char HIDDEN[] = "***";

static void append_shown(struct buf *out, const char *from, size_t size)
{
    text_append_safe(out, bytes_of(from, size), size);
}

/* "password", "sslpassword", "auth_token", "ssl.key.pem", "sasl.oauthbearer.config": librdkafka's
 * and libpq's names, and any that a user may have made up in their manner. */
bool conf_is_secret_name(struct bytes name)
{
    static const char *const PARTS[] = {
        "pass", "secret", "token", "pem", "jaas", "oauthbearer.config", "credential"};
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
        size_t size = strlen(PARTS[i]);
        for (size_t at = 0; at + size <= name.size; at++) {
            if (strncasecmp(name.data + at, PARTS[i], size) == 0)
                return true;
        }
    }
    return false;
}

/* What follows '?': name=value pairs between '&'. */
static void append_query(struct buf *out, const char *query)
{
    while (*query) {
        size_t pair = strcspn(query, "&");
        size_t name = strcspn(query, "=&");
        if (name < pair && conf_is_secret_name(bytes_of(query, name))) {
            append_shown(out, query, name + 1);
            buf_append_text(out, HIDDEN);
        } else {
            append_shown(out, query, pair);
        }
        query += pair;
        if (*query == '&')
            buf_append_char(out, *query++);
    }
}

/* The password ends at the last '@', as people paste passwords with '/', '?' and '@' in them. */
static void append_url(struct buf *out, const char *url)
{
    const char *user = strstr(url, "://") + 3;
    const char *at = strrchr(user, '@');
    const char *rest = user;
    append_shown(out, url, (size_t)(user - url));
    if (at) {
        const char *colon = memchr(user, ':', (size_t)(at - user));
        bool redis = strncmp(url, "redis", 5) == 0; /* a lone name may well be the password */
        if (colon)
            append_shown(out, user, (size_t)(colon - user) + 1);
        else if (!redis)
            append_shown(out, user, (size_t)(at - user));
        if (colon || redis)
            buf_append_text(out, HIDDEN);
        rest = at;
    }
    size_t before_query = strcspn(rest, "?");
    append_shown(out, rest, before_query);
    rest += before_query;
    if (*rest == '?') {
        buf_append_char(out, '?');
        append_query(out, rest + 1);
    }
}

/* One keyword=value of a libpq string; quotes and backslashes as libpq reads them. */
struct pair {
    struct bytes name;
    struct bytes value; /* with its quotes */
};

static size_t value_size(const char *value)
{
    size_t at = 0;
    if (value[0] != '\'') {
        while (value[at] && !isspace((unsigned char)value[at]))
            at += value[at] == '\\' && value[at + 1] ? 2 : 1;
        return at;
    }
    for (at = 1; value[at] && value[at] != '\''; at++)
        at += value[at] == '\\' && value[at + 1];
    return value[at] ? at + 1 : 0; /* 0: the quote never ends */
}

static bool next_pair(const char **text, struct pair *pair)
{
    const char *at = *text;
    size_t size = 0;
    while (islower((unsigned char)at[size]) || at[size] == '_')
        size++;
    pair->name = bytes_of(at, size);
    at += size;
    at += strspn(at, " \t\n");
    if (size == 0 || *at != '=')
        return false;
    at++;
    at += strspn(at, " \t\n");
    size = value_size(at);
    if (size == 0 && *at == '\'')
        return false;
    pair->value = bytes_of(at, size);
    *text = at + size + strspn(at + size, " \t\n");
    return true;
}

static bool is_connection_keyword(struct bytes name)
{
    static const char *const KEYWORDS[] = {"host", "hostaddr", "port", "dbname", "user", "service"};
    for (size_t i = 0; i < sizeof(KEYWORDS) / sizeof(KEYWORDS[0]); i++) {
        if (bytes_equal(name, bytes_text(KEYWORDS[i])))
            return true;
    }
    return false;
}

static bool is_keyword_string(const char *text)
{
    bool connects = false;
    struct pair pair;
    text += strspn(text, " \t\n");
    while (*text) {
        if (!next_pair(&text, &pair))
            return false;
        connects = connects || is_connection_keyword(pair.name);
    }
    return connects;
}

static void append_keywords(struct buf *out, const char *text)
{
    struct pair pair;
    const char *between = "";
    text += strspn(text, " \t\n");
    while (*text && next_pair(&text, &pair)) {
        buf_append_format(out, "%s%.*s=", between, BYTES_ARGS(pair.name));
        if (conf_is_secret_name(pair.name))
            buf_append_text(out, HIDDEN);
        else
            append_shown(out, pair.value.data, pair.value.size);
        between = " ";
    }
}

/* A scheme is letters only before "://"; a random secret hardly ever looks so. */
static bool is_url(const char *text)
{
    size_t size = 0;
    while (islower((unsigned char)text[size]) || text[size] == '+')
        size++;
    return size > 0 && strncmp(text + size, "://", 3) == 0;
}

void conf_append_masked(struct buf *out, const char *secret)
{
    if (is_url(secret))
        append_url(out, secret);
    else if (is_keyword_string(secret))
        append_keywords(out, secret);
    else
        buf_append_text(out, HIDDEN);
}
