/* Settings from the command line. No abbreviations: a new flag must not change what an old
 * command line means. */

#include <stdio.h>
#include <string.h>

#include "common/base/conf_mistakes.h"
#include "common/base/conf_put.h"
#include "common/base/text.h"

struct command_line {
    struct conf *conf;
    int argc;
    char *const *argv;
    int at; /* of the next argument */
    uint32_t command;
    const char *const *command_names;
    struct error *err;
};

/* How a flag was written: "--lanes" or "-X". */
struct written {
    char flag[80];
    struct bytes name; /* without dashes and "no-" */
    bool letter;
    bool no;
    const char *value; /* after "=" or right behind the letter; NULL when there is none */
};

static bool has_name(const char *flag, const struct written *written)
{
    return flag && bytes_equal(bytes_text(flag), written->name);
}

static bool is_named(const struct conf_field *field, const struct written *written)
{
    if (written->letter)
        return field->letter && field->letter == written->name.data[0];
    return (has_name(field->flag, written) || has_name(field->old_flag, written)) &&
           (!written->no || field->kind == CONF_BOOL);
}

/* The command's field of this name; the same name may mean another field elsewhere. */
static bool find_field(const struct command_line *line, const struct written *written,
                       size_t *index)
{
    for (size_t i = 0; i < line->conf->field_count; i++) {
        const struct conf_field *field = &line->conf->fields[i];
        if ((field->commands & line->command) && is_named(field, written)) {
            *index = i;
            return true;
        }
    }
    return false;
}

static uint32_t other_commands(const struct command_line *line, const struct written *written)
{
    uint32_t commands = 0;
    for (size_t i = 0; i < line->conf->field_count; i++) {
        if (is_named(&line->conf->fields[i], written))
            commands |= line->conf->fields[i].commands;
    }
    return commands;
}

static const char *command_name(const struct command_line *line)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        if (line->command == (uint32_t)1 << bit)
            return line->command_names[bit];
    }
    return "";
}

static enum outcome refuse_foreign(const struct command_line *line, const struct written *written,
                                   uint32_t commands)
{
    struct buf names;
    buf_init(&names, 200);
    for (unsigned bit = 0; bit < 32; bit++) {
        if (commands & (uint32_t)1 << bit)
            buf_append_format(&names, "%s%s", names.size ? ", " : "", line->command_names[bit]);
    }
    error_set(line->err, OUT_FATAL, ERR_USAGE, "%s is not a flag of drover %s", written->flag,
              command_name(line));
    error_hint(line->err, "it belongs to: %s", buf_text(&names));
    buf_free(&names);
    return OUT_FATAL;
}

/* The nearest flag of this command, or one that the word begins. */
static const char *nearest_flag(const struct command_line *line, const char *word)
{
    const char *begun = NULL;
    const char *nearest = NULL;
    for (size_t i = 0; i < line->conf->field_count; i++) {
        const struct conf_field *field = &line->conf->fields[i];
        if (!field->flag || !(field->commands & line->command))
            continue;
        const char *pair[] = {field->flag, nearest};
        const char *nearer = text_nearest(word, pair, 2);
        nearest = nearer ? nearer : nearest;
        if (word[0] && strncmp(field->flag, word, strlen(word)) == 0)
            begun = field->flag;
    }
    return nearest ? nearest : begun;
}

static enum outcome refuse_unknown(const struct command_line *line, const struct written *written)
{
    uint32_t commands = other_commands(line, written);
    if (commands)
        return refuse_foreign(line, written, commands);
    char shown[80];
    struct buf safe;
    buf_init(&safe, 256);
    text_append_safe(&safe, bytes_text(written->flag), 60);
    snprintf(shown, sizeof(shown), "%s", buf_text(&safe));
    buf_free(&safe);
    error_set(line->err, OUT_FATAL, ERR_USAGE, "unknown flag %s", shown);
    const char *nearest = written->letter ? NULL : nearest_flag(line, written->flag + 2);
    if (nearest)
        error_hint(line->err, "did you mean --%s?", nearest);
    else
        error_hint(line->err, "drover %s%s--help lists the flags", command_name(line),
                   command_name(line)[0] ? " " : "");
    return OUT_FATAL;
}

/* What follows is the value unless it looks like the next flag: "--brokers --json" forgot one.
 * Negative numbers and "-" are values; anything else may be given as --flag=value. */
static const char *next_value(struct command_line *line)
{
    if (line->at >= line->argc)
        return NULL;
    const char *next = line->argv[line->at];
    bool flag_like = next[0] == '-' && next[1] && !(next[1] >= '0' && next[1] <= '9');
    return flag_like ? NULL : line->argv[line->at++];
}

