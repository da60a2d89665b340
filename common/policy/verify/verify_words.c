#include "common/policy/verify/verify_words.h"

#include <stdio.h>
#include <string.h>

#include "common/base/plural.h"
#include "common/base/text.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_reads.h"

const char *verify_words_verdict(const struct verify_report *report)
{
    static const char *const WORDS[] = {
        [VERIFY_MATCH] = "MATCH",
        [VERIFY_DISCREPANCY] = "NOT EQUAL",
        [VERIFY_NOTHING] = "NOT VERIFIED",
    };
    return verify_report_is_slow(report) ? "TOO SLOW" : WORDS[verify_report_result(report)];
}

static void append_problem(struct buf *out, uint64_t count, const char *what, bool *first)
{
    char number[28];
    if (!count)
        return;
    buf_append_format(out, "%s%s %s", *first ? "" : ", ", text_format_count(count, number), what);
    *first = false;
}

static void append_problems(const struct verify_report *report, const uint64_t *total,
                            struct buf *out)
{
    bool first = true;
    const struct verify_side_checks *side_checks = &report->side_checks;
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (verdict_is_problem((enum verdict)v))
            append_problem(out, total[v], TOTALS_VERIFY.classes[v].title, &first);
    }
    append_problem(out, verify_side_checks_redis_problems(side_checks), "wrong in Redis", &first);
    append_problem(out, side_checks->sealed.missing + side_checks->sealed.different,
                   "wrong in the vault", &first);
    append_problem(out,
                   verify_side_checks_file_problems(side_checks) - side_checks->files.unwritten,
                   "wrong in the store's folder", &first);
    append_problem(out, side_checks->files.unwritten,
                   side_checks->files.unwritten == 1 ? "file not written yet"
                                                     : "files not written yet",
                   &first);
    uint64_t orphans = verify_side_checks_orphan_rows(side_checks);
    append_problem(out, orphans, orphans == 1 ? "orphan" : "orphans", &first);
    if (verify_report_is_slow(report)) {
        buf_append_text(out, "everything is equal; reads are ");
        verify_reads_append_verdict(report->reads, out);
    } else if (first) {
        buf_append_text(out, "see the first lines");
    }
    if (total[VERDICT_BY_MAPPING])
        buf_append_text(out, "  (drover replay --rewrite writes again what is stale by mapping)");
}

void verify_words_append_reason(const struct verify_report *report, struct buf *out)
{
    char number[28];
    uint64_t total[VERDICT_COUNT];
    diff_groups_total(&report->groups, total);
    switch (verify_report_result(report)) {
    case VERIFY_MATCH:
        buf_append_text(out, "every source record is accounted for and stored as it should be");
        if (total[VERDICT_DISCARDED])
            buf_append_format(out, ", %s discarded",
                              text_format_count(total[VERDICT_DISCARDED], number));
        if (report->given_up)
            buf_append_format(out, ", %s %s given up", text_format_count(report->given_up, number),
                              report->given_up == 1 ? "offset" : "offsets");
        break;
    case VERIFY_DISCREPANCY:
        append_problems(report, total, out);
        break;
    case VERIFY_NOTHING:
        buf_append_format(out, "%s: nothing was compared; %s", error_code_id(ERR_VERIFY_NOTHING),
                          error_code_advice(ERR_VERIFY_NOTHING));
        break;
    }
}

void verify_words_append_not_whole(const struct verify_report *report, struct buf *out)
{
    char number[28];
    if (report->broken)
        buf_append_text(out, report->broken_why ? report->broken_why : "see the warnings");
    else if (report->evicted > report->given_up)
        buf_append_format(out, "%s %s",
                          text_format_count(report->evicted - report->given_up, number),
                          verify_words_evicted(report->evicted - report->given_up));
    else if (!verify_report_adds_up(report))
        buf_append_text(out, VERIFY_WORDS_COUNTS);
}

const char *verify_words_evicted(uint64_t count)
{
    return count == 1 ? "record at the begin of the source topic is gone: the source could not be "
                        "read in full"
                      : "records at the begin of the source topic are gone: the source could not "
                        "be read in full";
}

const char *verify_words_records(const struct verify_report *report)
{
    return report->source_count == 1 ? "source record" : "source records";
}

bool verify_words_append_messages(const struct verify_report *report, struct buf *out)
{
    char number[28];
    uint64_t total[VERDICT_COUNT];
    diff_groups_total(&report->groups, total);
    uint64_t sent = report->source_count - total[VERDICT_REJECTED] - total[VERDICT_WITHHELD] -
                    total[VERDICT_UNPRODUCED];
    if (report->messages == sent)
        return false;
    buf_append_format(out, "%s message%s in the topic", text_format_count(report->messages, number),
                      plural_end(report->messages));
    return true;
}

struct bytes verify_words_sample_reason(const struct verify_sample *sample)
{
    char known[300];
    int size = snprintf(known, sizeof known, "%s: %s", error_code_id(sample->code),
                        error_code_meaning(sample->code));
    struct bytes reason = sample->reason;
    bool same = sample->code != ERR_NONE && size > 0 && (size_t)size <= reason.size &&
                memcmp(reason.data, known, (size_t)size) == 0;
    size_t skip = same ? (size_t)size : 0;
    while (skip && skip < reason.size && reason.data[skip] == ' ')
        skip++;
    return bytes_of(reason.data + skip, reason.size - skip);
}
