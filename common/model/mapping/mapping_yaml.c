/* What every part of a mapping is read with: words, names, pointers, keys, and mistakes with their
 * place. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/model/mapping/mapping_parse.h"

/* Columns every table has besides the mapping's. */
static const char *const OWN_COLUMNS[] = {"isolation_key",
                                          "drover_version",
                                          "drover_digest",
                                          "drover_generation",
                                          "drover_deleted",
                                          "drover_deleted_at",
                                          NULL};

enum outcome parse_fail(struct yaml_at node, struct error *err, enum error_code code,
                        const char *text)
{
    struct bytes says = parse_scalar(node);
    error_set(err, OUT_FATAL, code, "%s", text);
    yaml_where(node, err);
    if (says.size && err) {
        struct buf safe;
        buf_init(&safe, 1024);
        text_append_safe(&safe, says, 60);
        error_cause(err, "it says \"%s\"", buf_text(&safe));
        buf_free(&safe);
    }
    return OUT_FATAL;
}

enum outcome parse_keep(struct parse *parse, enum outcome outcome, const struct error *err)
{
    bool told = outcome == OUT_OK;
    for (size_t i = 0; i < parse->odd_count && !told; i++)
        told = strcmp(parse->odd[i], err->where) == 0;
    if (!told)
        error_list_add(parse->mistakes, err);
    return outcome;
}

void parse_keys(struct parse *parse, struct yaml_at map, const char *inside,
                const char *const *known)
{
    yaml_fix_cuts(map, parse->mistakes);
    struct error at;
    if (yaml_fix_keys(map, inside, known, parse->mistakes) || parse->odd_count == PARSE_ODD_MAX)
        return;
    yaml_where(map, &at);
    parse->odd[parse->odd_count++] = parse_copy(&parse->mapping->arena, bytes_text(at.where));
}

enum outcome parse_no_column(struct parse *parse, struct yaml_at node, struct bytes text,
                             const char *what, enum error_code code, struct error *err)
{
    const struct mapping *mapping = parse->mapping;
    const char *names[MAPPING_COLUMNS_MAX];
    struct buf safe;
    char word[64] = "";
    for (size_t i = 0; i < mapping->column_count; i++)
        names[i] = mapping->columns[i].name;
    if (text.size < sizeof word)
        snprintf(word, sizeof word, "%.*s", BYTES_ARGS(text));
    const char *nearest = text_nearest(word, names, mapping->column_count);
    if (parse->unnamed && !nearest)
        return OUT_OK;
    buf_init(&safe, 1024);
    text_append_safe(&safe, text, 63);
    error_set(err, OUT_FATAL, code, "%s names a column that is not there: %s", what,
              buf_text(&safe));
    buf_free(&safe);
    yaml_where(node, err);
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    else
        error_hint(err, "name one of the mapping's columns");
    return OUT_FATAL;
}

/* PostgreSQL cuts longer names to 63 bytes with only a notice, so two columns could merge
 * (fault row D07): a strict alphabet and length instead of quoting rules. */
bool parse_is_name(struct bytes text)
{
    if (text.size == 0 || text.size > 63)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

const char *parse_copy(struct arena *arena, struct bytes text)
{
    struct bytes copy = arena_copy(arena, text);
    if (!copy.data)
        abort(); /* the arena is thousands of times what a mapping needs; the file's size is bounded
                  */
    return copy.data;
}

struct bytes parse_scalar(struct yaml_at node)
{
    return yaml_has(node) && yaml_kind_of(node) == YAML_SCALAR ? yaml_scalar(node, NULL)
                                                               : (struct bytes){0};
}

/* The line of the mapping file, for messages about records. */
int parse_line(struct yaml_at node)
{
    struct error where = {0};
    yaml_where(node, &where); /* file:line:column */
    char *last = strrchr(where.where, ':');
    if (!last)
        return 0;
    *last = '\0';
    char *line = strrchr(where.where, ':');
    return line ? (int)strtol(line + 1, NULL, 10) : 0;
}

/* One of a few words; what is none of them is told with all of them and the nearest. */
enum outcome parse_word(struct yaml_at node, const char *what, const char *const *names,
                        size_t *which, struct error *err)
{
    struct bytes text = parse_scalar(node);
    char known[160] = "";
    size_t count = 0, used = 0;
    for (; names[count]; count++) {
        if (bytes_equal(text, bytes_text(names[count]))) {
            *which = count;
            return OUT_OK;
        }
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", count ? " " : "",
                                     names[count]);
    }
    error_set(err, OUT_FATAL, ERR_MAPPING, "%s is one of: %s", what, known);
    yaml_where(node, err);
    const char *nearest = text.size ? text_nearest(text.data, names, count) : NULL;
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    return OUT_FATAL;
}

