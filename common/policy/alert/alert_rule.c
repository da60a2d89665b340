/* See the header. */
#include "common/policy/alert/alert_rule.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"

static const struct {
    const char *word;
    bool windowed;
    bool is_share;
} METRICS[ALERT_METRIC_COUNT] = {
#define X(name, word, windowed, is_share) {word, windowed, is_share},
    ALERT_METRICS(X)
#undef X
};

static const char *const WINDOWS[FOLLOW_WINDOWS] = {
    [FOLLOW_MINUTE] = "1m", [FOLLOW_FIVE_MINUTES] = "5m", [FOLLOW_HOUR] = "1h",
    [FOLLOW_DAY] = "24h",   [FOLLOW_TOTAL] = "total",
};

static const char *const COMPARISONS[] = {
    [ALERT_ABOVE] = ">",
    [ALERT_NOT_BELOW] = ">=",
    [ALERT_BELOW] = "<",
    [ALERT_NOT_ABOVE] = "<=",
};

enum { FOR_MAX_MS = 7 * 24 * 3600 * 1000, WORD_SIZE = 64 };

const char *alert_metric_word(enum alert_metric metric)
{
    return METRICS[metric].word;
}

/* ---- reading ---- */

struct reading {
    struct bytes rest;
    char word[WORD_SIZE]; /* the last one taken; empty: there was none */
};

static bool is_mark(char c)
{
    return c == '<' || c == '>' || c == '=' || c == '%';
}

/* A run of marks but for '%', or of anything else up to a space or a mark. */
static const char *next(struct reading *reading)
{
    struct bytes rest = reading->rest;
    while (rest.size > 0 && isspace((unsigned char)rest.data[0]))
        rest = bytes_of(rest.data + 1, rest.size - 1);
    size_t size = 0;
    bool mark = rest.size > 0 && is_mark(rest.data[0]);
    while (size < rest.size && !isspace((unsigned char)rest.data[size]) &&
           is_mark(rest.data[size]) == mark && !(mark && size > 0 && rest.data[size] == '%'))
        size++;
    size_t kept = size < WORD_SIZE ? size : WORD_SIZE - 1;
    memcpy(reading->word, rest.data ? rest.data : "", kept);
    reading->word[kept] = '\0';
    reading->rest = bytes_of(rest.data + size, rest.size - size);
    return reading->word;
}

static int find_word(const char *const *words, int count, const char *word)
{
    int at = 0;
    while (at < count && strcmp(words[at], word) != 0)
        at++;
    return at < count ? at : -1;
}

static enum outcome refuse(const struct reading *reading, const char *wanted, struct error *err)
{
    struct buf shown;
    buf_init(&shown, 1024);
    text_append_safe(&shown, bytes_text(reading->word), WORD_SIZE);
    if (reading->word[0])
        error_set(err, OUT_FATAL, ERR_CONF_VALUE, "an alert's \"when\" has \"%s\" in place of %s",
                  buf_text(&shown), wanted);
    else
        error_set(err, OUT_FATAL, ERR_CONF_VALUE, "an alert's \"when\" ends before %s", wanted);
    error_hint(err, "write it as: discrepancy_rate over 1h > 0.01 %% for 5m");
    buf_free(&shown);
    return OUT_FATAL;
}

static enum outcome read_metric(struct reading *reading, struct alert_rule *rule, struct error *err)
{
    const char *words[ALERT_METRIC_COUNT];
    for (int i = 0; i < ALERT_METRIC_COUNT; i++)
        words[i] = METRICS[i].word;
    int metric = find_word(words, ALERT_METRIC_COUNT, next(reading));
    if (metric < 0) {
        refuse(reading, "a metric", err);
        const char *nearest = text_nearest(reading->word, words, ALERT_METRIC_COUNT);
        if (nearest)
            error_hint(err, "did you mean \"%s\"?", nearest);
        else
            error_hint(err, "they are discrepancy_rate, discrepancy_upper, dead_lettered, "
                            "lag_seconds, lag_records, full_pass_problems, full_pass_not_whole, "
                            "rejected and incomplete_sources");
        return OUT_FATAL;
    }
    rule->metric = (enum alert_metric)metric;
    rule->window = FOLLOW_FIVE_MINUTES;
    return OUT_OK;
}

static enum outcome read_window(struct reading *reading, struct alert_rule *rule, struct error *err)
{
    int window = find_word(WINDOWS, FOLLOW_WINDOWS, next(reading));
    if (window < 0)
        return refuse(reading, "1m, 5m, 1h, 24h or total", err);
    if (!METRICS[rule->metric].windowed) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE, "%s has no window: leave out \"over %s\"",
                  METRICS[rule->metric].word, reading->word);
        return OUT_FATAL;
    }
    rule->window = (enum follow_window_kind)window;
    next(reading);
    return OUT_OK;
}

/* What would never hold, or always, is not what was meant: `> 1` is 1 % as a rule. */
static enum outcome check_limit(const char *number, bool is_percent, const struct alert_rule *rule,
                                struct error *err)
{
    const char *word = METRICS[rule->metric].word;
    bool is_share = METRICS[rule->metric].is_share;
    bool is_open = rule->comparison == ALERT_ABOVE || rule->comparison == ALERT_NOT_ABOVE;
    if (is_percent && !is_share) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                  "an alert's \"when\" has a %% behind %s, which is no rate", word);
        error_cause(err, "only discrepancy_rate and discrepancy_upper are parts of a whole");
        error_hint(err, "write the number alone: %s %s %s", word, COMPARISONS[rule->comparison],
                   number);
        return OUT_FATAL;
    }
    if (is_share && (rule->limit > 1 || (rule->limit == 1 && is_open))) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                  "an alert's \"when\" has a limit that %s can never pass: %s%s", word, number,
                  is_percent ? " %" : "");
        error_cause(err, "a rate is 0 to 1, which is 0 %% to 100 %%");
        error_hint(err, "write it as a percentage or a part of 1: %s > 0.01 %%, or %s > 0.0001",
                   word, word);
        return OUT_FATAL;
    }
    return OUT_OK;
}

