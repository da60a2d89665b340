/* See shadow.h. The numbers of one draw are of one moment. */
#include <stdio.h>
#include <unistd.h>

#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/terminal.h"
#include "control/child/child_args.h"
#include "control/shadow/shadow.h"

enum {
    VIEW_LIMIT = 1 << 16,
    LINE_MS = 10000,
    RATE_MS = 1000,
};

/* Over a second, so that it does not jump with every batch. */
static void update_rate(struct shadow *shadow, uint64_t now_ms)
{
    uint64_t span_ms = now_ms - shadow->rate_ms, committed = shadow->committed;
    if (span_ms < RATE_MS)
        return;
    bool known = shadow->rate_ms && committed >= shadow->rate_committed && shadow->rate_committed;
    double last = known ? (double)(committed - shadow->rate_committed) * 1000 / (double)span_ms : 0;
    shadow->rate = known && shadow->rate > 0 ? (shadow->rate + last) / 2 : last;
    shadow->rate_ms = now_ms;
    shadow->rate_committed = committed;
}

static struct shadow_part part_of(const struct shadow *shadow, size_t from, size_t to)
{
    struct shadow_part part = {.is_elsewhere = true};
    for (size_t i = from; i < to; i++) {
        part.is_elsewhere = part.is_elsewhere && !shadow->lives[i].is_here;
        part.wanted += shadow->lives[i].is_here;
        part.running += child_is_running(&shadow->children[i]);
        part.restarts += shadow->lives[i].restarts;
    }
    return part;
}

static uint64_t work_count(const struct shadow *shadow, enum work_class the_class)
{
    uint64_t count = 0;
    for (size_t i = CHILD_WORK; i < shadow->child_count; i++) {
        const struct child *child = &shadow->children[i];
        count += shadow->lives[i].past.work[the_class];
        if (!child->ended)
            count += child->numbers.work[the_class];
    }
    return count;
}

static uint64_t produce_count(const struct shadow *shadow, enum produce_class the_class)
{
    const struct child *child = &shadow->children[CHILD_PRODUCE];
    return shadow->lives[CHILD_PRODUCE].past.produce[the_class] +
           (child->ended ? 0 : child->numbers.produce[the_class]);
}

static struct shadow_state state_of(const struct shadow *shadow)
{
    const struct child_numbers *verified = &shadow->children[CHILD_VERIFY].numbers;
    uint64_t now_ms = clock_monotonic_ms();
    return (struct shadow_state){
        .now_ms = now_ms,
        .up_ms = now_ms - shadow->began_ms,
        .produce = part_of(shadow, CHILD_PRODUCE, CHILD_PRODUCE + 1),
        .work = part_of(shadow, CHILD_WORK, shadow->child_count),
        .verify = part_of(shadow, CHILD_VERIFY, CHILD_VERIFY + 1),
        .produced = produce_count(shadow, PRODUCE_PRODUCED),
        .has_rejected = verified->has_sources,
        .rejected = verified->sources_rejected,
        .committed = shadow->committed,
        .total = shadow->total,
        .lag = shadow->lag,
        .dead = work_count(shadow, WORK_DEAD),
        .per_second = shadow->rate,
        .has_compared = verified->told,
        .compared = verified->compared,
        .discrepancies = verified->discrepancies,
        .upper = verified->upper,
        .has_full_pass = verified->has_full_pass,
        .full_pass_problems = verified->full_pass_problems,
        .full_pass_not_whole = verified->full_pass_not_whole,
        .is_stopping = shadow->phase != SHADOW_RUNNING,
        .outages = shadow->outages,
    };
}

/* ---- for programs */

static void append_part(struct json_out *out, const char *name, const struct shadow_part *part)
{
    json_out_object(out, name);
    json_out_bool(out, "elsewhere", part->is_elsewhere);
    json_out_count(out, "running", part->running);
    json_out_count(out, "restarts", part->restarts);
}

static void append_full_pass(struct json_out *out, const struct shadow_state *state)
{
    if (!state->has_full_pass) {
        json_out_null(out, "full_pass");
        return;
    }
    json_out_object(out, "full_pass");
    json_out_count(out, "problems", state->full_pass_problems);
    json_out_bool(out, "not_whole", state->full_pass_not_whole);
    json_out_end(out);
}

static void append_numbers(struct json_out *out, const struct shadow_state *state)
{
    append_part(out, "produce", &state->produce);
    json_out_count(out, "produced", state->produced);
    if (state->has_rejected)
        json_out_count(out, "rejected", state->rejected);
    else
        json_out_null(out, "rejected");
    json_out_end(out);
    append_part(out, "work", &state->work);
    json_out_count(out, "dead_lettered", state->dead);
    json_out_end(out);
    append_part(out, "verify", &state->verify);
    json_out_count(out, "compared", state->compared);
    json_out_count(out, "discrepancies", state->discrepancies);
    append_full_pass(out, state);
    json_out_end(out);
    json_out_object(out, "topic");
    json_out_count(out, "total", state->total);
    json_out_count(out, "committed", state->committed);
    json_out_count(out, "lag", state->lag);
    json_out_end(out);
    json_out_seconds(out, "duration_seconds", state->up_ms);
}

