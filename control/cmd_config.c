/* `drover config show|check` */
#include <stdio.h>

#include "common/io/mappings.h"
#include "control/command.h"

enum { SHOW_LIMIT = 1 << 20 };

static enum exit_code show(const struct invocation *invocation)
{
    struct buf out;
    buf_init(&out, SHOW_LIMIT);
    conf_append_yaml(&invocation->conf, invocation->settings.origins, &out);
    fputs(buf_text(&out), stdout);
    buf_free(&out);
    return EXIT_OK;
}

/* The settings were checked when they were loaded; what is left are the mappings. */
static enum exit_code check(const struct invocation *invocation, struct error *err)
{
    const struct settings *settings = &invocation->settings;
    struct mapping_set mappings;
    if (mapping_set_load(settings, &mappings, err) != OUT_OK)
        return command_fail(err);
    printf("%s: good\n", settings->config_file ? settings->config_file : "settings (no file)");
    for (size_t i = 0; i < mappings.count; i++) {
        const struct mapping *mapping = mappings.items[i];
        printf("%s: good: %s -> %s.%s, %zu columns\n", mapping->file, mapping->entity,
               mapping->schema, mapping->table, mapping->column_count);
    }
    mapping_set_free(&mappings);
    return EXIT_OK;
}

enum exit_code config_command(const struct invocation *invocation, struct error *err)
{
    static const char *const WORDS[] = {"show", "check", NULL};
    switch (command_choose(invocation, WORDS, err)) {
    case 0:
        return show(invocation);
    case 1:
        return check(invocation, err);
    default:
        return EXIT_USAGE;
    }
}
