#include "control/advice.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/io/settings.h"
#include "control/command.h"

enum { TEXT_LIMIT = 1 << 20 };

static const size_t KEPT[] = {offsetof(struct settings, config_file),
                              offsetof(struct settings, migration)};

static size_t word_size(const char *text)
{
    size_t size = 0;
    while (text[size] >= 'a' && text[size] <= 'z')
        size++;
    return size;
}

/* One of "show|check". */
static bool is_choice(const char *choices, const char *word, size_t size)
{
    while (*choices) {
        size_t length = strcspn(choices, "|");
        if (size && length == size && strncmp(choices, word, size) == 0)
            return true;
        choices += length + (choices[length] == '|');
    }
    return false;
}

static void append_quoted(struct buf *out, const char *value)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./,:=@%+";
    if (value[0] && strspn(value, PLAIN) == strlen(value)) {
        buf_append_text(out, value);
        return;
    }
    buf_append_char(out, '\'');
    for (; *value; value++)
        if (*value == '\'')
            buf_append_text(out, "'\\''");
        else
            buf_append_char(out, *value);
    buf_append_char(out, '\'');
}

static void append_given(struct buf *out, const struct conf *conf, const struct command *command)
{
    for (size_t i = 0; i < conf->field_count; i++) {
        const struct conf_field *field = &conf->fields[i];
        bool kept = field->offset == KEPT[0] || field->offset == KEPT[1];
        if (!kept || conf->origins[i] != CONF_FROM_FLAG || !(field->commands & command->bit))
            continue;
        const char *value = *(const char *const *)((const char *)conf->target + field->offset);
        if (field->letter)
            buf_append_format(out, " -%c ", field->letter);
        else
            buf_append_format(out, " --%s ", field->flag);
        append_quoted(out, value ? value : "");
    }
}

/* The command that `text` begins with, and how long "config show" of it is. */
static const struct command *command_at(const char *text, size_t *size)
{
    char name[32];
    size_t length = word_size(text);
    if (length == 0 || length >= sizeof(name))
        return NULL;
    snprintf(name, sizeof(name), "%.*s", (int)length, text);
    const struct command *command = command_find(name);
    if (!command || command->bit == CMD_EXPLAIN || command->bit == CMD_VERSION)
        return NULL;
    *size = length;
    size_t next = text[length] == ' ' ? word_size(text + length + 1) : 0;
    if (is_choice(command->words, text + length + 1, next))
        *size += 1 + next;
    return command;
}

void advice_append(struct buf *out, const struct conf *conf, const char *text)
{
    static const char PROGRAM[] = "drover ";
    while (*text) {
        size_t size = 0;
        const char *at = strstr(text, PROGRAM);
        if (!at) {
            buf_append_text(out, text);
            return;
        }
        at += sizeof(PROGRAM) - 1;
        buf_append(out, text, (size_t)(at - text));
        const struct command *command = command_at(at, &size);
        buf_append(out, at, size);
        if (command)
            append_given(out, conf, command);
        text = at + size;
    }
}

void advice_say_next(const struct conf *conf, struct buf *next)
{
    struct buf text;
    if (!next->size)
        return;
    fflush(stdout);
    buf_init(&text, TEXT_LIMIT);
    advice_append(&text, conf, buf_text(next));
    fputs(buf_text(&text), stderr);
    buf_free(&text);
}

void advice_complete(const struct conf *conf, struct error_list *errors)
{
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    for (size_t i = 0; i < errors->count; i++) {
        struct error *err = &errors->items[i];
        const char *hint = err->hint[0] ? err->hint : error_code_advice(err->code);
        buf_reset(&text);
        advice_append(&text, conf, hint);
        if (text.size != strlen(hint) && text.size < sizeof(err->hint))
            memcpy(err->hint, buf_text(&text), text.size + 1);
    }
    buf_free(&text);
}
