#include "control/help.h"

#include <ctype.h>
#include <string.h>

#include "common/base/buf.h"

enum {
    HELP_LIMIT = 1 << 18,
    NAMES_MAX = 40,
    VARIABLE_COLUMN = 20,
    NAMES_COLUMN = 13,
};

/* A name is a setting's key, the start of one up to its point, or a flag. Whole names are looked
 * for in all groups before starts of names are. */
struct group {
    const char *title;
    const char *names[NAMES_MAX];
};

enum { GROUP_EVERYDAY, GROUP_TUNING = 8 };

static const struct group GROUPS[] = {
    {"Everyday flags",
     {"config",
      "migration",
      "mappings",
      "tenant.id",
      "kafka.brokers",
      "storage",
      "load",
      "run.workers",
      "shadow.workers",
      "shadow.produce",
      "shadow.verify",
      "verify.sources",
      "produce.follow",
      "until-end",
      "export.as",
      "export.to",
      "verify.only_tenant",
      "reason",
      "source",
      "all",
      "accept-gap",
      "code",
      "state",
      "partition",
      "from",
      "to",
      "tenant",
      "entity",
      "rewrite",
      "resume",
      "secrets.key_file",
      "dry-run",
      "origins",
      "watch",
      "json",
      "quiet"}},
    {"Sources", {"produce.", "tenant.", "state_dir"}},
    {"Target", {"store.", "database.", "redis."}},
    {"Secrets", {"secrets."}},
    {"Kafka", {"kafka."}},
    {"Verification", {"verify."}},
    {"Which dead letters", {"since", "until", "file", "offset", "limit", "topic"}},
    {"Output", {"log.", "plain", "raw", "wait", "yes"}},
    {"Limits and tuning",
     {"work.", "max_record_bytes", "produce.queue", "produce.body", "produce.join_memory",
      "produce.scan", "verify.memory", "store.memory", "database.connections", "redis.lag_records",
      "redis.lag_bytes", "redis.tombstone_ttl"}},
};
enum { GROUP_COUNT = sizeof(GROUPS) / sizeof(GROUPS[0]) };

static bool names_it(const struct group *group, const struct conf_field *field, bool whole)
{
    const char *name = field->path ? field->path : field->flag;
    for (int i = 0; i < NAMES_MAX && name && group->names[i]; i++) {
        size_t size = strlen(group->names[i]);
        bool is_start = group->names[i][size - 1] == '.';
        if (whole ? strcmp(group->names[i], name) == 0
                  : is_start && strncmp(group->names[i], name, size) == 0)
            return true;
    }
    return false;
}

/* What no group names is tuned rarely. */
static int group_of(const struct conf_field *field)
{
    for (int whole = 1; whole >= 0; whole--)
        for (int i = 0; i < GROUP_COUNT; i++)
            if (names_it(&GROUPS[i], field, whole))
                return i;
    return GROUP_TUNING;
}

static bool is_of_group(const struct conf_field *field, void *owner)
{
    return group_of(field) == *(const int *)owner;
}

static size_t flag_count(const struct conf *conf, uint32_t bit)
{
    size_t count = 0;
    for (size_t i = 0; i < conf->field_count; i++)
        count +=
            (conf->fields[i].commands & bit) && (conf->fields[i].flag || conf->fields[i].letter);
    return count;
}

static void append_flags(struct buf *out, const struct command *command, const struct conf *conf,
                         bool brief)
{
    for (int i = 0; i < (brief ? 1 : GROUP_COUNT); i++) {
        size_t before = out->size;
        buf_append_format(out, "\n%s:\n", GROUPS[i].title);
        size_t begun = out->size;
        conf_append_help(conf, command->bit, is_of_group, &i, out);
        if (out->size == begun)
            out->size = before;
    }
}

/* ---- the environment */

static void append_row(struct buf *out, const char *name, const char *right)
{
    char left[40];
    snprintf(left, sizeof(left), "  %s", name);
    conf_append_help_row(out, left, VARIABLE_COLUMN, right);
}

static void append_variable(struct buf *out, const struct conf_field *field)
{
    char right[300];
    if (field->kind == CONF_SECRET)
        snprintf(right, sizeof(right), "%s; or %s_FILE: a file that holds it", field->help,
                 field->env);
    else if (field->flag)
        snprintf(right, sizeof(right), "as --%s", field->flag);
    else
        snprintf(right, sizeof(right), "%s", field->help);
    append_row(out, field->env, right);
}

