#include "control/cli.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/conf.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/files.h"
#include "common/io/log.h"
#include "common/io/mappings.h"
#include "common/io/spawn.h"
#include "common/io/terminal.h"
#include "control/advice.h"
#include "control/command.h"
#include "control/help.h"

enum {
    CONFIG_FILE_LIMIT = 1 << 20,
    ERROR_LIMIT = 2048,
    NAMES_MAX = 24,
    MISTAKES_SHOWN = 50,
};

static const char DEFAULT_FILE[] = "drover.yaml";

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

/* A page of them: who has fixed these tries again. With --json they are in the answer as well. */
static void print_mistakes(const struct error_list *mistakes)
{
    size_t shown = mistakes->count < MISTAKES_SHOWN ? mistakes->count : MISTAKES_SHOWN;
    uint64_t more = mistakes->count - shown + mistakes->dropped;
    for (size_t i = 0; i < shown; i++)
        print_error(&mistakes->items[i]);
    if (more)
        fprintf(stderr, "… and %llu more\n", (unsigned long long)more);
    if (mistakes->count > 1)
        fprintf(stderr, "%llu mistakes\n",
                (unsigned long long)(mistakes->count + mistakes->dropped));
}

/* `status`, `topics` and `resume` take the flag, so that a script has one set of flags, and read
 * none. */
static bool takes_mappings(const struct invocation *invocation)
{
    const struct conf *conf = &invocation->conf;
    if (invocation->command->bit & (CMD_STATUS | CMD_TOPICS | CMD_RESUME))
        return false;
    for (size_t i = 0; i < conf->field_count; i++)
        if (conf->fields[i].offset == offsetof(struct settings, mappings))
            return conf->fields[i].commands & invocation->command->bit;
    return false;
}

static void only(struct error_list *errors, const struct error *err)
{
    error_list_free(errors);
    error_list_init(errors);
    error_list_add(errors, err);
}

/* Of mappings one mistake ends the command, but all of them are told. */
static void collect_failure(const struct invocation *invocation, const struct error *err,
                            struct error_list *errors)
{
    if (error_code_exit(err->code) == EXIT_CONFIG && takes_mappings(invocation))
        mapping_set_check(&invocation->settings, errors);
    if (!error_list_has(errors, err))
        only(errors, err);
}

bool output_is_unread(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return ferror(stdout) && poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
}

/* A mistake before there is a command that could answer. */
static enum exit_code refuse(const struct error *err, bool json)
{
    struct answer answer;
    struct error_list errors;
    print_error(err);
    answer_init(&answer, json, "error");
    error_list_init(&errors);
    error_list_add(&errors, err);
    enum exit_code code = answer_end(&answer, &errors, EXIT_USAGE);
    error_list_free(&errors);
    answer_free(&answer);
    return code;
}

static enum exit_code unknown_command(const char *word, bool json)
{
    const char *names[NAMES_MAX] = {"help"};
    size_t count;
    const struct command *commands = command_table(&count);
    for (size_t i = 0; i < count && i + 1 < NAMES_MAX; i++)
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
    return refuse(&err, json);
}

/* Which file? The flag and the environment are read ahead of everything for this one answer. */
static const char *find_config_file(const struct command *command, int argc, char **argv,
                                    char **environment, struct arena *keep)
{
    struct settings ahead;
    struct conf conf;
    struct conf_list words;
    struct error_list ignored; /* all is read again, for its mistakes */
    size_t count;
    const struct conf_field *fields = settings_fields(&count);
    error_list_init(&ignored);
    conf_init(&conf, fields, count, &ahead);
    (void)!conf_load_env_all(&conf, environment, files_read_secret, &ignored);
    (void)!conf_load_flags_all(&conf, argc, argv, command->bit, command_names(), &words, &ignored);
    const char *file = NULL;
    if (ahead.config_file)
        file = arena_copy(keep, bytes_text(ahead.config_file)).data;
    else if (files_exist(DEFAULT_FILE))
        file = DEFAULT_FILE;
    conf_free(&conf);
    error_list_free(&ignored);
    return file;
}

