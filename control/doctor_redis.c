#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common/base/text.h"
#include "control/doctor.h"

enum {
    CONNECT_S = 3,
    DEFAULT_PORT = 6379,
};

/* redis://[user[:password]@]host[:port][/db], taken apart and percent-decoded. */
struct redis_place {
    char user[256], password[512], host[256];
    int port;
    char database[8];
};

static bool decode(struct bytes text, char *out, size_t size)
{
    struct buf decoded;
    buf_init(&decoded, size - 1);
    bool good = text_percent_decode(&decoded, text) && !decoded.failed &&
                (decoded.size == 0 || !memchr(decoded.data, '\0', decoded.size));
    if (good)
        snprintf(out, size, "%s", buf_text(&decoded));
    buf_free(&decoded);
    return good;
}

static bool parse_login(struct bytes login, struct redis_place *place)
{
    const char *colon = login.size ? memchr(login.data, ':', login.size) : NULL;
    size_t user = colon ? (size_t)(colon - login.data) : login.size;
    struct bytes password = colon ? bytes_of(colon + 1, login.size - user - 1) : (struct bytes){0};
    return decode(bytes_of(login.data, user), place->user, sizeof(place->user)) &&
           decode(password, place->password, sizeof(place->password));
}

static bool parse_address(struct bytes address, struct redis_place *place)
{
    const char *colon = address.size ? memchr(address.data, ':', address.size) : NULL;
    size_t host = colon ? (size_t)(colon - address.data) : address.size;
    int64_t port = DEFAULT_PORT;
    if (colon && !text_parse_int64(bytes_of(colon + 1, address.size - host - 1), &port))
        return false;
    place->port = (int)port;
    return host > 0 && port > 0 && port < 65536 &&
           decode(bytes_of(address.data, host), place->host, sizeof(place->host));
}

static bool parse_url(const char *url, struct redis_place *place)
{
    *place = (struct redis_place){.port = DEFAULT_PORT};
    if (strncmp(url, "redis://", 8) != 0)
        return false;
    struct bytes rest = bytes_text(url + 8);
    const char *at = rest.size ? memchr(rest.data, '@', rest.size) : NULL;
    if (at) {
        size_t login = (size_t)(at - rest.data);
        if (!parse_login(bytes_of(rest.data, login), place))
            return false;
        rest = bytes_of(at + 1, rest.size - login - 1);
    }
    size_t address = strcspn(rest.data, "/");
    const char *database = rest.data + address + (rest.data[address] == '/');
    snprintf(place->database, sizeof(place->database), "%.*s", (int)strspn(database, "0123456789"),
             database);
    return parse_address(bytes_of(rest.data, address), place);
}

/* The reply as text, "" for anything that is none; errors go to `failure`. */
static void ask(redisContext *context, int count, const char **words, char *out, size_t size,
                char failure[128])
{
    redisReply *reply = redisCommandArgv(context, count, words, NULL);
    out[0] = '\0';
    if (!reply)
        snprintf(failure, 128, "%.127s", context->errstr);
    else if (reply->type == REDIS_REPLY_ERROR)
        snprintf(failure, 128, "%.127s", reply->str);
    else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[1]->str)
        snprintf(out, size, "%s", reply->element[1]->str);
    else if (reply->str)
        snprintf(out, size, "%s", reply->str);
    if (reply)
        freeReplyObject(reply);
}

static void log_in(redisContext *context, const struct redis_place *place, char failure[128])
{
    char answer[64];
    const char *both[] = {"AUTH", place->user, place->password};
    const char *password[] = {"AUTH", place->password};
    const char *select[] = {"SELECT", place->database};
    if (place->password[0])
        ask(context, place->user[0] ? 3 : 2, place->user[0] ? both : password, answer,
            sizeof(answer), failure);
    if (!failure[0] && place->database[0])
        ask(context, 2, select, answer, sizeof(answer), failure);
}

static void say_failure(struct doctor *doctor, const struct redis_place *place, const char *cause)
{
    struct error err;
    error_set(&err, OUT_RETRY, ERR_REDIS_UNREACHABLE, "Redis does not answer as it should");
    error_where(&err, "%s:%d", place->host, place->port);
    error_cause(&err, "%s", cause);
    error_hint(&err, "start Redis, or mend REDIS_URL (redis.url)");
    doctor_say_error(doctor, FINDING_PROBLEM, "redis", &err);
}

static void check_server(struct doctor *doctor, redisContext *context,
                         const struct redis_place *place)
{
    char failure[128] = "", answer[16384], policy[64];
    const char *ping[] = {"PING"};
    const char *info[] = {"INFO", "server"};
    const char *config[] = {"CONFIG", "GET", "maxmemory-policy"};
    log_in(context, place, failure);
    if (!failure[0])
        ask(context, 1, ping, answer, sizeof(answer), failure);
    if (failure[0]) {
        say_failure(doctor, place, failure);
        return;
    }
    ask(context, 2, info, answer, sizeof(answer), failure);
    const char *version = strstr(answer, "redis_version:");
    version = version ? version + strlen("redis_version:") : "(version hidden)";
    doctor_say(doctor, FINDING_GOOD, "redis", NULL, "%s:%d · %.*s", place->host, place->port,
               (int)strcspn(version, "\r\n"), version);
    failure[0] = '\0';
    ask(context, 3, config, policy, sizeof(policy), failure);
    if (policy[0] && strcmp(policy, "noeviction") != 0)
        doctor_say(doctor, FINDING_WARNING, "redis", "CONFIG SET maxmemory-policy noeviction",
                   "maxmemory-policy is %s: keys may vanish and would be reported missing", policy);
}

void doctor_check_redis(struct doctor *doctor)
{
    const char *url = doctor->settings->redis_url;
    struct redis_place place;
    if (!url || !url[0])
        return;
    if (!parse_url(url, &place)) {
        struct error err;
        error_set(&err, OUT_FATAL, ERR_CONF_VALUE,
                  "redis.url is not of the form "
                  "redis://[user[:password]@]host[:port][/db]");
        doctor_say_error(doctor, FINDING_PROBLEM, "redis", &err);
        return;
    }
    struct timeval limit = {.tv_sec = CONNECT_S};
    redisContext *context = redisConnectWithTimeout(place.host, place.port, limit);
    if (!context)
        abort();
    if (context->err) {
        say_failure(doctor, &place, context->errstr);
    } else {
        redisSetTimeout(context, limit);
        check_server(doctor, context, &place);
    }
    redisFree(context);
    explicit_bzero(&place, sizeof(place));
}
