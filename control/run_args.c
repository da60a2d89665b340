/*
 * A child's command line: the flags this run was given, as far as the child's command takes them.
 * File and environment it reads by itself. Secrets have no flags, so none is handed on here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/run.h"

enum { ARGS_MOST = 4096 };

struct args {
    char **items;
    size_t count;
};

static void add(struct args *args, struct buf *text)
{
    if (args->count + 1 < ARGS_MOST)
        args->items[args->count++] = strdup(buf_text(text));
    buf_reset(text);
}

static void add_text(struct args *args, const char *text)
{
    if (args->count + 1 < ARGS_MOST)
        args->items[args->count++] = strdup(text);
}

static void add_list(struct args *args, const char *flag, const struct conf_list *list,
                     struct buf *text)
{
    for (size_t i = 0; i < list->count; i++) {
        buf_append_format(text, "--%s=%s", flag, list->items[i]);
        add(args, text);
    }
}

static void add_map(struct args *args, const char *flag, const struct conf_map *map,
                    struct buf *text)
{
    for (size_t i = 0; i < map->count; i++) {
        buf_append_format(text, "--%s=%s=%s", flag, map->keys[i], map->values[i]);
        add(args, text);
    }
}

/* The member's value as the flag would be written. */
static void add_field(struct args *args, const struct conf_field *field, const void *member,
                      struct buf *text)
{
    switch (field->kind) {
    case CONF_LIST:
        add_list(args, field->flag, member, text);
        return;
    case CONF_MAP:
        add_map(args, field->flag, member, text);
        return;
    case CONF_BOOL:
        buf_append_format(text, "--%s%s", *(const bool *)member ? "" : "no-", field->flag);
        break;
    case CONF_COUNT:
    case CONF_SIZE:
    case CONF_MILLIS: /* plain numbers are bytes and milliseconds */
        buf_append_format(text, "--%s=%" PRIu64, field->flag, *(const uint64_t *)member);
        break;
    default:
        buf_append_format(text, "--%s=%s", field->flag, *(const char *const *)member);
        break;
    }
    add(args, text);
}

static void add_flags(struct args *args, const struct run *run, uint32_t command, struct buf *text)
{
    bool level_given = false;
    for (size_t i = 0; i < run->conf->field_count; i++) {
        const struct conf_field *field = &run->conf->fields[i];
        bool given = run->conf->origins[i] == CONF_FROM_FLAG;
        if (field->offset == offsetof(struct settings, log_level))
            level_given = run->conf->origins[i] != CONF_FROM_DEFAULT;
        if (given && field->flag && (field->commands & command))
            add_field(args, field, (const char *)run->settings + field->offset, text);
    }
    if (!level_given) /* this run's own view tells what their progress lines would */
        add_text(args, "--log-level=warn");
}

static bool reads_standard_input(const struct conf_list *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        if (strcmp(sources->items[i], "-") == 0)
            return true;
    return false;
}

char **run_args_make(const struct run *run, enum run_role role)
{
    static const struct {
        const char *name;
        uint32_t command;
    } ROLES[] = {
        [RUN_PRODUCE] = {"produce", CMD_PRODUCE},
        [RUN_WORK] = {"work", CMD_WORK},
        [RUN_VERIFY] = {"verify", CMD_VERIFY},
    };
    struct args args = {.items = calloc(ARGS_MOST, sizeof(char *))};
    struct buf text;
    if (!args.items)
        abort();
    buf_init(&text, 1 << 20);
    add_text(&args, "drover");
    add_text(&args, ROLES[role].name);
    add_flags(&args, run, ROLES[role].command, &text);
    /* What came from standard input is gone: it is verified against the topic. */
    if (role == RUN_VERIFY && !reads_standard_input(&run->sources))
        add_list(&args, "source", &run->sources, &text);
    if (role == RUN_PRODUCE) {
        add_text(&args, "--");
        for (size_t i = 0; i < run->sources.count; i++)
            add_text(&args, run->sources.items[i]);
    }
    buf_free(&text);
    return args.items;
}

void run_args_free(char **args)
{
    for (size_t i = 0; args[i]; i++)
        free(args[i]);
    free(args);
}
