/* `drover schema print|apply` */
#include <stdio.h>
#include <string.h>

#include "control/command.h"
#include "control/schema_apply.h"

enum { PRINT_LIMIT = 16 << 20 };

static enum exit_code print(const struct settings *settings, const struct mapping_set *mappings,
                            struct error *err)
{
    for (size_t i = 0; i < mappings->count; i++)
        if (schema_index_check(mappings->items[i], err) != OUT_OK)
            return command_fail(err);
    struct schema_roles roles = schema_apply_roles(settings);
    struct buf sql;
    buf_init(&sql, PRINT_LIMIT);
    schema_sql_all(&sql, mappings->items, mappings->count, &roles);
    fwrite(sql.data, 1, sql.size, stdout);
    buf_free(&sql);
    return EXIT_OK;
}

static struct bytes next_line(struct bytes *rest)
{
    const char *end = memchr(rest->data, '\n', rest->size);
    size_t size = end ? (size_t)(end - rest->data) : rest->size;
    struct bytes line = bytes_of(rest->data, size);
    *rest = bytes_of(rest->data + size + (end != NULL), rest->size - size - (end != NULL));
    return line;
}

static void print_json(const struct schema_apply *apply, bool dry_run)
{
    struct buf out;
    buf_init(&out, PRINT_LIMIT);
    buf_append_format(&out, "{\"applied\":%s,\"changes\":[", dry_run ? "false" : "true");
    struct bytes rest = buf_view(&apply->changes);
    for (bool first = true; rest.size; first = false) {
        if (!first)
            buf_append_char(&out, ',');
        buf_append_json(&out, next_line(&rest));
    }
    buf_append_text(&out, "]}\n");
    fwrite(out.data, 1, out.size, stdout);
    buf_free(&out);
}

static void print_changes(const struct schema_apply *apply, bool dry_run)
{
    struct bytes rest = buf_view(&apply->changes);
    while (rest.size) {
        struct bytes line = next_line(&rest);
        printf("%s%.*s\n", dry_run ? "would " : "", BYTES_ARGS(line));
    }
    if (apply->count == 0)
        printf("schema is up to date\n");
    else
        printf("%zu %s%s\n", apply->count, apply->count == 1 ? "change" : "changes",
               dry_run ? ", none made (dry run)" : "");
}

static enum exit_code apply_schema(const struct settings *settings,
                                   const struct mapping_set *mappings, struct error *err)
{
    struct schema_apply apply;
    enum outcome outcome = schema_apply_run(settings, mappings, &apply, err);
    if (outcome == OUT_OK && settings->json)
        print_json(&apply, settings->dry_run);
    else if (outcome == OUT_OK)
        print_changes(&apply, settings->dry_run);
    schema_apply_free(&apply);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

enum exit_code schema_command(const struct invocation *invocation, struct error *err)
{
    static const char *const WORDS[] = {"print", "apply", NULL};
    int word = command_choose(invocation, WORDS, err);
    if (word < 0)
        return EXIT_USAGE;
    struct mapping_set mappings;
    if (mapping_set_load(&invocation->settings, &mappings, err) != OUT_OK)
        return command_fail(err);
    enum exit_code code = word == 0 ? print(&invocation->settings, &mappings, err)
                                    : apply_schema(&invocation->settings, &mappings, err);
    mapping_set_free(&mappings);
    return code;
}
