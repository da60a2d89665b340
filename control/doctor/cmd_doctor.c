#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/error_json.h"
#include "common/base/text.h"
#include "common/io/files.h"
#include "common/io/report_folder.h"
#include "common/io/stores.h"
#include "common/io/terminal.h"
#include "control/command.h"
#include "control/doctor/doctor.h"

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
    doctor_say(doctor, FINDING_OK, "config", NULL, "%s, %zu mapping%s, %zu columns",
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
    if (is_writable(dir)) {
        doctor_say(doctor, FINDING_OK, "files", NULL, "store.dir %s can be written", dir);
    } else {
        struct error err;
        error_set(&err, OUT_FATAL, ERR_STORE_FILE, "store.dir cannot be written");
        error_where(&err, "%s", dir);
        error_hint(&err, "give another store.dir, or its rights");
        doctor_say_error(doctor, FINDING_PROBLEM, "files", &err);
    }
}

/* `verify` and `run` write one in every storage. */
static void check_report(struct doctor *doctor)
{
    struct error err = {0};
    const char *dir = doctor->settings->report_dir;
    if (!report_folder_can_write(dir, &err))
        doctor_say_error(doctor, FINDING_PROBLEM, "report", &err);
    else if (dir && dir[0])
        doctor_say(doctor, FINDING_OK, "report", NULL, "verify.report %s can be written", dir);
}

/* Only what the storage needs; a rehearsal needs nothing. */
static void check_servers(struct doctor *doctor)
{
    const struct store *store = store_of(doctor->settings);
    if (store->in_process) {
        doctor_say(doctor, FINDING_OK, "memory", NULL, "storage memory needs no server");
        return;
    }
    doctor_check_kafka(doctor);
    if (store->has_files)
        check_files(doctor);
    if (store->has_tables)
        doctor_check_postgres(doctor);
    if (!store->has_files)
        doctor_check_redis(doctor);
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
    struct doctor doctor = {.settings = &invocation->settings, .answer = invocation->answer};
    doctor.colour = terminal_colour(STDOUT_FILENO) && !invocation->settings.plain;
    if (doctor.answer->wanted)
        json_out_list(answer_body(doctor.answer), "findings");
    check_config(&doctor);
    check_report(&doctor);
    check_servers(&doctor);
    print_sum(&doctor);
    mapping_set_free(&doctor.mappings);
    return doctor.code;
}
