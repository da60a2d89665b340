/* See the header. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "control/child/child_args.h"

struct args {
    char **items; /* NULL-terminated */
    size_t count, room;
};

static void add_bytes(struct args *args, struct bytes text)
{
    if (args->count + 1 >= args->room) {
        args->room = args->room ? args->room * 2 : 64;
        args->items = mem_resize(args->items, args->room, sizeof(char *));
    }
    char *copy = text.size ? strndup(text.data, text.size) : strdup("");
    if (!copy)
        abort();
    args->items[args->count++] = copy;
    args->items[args->count] = NULL;
}

static void add(struct args *args, struct buf *text)
{
    add_bytes(args, buf_view(text));
    buf_reset(text);
}

static void add_text(struct args *args, const char *text)
{
    add_bytes(args, bytes_text(text));
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

static void add_flags(struct args *args, const struct settings *settings, const struct conf *conf,
                      uint32_t command, struct buf *text)
{
    bool level_given = false;
    for (size_t i = 0; i < conf->field_count; i++) {
        const struct conf_field *field = &conf->fields[i];
        bool given = conf->origins[i] == CONF_FROM_FLAG;
        if (field->offset == offsetof(struct settings, log_level))
            level_given = conf->origins[i] != CONF_FROM_DEFAULT;
        if (given && field->flag && (field->commands & command))
            add_field(args, field, (const char *)settings + field->offset, text);
    }
    if (!level_given) /* the parent's own view tells what their progress lines would */
        add_text(args, "--log-level=warn");
}

static bool reads_standard_input(const struct conf_list *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        if (strcmp(sources->items[i], "-") == 0)
            return true;
    return false;
}

static const struct {
    const char *name;
    uint32_t command;
} ROLES[] = {
    [CHILD_PRODUCE] = {"produce", CMD_PRODUCE},
    [CHILD_WORK] = {"work", CMD_WORK},
    [CHILD_VERIFY] = {"verify", CMD_VERIFY},
};

const char *child_role_name(enum child_role role)
{
    return ROLES[role].name;
}

char **child_args_make(const struct settings *settings, const struct conf *conf,
                       enum child_role role, const char *const *more)
{
    struct args args = {0};
    struct buf text;
    buf_init(&text, 1 << 20);
    add_text(&args, "drover");
    add_text(&args, ROLES[role].name);
    for (; more && *more; more++)
        add_text(&args, *more);
    add_flags(&args, settings, conf, ROLES[role].command, &text);
    buf_free(&text);
    return args.items;
}

/* All of a source, each with what goes before it and a NUL behind it. */
static enum outcome write_all(int file, const struct conf_list *sources, const char *before)
{
    FILE *out = fdopen(dup(file), "w");
    bool ok = out != NULL;
    for (size_t i = 0; ok && i < sources->count; i++)
        ok = fputs(before, out) >= 0 && fputs(sources->items[i], out) >= 0 && fputc(0, out) == 0;
    if (out && fclose(out) != 0)
        ok = false;
    return ok ? OUT_OK : OUT_FATAL;
}

enum outcome child_args_sources(const struct conf_list *sources, enum child_role role, int *file,
                                struct error *err)
{
    *file = -1;
    /* What came from standard input is gone: it is verified against the topic. */
    if (role == CHILD_VERIFY && reads_standard_input(sources))
        return OUT_OK;
    *file = memfd_create("drover-arguments", MFD_CLOEXEC);
    bool ok = *file >= 0 && (role == CHILD_VERIFY || write(*file, "--", 3) == 3) &&
              write_all(*file, sources, role == CHILD_VERIFY ? "--source=" : "") == OUT_OK;
    if (ok)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_INTERNAL, "the sources cannot be handed on");
    error_cause(err, "%s", strerrordesc_np(errno));
    if (*file >= 0)
        close(*file);
    *file = -1;
    return OUT_FATAL;
}

void child_args_free(char **args)
{
    for (size_t i = 0; args[i]; i++)
        free(args[i]);
    free(args);
}
