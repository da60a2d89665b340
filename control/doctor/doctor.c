/* What a finding is, told and counted. */
#include "control/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/error_json.h"
#include "common/base/text.h"

enum {
    LINE_LIMIT = 1 << 20,
    LINE_SIZE = 1024,
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
    struct buf safe;
    buf_init(&safe, LINE_LIMIT);
    text_append_safe(&safe, bytes_text(text), LINE_SIZE);
    printf("%s%s%s %-10s %s\n", doctor->colour ? COLOURS[finding] : "", MARKS[finding],
           doctor->colour ? "\033[0m" : "", part, buf_text(&safe));
    buf_free(&safe);
    fflush(stdout); /* the next check may wait for a server */
}

static void print_detail(const struct doctor *doctor, const char *label, const char *text)
{
    if (!doctor->answer->wanted && text && text[0])
        printf("             %s%s\n", label, text);
}

void doctor_say(struct doctor *doctor, enum finding finding, const char *part, const char *fix,
                const char *format, ...)
{
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

void doctor_say_error(struct doctor *doctor, enum finding finding, const char *part,
                      const struct error *err)
{
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
