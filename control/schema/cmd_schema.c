/* `drover schema print|apply` */
#include <stdio.h>
#include <string.h>

#include "common/io/postgres/pg_schema.h"
#include "common/io/stores.h"
#include "control/command.h"

enum { PRINT_LIMIT = 16 << 20 };

static enum exit_code print(const struct invocation *invocation, const struct mapping_set *mappings,
                            struct error *err)
{
    for (size_t i = 0; i < mappings->count; i++)
        if (schema_index_check(mappings->items[i], err) != OUT_OK)
            return command_fail(err);
    struct schema_roles roles = pg_schema_roles(&invocation->settings);
    struct buf sql;
    buf_init(&sql, PRINT_LIMIT);
    schema_sql_all(&sql, mappings->items, mappings->count, &roles);
    if (invocation->answer->wanted)
        json_out_verbatim(answer_body(invocation->answer), "sql", buf_view(&sql));
    else
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

static void append_changes(struct json_out *out, const struct pg_schema *apply, bool dry_run)
{
    json_out_bool(out, "applied", !dry_run);
    json_out_list(out, "changes");
    for (struct bytes rest = buf_view(&apply->changes); rest.size;)
        json_out_bytes(out, NULL, next_line(&rest));
    json_out_end(out);
}

static void print_changes(const struct pg_schema *apply, bool dry_run)
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

static enum exit_code apply_schema(const struct invocation *invocation,
                                   const struct mapping_set *mappings, struct error *err)
{
    struct settings mine = invocation->settings;
    const struct settings *settings = &mine;
    struct pg_schema apply;
    mine.load = NULL; /* begun by those who end it: run, or drover load */
    enum outcome outcome =
        pg_schema_apply(settings, mappings, store_of(settings)->has_stage, &apply, err);
    if (outcome == OUT_OK && invocation->answer->wanted)
        append_changes(answer_body(invocation->answer), &apply, settings->dry_run);
    else if (outcome == OUT_OK)
        print_changes(&apply, settings->dry_run);
    pg_schema_free(&apply);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

enum exit_code schema_command(const struct invocation *invocation, struct error *err)
{
    static const char *const WORDS[] = {"print", "apply", NULL};
    int word = command_choose(invocation, WORDS, err);
    if (word < 0)
        return EXIT_USAGE;
    answer_name(invocation->answer, "schema", WORDS[word]);
    struct mapping_set mappings;
    if (mapping_set_load(&invocation->settings, &mappings, err) != OUT_OK)
        return command_fail(err);
    enum exit_code code =
        word == 0 ? print(invocation, &mappings, err) : apply_schema(invocation, &mappings, err);
    mapping_set_free(&mappings);
    return code;
}
