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
#include "control/run/run.h"

#define TEXT_LIMIT 16384
#define INDENT 11 /* below "  produce  " */

static void append_worked(struct buf *out, const struct run *run, const struct child_sums *sums,
                          uint64_t end_ms, size_t width)
{
    buf_append_text(out, "  work     ");
    totals_append_identity(out, &TOTALS_WORK, sums->work, sums->taken, "taken", INDENT, width);
    buf_append_text(out, "           in ");
    totals_append_pace(out, sums->taken,
                       (run->drained_ms ? run->drained_ms : end_ms) - run->began_ms);
    buf_append_char(out, '\n');
}

/* Whether records were refused, so that their codes stand above. */
static bool names_codes(const struct child_sums *sums)
{
    return sums->produce[PRODUCE_REJECTED] || sums->work[WORK_DEAD] || sums->work[WORK_CONFLICT];
}

static void append_next(struct buf *out, const struct run *run, const struct child_sums *sums)
{
    if (run->failure[0])
        buf_append_format(out,
                          "%s: nothing is lost\nNext:  fix what it said above, then run the same "
                          "command again: it goes on\n",
                          run->failure);
    else if (run->load.has_failed)
        buf_append_text(out, "Next:  do what it said above and run the same command again, or "
                             "drover load abort\n");
    else if (run->interrupted)
        buf_append_text(out, "Next:  run the same command again: what is done stays done\n");
    else if (run->code == EXIT_OK)
        buf_append_text(out, "Next:  drover status\n");
    else if (run->code == EXIT_DISCREPANCY && run->children[CHILD_VERIFY].numbers.next[0])
        buf_append_text(out, run->children[CHILD_VERIFY].numbers.next);
    else if (run->code == EXIT_DISCREPANCY && !names_codes(sums))
        buf_append_text(out, "Next:  drover verify --show-values\n");
    else if (run->code == EXIT_DISCREPANCY)
        buf_append_text(out, "Next:  drover explain CODE for the codes named, fix, run again (it "
                             "is safe)\n");
}

void run_summary(struct run *run)
{
    struct buf out;
    struct child_sums sums;
    run_sum(run, &sums);
    uint64_t end_ms = clock_monotonic_ms();
    size_t width = terminal_text_width(STDERR_FILENO);
    bool failed = run->failure[0] || run->err.code != ERR_NONE;
    const char *end = failed ? "failed after" : run->interrupted ? "stopped after" : "finished in";
    buf_init(&out, TEXT_LIMIT);
    buf_append_format(&out, "run %s ", end);
    totals_append_pace(&out, sums.read - sums.produce[PRODUCE_SENT_BEFORE], end_ms - run->began_ms);
    buf_append_text(&out, "\n  produce  ");
    totals_append_identity(&out, &TOTALS_PRODUCE, sums.produce, sums.read, "source records", INDENT,
                           width);
    append_worked(&out, run, &sums, end_ms, width);
    struct buf next; /* commands that can be typed as they stand */
    buf_init(&next, TEXT_LIMIT);
    append_next(&next, run, &sums);
    advice_append(&out, run->conf, buf_text(&next));
    buf_free(&next);
    fwrite(out.data, 1, out.size, stderr);
    buf_free(&out);
}
