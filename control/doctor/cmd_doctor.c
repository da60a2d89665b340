/*
 * `drover doctor`: every dependency asked on its own, every answer a line with how to fix it. What
 * a store is asked is in its row of common/io/stores.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/error_json.h"
#include "common/base/text.h"
#include "common/io/report_folder.h"
#include "common/io/terminal.h"
#include "common/policy/text_line.h"
#include "control/command.h"
#include "control/doctor/doctor_kafka.h"
#include "control/doctor/doctor_retention.h"

/* ---- a finding, told and counted --------------------------------------------------------- */

enum {
    LINE_LIMIT = 1 << 20,
    LINE_SIZE = 1024,
    LINE_INDENT = 13, /* below the text, not below its mark */
    NO_WIDTH = 1 << 20,
};

struct doctor {
    struct findings findings; /* first: it is what the checks are given */
    bool colour;
    size_t width;          /* of a terminal, or $COLUMNS; elsewhere a finding is one line */
    struct answer *answer; /* with --json: its list `findings` is open */
    unsigned warnings, problems;
    enum exit_code code; /* of the gravest problem */
};

static const char *const MARKS[] = {"✓", "!", "✗"};
static const char *const COLOURS[] = {"\033[32m", "\033[33m", "\033[31m"};
static const char *const NAMES[] = {"ok", "warning", "problem"};

static void count(struct doctor *doctor, enum finding finding)
{
    doctor->warnings += finding == FINDING_WARNING;
    doctor->problems += finding == FINDING_PROBLEM;
}

/* An item of the answer's list `findings`; `err` NULL: the finding has no code. */
static void note(struct doctor *doctor, enum finding finding, const char *part, const char *text,
                 const char *fix, const struct error *err)
{
    count(doctor, finding);
    if (!doctor->answer->wanted)
        return;
    struct json_out *out = answer_body(doctor->answer);
    json_out_object(out, NULL);
    json_out_text(out, "finding", NAMES[finding]);
    json_out_text(out, "part", part);
    json_out_text(out, "message", text);
    json_out_text(out, "try", fix && fix[0] ? fix : NULL);
    if (err)
        error_append_json(err, out, "error");
    else
        json_out_null(out, "error");
    json_out_end(out);
}

static void print(const struct doctor *doctor, enum finding finding, const char *part,
                  const char *text)
{
    if (doctor->answer->wanted)
        return;
    struct buf safe, shown;
    buf_init(&safe, LINE_LIMIT);
    buf_init(&shown, LINE_LIMIT);
    text_append_safe(&safe, bytes_text(text), LINE_SIZE);
    buf_append_format(&shown, "%s %-10s ", MARKS[finding], part);
    struct text_line line = text_line_begin(&shown, LINE_INDENT, doctor->width);
    text_line_words(&line, buf_view(&safe));
    text_line_end(&line);
    printf("%s%s%s%s", doctor->colour ? COLOURS[finding] : "", MARKS[finding],
           doctor->colour ? "\033[0m" : "", buf_text(&shown) + strlen(MARKS[finding]));
    buf_free(&shown);
    buf_free(&safe);
    fflush(stdout); /* the next check may wait for a server */
}

/* A command is not broken: it is copied. */
static void print_detail(const struct doctor *doctor, const char *label, const char *text)
{
    if (doctor->answer->wanted || !text || !text[0])
        return;
    bool is_command = strncmp(text, "drover ", 7) == 0;
    struct buf shown;
    buf_init(&shown, LINE_LIMIT);
    buf_append_format(&shown, "%*s%s", LINE_INDENT, "", label);
    struct text_line line =
        text_line_begin(&shown, LINE_INDENT, is_command ? NO_WIDTH : doctor->width);
    text_line_words(&line, bytes_text(text));
    text_line_end(&line);
    fputs(buf_text(&shown), stdout);
    buf_free(&shown);
}

static void say(struct findings *findings, enum finding finding, const char *part, const char *fix,
                const char *format, ...)
{
    struct doctor *doctor = (struct doctor *)findings;
    char text[2 * LINE_SIZE]; /* more than is shown: masked before it is cut */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    note(doctor, finding, part, text, fix, NULL);
    print(doctor, finding, part, text);
    print_detail(doctor, "fix: ", fix);
    if (finding == FINDING_PROBLEM && doctor->code == EXIT_OK)
        doctor->code = EXIT_CONFIG;
}