enum outcome parse_name(struct parse *parse, struct yaml_at node, const char *what,
                        const char **name, struct error *err)
{
    struct bytes text = parse_scalar(node);
    if (!parse_is_name(text)) {
        error_set(err, OUT_FATAL, ERR_MAPPING,
                  "%s must be a name of a-z, 0-9 and _, at most 63 bytes", what);
        yaml_where(yaml_has(node) ? node : parse->root, err);
        return OUT_FATAL;
    }
    *name = parse_copy(&parse->mapping->arena, text);
    return OUT_OK;
}

/* RFC 6901: behind ~ stands 0 or 1. */
static bool escapes_are_valid(struct bytes pointer)
{
    for (size_t i = 0; i < pointer.size; i++)
        if (pointer.data[i] == '~' &&
            (i + 1 == pointer.size || (pointer.data[i + 1] != '0' && pointer.data[i + 1] != '1')))
            return false;
    return true;
}

enum outcome parse_pointer(struct parse *parse, struct yaml_at node, const char **pointer,
                           struct error *err)
{
    struct bytes text = parse_scalar(node);
    if (text.size < 2 || text.size > 250 || text.data[0] != '/' || strlen(text.data) != text.size ||
        !escapes_are_valid(text))
        return parse_fail(yaml_has(node) ? node : parse->root, err, ERR_MAPPING,
                          "a member is named by a JSON pointer such as /name or /meta/name");
    *pointer = parse_copy(&parse->mapping->arena, text);
    return OUT_OK;
}

struct column *parse_find_column(const struct mapping *mapping, struct bytes name)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (bytes_equal(bytes_text(mapping->columns[i].name), name))
            return &mapping->columns[i];
    return NULL;
}

bool parse_name_is_used(const struct mapping *mapping, const char *name)
{
    for (size_t i = 0; OWN_COLUMNS[i]; i++)
        if (strcmp(OWN_COLUMNS[i], name) == 0)
            return true;
    for (size_t i = 0; i < mapping->generated_count; i++)
        if (strcmp(mapping->generated[i].name, name) == 0)
            return true;
    return parse_find_column(mapping, bytes_text(name)) != NULL;
}

enum outcome parse_flag(struct yaml_at node, bool *flag, struct error *err)
{
    if (!yaml_has(node))
        return OUT_OK;
    struct bytes text = parse_scalar(node);
    *flag = bytes_equal(text, BYTES_LITERAL("true"));
    if (!*flag && !bytes_equal(text, BYTES_LITERAL("false")))
        return parse_fail(node, err, ERR_MAPPING,
                          "required, seal, withhold and unique are true or false");
    return OUT_OK;
}

/* A default or allowed value, checked against the column's type here, so that no record can fail
 * for it. */
yyjson_mut_val *parse_literal(struct parse *parse, const struct column *column, struct yaml_at node,
                              struct error *err)
{
    bool plain = false, exact = false;
    struct cell cell;
    if (yaml_kind_of(node) != YAML_SCALAR) {
        parse_fail(node, err, ERR_MAPPING, "the value must be a single one");
        return NULL;
    }
    struct bytes text = yaml_scalar(node, &plain);
    yyjson_mut_val *val = value_from_yaml(&column->type, text, plain, parse->mapping->literals_mut);
    yyjson_doc *frozen = val ? yyjson_mut_val_imut_copy(val, NULL) : NULL;
    if (!frozen || value_encode(&column->type, yyjson_doc_get_root(frozen), &parse->mapping->arena,
                                &cell, &exact, NULL) != OUT_OK) {
        parse_fail(node, err, ERR_MAPPING, "the value does not fit the column's type");
        val = NULL;
    }
    yyjson_doc_free(frozen);
    return val;
}