/* All mistakes of the file are told, and the rest of it is loaded. */
static enum outcome load_file(struct conf *conf, const char *file, bool *is_yaml,
                              struct error_list *mistakes, struct error *err)
{
    *is_yaml = true;
    if (!file)
        return OUT_OK;
    struct buf text;
    enum outcome outcome = files_read(file, CONFIG_FILE_LIMIT, &text, err);
    if (outcome == OUT_OK)
        outcome = conf_load_yaml_all(conf, file, buf_view(&text), is_yaml, mistakes);
    buf_free(&text);
    return outcome;
}

static enum outcome load_settings(struct invocation *invocation, int argc, char **argv,
                                  char **environment, struct error_list *mistakes,
                                  struct error *err)
{
    const struct command *command = invocation->command;
    struct conf *conf = &invocation->conf;
    const char *file = find_config_file(command, argc, argv, environment, &conf->arena);
    bool is_yaml;
    if (conf_load_flags_all(conf, argc, argv, command->bit, command_names(), &invocation->words,
                            mistakes) != OUT_OK) {
        *err = mistakes->items[0];
        return OUT_FATAL; /* all of the command line's; those of the file come when it is right */
    }
    enum outcome outcome = load_file(conf, file, &is_yaml, mistakes, err);
    if (outcome != OUT_OK && mistakes->count == 0)
        return outcome; /* there is no such file */
    outcome = conf_load_env_all(conf, environment, files_read_secret, mistakes);
    invocation->settings.config_file = file;
    if (outcome == OUT_OK && is_yaml && settings_complete(conf, err) != OUT_OK)
        error_list_add(mistakes, err); /* a file's misspelled keys are read; a variable's are not */
    if (mistakes->count == 0)
        return OUT_OK;
    /* the settings have mistakes: those of the mappings are told with them */
    if (is_yaml && takes_mappings(invocation))
        mapping_set_check(&invocation->settings, mistakes);
    error_list_sort(mistakes);
    *err = mistakes->items[0];
    return OUT_FATAL;
}

/* Settings given by a name of an earlier version. Children of a run have their parent's arguments.
 */
static void tell_old_names(const struct invocation *invocation)
{
    const struct conf *conf = &invocation->conf;
    for (size_t i = 0; i < conf->field_count; i++)
        if (conf->renamed[i] && invocation->settings.progress_fd < 0 && !invocation->settings.quiet)
            fprintf(stderr, "note: %s\n", conf->renamed[i]);
}

/* Set by `drover run` for its children; not handed on to theirs. */
static int take_progress_fd(void)
{
    const char *text = getenv("DROVER_PROGRESS_FD");
    int64_t fd = -1;
    if (!text || !text_parse_int64(bytes_text(text), &fd) || fd < 0 || fd > 1023)
        fd = -1;
    unsetenv("DROVER_PROGRESS_FD");
    if (fd >= 0) /* one that is suspended, and reads nothing, does not hold them up */
        fcntl((int)fd, F_SETFL, fcntl((int)fd, F_GETFL) | O_NONBLOCK);
    return (int)fd;
}

/* Set by `drover run` for its verifier: what it reads before the work is over is not the store. */
static bool take_held(void)
{
    bool is_held = getenv("DROVER_HELD") != NULL;
    unsetenv("DROVER_HELD");
    return is_held;
}

/* `drover run` hands the sources to its children through a file in memory: there may be more than
 * a command line can hold. */
struct more_args {
    char *text;
    char **argv; /* all of them; NULL: there are no more than those of the command line */
    int argc;
};

static char *read_all(int fd, size_t *size)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return NULL;
    char *text = mem_alloc((size_t)status.st_size + 1);
    *size = 0;
    while (*size < (size_t)status.st_size) {
        ssize_t got = pread(fd, text + *size, (size_t)status.st_size - *size, (off_t)*size);
        if (got <= 0) {
            free(text);
            return NULL;
        }
        *size += (size_t)got;
    }
    text[*size] = '\0';
    return text;
}