static enum outcome read_limit(struct reading *reading, struct alert_rule *rule, struct error *err)
{
    char *end;
    errno = 0;
    const char *word = next(reading);
    bool plain = word[0] && strspn(word, "0123456789.eE+-") == strlen(word);
    rule->limit = strtod(word, &end);
    if (!plain || *end || errno || !isfinite(rule->limit) || rule->limit < 0)
        return refuse(reading, "a number", err);
    char number[WORD_SIZE];
    snprintf(number, sizeof(number), "%s", word);
    bool is_percent = strcmp(next(reading), "%") == 0;
    if (is_percent) {
        rule->limit /= 100;
        next(reading);
    }
    return check_limit(number, is_percent, rule, err);
}

static enum outcome read_time(struct reading *reading, struct alert_rule *rule, struct error *err)
{
    const char *word = next(reading);
    if (!word[0] || !text_parse_millis(bytes_text(word), &rule->for_ms) ||
        rule->for_ms > FOR_MAX_MS)
        return refuse(reading, "a time such as 30s or 5m, at most 7d", err);
    next(reading);
    return OUT_OK;
}

enum outcome alert_rule_parse(struct bytes text, struct alert_rule *rule, struct error *err)
{
    struct reading reading = {.rest = text};
    *rule = (struct alert_rule){0};
    if (read_metric(&reading, rule, err) != OUT_OK)
        return OUT_FATAL;
    next(&reading);
    if (strcmp(reading.word, "over") == 0 && read_window(&reading, rule, err) != OUT_OK)
        return OUT_FATAL;
    int comparison = find_word(COMPARISONS, 4, reading.word);
    if (comparison < 0)
        return refuse(&reading, "one of > >= < <=", err);
    rule->comparison = (enum alert_comparison)comparison;
    if (read_limit(&reading, rule, err) != OUT_OK)
        return OUT_FATAL;
    if (strcmp(reading.word, "for") == 0 && read_time(&reading, rule, err) != OUT_OK)
        return OUT_FATAL;
    return reading.word[0] ? refuse(&reading, "its end", err) : OUT_OK;
}

/* ---- the values ---- */

void alert_values_init(struct alert_values *values, const struct rolling *rolling)
{
    values->lag_seconds = values->lag_records = NAN;
    values->full_pass_problems = values->full_pass_not_whole = NAN;
    values->rejected = values->incomplete_sources = NAN;
    for (int metric = 0; metric < ALERT_METRIC_COUNT; metric++)
        for (int kind = 0; kind < FOLLOW_WINDOWS; kind++)
            values->windowed[metric][kind] = NAN;
    for (int kind = 0; kind < FOLLOW_WINDOWS; kind++) {
        struct follow_window window;
        rolling_window(rolling, (enum follow_window_kind)kind, &window);
        uint64_t compared = follow_report_compared(window.counts);
        double wrong = (double)follow_report_wrong(window.counts);
        values->windowed[ALERT_DISCREPANCY_RATE][kind] = compared ? wrong / (double)compared : NAN;
        values->windowed[ALERT_DISCREPANCY_UPPER][kind] = window.upper;
        values->windowed[ALERT_DEAD_LETTERED][kind] = (double)window.counts[VERDICT_DEAD];
    }
}

double alert_rule_value(const struct alert_rule *rule, const struct alert_values *values)
{
    switch (rule->metric) {
    case ALERT_LAG_SECONDS:
        return values->lag_seconds;
    case ALERT_LAG_RECORDS:
        return values->lag_records;
    case ALERT_FULL_PASS_PROBLEMS:
        return values->full_pass_problems;
    case ALERT_FULL_PASS_NOT_WHOLE:
        return values->full_pass_not_whole;
    case ALERT_REJECTED:
        return values->rejected;
    case ALERT_INCOMPLETE_SOURCES:
        return values->incomplete_sources;
    default:
        return values->windowed[rule->metric][rule->window];
    }
}

/* ---- the state ---- */

static bool holds(const struct alert_rule *rule, double value)
{
    switch (rule->comparison) {
    case ALERT_ABOVE:
        return value > rule->limit;
    case ALERT_NOT_BELOW:
        return value >= rule->limit;
    case ALERT_BELOW:
        return value < rule->limit;
    default:
        return value <= rule->limit;
    }
}

enum alert_change alert_state_step(struct alert_state *state, const struct alert_rule *rule,
                                   double value, uint64_t now_ms, int64_t unix_ms)
{
    if (isnan(value))
        return ALERT_SAME;
    if (holds(rule, value) == state->is_on) {
        state->is_turning = false;
        return ALERT_SAME;
    }
    if (!state->is_turning) {
        state->is_turning = true;
        state->turning_ms = now_ms;
        state->turning_unix_ms = unix_ms;
    }
    if (now_ms - state->turning_ms < rule->for_ms)
        return ALERT_SAME;
    state->is_turning = false;
    state->is_on = !state->is_on;
    if (!state->is_on)
        return ALERT_OVER;
    state->since_ms = state->turning_unix_ms;
    return ALERT_FIRING;
}
