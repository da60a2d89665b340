#include "common/base/mem.h"
#include "common/policy/verify/verify_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy/verify/verify_reads.h"

#define FLOW_WIDTH_MS 1000 /* at first */
#define ARENA_MAX (64u << 20)
#define WARNING_SIZE 400

void verify_report_init(struct verify_report *report, size_t samples_max, size_t groups_max)
{
    memset(report, 0, sizeof *report);
    arena_init(&report->arena, ARENA_MAX);
    diff_groups_init(&report->groups, GROUPS_MAX);
    time_buckets_init(&report->flow, FLOW_WIDTH_MS);
    report->samples_max = samples_max;
    report->groups_max = groups_max;
}

void verify_report_free(struct verify_report *report)
{
    for (int i = 0; i < VERIFY_LIST_COUNT; i++)
        free(report->samples[i]);
    free(report->partitions);
    diff_groups_free(&report->groups);
    arena_free(&report->arena);
}

static const char *keep_text(struct verify_report *report, const char *text)
{
    struct bytes copy = arena_copy(&report->arena, bytes_text(text));
    return copy.data ? copy.data : "(no room for a warning)";
}

static void warn(struct verify_report *report, const char *text)
{
    if (report->warning_count == VERIFY_WARNINGS_MAX)
        return;
    if (report->warning_count == VERIFY_WARNINGS_MAX - 1)
        text = "further warnings are left out";
    for (size_t i = 0; i < report->warning_count; i++)
        if (strcmp(report->warnings[i], text) == 0)
            return;
    report->warnings[report->warning_count++] = keep_text(report, text);
}

