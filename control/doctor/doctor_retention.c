#include "control/doctor/doctor_retention.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/io/clock.h"
#include "control/doctor/doctor_halted.h"
#include "control/status/status_retention.h"

enum {
    ANSWER_MS = 3000,
    TEXT_LIMIT = 4096,
};

#define DAY_MS INT64_C(86400000)

/* Drover makes its source topic without a limit; somebody else's may have one. */
static void say_limit(struct findings *findings, const struct retention *retention,
                      const struct status *status)
{
    char fix[600];
    int64_t limit_ms = retention->limits[TOPIC_SOURCE].ms;
    if (limit_ms < 0)
        return;
    snprintf(fix, sizeof fix,
             "kafka-configs.sh --bootstrap-server %.100s --alter --topic %s --add-config "
             "retention.ms=-1",
             findings->settings->brokers, status->topics[TOPIC_SOURCE]);
    findings->say(findings, FINDING_WARNING, "kafka", fix,
                  "%s keeps its records for %.1f days, whether they are applied or not",
                  status->topics[TOPIC_SOURCE], (double)limit_ms / (double)DAY_MS);
}

static void say(struct findings *findings, const struct retention *retention,
                const struct status *status)
{
    struct error err;
    struct buf text;
    char fix[600];
    buf_init(&text, TEXT_LIMIT);
    for (size_t i = 0; i < retention->count; i++) {
        const struct retention_finding *item = &retention->items[i];
        buf_reset(&text);
        retention_append(&text, item, retention, status);
        retention_fix(item, status, fix);
        if (item->kind != RETENTION_LOST) {
            findings->say(findings, FINDING_WARNING, "kafka", fix, "%s", buf_text(&text));
            continue;
        }
        error_set(&err, OUT_FATAL, ERR_KAFKA_OFFSET, "%s", buf_text(&text));
        error_hint(&err, "drover produce --again SOURCE… (it is safe); then %.150s", fix);
        findings->say_error(findings, FINDING_PROBLEM, "kafka", &err);
    }
    buf_free(&text);
}

void doctor_check_retention(struct findings *findings)
{
    struct error ignored;
    struct status status;
    struct retention retention = {0};
    if (status_open(findings->settings, ANSWER_MS, 1, &status, &ignored) != OUT_OK)
        return;
    if (status_read(&status, &ignored) == OUT_OK) {
        retention_read(&retention, &status, clock_wall_ms(&CLOCK_MACHINE));
        say_limit(findings, &retention, &status);
        say(findings, &retention, &status);
        retention_free(&retention);
        doctor_say_halted(findings, &status);
    }
    status_close(&status);
}
