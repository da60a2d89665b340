/* What an export wrote and what it could not: for people on standard error, or as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "control/export/export_run.h"

static const char *const KIND_NAMES[EXPORT_PROBLEM_KINDS] = {
    [EXPORT_UNREADABLE] = "not exported",
    [EXPORT_SEALED] = "left sealed",
    [EXPORT_WITHHELD] = "withheld, absent",
    [EXPORT_DROPPED] = "left out",
};
static const char *const KIND_MEMBERS[EXPORT_PROBLEM_KINDS] = {
    [EXPORT_UNREADABLE] = "not_exported",
    [EXPORT_SEALED] = "left_sealed",
    [EXPORT_WITHHELD] = "withheld",
    [EXPORT_DROPPED] = "left_out",
};

/* A record that could not be exported. */
void export_run_problem(struct export_run *run, enum export_problem_kind kind, const char *entity,
                        struct bytes id, const char *what, struct bytes place)
{
    uint64_t count = run->problem_counts[kind]++;
    if (count >= EXPORT_PROBLEMS_SHOWN)
        return;
    struct export_problem *problem = &run->problems[kind][count];
    struct buf safe;
    buf_init(&safe, 4096);
    text_append_safe(&safe, id, 40);
    snprintf(problem->id, sizeof problem->id, "%s", buf_text(&safe));
    buf_reset(&safe);
    text_append_safe(&safe, place, 80);
    snprintf(problem->place, sizeof problem->place, "%s", buf_text(&safe));
    snprintf(problem->entity, sizeof problem->entity, "%s", entity);
    snprintf(problem->what, sizeof problem->what, "%s", what);
    buf_free(&safe);
}

static size_t shown(const struct export_run *run, int kind)
{
    uint64_t count = run->problem_counts[kind];
    return count < EXPORT_PROBLEMS_SHOWN ? (size_t)count : EXPORT_PROBLEMS_SHOWN;
}

static uint64_t count_records(const struct export_run *run)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < run->mappings.count; i++)
        sum += run->records[i];
    return sum;
}

static void append_kind(const struct export_run *run, int kind, struct json_out *out)
{
    json_out_object(out, KIND_MEMBERS[kind]);
    json_out_count(out, "count", run->problem_counts[kind]);
    json_out_list(out, "first");
    for (size_t i = 0; i < shown(run, kind); i++) {
        const struct export_problem *problem = &run->problems[kind][i];
        json_out_object(out, NULL);
        json_out_text(out, "entity", problem->entity[0] ? problem->entity : NULL);
        json_out_text(out, "id", problem->id);
        json_out_text(out, "message", problem->what);
        json_out_text(out, "place", problem->place[0] ? problem->place : NULL);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_end(out);
}

static void append_json(const struct export_run *run, struct json_out *out)
{
    const char *file = run->files.data;
    json_out_bytes(out, "tenant", buf_view(&run->tenant));
    json_out_text(out, "form", run->settings->export_as);
    json_out_count(out, "records", count_records(run));
    json_out_count(out, "bytes", run->bytes);
    json_out_count(out, "opened", run->opened);
    json_out_count(out, "elsewhere", run->elsewhere);
    json_out_bool(out, "ordered", !run->unordered);
    json_out_list(out, "entities");
    for (size_t i = 0; i < run->mappings.count; i++) {
        if (!run->records[i])
            continue;
        json_out_object(out, NULL);
        json_out_text(out, "entity", run->mappings.items[i]->entity);
        json_out_count(out, "records", run->records[i]);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_list(out, "files");
    for (size_t i = 0; i < run->file_count; i++, file += strlen(file) + 1)
        json_out_text(out, NULL, file);
    json_out_end(out);
    for (int kind = 0; kind < EXPORT_PROBLEM_KINDS; kind++)
        append_kind(run, kind, out);
}

static void append_problems(const struct export_run *run, struct buf *out)
{
    for (int kind = 0; kind < EXPORT_PROBLEM_KINDS; kind++) {
        char count[28];
        uint64_t all = run->problem_counts[kind];
        if (!all)
            continue;
        buf_append_format(out, "%s: %s %s\n", error_code_id(ERR_EXPORT),
                          text_format_count(all, count), KIND_NAMES[kind]);
        for (size_t i = 0; i < shown(run, kind); i++) {
            const struct export_problem *problem = &run->problems[kind][i];
            buf_append_format(out, "  %s %s  %s%s%s\n", problem->entity, problem->id, problem->what,
                              problem->place[0] ? " " : "", problem->place);
        }
        if (all > shown(run, kind))
            buf_append_format(out, "  … and %s more\n",
                              text_format_count(all - shown(run, kind), count));
    }
    if (run->problem_counts[EXPORT_SEALED] && !run->secrets.ring)
        buf_append_text(out, "try:  --key-file opens what is sealed\n");
}

static void append_text(const struct export_run *run, struct buf *out)
{
    char count[28], size[16];
    const char *file = run->files.data;
    uint64_t records = count_records(run);
    buf_append_format(out, "%s record%s of ", text_format_count(records, count),
                      records == 1 ? "" : "s");
    text_append_safe(out, buf_view(&run->tenant), 64);
    buf_append_format(out, " as %s, %s\n", run->settings->export_as,
                      text_format_size(run->bytes, size));
    for (size_t i = 0; i < run->mappings.count; i++)
        if (run->records[i])
            buf_append_format(out, "  %-24s %12s\n", run->mappings.items[i]->entity,
                              text_format_count(run->records[i], count));
    for (size_t i = 0; i < run->file_count; i++, file += strlen(file) + 1) {
        if (i == EXPORT_PROBLEMS_SHOWN) {
            buf_append_format(out, "  … and %zu more files\n", run->file_count - i);
            break;
        }
        buf_append_text(out, "  ");
        text_append_safe(out, bytes_text(file), 400);
        buf_append_char(out, '\n');
    }
    if (run->elsewhere)
        buf_append_format(out, "%s record%s of other forms: not in it\n",
                          text_format_count(run->elsewhere, count), run->elsewhere == 1 ? "" : "s");
    if (run->opened)
        buf_append_format(out, "%s sealed values opened: keep the files as secret as they are\n",
                          text_format_count(run->opened, count));
    if (run->unordered)
        buf_append_text(out, "this storage keeps records alone: lists are in the order of ids, and "
                             "map keys are ids\n");
    append_problems(run, out);
}

void export_summary_print(const struct export_run *run)
{
    struct buf out;
    if (run->answer->wanted) {
        append_json(run, answer_body(run->answer));
        return;
    }
    buf_init(&out, 64u << 20);
    if (!run->settings->quiet)
        append_text(run, &out);
    fwrite(out.data, 1, out.size, stderr);
    buf_free(&out);
}
