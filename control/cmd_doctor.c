#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/io/files.h"
#include "common/io/report_folder.h"
#include "common/io/terminal.h"
#include "control/command.h"
#include "control/doctor.h"

enum {
    JSON_LIMIT = 1 << 20,
    LINE_SIZE = 1024,
};

static const char *const MARKS[] = {"✓", "!", "✗"};
static const char *const COLOURS[] = {"\033[32m", "\033[33m", "\033[31m"};
static const char *const NAMES[] = {"good", "warning", "problem"};

static void append_member(struct buf *out, const char *name, const char *value)
{
    if (!value || !value[0])
        return;
    buf_append_format(out, ",\"%s\":", name);
    buf_append_json(out, bytes_text(value));
}

static void note(struct doctor *doctor, enum finding finding, const char *part, const char *text,
                 const char *fix)
{
    if (finding == FINDING_WARNING)
        doctor->warnings++;
    if (finding == FINDING_PROBLEM)
        doctor->problems++;
    buf_append_format(&doctor->json, "%s{\"finding\":\"%s\"", doctor->json.size ? "," : "",
                      NAMES[finding]);
    append_member(&doctor->json, "part", part);
    append_member(&doctor->json, "text", text);
    append_member(&doctor->json, "fix", fix);
    buf_append_char(&doctor->json, '}');
}

static void print(const struct doctor *doctor, enum finding finding, const char *part,
                  const char *text)
{
    if (doctor->settings->json)
        return;
    struct buf safe;
    buf_init(&safe, JSON_LIMIT);
    text_append_safe(&safe, bytes_text(text), LINE_SIZE);
    printf("%s%s%s %-10s %s\n", doctor->colour ? COLOURS[finding] : "", MARKS[finding],
           doctor->colour ? "\033[0m" : "", part, buf_text(&safe));
    buf_free(&safe);
    fflush(stdout); /* the next check may wait for a server */
}

static void print_detail(const struct doctor *doctor, const char *label, const char *text)
{
    if (!doctor->settings->json && text && text[0])
        printf("             %s%s\n", label, text);
}

void doctor_say(struct doctor *doctor, enum finding finding, const char *part, const char *fix,
                const char *format, ...)
{
    char text[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    note(doctor, finding, part, text, fix);
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
    char text[LINE_SIZE];
    const char *fix = err->hint[0] ? err->hint : error_code_advice(err->code);
    snprintf(text, sizeof(text), "%s%s%s%s%s  [%s]", err->text, err->where[0] ? ": " : "",
             err->where, err->cause[0] ? " · " : "", err->cause, error_code_id(err->code));
    note(doctor, finding, part, text, fix);
    print(doctor, finding, part, text);
    print_detail(doctor, "fix: ", fix);
    if (finding == FINDING_PROBLEM)
        doctor->code = graver(doctor->code, error_code_exit(err->code));
}

static void check_config(struct doctor *doctor)
{
    const char *file = doctor->settings->config_file;
    struct error err = {0};
    if (mapping_set_load(doctor->settings, &doctor->mappings, &err) != OUT_OK) {
        doctor_say_error(doctor, FINDING_PROBLEM, "config", &err);
        return;
    }
    size_t columns = 0;
    for (size_t i = 0; i < doctor->mappings.count; i++)
        columns += doctor->mappings.items[i]->column_count;
    doctor_say(doctor, FINDING_GOOD, "config", NULL, "%s, %zu mapping%s, %zu columns",
               file ? file : "no drover.yaml", doctor->mappings.count,
               doctor->mappings.count == 1 ? "" : "s", columns);
}

static bool is_writable(const char *dir)
{
    if (files_exist(dir))
        return files_is_folder(dir) && access(dir, W_OK | X_OK) == 0;
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", dir);
    return is_writable(dirname(copy)); /* ends at "." or "/" */
}

static void check_files(struct doctor *doctor)
{
    const char *dir = doctor->settings->store_dir;
    if (is_writable(dir))
        doctor_say(doctor, FINDING_GOOD, "files", NULL, "store.dir %s can be written", dir);
    else
        doctor_say(doctor, FINDING_PROBLEM, "files", "give another store.dir, or its rights",
                   "store.dir %s cannot be written  [%s]", dir, error_code_id(ERR_STORE_FILE));
}

/* `verify` and `run` write one in every storage. */
static void check_report(struct doctor *doctor)
{
    struct error err = {0};
    const char *dir = doctor->settings->report_dir;
    if (!report_folder_can_write(dir, &err))
        doctor_say_error(doctor, FINDING_PROBLEM, "report", &err);
    else if (dir && dir[0])
        doctor_say(doctor, FINDING_GOOD, "report", NULL, "verify.report %s can be written", dir);
}

/* Only what the storage needs; a rehearsal needs nothing. */
static void check_servers(struct doctor *doctor)
{
    enum storage storage = doctor->settings->storage;
    if (storage == STORAGE_MEMORY) {
        doctor_say(doctor, FINDING_GOOD, "memory", NULL, "storage memory needs no server");
        return;
    }
    doctor_check_kafka(doctor);
    if (storage == STORAGE_FILE)
        check_files(doctor);
    if (storage == STORAGE_DATABASE || storage == STORAGE_HYBRID)
        doctor_check_postgres(doctor);
    if (storage != STORAGE_FILE)
        doctor_check_redis(doctor);
}

static void print_sum(const struct doctor *doctor)
{
    if (doctor->settings->json) {
        printf("{\"problems\":%u,\"warnings\":%u,\"exit\":%d,\"findings\":[", doctor->problems,
               doctor->warnings, (int)doctor->code);
        fwrite(doctor->json.data, 1, doctor->json.size, stdout);
        printf("]}\n");
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
    struct doctor doctor = {.settings = &invocation->settings};
    doctor.colour = terminal_colour(STDOUT_FILENO) && !invocation->settings.plain;
    buf_init(&doctor.json, JSON_LIMIT);
    check_config(&doctor);
    check_report(&doctor);
    check_servers(&doctor);
    print_sum(&doctor);
    buf_free(&doctor.json);
    mapping_set_free(&doctor.mappings);
    return doctor.code;
}
