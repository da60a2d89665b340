#ifndef DROVER_POLICY_ALERT_RULE_H
#define DROVER_POLICY_ALERT_RULE_H

/*
 * A condition that people are told of, as it is written in the settings, and whether it holds:
 *
 *   METRIC [over WINDOW] > NUMBER [%] [for TIME]     also >=, < and <=
 *
 *   discrepancy_rate > 0.01 % for 5m
 *   discrepancy_upper over 24h > 0.0001
 *   lag_seconds > 60 for 2m
 *
 * A number with % is of a metric that is a share, and no share is above 1. Windows are 1m, 5m, 1h,
 * 24h and total (rolling.h), of the metrics that count in one; without one it is 5m. A breach
 * begins when the condition has held for TIME without a break, and is over when it has not held for
 * as long. Each is told once, and both take the same time, so that a value at its limit does not
 * ring again and again. What is not known (nothing was compared) changes nothing.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/policy/rate/rolling.h"

/* X(name, word, counts in a window, is a share: 0 to 1) */
#define ALERT_METRICS(X)                                                                           \
    X(DISCREPANCY_RATE, "discrepancy_rate", true, true)                                            \
    X(DISCREPANCY_UPPER, "discrepancy_upper", true, true)                                          \
    X(DEAD_LETTERED, "dead_lettered", true, false)                                                 \
    X(LAG_SECONDS, "lag_seconds", false, false)                                                    \
    X(LAG_RECORDS, "lag_records", false, false)                                                    \
    X(FULL_PASS_PROBLEMS, "full_pass_problems", false, false)                                      \
    X(FULL_PASS_NOT_WHOLE, "full_pass_not_whole", false, false)                                    \
    X(REJECTED, "rejected", false, false)                                                          \
    X(INCOMPLETE_SOURCES, "incomplete_sources", false, false)

enum alert_metric {
#define X(name, word, windowed, is_share) ALERT_##name,
    ALERT_METRICS(X)
#undef X
        ALERT_METRIC_COUNT,
};

enum alert_comparison {
    ALERT_ABOVE,
    ALERT_NOT_BELOW,
    ALERT_BELOW,
    ALERT_NOT_ABOVE,
};

struct alert_rule {
    enum alert_metric metric;
    enum follow_window_kind window; /* of a metric that counts in one */
    enum alert_comparison comparison;
    double limit;
    uint64_t for_ms;
};

/* OUT_FATAL DRV-C008: the sentence does not say what is wrong where; the caller adds the place. */
MUST_USE enum outcome alert_rule_parse(struct bytes text, struct alert_rule *rule,
                                       struct error *err);
/* "discrepancy_rate" */
const char *alert_metric_word(enum alert_metric metric);

/* What the metrics are now; NaN where it is not known. */
struct alert_values {
    double windowed[ALERT_METRIC_COUNT][FOLLOW_WINDOWS]; /* of those that count in one */
    double lag_seconds;                                  /* how long a message has been there that
                                                            was not committed and looked at */
    double lag_records;
    double full_pass_problems;  /* of the last one */
    double full_pass_not_whole; /* 1: it was not, 0: it was */
    double rejected;            /* records of all sources, as they stand now */
    double incomplete_sources;  /* whose last reading is not complete */
};
/* Fills what counts in windows; the rest is not known. */
void alert_values_init(struct alert_values *values, const struct rolling *rolling);
/* The rule's metric; NaN: not known. */
double alert_rule_value(const struct alert_rule *rule, const struct alert_values *values);

/* A rule's state: zeroes to begin with. */
struct alert_state {
    bool is_on;          /* a breach that was told */
    int64_t since_ms;    /* Unix time at which the told one began */
    bool is_turning;     /* it has been otherwise than is_on says, without a break */
    uint64_t turning_ms; /* since then (monotonic) */
    int64_t turning_unix_ms;
};

enum alert_change {
    ALERT_SAME,
    ALERT_FIRING, /* the breach is to be told */
    ALERT_OVER,   /* that it is over is to be told */
};

/* `now_ms`: monotonic; `unix_ms`: for people. */
enum alert_change alert_state_step(struct alert_state *state, const struct alert_rule *rule,
                                   double value, uint64_t now_ms, int64_t unix_ms);

#endif
