/* FAULTS 3.2, word by word. What no row names stops the worker: a state nobody foresaw is not to be
 * retried for ever. */

#include "common/io/redis/redis_error.h"

#include <stdbool.h>
#include <string.h>

struct rule {
    const char *begin; /* of the reply */
    enum redis_action action;
    enum error_code code;
};

static const struct rule RULES[] = {
    {"LOADING ", ANSWER_RETRY, ERR_REDIS_TRANSIENT},
    {"BUSY ", ANSWER_RETRY, ERR_REDIS_TRANSIENT},
    {"TRYAGAIN ", ANSWER_RETRY, ERR_REDIS_TRANSIENT},
    {"CLUSTERDOWN ", ANSWER_RETRY, ERR_REDIS_TRANSIENT},
    {"READONLY ", ANSWER_RECONNECT, ERR_REDIS_TRANSIENT},
    {"MASTERDOWN ", ANSWER_RECONNECT, ERR_REDIS_TRANSIENT},
    {"UNBLOCKED ", ANSWER_RECONNECT, ERR_REDIS_TRANSIENT},
    {"OOM ", ANSWER_RESOURCE, ERR_REDIS_RESOURCE},
    {"MISCONF ", ANSWER_RESOURCE, ERR_REDIS_RESOURCE},
    {"NOREPLICAS ", ANSWER_RESOURCE, ERR_REDIS_RESOURCE},
    {"ERR max number of clients", ANSWER_RESOURCE, ERR_REDIS_RESOURCE},
    {"NOSCRIPT ", ANSWER_SCRIPT, ERR_REDIS_TRANSIENT},
    {"NOAUTH ", ANSWER_HALT, ERR_REDIS_AUTH},
    {"WRONGPASS ", ANSWER_HALT, ERR_REDIS_AUTH},
    {"NOPERM ", ANSWER_HALT, ERR_REDIS_AUTH},
    {"ERR invalid password", ANSWER_HALT, ERR_REDIS_AUTH},
    {"ERR AUTH ", ANSWER_HALT, ERR_REDIS_AUTH},
    {"ERR Client sent AUTH", ANSWER_HALT, ERR_REDIS_AUTH},
    {"ERR unknown command", ANSWER_HALT, ERR_REDIS_CONFIG},
    {"ERR DB index", ANSWER_HALT, ERR_REDIS_CONFIG},
    {"ERR SELECT is not allowed", ANSWER_HALT, ERR_REDIS_CONFIG},
    {"CROSSSLOT ", ANSWER_HALT, ERR_REDIS_CONFIG},
    {"MOVED ", ANSWER_HALT, ERR_REDIS_CONFIG},
    {"ASK ", ANSWER_HALT, ERR_REDIS_CONFIG},
    {"DENIED ", ANSWER_HALT, ERR_REDIS_CONFIG},
    {"WRONGTYPE ", ANSWER_RECORD, ERR_REDIS_UNOWNED},
};

static bool begins(struct bytes reply, const char *begin)
{
    size_t size = strlen(begin);
    return reply.size >= size && memcmp(reply.data, begin, size) == 0;
}

/* An error raised inside a script comes as "ERR …", with the inner one's words behind it in old
 * servers: "ERR Error running script (call to f_…): @user_script:7: OOM command not allowed …". */
static struct bytes inner_words(struct bytes reply)
{
    static const char MARK[] = "@user_script:";
    if (!begins(reply, "ERR Error running script"))
        return reply;
    const char *end = reply.data + reply.size;
    const char *at = memmem(reply.data, reply.size, MARK, strlen(MARK));
    for (at = at ? at + strlen(MARK) : end; at < end && strchr(" 0123456789:-", *at);)
        at++;
    return at < end ? bytes_of(at, (size_t)(end - at)) : reply;
}

static const struct rule *find_rule(struct bytes reply)
{
    static const struct rule UNKNOWN = {"", ANSWER_HALT, ERR_REDIS_PROTOCOL};
    for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++)
        if (begins(reply, RULES[i].begin))
            return &RULES[i];
    return &UNKNOWN;
}

static const char *text_of(const struct rule *rule)
{
    switch (rule->action) {
    case ANSWER_RETRY:
    case ANSWER_SCRIPT:
        return "Redis asks to try again";
    case ANSWER_RECONNECT:
        return "this Redis is not the one to write to";
    case ANSWER_RESOURCE:
        return "Redis is out of a resource";
    case ANSWER_RECORD:
        return "a Redis key holds something else";
    default:
        return rule->code == ERR_REDIS_AUTH ? "Redis refused the login or a right"
                                            : "Redis refused a command";
    }
}

/* Letters, digits and a little more: enough of "NOPERM this user has no permissions" to help, and
 * nothing that could be a key's or a user's text, which Redis puts between quotes. */
static size_t harmless(struct bytes reply)
{
    size_t at = 0;
    while (at < reply.size && at < 80 && reply.data[at] >= ' ' && reply.data[at] <= '~' &&
           !strchr("'\"`@", reply.data[at]))
        at++;
    return at;
}

enum redis_action redis_error_classify(struct bytes reply, struct error *err)
{
    struct bytes words = inner_words(reply);
    const struct rule *rule = find_rule(words);
    enum outcome outcome = rule->action == ANSWER_HALT     ? OUT_FATAL
                           : rule->action == ANSWER_RECORD ? OUT_REJECT
                                                           : OUT_RETRY;
    error_set(err, outcome, rule->code, "%s", text_of(rule));
    error_cause(err, "%.*s", (int)harmless(words), words.size ? words.data : "");
    return rule->action;
}
