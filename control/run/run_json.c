/*
 * `drover run --json`: a document a line. While it goes on `run_progress`, once a second; the
 * children's own documents as they end (produce, work, verify); at last `run`.
 */
#include "common/io/answer.h"
#include "common/io/clock.h"
#include "control/child/child_args.h"
#include "control/run/run.h"

enum { EVERY_MS = 1000 };

static const char *const PHASES[] = {
    [RUN_WORKING] = "working",   [RUN_DRAINING] = "draining", [RUN_VERIFYING] = "verifying",
    [RUN_STOPPING] = "stopping", [RUN_DONE] = "done",
};

static void append_produce(struct json_out *out, const struct child_numbers *numbers,
                           const struct child_sums *sums)
{
    json_out_object(out, "produce");
    totals_append_json(out, &TOTALS_PRODUCE, sums->produce);
    json_out_count(out, "source_bytes", numbers->bytes);
    if (numbers->total_bytes)
        json_out_count(out, "source_bytes_total", numbers->total_bytes);
    else
        json_out_null(out, "source_bytes_total");
    json_out_end(out);
}

static void append_work(struct json_out *out, const struct child_sums *sums)
{
    json_out_object(out, "work");
    json_out_count(out, "workers", sums->workers);
    totals_append_json(out, &TOTALS_WORK, sums->work);
    totals_append_metrics(out, sums->metrics, METRIC_OF_RUN);
    json_out_end(out);
}

static void append_topic(struct json_out *out, const struct run *run)
{
    json_out_object(out, "topic");
    json_out_count(out, "total", run->seen.total);
    json_out_count(out, "committed", run->seen.committed);
    json_out_count(out, "lag", run->seen.lag);
    json_out_count(out, "pending", run->seen.waiting);
    json_out_end(out);
}

static void append_numbers(struct json_out *out, const struct run *run)
{
    struct child_sums sums;
    run_sum(run, &sums);
    append_produce(out, &run->children[CHILD_PRODUCE].numbers, &sums);
    append_work(out, &sums);
    append_topic(out, run);
}

void run_json_tick(struct run *run)
{
    uint64_t now_ms = clock_monotonic_ms();
    struct answer *answer = run->settings->answer;
    if (!answer->wanted || run->answered || run->settings->quiet ||
        now_ms - run->document_ms < EVERY_MS)
        return;
    run->document_ms = now_ms;
    answer_name(answer, "run", "progress");
    struct json_out *out = answer_body(answer);
    json_out_text(out, "phase", PHASES[run->phase]);
    append_numbers(out, run);
    const struct child_numbers *verified = &run->children[CHILD_VERIFY].numbers;
    json_out_object(out, "verify");
    json_out_count(out, "compared", verified->compared);
    json_out_count(out, "total", verified->total);
    json_out_end(out);
    outage_append_json(out, &run->outages, now_ms);
    json_out_seconds(out, "duration_seconds", now_ms - run->began_ms);
    json_out_real(out, "records_per_second", run->rate, 1);
    answer_next(answer);
}

static const char *end_of(const struct run *run)
{
    if (run->failure[0] || run->err.code != ERR_NONE)
        return "failed";
    return run->interrupted ? "stopped" : "finished";
}

/* The children that did not do what they are for; their own documents say why. */
static void append_children(struct json_out *out, const struct run *run)
{
    json_out_list(out, "children");
    for (size_t i = 0; i < run->child_count; i++) {
        const struct child *child = &run->children[i];
        if (!child->started)
            continue;
        json_out_object(out, NULL);
        json_out_text(out, "kind", child_role_name(child->role));
        json_out_int(out, "exit_code", child->code);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_times(struct json_out *out, const struct run *run)
{
    json_out_seconds(out, "duration_seconds", clock_monotonic_ms() - run->began_ms);
    if (run->produced_ms)
        json_out_seconds(out, "produce_seconds", run->produced_ms - run->began_ms);
    else
        json_out_null(out, "produce_seconds");
    if (run->drained_ms)
        json_out_seconds(out, "work_seconds", run->drained_ms - run->began_ms);
    else
        json_out_null(out, "work_seconds");
}

void run_json_summary(const struct run *run)
{
    struct answer *answer = run->settings->answer;
    if (!answer->wanted)
        return;
    answer_name(answer, "run", NULL);
    struct json_out *out = answer_body(answer);
    json_out_text(out, "end", end_of(run));
    append_numbers(out, run);
    append_children(out, run);
    append_times(out, run);
}
