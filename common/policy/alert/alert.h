#ifndef DROVER_POLICY_ALERT_H
#define DROVER_POLICY_ALERT_H

/*
 * The alerts of the settings: a rule each, and who is told, a program or a webhook. What is told is
 * one JSON object (kind `alert`), the same for both.
 */

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/conf.h"
#include "common/policy/alert/alert_rule.h"

#define ALERTS_MAX 32
#define ALERT_KEYS "when|exec|webhook|webhook_env"
#define ALERT_MESSAGE_MAX 8192

struct alert {
    struct alert_rule rule;
    const char *when;             /* as it was written */
    const struct conf_list *exec; /* a program and its arguments, or NULL */
    const char *webhook;          /* a secret: a URL; or NULL */
    const char *webhook_env;      /* the variable that holds it; or NULL */
    const char *place;            /* in the settings */
};

/* Checks the settings and gives what they say, in their order; texts are the settings'. `alerts`
 * has room for ALERTS_MAX. OUT_FATAL DRV-C008 with the place. */
MUST_USE enum outcome alert_parse_all(const struct conf_rows *rows, struct alert *alerts,
                                      size_t *count, struct error *err);

/* What is told. Texts are borrowed. */
struct alert_message {
    const struct alert *alert;
    enum alert_change state; /* ALERT_FIRING or ALERT_OVER */
    bool is_test;
    const char *migration, *verifier, *host;
    double value;     /* NaN: not known */
    int64_t since_ms; /* when the breach began */
    int64_t unix_ms;
};

/* Names a breach: the same when it is told again, or over. 16 hex digits and a NUL. */
void alert_message_id(const struct alert_message *message, char out[17]);
/* "firing", "over" */
const char *alert_state_word(enum alert_change state);
void alert_message_append(const struct alert_message *message, struct buf *out);
/* Whom it goes to, without secrets: "exec /usr/bin/page", "webhook https://hooks.example.com/…".
 * `url`: the webhook's, when it came from a variable; or NULL. */
void alert_append_target(const struct alert *alert, const char *url, struct buf *out);

#endif