/* Unreachable is graver than anything found besides it, as it hides more. */
static enum exit_code graver(enum exit_code a, enum exit_code b)
{
    if (a == EXIT_UNREACHABLE || b == EXIT_UNREACHABLE)
        return EXIT_UNREACHABLE;
    if (a == EXIT_REFUSED || b == EXIT_REFUSED)
        return EXIT_REFUSED;
    return a == EXIT_OK ? b : a;
}

static void say_error(struct findings *findings, enum finding finding, const char *part,
                      const struct error *err)
{
    struct doctor *doctor = (struct doctor *)findings;
    char text[2 * LINE_SIZE];
    const char *fix = err->hint[0] ? err->hint : error_code_advice(err->code);
    snprintf(text, sizeof(text), "%s%s%s%s%s  [%s]", err->text, err->where[0] ? ": " : "",
             err->where, err->cause[0] ? " · " : "", err->cause, error_code_id(err->code));
    note(doctor, finding, part, err->text, fix, err);
    print(doctor, finding, part, text);
    print_detail(doctor, "fix: ", fix);
    if (finding == FINDING_PROBLEM)
        doctor->code = graver(doctor->code, error_code_exit(err->code));
}

/* ---- the checks -------------------------------------------------------------------------- */

static void check_config(struct findings *findings)
{
    const char *file = findings->settings->config_file;
    struct error err = {0};
    if (mapping_set_load(findings->settings, &findings->mappings, &err) != OUT_OK) {
        findings->say_error(findings, FINDING_PROBLEM, "config", &err);
        return;
    }
    size_t columns = 0;
    for (size_t i = 0; i < findings->mappings.count; i++)
        columns += findings->mappings.items[i]->column_count;
    findings->say(findings, FINDING_OK, "config", NULL, "%s, %zu mapping%s, %zu columns",
                  file ? file : "no drover.yaml", findings->mappings.count,
                  findings->mappings.count == 1 ? "" : "s", columns);
}

/* `verify` and `run` write one in every storage. */
static void check_report(struct findings *findings)
{
    struct error err = {0};
    const char *dir = findings->settings->report_dir;
    if (!report_folder_can_write(dir, &err))
        findings->say_error(findings, FINDING_PROBLEM, "report", &err);
    else if (dir && dir[0])
        findings->say(findings, FINDING_OK, "report", NULL,
                      "folder %s can be written (verify.report)", dir);
}

/* Only what the storage needs; a rehearsal needs nothing. */
static void check_servers(struct findings *findings)
{
    const struct store *store = store_of(findings->settings);
    if (store->examine) {
        doctor_check_kafka(findings);
        store->examine(findings);
        doctor_check_retention(findings);
    } else {
        findings->say(findings, FINDING_OK, "memory", NULL, "storage memory needs no server");
    }
}

static void print_sum(const struct doctor *doctor)
{
    if (doctor->answer->wanted) {
        struct json_out *out = answer_body(doctor->answer);
        json_out_end(out);
        json_out_count(out, "problems", doctor->problems);
        json_out_count(out, "warnings", doctor->warnings);
        return;
    }
    if (doctor->problems == 0 && doctor->warnings == 0)
        printf("everything is ready\n");
    else
        printf("%u problem%s, %u warning%s\n", doctor->problems, doctor->problems == 1 ? "" : "s",
               doctor->warnings, doctor->warnings == 1 ? "" : "s");
}

enum exit_code doctor_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err))
        return EXIT_USAGE;
    struct doctor doctor = {
        .findings = {.settings = &invocation->settings, .say = say, .say_error = say_error},
        .answer = invocation->answer};
    doctor.width = terminal_is(STDOUT_FILENO) || getenv("COLUMNS")
                       ? terminal_text_width(STDOUT_FILENO)
                       : NO_WIDTH;
    doctor.colour = terminal_colour(STDOUT_FILENO) && !invocation->settings.plain;
    if (doctor.answer->wanted)
        json_out_list(answer_body(doctor.answer), "findings");
    check_config(&doctor.findings);
    check_report(&doctor.findings);
    check_servers(&doctor.findings);
    print_sum(&doctor);
    mapping_set_free(&doctor.findings.mappings);
    return doctor.code;
}
