/*
 * How a run ended, in sums that add up: what the producer read, what became of what the workers
 * took. The verifier's verdict stands above it.
 */
#include <stdio.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/terminal.h"
#include "control/advice.h"
#include "control/run.h"

#define TEXT_LIMIT 16384
#define INDENT 11 /* below "  produce  " */

/* Where and when a worker parked a record does not matter to the sums: one may be settled by
 * another worker, or by a later run. What that one did not take is counted among its records too.
 */
uint64_t run_summary_count(const struct run *run, uint64_t counts[WORK_COUNT])
{
    uint64_t taken = 0, parked = 0, settled = 0;
    for (size_t i = RUN_WORK; i < run->child_count; i++) {
        const struct run_numbers *one = &run->children[i].numbers;
        counts[WORK_APPLIED] += one->applied;
        counts[WORK_UNCHANGED] += one->unchanged;
        counts[WORK_SUPERSEDED] += one->superseded;
        counts[WORK_RECOVERED] += one->recovered;
        counts[WORK_CONFLICT] += one->conflict;
        counts[WORK_DEAD] += one->dead;
        taken += one->taken;
        parked += one->parked;
        settled += one->settled;
    }
    counts[WORK_PENDING] = parked > settled ? parked - settled : 0;
    return taken + (settled > parked ? settled - parked : 0);
}

static void append_produced(struct buf *out, const struct run *run, size_t width)
{
    const struct run_numbers *numbers = &run->children[RUN_PRODUCE].numbers;
    uint64_t on_way = numbers->read - numbers->produced - numbers->rejected - numbers->withheld;
    const uint64_t counts[PRODUCE_COUNT] = {numbers->produced, numbers->rejected, numbers->withheld,
                                            on_way};
    buf_append_text(out, "  produce  ");
    totals_append_identity(out, &TOTALS_PRODUCE, counts, numbers->read, "source records", INDENT,
                           width);
}

static void append_worked(struct buf *out, const struct run *run, uint64_t end_ms, size_t width)
{
    uint64_t counts[WORK_COUNT] = {0};
    uint64_t taken = run_summary_count(run, counts);
    buf_append_text(out, "  work     ");
    totals_append_identity(out, &TOTALS_WORK, counts, taken, "taken", INDENT, width);
    buf_append_text(out, "           in ");
    totals_append_pace(out, taken, (run->drained_ms ? run->drained_ms : end_ms) - run->began_ms);
    buf_append_char(out, '\n');
}

static void append_next(struct buf *out, const struct run *run)
{
    if (run->failure[0])
        buf_append_format(out,
                          "%s: nothing is lost\nNext:  fix what it said above, then run the same "
                          "command again: it goes on\n",
                          run->failure);
    else if (run->interrupted)
        buf_append_text(out, "Next:  run the same command again: what is done stays done\n");
    else if (run->code == EXIT_OK)
        buf_append_text(out, "Next:  drover status\n");
    else if (run->code == EXIT_DISCREPANCY)
        buf_append_text(out, "Next:  drover explain CODE for the codes named, fix, run again (it "
                             "is safe)\n");
}

void run_summary(struct run *run)
{
    struct buf out;
    uint64_t end_ms = clock_monotonic_ms();
    size_t width = terminal_text_width(STDERR_FILENO);
    bool failed = run->failure[0] || run->err.code != ERR_NONE;
    const char *end = failed ? "failed after" : run->interrupted ? "stopped after" : "finished in";
    buf_init(&out, TEXT_LIMIT);
    buf_append_format(&out, "run %s ", end);
    totals_append_pace(&out, run->children[RUN_PRODUCE].numbers.read, end_ms - run->began_ms);
    buf_append_char(&out, '\n');
    append_produced(&out, run, width);
    append_worked(&out, run, end_ms, width);
    struct buf next; /* commands that can be typed as they stand */
    buf_init(&next, TEXT_LIMIT);
    append_next(&next, run);
    advice_append(&out, run->conf, buf_text(&next));
    buf_free(&next);
    fwrite(out.data, 1, out.size, stderr);
    buf_free(&out);
}
