#include "common/policy/verify/verify_next.h"

#define FIRST "Next:  "
#define OTHER "       "

/* Behind the beginning of a line. */
static void append_ways(const char *id, struct buf *out)
{
    const char *blank = id ? " " : "", *name = id ? id : "";
    buf_append_format(out,
                      "the source was wrong: fix it and run again (it is safe)\n" OTHER
                      "the mapping was wrong: fix it, drover schema apply, drover dlq "
                      "replay%s%s beside a drover work\n" OTHER
                      "not wanted: drover dlq discard%s%s --reason TEXT\n",
                      blank, name, blank, name);
}

void verify_next_append_dead(const char *id, struct buf *out)
{
    buf_append_text(out, id ? FIRST : FIRST "drover dlq show ID; then\n" OTHER);
    append_ways(id, out);
}

static void begin_line(struct buf *out, size_t from)
{
    buf_append_text(out, out->size == from ? FIRST : OTHER);
}

static void append_untaken(const struct verify_report *report, const uint64_t *total, size_t from,
                           struct buf *out)
{
    uint64_t streams = report->rejected_of_streams;
    if (total[VERDICT_DEAD]) {
        begin_line(out, from);
        buf_append_text(out, "drover explain CODE for the codes named, drover dlq list for the "
                             "dead letters; then\n" OTHER);
        append_ways(NULL, out);
    } else if (total[VERDICT_REJECTED] > streams) {
        begin_line(out, from);
        buf_append_text(out, "drover explain CODE for the codes named, fix, run again (it is "
                             "safe)\n");
    }
    if (total[VERDICT_REJECTED] && streams) {
        begin_line(out, from);
        buf_append_text(out, "drover dlq discard --source - --reason TEXT (--all: of several "
                             "readings) for what was\n" OTHER
                             "rejected of standard input, once it came in otherwise: each reading "
                             "is another source\n");
    }
}

static void append_behind(const uint64_t *total, size_t from, struct buf *out)
{
    if (total[VERDICT_LAGGING]) {
        begin_line(out, from);
        buf_append_text(out, "drover status (it names halted partitions and what helps), or "
                             "drover work when no worker runs\n");
    }
    if (total[VERDICT_BY_MAPPING]) {
        begin_line(out, from);
        buf_append_text(out, "drover replay --rewrite\n");
    }
}

void verify_next_append(const struct verify_report *report, struct buf *out)
{
    uint64_t total[VERDICT_COUNT] = {0};
    size_t from = out->size;
    if (verify_report_result(report) != VERIFY_DISCREPANCY)
        return;
    diff_groups_total(&report->groups, total);
    append_untaken(report, total, from, out);
    append_behind(total, from, out);
    if (out->size == from && !report->show_values)
        buf_append_text(out, FIRST "drover verify --show-values\n");
}
