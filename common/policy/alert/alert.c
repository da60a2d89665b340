/* See the header. */
#include "common/policy/alert/alert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/json_out.h"
#include "common/policy/alert/alert_url.h"

static enum outcome refuse(const struct conf_row *row, struct error *err, const char *text,
                           const char *hint)
{
    error_set(err, OUT_FATAL, ERR_CONF_VALUE, "%s", text);
    error_where(err, "%s", row->place);
    error_hint(err, "%s", hint);
    return OUT_FATAL;
}

/* NULL when the key is not there, or not one text. */
static const char *text_of(const struct conf_row *row, const char *key)
{
    const struct conf_list *list = conf_row_find(row, key);
    return list && list->count == 1 && list->items[0][0] ? list->items[0] : NULL;
}

static enum outcome check_target(const struct conf_row *row, const struct alert *alert,
                                 struct error *err)
{
    int targets = (conf_row_find(row, "exec") != NULL) + (conf_row_find(row, "webhook") != NULL) +
                  (conf_row_find(row, "webhook_env") != NULL);
    if (targets != 1)
        return refuse(row, err, "an alert must tell one: a program or a webhook",
                      "give it exec, webhook or webhook_env; for two, write two alerts");
    if (conf_row_find(row, "exec") && !alert->exec)
        return refuse(row, err, "an alert's exec names no program",
                      "write it as a list: exec: [/usr/local/bin/page, --urgent]");
    if (conf_row_find(row, "webhook_env") && !alert->webhook_env)
        return refuse(row, err, "an alert's webhook_env must be the name of one variable",
                      "write it as: webhook_env: ALERT_URL");
    const char *fault = !conf_row_find(row, "webhook") ? NULL
                        : alert->webhook               ? alert_url_fault(alert->webhook)
                                                       : "is no http or https URL";
    if (!fault)
        return OUT_OK;
    char text[80];
    snprintf(text, sizeof(text), "an alert's webhook %s", fault);
    return refuse(row, err, text, "write it as: webhook: https://hooks.example.com/…");
}

static enum outcome parse(const struct conf_row *row, struct alert *alert, struct error *err)
{
    const struct conf_list *exec = conf_row_find(row, "exec");
    *alert = (struct alert){.when = text_of(row, "when"),
                            .exec = exec && exec->count && exec->items[0][0] ? exec : NULL,
                            .webhook = text_of(row, "webhook"),
                            .webhook_env = text_of(row, "webhook_env"),
                            .place = row->place};
    if (!alert->when)
        return refuse(row, err, "an alert has no condition",
                      "write it as: when: discrepancy_rate > 0.01 % for 5m");
    if (alert_rule_parse(bytes_text(alert->when), &alert->rule, err) != OUT_OK) {
        error_where(err, "%s", row->place);
        return OUT_FATAL;
    }
    return check_target(row, alert, err);
}

enum outcome alert_parse_all(const struct conf_rows *rows, struct alert *alerts, size_t *count,
                             struct error *err)
{
    for (*count = 0; *count < rows->count && *count < ALERTS_MAX; ++*count)
        if (parse(&rows->rows[*count], &alerts[*count], err) != OUT_OK)
            return OUT_FATAL;
    return OUT_OK;
}

void alert_message_id(const struct alert_message *message, char out[17])
{
    char text[512];
    snprintf(text, sizeof(text), "%s\n%s\n%s\n%lld", message->migration, message->verifier,
             message->alert->when, (long long)message->since_ms);
    struct digest digest = digest_of(bytes_text(text));
    for (int i = 0; i < 8; i++)
        snprintf(out + 2 * (size_t)i, 3, "%02x", (unsigned char)digest.bytes[i]);
}

const char *alert_state_word(enum alert_change state)
{
    return state == ALERT_FIRING ? "firing" : "over";
}

static void append_number(struct json_out *out, const char *name, double value)
{
    char text[40];
    if (isfinite(value)) {
        snprintf(text, sizeof(text), "%.10g", value);
        json_out_raw(out, name, bytes_text(text));
    } else {
        json_out_null(out, name);
    }
}

void alert_message_append(const struct alert_message *message, struct buf *out)
{
    char id[17];
    struct json_out json;
    alert_message_id(message, id);
    json_out_init(&json, out);
    json_out_object(&json, NULL);
    json_out_text(&json, "kind", "alert");
    json_out_text(&json, "id", id);
    json_out_text(&json, "state", alert_state_word(message->state));
    json_out_bool(&json, "test", message->is_test);
    json_out_text(&json, "migration", message->migration);
    json_out_text(&json, "verifier", message->verifier);
    json_out_text(&json, "host", message->host);
    json_out_text(&json, "when", message->alert->when);
    json_out_text(&json, "metric", alert_metric_word(message->alert->rule.metric));
    append_number(&json, "value", message->value);
    append_number(&json, "limit", message->alert->rule.limit);
    json_out_time(&json, "since", message->since_ms);
    json_out_time(&json, "at", message->unix_ms);
    json_out_end(&json);
}

void alert_append_target(const struct alert *alert, const char *url, struct buf *out)
{
    if (alert->exec) {
        buf_append_text(out, "exec ");
        conf_append_open(out, alert->exec->items[0], NULL);
    } else if (alert->webhook || url) {
        buf_append_text(out, "webhook ");
        conf_append_open(out, alert->webhook ? alert->webhook : url, NULL);
    } else {
        buf_append_format(out, "webhook $%.60s", alert->webhook_env);
    }
}
