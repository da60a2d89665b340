/* `drover config show|check` */
#include <stdio.h>

#include "common/io/alert/alert_target.h"
#include "common/io/mappings.h"
#include "control/command.h"

enum { SHOW_LIMIT = 1 << 20 };

static enum exit_code show(const struct invocation *invocation)
{
    struct buf out;
    answer_name(invocation->answer, "config", "show");
    if (invocation->answer->wanted) {
        conf_append_json(&invocation->conf, answer_body(invocation->answer), "settings");
        return EXIT_OK;
    }
    buf_init(&out, SHOW_LIMIT);
    conf_append_yaml(&invocation->conf, invocation->settings.origins, &out);
    fputs(buf_text(&out), stdout);
    buf_free(&out);
    return EXIT_OK;
}

static void answer_check(struct answer *answer, const char *file,
                         const struct mapping_set *mappings)
{
    struct json_out *out = answer_body(answer);
    json_out_text(out, "file", file);
    json_out_list(out, "mappings");
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *mapping = mappings->items[i];
        json_out_object(out, NULL);
        json_out_text(out, "file", mapping->file);
        json_out_text(out, "entity", mapping->entity);
        json_out_text(out, "schema", mapping->schema);
        json_out_text(out, "table", mapping->table);
        json_out_count(out, "columns", mapping->column_count);
        json_out_end(out);
    }
    json_out_end(out);
}

static void print_check(const char *file, const struct mapping_set *mappings)
{
    printf("%s: OK\n", file ? file : "settings (no file)");
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *mapping = mappings->items[i];
        printf("%s: OK: %s -> %s.%s, %zu columns\n", mapping->file, mapping->entity,
               mapping->schema, mapping->table, mapping->column_count);
    }
}

/* The settings were checked when they were loaded; what is left are the mappings, and what of the
 * settings is about this host: programs and variables of the alerts. */
static enum exit_code check(const struct invocation *invocation, struct error *err)
{
    const struct settings *settings = &invocation->settings;
    struct mapping_set mappings;
    answer_name(invocation->answer, "config", "check");
    if (alert_target_check_all(settings, err) != OUT_OK ||
        mapping_set_load(settings, &mappings, err) != OUT_OK)
        return command_fail(err);
    if (invocation->answer->wanted)
        answer_check(invocation->answer, settings->config_file, &mappings);
    else
        print_check(settings->config_file, &mappings);
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