static const char *example_path(const struct conf *conf, uint32_t bit)
{
    for (size_t i = 0; i < conf->field_count; i++)
        if ((conf->fields[i].commands & bit) && conf->fields[i].path && conf->fields[i].flag &&
            !conf->fields[i].env && strchr(conf->fields[i].path, '.'))
            return conf->fields[i].path;
    return NULL;
}

static void append_rule(struct buf *out, const char *path)
{
    char right[160];
    int size =
        snprintf(right, sizeof(right), "any setting: its key after DROVER_, as DROVER_%s", path);
    for (int i = size - (int)strlen(path); i < size; i++)
        right[i] = right[i] == '.' ? '_' : (char)toupper((unsigned char)right[i]);
    append_row(out, "DROVER_…", right);
}

static bool acts(const struct conf_field *field, const struct command *command)
{
    return field->env && (field->commands & command->bit);
}

static void append_environment_names(struct buf *out, const struct command *command,
                                     const struct conf *conf)
{
    struct buf names;
    buf_init(&names, HELP_LIMIT);
    for (size_t i = 0; i < conf->field_count; i++)
        if (acts(&conf->fields[i], command))
            buf_append_format(&names, "%s, ", conf->fields[i].env);
    buf_append_format(&names, "%sNO_COLOR", example_path(conf, command->bit) ? "DROVER_…, " : "");
    buf_append_char(out, '\n');
    conf_append_help_row(out, "Environment:", NAMES_COLUMN, buf_text(&names));
    buf_free(&names);
}

static void append_environment(struct buf *out, const struct command *command,
                               const struct conf *conf)
{
    const char *path = example_path(conf, command->bit);
    buf_append_text(out, "\nEnvironment:\n");
    for (size_t i = 0; i < conf->field_count; i++)
        if (acts(&conf->fields[i], command))
            append_variable(out, &conf->fields[i]);
    if (path)
        append_rule(out, path);
    append_row(out, "NO_COLOR", "no colour, when it is set");
}

/* ---- pages */

void help_print_commands(FILE *out)
{
    size_t count;
    const struct command *commands = command_table(&count);
    fprintf(out, "drover moves JSON data into PostgreSQL and Redis through Kafka, and proves it.\n"
                 "\n"
                 "Examples:\n"
                 "  drover doctor                    check settings, mappings and servers\n"
                 "  drover run exports/*.json        everything, on this host\n"
                 "  drover status --watch            where everything stands\n"
                 "\n"
                 "Commands:\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fprintf(out,
            "  %-9s %s\n"
            "\n"
            "Settings come from flags, then the environment (DATABASE_URL, KAFKA_BROKERS,\n"
            "REDIS_URL, DROVER_…), then drover.yaml: drover config show. Flags may also stand\n"
            "before the command: drover -c shop.yaml status.\n",
            "help", "how to use a command: drover help COMMAND");
}

/* Of a command whose words are followed by other things each. */
static const struct {
    enum command_bit bit;
    const char *lines[6];
} USAGES[] = {
    {CMD_DLQ,
     {"list|stats|export [flags]", "show ID [flags]", "replay [ID] [flags]",
      "discard [ID] --reason TEXT [flags]", "discard [RUN] --source URI --reason TEXT [flags]"}},
};

static void append_usage(struct buf *out, const struct command *command)
{
    for (size_t i = 0; i < sizeof USAGES / sizeof USAGES[0]; i++) {
        if (USAGES[i].bit != command->bit)
            continue;
        for (size_t j = 0; USAGES[i].lines[j]; j++)
            buf_append_format(out, "%s drover %s %s\n", j ? "      " : "Usage:", command->name,
                              USAGES[i].lines[j]);
        return;
    }
    buf_append_format(out, "Usage: drover %s%s%s [flags]\n", command->name,
                      command->words[0] ? " " : "", command->words);
}

void help_print(const struct command *command, const struct conf *conf, bool brief)
{
    struct buf help;
    buf_init(&help, HELP_LIMIT);
    buf_append_format(&help, "drover %s: %s\n\nExamples:\n%s\n", command->name, command->summary,
                      command->examples);
    append_usage(&help, command);
    append_flags(&help, command, conf, brief);
    if (brief)
        append_environment_names(&help, command, conf);
    else
        append_environment(&help, command, conf);
    if (brief)
        buf_append_format(&help, "All %zu flags: drover %s --help\n",
                          flag_count(conf, command->bit), command->name);
    fputs(buf_text(&help), stdout);
    buf_free(&help);
}