static enum outcome take_more_args(int argc, char **argv, struct more_args *more, struct error *err)
{
    const char *name = getenv("DROVER_ARGS_FD");
    int64_t fd = -1;
    size_t size = 0, count = 0;
    *more = (struct more_args){0};
    if (!name)
        return OUT_OK;
    if (text_parse_int64(bytes_text(name), &fd) && fd > 2 && fd <= 1023)
        more->text = read_all((int)fd, &size);
    unsetenv("DROVER_ARGS_FD");
    if (!more->text)
        return error_set(err, OUT_FATAL, ERR_USAGE, "the arguments handed on cannot be read");
    close((int)fd);
    for (size_t i = 0; i < size; i++)
        count += more->text[i] == '\0';
    more->argv = mem_zeroed((size_t)argc + count + 1, sizeof(char *));
    for (; more->argc < argc; more->argc++)
        more->argv[more->argc] = argv[more->argc];
    for (size_t at = 0; at < size; at += strlen(more->text + at) + 1)
        more->argv[more->argc++] = more->text + at;
    return OUT_OK;
}

static void free_more_args(struct more_args *more)
{
    free(more->text);
    free(more->argv);
}

enum help { HELP_NONE, HELP_BRIEF, HELP_FULL };

static enum help asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return argv[i][1] == 'h' ? HELP_BRIEF : HELP_FULL;
    return HELP_NONE;
}

/* Before the flags are understood: a mistake among them is answered in JSON too. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static bool is_flag(const char *flag, struct bytes given)
{
    return flag && bytes_equal(bytes_text(flag), given);
}

/* How many arguments the flag at `argv` is, before its command is known; 0: no command has it. */
static int flag_size(char **argv, int argc)
{
    size_t count;
    const struct conf_field *fields = settings_fields(&count);
    const char *name = argv[0] + 2;
    bool is_long = argv[0][1] == '-';
    size_t size = strcspn(name, "=");
    for (size_t i = 0; i < count; i++) {
        bool is_switch = fields[i].kind == CONF_BOOL;
        bool negated = is_long && is_switch && strncmp(name, "no-", 3) == 0;
        const char *word = negated ? name + 3 : name;
        size_t length = negated ? size - 3 : size;
        const struct bytes given = bytes_of(word, length);
        bool found = is_long ? is_flag(fields[i].flag, given) || is_flag(fields[i].old_flag, given)
                             : fields[i].letter && fields[i].letter == argv[0][1];
        if (found)
            return is_switch || (is_long ? name[size] : name[0]) || argc < 2 ? 1 : 2;
    }
    return 0;
}

/* "config_show": also of a command line that is not understood, as far as it names the word. What
 * is a flag's value is none. */
static void name_answer(struct answer *answer, const struct command *command, int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        size_t size = strlen(argv[i]);
        if (size > 1 && argv[i][0] == '-') {
            i += flag_size(argv + i, argc - i) == 2;
            continue;
        }
        const char *at = size ? strstr(command->words, argv[i]) : NULL;
        bool starts = at && (at == command->words || at[-1] == '|');
        if (starts && (at[size] == '|' || at[size] == '\0'))
            answer_name(answer, command->name, argv[i]);
    }
}

/* What is wrong is said on standard error, and in the answer where it is JSON. */
static enum exit_code conclude(struct invocation *invocation, struct error_list *errors,
                               enum exit_code code)
{
    if (output_is_unread())
        return code;
    advice_complete(&invocation->conf, errors);
    if (errors->count)
        fflush(stdout); /* the answer so far comes before what is wrong with it */
    print_mistakes(errors);
    return answer_end(invocation->answer, errors, code);
}

static enum exit_code run_command_of(const struct invocation *invocation, struct error *err)
{
    switch (invocation->command->bit) {
#define X(bit, upper, name, words, summary, examples)                                              \
    case CMD_##upper:                                                                              \
        return name##_command(invocation, err);
        COMMANDS(X)
#undef X
    case CMD_ALL:
        break;
    }
    abort(); /* no command has all bits */
}