static enum outcome put_flag(struct command_line *line, size_t index, const struct written *written)
{
    struct conf_source source = {CONF_FROM_FLAG, written->flag};
    const struct conf_field *field = &line->conf->fields[index];
    const char *value = written->value;
    if (written->no && value) {
        error_set(line->err, OUT_FATAL, ERR_USAGE, "%s takes no value", written->flag);
        return OUT_FATAL;
    }
    if (field->kind == CONF_BOOL && !value)
        value = written->no ? "false" : "true";
    if (!value)
        value = next_value(line);
    if (!value) {
        error_set(line->err, OUT_FATAL, ERR_USAGE, "%s needs a value", written->flag);
        error_hint(line->err, "%s: %s", written->flag, field->help);
        return OUT_FATAL;
    }
    enum outcome outcome = conf_put_text(line->conf, index, bytes_text(value), source, line->err);
    if (outcome == OUT_OK && !written->letter && has_name(field->old_flag, written)) {
        char now[80];
        snprintf(now, sizeof(now), "--%s", field->flag);
        conf_note_old(line->conf, index, written->flag, now, NULL);
    }
    return outcome;
}

static enum outcome load_long(struct command_line *line, const char *argument)
{
    const char *name = argument + 2;
    size_t size = strcspn(name, "=");
    struct written written = {.name = bytes_of(name, size)};
    written.value = name[size] ? name + size + 1 : NULL;
    int shown = size < sizeof(written.flag) - 3 ? (int)size : (int)sizeof(written.flag) - 3;
    snprintf(written.flag, sizeof(written.flag), "--%.*s", shown, name);
    size_t index;
    if (find_field(line, &written, &index))
        return put_flag(line, index, &written);
    if (size > 3 && strncmp(name, "no-", 3) == 0) {
        struct written negated = written;
        negated.name = bytes_of(name + 3, size - 3);
        negated.no = true;
        if (find_field(line, &negated, &index))
            return put_flag(line, index, &negated);
    }
    return refuse_unknown(line, &written);
}

/* "-vq" is two switches; "-Xa=b" and "-X a=b" are one flag with its value. */
static enum outcome load_letters(struct command_line *line, const char *argument)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        struct written written = {.name = bytes_of(letter, 1), .letter = true};
        snprintf(written.flag, sizeof(written.flag), "-%c", *letter);
        size_t index;
        if (!find_field(line, &written, &index))
            return refuse_unknown(line, &written);
        bool is_switch = line->conf->fields[index].kind == CONF_BOOL;
        if (!is_switch && letter[1])
            written.value = letter + 1;
        enum outcome outcome = put_flag(line, index, &written);
        if (outcome != OUT_OK || !is_switch)
            return outcome;
    }
    return OUT_OK;
}

/* Each mistake goes to `mistakes`; without such a list the first one ends it. */
static enum outcome load(struct command_line *line, struct conf_list *positionals,
                         struct error_list *mistakes)
{
    *positionals = (struct conf_list){0};
    positionals->items =
        arena_array(&line->conf->arena, (size_t)line->argc + 1, sizeof(const char *));
    if (!positionals->items)
        return error_set(line->err, OUT_FATAL, ERR_USAGE, "the command line is too long");
    bool flags_ended = false;
    enum outcome all = OUT_OK;
    while (line->at < line->argc && (all == OUT_OK || mistakes)) {
        const char *argument = line->argv[line->at++];
        enum outcome outcome = OUT_OK;
        if (!flags_ended && strcmp(argument, "--") == 0)
            flags_ended = true;
        else if (!flags_ended && strncmp(argument, "--", 2) == 0)
            outcome = load_long(line, argument);
        else if (!flags_ended && argument[0] == '-' && argument[1])
            outcome = load_letters(line, argument);
        else
            positionals->items[positionals->count++] = argument;
        if (outcome != OUT_OK && mistakes)
            error_list_add(mistakes, line->err);
        all = outcome == OUT_OK ? all : outcome;
    }
    return all;
}

enum outcome conf_load_flags(struct conf *conf, int argc, char *const *argv, uint32_t command,
                             const char *const *command_names, struct conf_list *positionals,
                             struct error *err)
{
    struct command_line line = {conf, argc, argv, 0, command, command_names, err};
    return load(&line, positionals, NULL);
}

enum outcome conf_load_flags_all(struct conf *conf, int argc, char *const *argv, uint32_t command,
                                 const char *const *command_names, struct conf_list *positionals,
                                 struct error_list *mistakes)
{
    struct error err = {0};
    struct command_line line = {conf, argc, argv, 0, command, command_names, &err};
    enum outcome outcome = load(&line, positionals, mistakes);
    if (outcome != OUT_OK && mistakes->count == 0)
        error_list_add(mistakes, &err);
    return outcome;
}