static void tell_progress(const struct shadow *shadow, const struct shadow_state *state)
{
    struct answer *answer = shadow->settings->answer;
    answer_name(answer, "shadow", "progress");
    struct json_out *out = answer_body(answer);
    json_out_text(out, "phase", state->is_stopping ? "stopping" : "running");
    append_numbers(out, state);
    outage_append_json(out, &state->outages, state->now_ms);
    json_out_real(out, "records_per_second", state->per_second, 1);
    answer_next(answer);
}

/* ---- for people */

static void draw(struct shadow *shadow, const struct shadow_state *state)
{
    struct buf out;
    buf_init(&out, VIEW_LIMIT);
    shadow_view_append(&out, state, terminal_width(STDERR_FILENO), terminal_height(STDERR_FILENO));
    terminal_live_draw(&shadow->live, buf_view(&out));
    buf_free(&out);
}

static void print_line(const struct shadow_state *state)
{
    struct buf out;
    buf_init(&out, VIEW_LIMIT);
    shadow_view_append_plain(&out, state);
    fprintf(stderr, "%s\n", buf_text(&out));
    buf_free(&out);
}

void shadow_show_open(struct shadow *shadow)
{
    shadow->terminal =
        terminal_is(STDERR_FILENO) && !shadow->settings->plain && !shadow->settings->quiet;
    if (shadow->terminal)
        terminal_live_open(&shadow->live, STDERR_FILENO);
}

void shadow_show_tick(struct shadow *shadow)
{
    uint64_t now_ms = clock_monotonic_ms();
    update_rate(shadow, now_ms);
    if (shadow->settings->quiet)
        return;
    struct shadow_state state = state_of(shadow);
    if (shadow->terminal)
        draw(shadow, &state);
    if (now_ms - shadow->line_ms < LINE_MS)
        return;
    shadow->line_ms = now_ms;
    if (!shadow->terminal)
        print_line(&state);
    if (shadow->settings->answer->wanted)
        tell_progress(shadow, &state);
}

void shadow_show_print(struct shadow *shadow, struct bytes text)
{
    if (shadow->terminal)
        terminal_live_print(&shadow->live, text);
    else
        fprintf(stderr, "%.*s\n", BYTES_ARGS(text));
}

void shadow_show_close(struct shadow *shadow)
{
    if (shadow->terminal) {
        struct shadow_state state = state_of(shadow);
        draw(shadow, &state);
    }
    terminal_live_close(&shadow->live);
    shadow->terminal = false;
}

static void append_children(struct json_out *out, const struct shadow *shadow)
{
    json_out_list(out, "children");
    for (size_t i = 0; i < shadow->child_count; i++) {
        if (!shadow->lives[i].is_here)
            continue;
        json_out_object(out, NULL);
        json_out_text(out, "kind", child_role_name(shadow->children[i].role));
        json_out_int(out, "exit_code", shadow->children[i].code);
        json_out_count(out, "restarts", shadow->lives[i].restarts);
        json_out_end(out);
    }
    json_out_end(out);
}

static const char *end_of(const struct shadow *shadow)
{
    if (shadow->failure[0])
        return shadow->failure;
    if (shadow->err.code != ERR_NONE)
        return "it failed";
    return shadow->has_killed ? "a part did not end in time and was killed" : "told to end";
}

/* The verifier's verdict, in its words; one that was killed has none. */
static const char *reason_of(const struct shadow *shadow, enum exit_code code)
{
    const char *reason = shadow->children[CHILD_VERIFY].numbers.reason;
    if (!shadow->lives[CHILD_VERIFY].is_here || (code != EXIT_OK && code != EXIT_DISCREPANCY))
        return NULL;
    return reason[0] ? reason : "it ended without a verdict";
}

static void print_summary(const struct shadow *shadow, enum exit_code code)
{
    const struct child_numbers *verified = &shadow->children[CHILD_VERIFY].numbers;
    const char *reason = reason_of(shadow, code);
    if (reason)
        fprintf(stderr, "verify: %s\n", reason);
    if (code == EXIT_DISCREPANCY && verified->report[0])
        fprintf(stderr, "Report: %s\n", verified->report);
    fprintf(stderr, "shadow ended: %s\n", end_of(shadow));
    if (code == EXIT_DISCREPANCY)
        fprintf(stderr, "%s",
                verified->next[0] ? verified->next : "Next:  drover verify --show-values\n");
}

void shadow_show_summary(const struct shadow *shadow, enum exit_code code)
{
    struct shadow_state state = state_of(shadow);
    struct answer *answer = shadow->settings->answer;
    if (answer->wanted) {
        const char *reason = reason_of(shadow, code);
        answer_name(answer, "shadow", NULL);
        struct json_out *out = answer_body(answer);
        bool failed = shadow->failure[0] || shadow->err.code != ERR_NONE;
        json_out_text(out, "end", failed ? "failed" : "stopped");
        if (reason)
            json_out_text(out, "reason", reason);
        else
            json_out_null(out, "reason");
        append_numbers(out, &state);
        append_children(out, shadow);
    } else if (!shadow->settings->quiet) {
        print_line(&state);
        print_summary(shadow, code);
    }
}
