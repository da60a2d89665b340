#include "control/decision_log.h"

#include "common/io/clock.h"
#include "common/io/who.h"

enum { MESSAGE_LIMIT = 1 << 20 };

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
