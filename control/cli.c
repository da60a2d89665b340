#include "control/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/io/files.h"
#include "common/io/log.h"
#include "common/io/terminal.h"
#include "control/command.h"

enum {
    CONFIG_FILE_LIMIT = 1 << 20,
    HELP_LIMIT = 1 << 18,
    ERROR_LIMIT = 2048,
    MOST_NAMES = 24,
};

static const char DEFAULT_FILE[] = "drover.yaml";

static void print_commands(FILE *out)
{
    size_t count;
    const struct command *commands = command_table(&count);
    fprintf(
        out,
        "drover moves JSON data into PostgreSQL and Redis through Kafka, and proves it.\n"
        "\n"
        "Examples:\n"
        "  drover doctor                    check settings, mappings and servers\n"
        "  drover run exports/*.json        schema, topics, produce, work, verify on this host\n"
        "  drover status --watch            where everything stands, also work done elsewhere\n"
        "\n"
        "Commands:\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "  %-9s %s\n", "help", "how to use a command: drover help COMMAND");
    fprintf(
        out,
        "\nSettings come from flags, then the environment, then drover.yaml: drover config show\n");
}

static void print_help(const struct command *command, const struct conf *conf)
{
    struct buf help;
    buf_init(&help, HELP_LIMIT);
    conf_append_help(conf, command->bit, &help);
    printf("drover %s: %s\n\nExamples:\n%s\nUsage: drover %s%s%s [flags]\n", command->name,
           command->summary, command->examples, command->name, command->words[0] ? " " : "",
           command->words);
    if (help.size)
        printf("\nFlags:\n%s", buf_text(&help));
    buf_free(&help);
}

/* The label in red or yellow, the rest plain: error_format is also for places without colour. */
static void print_error(const struct error *err)
{
    char text[ERROR_LIMIT];
    error_format(err, text, sizeof(text));
    size_t label = strcspn(text, ":");
    if (terminal_colour(STDERR_FILENO))
        fprintf(stderr, "\033[1;31m%.*s\033[0m%s\n", (int)label, text, text + label);
    else
        fprintf(stderr, "%s\n", text);
}

static enum exit_code unknown_command(const char *word)
{
    const char *names[MOST_NAMES] = {"help"};
    size_t count;
    const struct command *commands = command_table(&count);
    for (size_t i = 0; i < count && i + 1 < MOST_NAMES; i++)
        names[i + 1] = commands[i].name;
    struct error err;
    struct buf shown;
    buf_init(&shown, 256);
    text_append_safe(&shown, bytes_text(word), 40);
    error_set(&err, OUT_FATAL, ERR_USAGE, "unknown command %s", buf_text(&shown));
    buf_free(&shown);
    const char *nearest = text_nearest(word, names, count + 1);
    if (nearest)
        error_hint(&err, "did you mean drover %s?", nearest);
    else
        error_hint(&err, "drover help lists the commands");
    print_error(&err);
    return EXIT_USAGE;
}

/* Which file? The flag and the environment are read ahead of everything for this one answer. */
static enum outcome find_config_file(const struct command *command, int argc, char **argv,
                                     char **environment, struct arena *keep, const char **file,
                                     struct error *err)
{
    struct settings ahead;
    struct conf conf;
    struct conf_list words;
    size_t count;
    const struct conf_field *fields = settings_fields(&count);
    conf_init(&conf, fields, count, &ahead);
    enum outcome outcome = conf_load_env(&conf, environment, files_read_secret, err);
    if (outcome == OUT_OK)
        outcome = conf_load_flags(&conf, argc, argv, command->bit, command_names(), &words, err);
    *file = NULL;
    if (outcome == OUT_OK && ahead.config_file)
        *file = arena_copy(keep, bytes_text(ahead.config_file)).data;
    else if (outcome == OUT_OK && files_exist(DEFAULT_FILE))
        *file = DEFAULT_FILE;
    conf_free(&conf);
    return outcome;
}

static enum outcome load_file(struct conf *conf, const char *file, struct error *err)
{
    if (!file)
        return OUT_OK;
    struct buf text;
    enum outcome outcome = files_read(file, CONFIG_FILE_LIMIT, &text, err);
    if (outcome == OUT_OK)
        outcome = conf_load_yaml(conf, file, buf_view(&text), err);
    buf_free(&text);
    return outcome;
}

static enum outcome load_settings(struct invocation *invocation, int argc, char **argv,
                                  char **environment, struct error *err)
{
    const struct command *command = invocation->command;
    struct conf *conf = &invocation->conf;
    const char *file;
    enum outcome outcome =
        find_config_file(command, argc, argv, environment, &conf->arena, &file, err);
    if (outcome == OUT_OK)
        outcome = load_file(conf, file, err);
    if (outcome == OUT_OK)
        outcome = conf_load_env(conf, environment, files_read_secret, err);
    if (outcome == OUT_OK)
        outcome = conf_load_flags(conf, argc, argv, command->bit, command_names(),
                                  &invocation->words, err);
    invocation->settings.config_file = file;
    if (outcome == OUT_OK)
        outcome = settings_complete(conf, err);
    return outcome;
}

/* Set by `drover run` for its children; not handed on to theirs. */
static int take_progress_fd(void)
{
    const char *text = getenv("DROVER_PROGRESS_FD");
    int64_t fd = -1;
    if (!text || !text_parse_int64(bytes_text(text), &fd) || fd < 0 || fd > 1023)
        fd = -1;
    unsetenv("DROVER_PROGRESS_FD");
    if (fd >= 0)
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a run that was killed leaves no workers behind */
    return (int)fd;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static enum exit_code run_loaded(struct invocation *invocation, int argc, char **argv,
                                 char **environment)
{
    struct error err = {0};
    int progress_fd = take_progress_fd();
    if (load_settings(invocation, argc, argv, environment, &err) != OUT_OK) {
        print_error(&err);
        return command_fail(&err);
    }
    struct settings *settings = &invocation->settings;
    settings->progress_fd = progress_fd;
    log_setup_names(invocation->command->name, settings->log_level, settings->log_format);
    enum exit_code code = invocation->command->run(invocation, &err);
    log_flush();
    if (err.code != ERR_NONE) {
        fflush(stdout); /* the answer so far comes before what is wrong with it */
        print_error(&err);
    }
    return code;
}

static enum exit_code run_named(const struct command *command, int argc, char **argv,
                                char **environment)
{
    struct invocation *invocation = calloc(1, sizeof(*invocation));
    if (!invocation)
        abort();
    size_t count;
    const struct conf_field *fields = settings_fields(&count);
    invocation->command = command;
    conf_init(&invocation->conf, fields, count, &invocation->settings);
    enum exit_code code = EXIT_OK;
    if (asks_for_help(argc, argv))
        print_help(command, &invocation->conf);
    else
        code = run_loaded(invocation, argc, argv, environment);
    conf_free(&invocation->conf);
    free(invocation);
    return code;
}

enum exit_code cli_main(int argc, char **argv, char **environment)
{
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    bool help = strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    if (help && argc < 3) {
        print_commands(stdout);
        return EXIT_OK;
    }
    if (strcmp(word, "--version") == 0)
        word = "version";
    const struct command *command = command_find(help ? argv[2] : word);
    if (!command)
        return unknown_command(help ? argv[2] : word);
    static char *help_flag[] = {"--help", NULL};
    return help ? run_named(command, 1, help_flag, environment)
                : run_named(command, argc - 2, argv + 2, environment);
}