void verify_report_warn(struct verify_report *report, const char *format, ...)
{
    char text[WARNING_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    warn(report, text);
}

static void break_by(struct verify_report *report, const char *text)
{
    if (!report->broken)
        report->broken_why = keep_text(report, text);
    report->broken = true;
    warn(report, text);
}

void verify_report_break(struct verify_report *report, const char *format, ...)
{
    char text[WARNING_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    break_by(report, text);
    report->broken_otherwise = true;
}

void verify_report_break_source(struct verify_report *report, const char *format, ...)
{
    char text[WARNING_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    break_by(report, text);
}

static struct verify_code *code_of(struct verify_report *report, enum verdict verdict,
                                   enum error_code code)
{
    for (size_t i = 0; i < report->code_count; i++)
        if (report->codes[i].verdict == verdict && report->codes[i].code == code)
            return &report->codes[i];
    if (report->code_count == VERIFY_CODES_MAX)
        return NULL;
    report->codes[report->code_count] = (struct verify_code){.verdict = verdict, .code = code};
    return &report->codes[report->code_count++];
}

void verify_report_count_code(struct verify_report *report, enum verdict verdict,
                              enum error_code code, uint64_t count)
{
    struct verify_code *entry = code != ERR_NONE ? code_of(report, verdict, code) : NULL;
    if (entry)
        entry->count += count;
}

void verify_report_forget(struct verify_report *report, enum verdict verdict, size_t kept)
{
    for (size_t i = 0; i < report->code_count; i++)
        if (report->codes[i].verdict == verdict)
            report->codes[i].count = report->codes[i].samples = 0;
    report->sample_counts[verdict] = kept;
    for (size_t i = 0; i < kept; i++) {
        struct verify_code *entry = code_of(report, verdict, report->samples[verdict][i].code);
        if (entry)
            entry->samples++;
    }
}

static int compare_problems(const void *left, const void *right)
{
    const struct verify_code *a = left, *b = right;
    if (a->verdict != b->verdict)
        return a->verdict < b->verdict ? -1 : 1;
    if ((a->code == ERR_NONE) != (b->code == ERR_NONE))
        return a->code == ERR_NONE ? 1 : -1;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return (a->code > b->code) - (a->code < b->code);
}

struct verify_code *verify_report_problems(const struct verify_report *report, size_t *count)
{
    uint64_t total[VERDICT_COUNT];
    struct verify_code *problems = mem_zeroed(VERIFY_CODES_MAX + VERDICT_COUNT, sizeof *problems);
    *count = 0;
    diff_groups_total(&report->groups, total);
    for (int v = 0; v < VERDICT_COUNT; v++) {
        uint64_t left = verdict_is_problem((enum verdict)v) ? total[v] : 0;
        for (size_t i = 0; i < report->code_count && left; i++) {
            const struct verify_code *code = &report->codes[i];
            if ((int)code->verdict != v || !code->count || code->count > left)
                continue;
            problems[(*count)++] = *code;
            left -= code->count;
        }
        if (left)
            problems[(*count)++] =
                (struct verify_code){.verdict = (enum verdict)v, .code = ERR_NONE, .count = left};
    }
    qsort(problems, *count, sizeof *problems, compare_problems);
    return problems;
}

static struct verify_sample *add_sample(struct verify_report *report, size_t list,
                                        enum verdict verdict)
{
    size_t *count = &report->sample_counts[list];
    if (*count >= report->samples_max)
        return NULL;
    /* doubles: room at 0, 1, 2, 4 … */
    if ((*count & (*count - 1)) == 0) {
        size_t room = *count ? 2 * *count : 1;
        struct verify_sample *grown =
            mem_resize(report->samples[list], room, sizeof **report->samples);
        report->samples[list] = grown;
    }
    struct verify_sample *sample = &report->samples[list][(*count)++];
    memset(sample, 0, sizeof *sample);
    sample->verdict = verdict;
    return sample;
}

/* The last sample whose code has another one; NULL: all are the only ones of theirs. */
static struct verify_sample *replace_sample(struct verify_report *report, enum verdict verdict)
{
    for (size_t i = report->sample_counts[verdict]; i-- > 0;) {
        struct verify_sample *sample = &report->samples[verdict][i];
        struct verify_code *entry = code_of(report, verdict, sample->code);
        if (!entry || entry->samples < 2)
            continue;
        entry->samples--;
        memset(sample, 0, sizeof *sample);
        sample->verdict = verdict;
        return sample;
    }
    return NULL;
}

struct verify_sample *verify_report_sample(struct verify_report *report, enum verdict verdict,
                                           enum error_code code)
{
    struct verify_code *entry = code_of(report, verdict, code);
    struct verify_sample *sample = add_sample(report, verdict, verdict);
    if (!sample && entry && entry->samples == 0)
        sample = replace_sample(report, verdict);
    if (sample && entry)
        entry->samples++;
    if (sample)
        sample->code = code;
    return sample;
}

void verify_report_drop_sample(struct verify_report *report, enum verdict verdict,
                               int32_t partition, int64_t offset)
{
    struct verify_sample *samples = report->samples[verdict];
    size_t *count = &report->sample_counts[verdict], at = 0;
    while (at < *count && !(samples[at].has_place && samples[at].partition == partition &&
                            samples[at].offset == offset))
        at++;
    if (at == *count)
        return;
    struct verify_code *entry = code_of(report, verdict, samples[at].code);
    if (entry && entry->samples)
        entry->samples--;
    --*count;
    memmove(&samples[at], &samples[at + 1], (*count - at) * sizeof *samples);
}

struct verify_sample *verify_report_sample_side(struct verify_report *report, enum verify_list list,
                                                enum verdict verdict)
{
    return add_sample(report, list, verdict);
}

struct bytes verify_report_copy(struct verify_report *report, struct bytes text)
{
    return arena_copy(&report->arena, text);
}

bool verify_report_adds_up(const struct verify_report *report)
{
    uint64_t counts[VERDICT_COUNT];
    diff_groups_total(&report->groups, counts);
    return diff_counts_records(counts) == report->source_count;
}

bool verify_report_is_whole(const struct verify_report *report)
{
    return !report->broken && verify_report_is_whole_beside(report);
}

bool verify_report_is_whole_beside(const struct verify_report *report)
{
    return !report->broken_otherwise && report->evicted <= report->given_up &&
           verify_report_adds_up(report);
}

/* Of what is equal alone. */
static enum verify_result result_of_records(const struct verify_report *report)
{
    uint64_t counts[VERDICT_COUNT];
    diff_groups_total(&report->groups, counts);
    bool is_refused =
        counts[VERDICT_DEAD] || counts[VERDICT_REJECTED]; /* no row is needed for it */
    if (report->compared == 0 && !is_refused)
        return VERIFY_NOTHING;
    if (diff_counts_problems(counts) || verify_side_checks_problems(&report->side_checks) ||
        !verify_report_is_whole(report))
        return VERIFY_DISCREPANCY;
    return counts[VERDICT_MATCH] + counts[VERDICT_TOLERANCE] ? VERIFY_MATCH : VERIFY_NOTHING;
}

bool verify_report_is_slow(const struct verify_report *report)
{
    const struct verify_reads *reads = report->reads;
    return reads && reads->enforced && verify_reads_verdict(reads) != READS_HOLD &&
           result_of_records(report) == VERIFY_MATCH;
}

enum verify_result verify_report_result(const struct verify_report *report)
{
    return verify_report_is_slow(report) ? VERIFY_DISCREPANCY : result_of_records(report);
}
