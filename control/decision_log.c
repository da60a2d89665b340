#include "control/decision_log.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "common/io/clock.h"

enum { WHO_SIZE = 160, MESSAGE_LIMIT = 1 << 20 };

/* "user@host" */
static void who_is_it(char out[WHO_SIZE])
{
    char host[64] = "host";
    const struct passwd *user = getpwuid(geteuid());
    gethostname(host, sizeof host - 1);
    if (user && user->pw_name)
        snprintf(out, WHO_SIZE, "%.80s@%.64s", user->pw_name, host);
    else
        snprintf(out, WHO_SIZE, "%u@%.64s", (unsigned)geteuid(), host);
}

enum outcome decision_log_write(struct json_sender *control, const char *key,
                                const struct decision *decision, struct error *err)
{
    char who[WHO_SIZE];
    struct decision signed_by = *decision;
    struct buf value;
    who_is_it(who);
    signed_by.who = bytes_text(who);
    signed_by.at_ms = clock_unix_ms();
    buf_init(&value, MESSAGE_LIMIT);
    decision_append(&value, &signed_by);
    enum outcome outcome = json_sender_send(control, bytes_text(key), buf_view(&value), err);
    buf_free(&value);
    return outcome;
}
