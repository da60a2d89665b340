#ifndef DROVER_IO_ALERTS_H
#define DROVER_IO_ALERTS_H

/*
 * The alerts of the settings at work: judges what is now, and tells whom it concerns, in order,
 * once for a breach and once when it is over. A webhook that does not take it is called again, with
 * waits between; a program is started once. What could not be told is logged and given up: it never
 * stops who asked for it.
 *
 *   alerts_open ── alerts_resume… ── alerts_judge… ── alerts_close
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/policy/alert/alert.h"

#define ALERTS_QUEUE_MAX 8 /* untold messages of one alert; more are given up */

struct alerts;
struct alert_output; /* alert_output.h */

/* What became of a message. */
struct alert_told {
    const struct alert *alert;
    size_t index;
    enum alert_change state;
    const char *target; /* without secrets */
    unsigned attempts;
    uint64_t took_ms;
    const char *cause;                 /* why it could not be told; NULL: it was */
    const struct alert_output *output; /* of a program, where conf.keep_output; else NULL */
};

struct alerts_conf {
    uv_loop_t *loop;
    const struct settings *settings;
    const char *verifier; /* its id */
    bool keep_output;     /* of programs, for on_told */
    /* Instead of log lines; NULL: those. */
    void (*on_told)(void *owner, const struct alert_told *told);
    void *owner;
};

/* Without alerts in the settings there is nothing to do, and it costs nothing. OUT_FATAL DRV-C008:
 * one of them cannot be told (alert_target.h). The settings outlive it. */
MUST_USE enum outcome alerts_open(const struct alerts_conf *conf, struct alerts **alerts,
                                  struct error *err);
size_t alerts_count(const struct alerts *alerts);
const struct alert *alerts_get(const struct alerts *alerts, size_t index);
/* Since when (Unix time) its breach, which was told, has lasted; negative: there is none. */
int64_t alerts_since_ms(const struct alerts *alerts, size_t index);
/* A breach told before a restart: it is not told again, but that it is over will be. */
void alerts_resume(struct alerts *alerts, size_t index, int64_t since_ms);

/* Now and then, at least once a second. True when an alert began or ended. */
bool alerts_judge(struct alerts *alerts, const struct alert_values *values);
/* One message of each kind to each, marked as a test. */
void alerts_test(struct alerts *alerts);
/* Nothing is on its way. */
bool alerts_are_told(const struct alerts *alerts);

/* Gives what is on its way up to `wait_ms`, then gives it up. */
void alerts_close(struct alerts *alerts, uint64_t wait_ms, void (*on_closed)(void *owner),
                  void *owner);

#endif