static enum exit_code run_loaded(struct invocation *invocation, int argc, char **argv,
                                 char **environment)
{
    struct error err = {0};
    struct more_args more;
    struct error_list errors;
    spawn_end_with_parent();
    int progress_fd = take_progress_fd();
    bool is_held = take_held();
    enum exit_code code;
    error_list_init(&errors);
    if (take_more_args(argc, argv, &more, &err) != OUT_OK ||
        load_settings(invocation, more.argv ? more.argc : argc, more.argv ? more.argv : argv,
                      environment, &errors, &err) != OUT_OK) {
        if (!error_list_has(&errors, &err))
            only(&errors, &err);
        code = command_fail(&err);
    } else {
        struct settings *settings = &invocation->settings;
        settings->progress_fd = progress_fd;
        settings->is_held = is_held;
        settings->answer = invocation->answer;
        settings->answer->wanted = settings->json;
        tell_old_names(invocation);
        log_watched(progress_fd >= 0);
        log_setup_names(invocation->command->name, settings_log_level(settings),
                        settings->log_format);
        code = run_command_of(invocation, &err);
        log_finish();
        if (err.code != ERR_NONE)
            collect_failure(invocation, &err, &errors);
    }
    code = conclude(invocation, &errors, code);
    error_list_free(&errors);
    free_more_args(&more);
    return code;
}

static enum exit_code run_named(const struct command *command, int argc, char **argv,
                                char **environment)
{
    struct invocation *invocation = mem_new(sizeof(*invocation));
    size_t count;
    const struct conf_field *fields = settings_fields(&count);
    struct answer answer;
    answer_init(&answer, asks_for_json(argc, argv), command->name);
    name_answer(&answer, command, argc, argv);
    invocation->command = command;
    invocation->answer = &answer;
    conf_init(&invocation->conf, fields, count, &invocation->settings);
    enum exit_code code = EXIT_OK;
    enum help help = asks_for_help(argc, argv);
    if (help)
        help_print(command, &invocation->conf, help == HELP_BRIEF);
    else
        code = run_loaded(invocation, argc, argv, environment);
    conf_free(&invocation->conf);
    free(invocation);
    answer_free(&answer);
    return code;
}

static enum exit_code unknown_flag(const char *flag, bool json)
{
    struct error err;
    struct buf shown;
    buf_init(&shown, 256);
    text_append_safe(&shown, bytes_text(flag), 60);
    error_set(&err, OUT_FATAL, ERR_USAGE, "unknown flag %s", buf_text(&shown));
    error_hint(&err, "drover help lists the commands, drover COMMAND --help its flags");
    buf_free(&shown);
    return refuse(&err, json);
}

static bool is_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

/* argv without the program's name. */
static enum exit_code run_words(int argc, char **argv, char **environment)
{
    static char *help_flag[] = {"--help", NULL};
    const char *word = argv[0];
    bool help = strcmp(word, "help") == 0;
    if (help && (argc < 2 || is_help(argv[1]))) {
        help_print_commands(stdout);
        return EXIT_OK;
    }
    if (strcmp(word, "--version") == 0)
        word = "version";
    const struct command *command = command_find(help ? argv[1] : word);
    if (!command)
        return unknown_command(help ? argv[1] : word, asks_for_json(argc, argv));
    return help ? run_named(command, 1, help_flag, environment)
                : run_named(command, argc - 1, argv + 1, environment);
}

/* Flags may stand before the command: they are read as if they came behind it. */
enum exit_code cli_main(int argc, char **argv, char **environment)
{
    int at = 1;
    while (at < argc && argv[at][0] == '-' && strcmp(argv[at], "--version") != 0) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            if (at + 1 < argc && argv[at + 1][0] != '-') /* drover --help run */
                return run_words(2, (char *[]){"help", argv[at + 1], NULL}, environment);
            help_print_commands(stdout);
            return EXIT_OK;
        }
        int size = argv[at][1] ? flag_size(argv + at, argc - at) : 0;
        if (size == 0)
            return unknown_flag(argv[at], asks_for_json(argc - 1, argv + 1));
        at += size;
    }
    if (at >= argc) {
        help_print_commands(stderr);
        return EXIT_USAGE;
    }
    char **words = mem_zeroed((size_t)argc + 1, sizeof(char *));
    words[0] = argv[at];
    memcpy(words + 1, argv + 1, (size_t)(at - 1) * sizeof(char *));
    memcpy(words + at, argv + at + 1, (size_t)(argc - at - 1) * sizeof(char *));
    enum exit_code code = run_words(argc - 1, words, environment);
    free(words);
    return code;
}
