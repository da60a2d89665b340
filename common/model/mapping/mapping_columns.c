/* YAML to column program: the columns and the indexes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/text.h"
#include "common/model/mapping/mapping_parse.h"
#include "common/model/mapping/mapping_value.h"

static const char *const COLUMN_KEYS[] = {"name",  "from",      "type", "required",  "default",
                                          "allow", "min",       "max",  "tolerance", "decode",
                                          "as",    "generated", "seal", "withhold",  NULL};

/* Columns that PostgreSQL itself has in every table (catalog/heap.c, SysAtt; stable since 12). */
static const char *const SYSTEM_COLUMNS[] = {"tableoid", "xmin", "cmin", "xmax",
                                             "cmax",     "ctid", NULL};

static enum outcome check_system_name(struct yaml_at node, const char *name, struct error *err)
{
    for (size_t i = 0; SYSTEM_COLUMNS[i]; i++) {
        if (strcmp(SYSTEM_COLUMNS[i], name) != 0)
            continue;
        error_set(err, OUT_FATAL, ERR_MAPPING, "%s is a column PostgreSQL keeps for itself", name);
        yaml_where(node, err);
        error_hint(err, "give the column another name, such as %s_; its from: can stay", name);
        return OUT_FATAL;
    }
    return OUT_OK;
}

/* What other programs call it. */
static const char *other_name(struct bytes text)
{
    static const char *const NAMES[][2] = {
        {"string", "text"},
        {"str", "text"},
        {"char", "varchar(n)"},
        {"double", "float8"},
        {"number", "numeric"},
        {"long", "int8"},
        {"datetime", "timestamptz"},
        {"object", "jsonb"},
        {"array", "jsonb"},
        {"json", "jsonb"},
        {"blob", "bytea"},
        {"serial", "int8"},
        {"byte", "int2"},
        {"binary", "bytea"},
        {"guid", "uuid"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (text.size == strlen(NAMES[i][0]) && strncasecmp(text.data, NAMES[i][0], text.size) == 0)
            return NAMES[i][1];
    return NULL;
}

static enum outcome parse_type(struct yaml_at column, struct yaml_at node, struct value_type *type,
                               struct error *err)
{
    struct bytes text = parse_scalar(node);
    if (text.size && value_type_parse(text, type))
        return OUT_OK;
    const char *const *names = value_type_names();
    size_t count = 0;
    while (names[count])
        count++;
    const char *nearest = text.size ? text_nearest(text.data, names, count) : NULL;
    struct buf safe;
    buf_init(&safe, 1024);
    text_append_safe(&safe, text, 60);
    if (text.size)
        error_set(err, OUT_FATAL, ERR_MAPPING_TYPE, "unknown column type \"%s\"", buf_text(&safe));
    else
        error_set(err, OUT_FATAL, ERR_MAPPING_TYPE, "the column has no type");
    buf_free(&safe);
    yaml_where(yaml_has(node) ? node : column, err);
    if (!nearest && text.size)
        nearest = other_name(text);
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    else
        error_hint(err, "types are text, varchar(n), bool, int2, int4, int8, float4, float8, "
                        "numeric(p,s), date, timestamp, timestamptz, uuid, jsonb, bytea, and "
                        "\"TYPE[]\"");
    return OUT_FATAL;
}

static enum outcome parse_form(struct yaml_at node, struct value_type *type, struct error *err)
{
    static const struct {
        const char *name;
        enum value_form form;
    } FORMS[] = {{"string", FORM_STRING},     {"number", FORM_NUMBER},
                 {"epoch_s", FORM_EPOCH_S},   {"epoch_ms", FORM_EPOCH_MS},
                 {"epoch_us", FORM_EPOCH_US}, {"loose", FORM_LOOSE},
                 {"natural", FORM_NATURAL}};
    if (!yaml_has(node))
        return OUT_OK;
    struct bytes text = parse_scalar(node);
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        if (!bytes_equal(text, bytes_text(FORMS[i].name)))
            continue;
        type->form = FORMS[i].form;
        return value_form_fits(type) ? OUT_OK
                                     : parse_fail(node, err, ERR_MAPPING_TYPE,
                                                  "this form does not go with the column's type");
    }
    return parse_fail(node, err, ERR_MAPPING,
                      "as is string, number, loose, epoch_s, epoch_ms or epoch_us");
}

static void parse_is_unclear(struct parse *parse, const struct column *column)
{
    parse->unclear[column - parse->mapping->columns] = true;
}

static enum outcome parse_pointers(struct parse *parse, struct yaml_at node, struct column *column,
                                   struct error *err)
{
    bool list = yaml_kind_of(node) == YAML_LIST;
    size_t count = list ? yaml_count(node) : 1;
    if (count == 0)
        return parse_fail(node, err, ERR_MAPPING, "from names no member");
    const char **pointers = arena_array(&parse->mapping->arena, count, sizeof *pointers);
    enum outcome outcome = OUT_OK;
    size_t before = parse->mistakes->count;
    for (size_t i = 0; i < count; i++)
        parse_keep(parse, parse_pointer(parse, list ? yaml_item(node, i) : node, &pointers[i], err),
                   err);
    if (parse->mistakes->count > before)
        parse_is_unclear(parse, column);
    column->source = FROM_POINTERS;
    column->pointers = pointers;
    column->pointer_count = count;
    return outcome;
}

static enum outcome check_word_type(struct yaml_at node, const struct column *column,
                                    struct error *err)
{
    const struct value_type *type = &column->type;
    bool json = column->source == FROM_TENANT_CONTEXT || column->source == FROM_VALUE;
    bool text = column->source == FROM_USER || column->source == FROM_ORIGIN;
    if (json && (type->base != VALUE_JSONB || type->array))
        return parse_fail(node, err, ERR_MAPPING_TYPE, "this source needs type: jsonb");
    if (text && (type->base != VALUE_TEXT || type->array))
        return parse_fail(node, err, ERR_MAPPING_TYPE, "this source needs type: text");
    if (type->array || (!json && type->base == VALUE_JSONB))
        return parse_fail(node, err, ERR_MAPPING_TYPE, "this source gives neither arrays nor json");
    return OUT_OK;
}

/* from: a pointer, a list of pointers, or one of the $ words. */
static enum outcome parse_from(struct parse *parse, struct yaml_at at, struct yaml_at node,
                               struct column *column, struct error *err)
{
    static const struct {
        const char *name;
        enum column_source source;
    } WORDS[] = {{"$key", FROM_KEY},
                 {"$key_suffix", FROM_KEY_SUFFIX},
                 {"$index", FROM_INDEX},
                 {"$index1", FROM_INDEX1},
                 {"$value", FROM_VALUE},
                 {"$tenant_context", FROM_TENANT_CONTEXT},
                 {"$isolation_key", FROM_ISOLATION_KEY},
                 {"$user", FROM_USER},
                 {"$origin", FROM_ORIGIN}};
    if (!yaml_has(node))
        return parse_fail(at, err, ERR_MAPPING, "the column has no from");
    struct bytes text = parse_scalar(node);
    if (text.size == 0 || text.data[0] != '$')
        return parse_pointers(parse, node, column, err);
    const char *names[sizeof WORDS / sizeof *WORDS + 1] = {0};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        names[i] = WORDS[i].name;
    size_t which;
    enum outcome outcome = parse_word(node, "from", names, &which, err);
    if (outcome != OUT_OK)
        return outcome;
    column->source = WORDS[which].source;
    bool typed = !parse->unclear[column - parse->mapping->columns];
    return typed ? check_word_type(node, column, err) : OUT_OK;
}

static enum outcome parse_decimal_option(struct yaml_at node, bool *has, struct decimal *number,
                                         struct error *err)
{
    *has = yaml_has(node);
    if (*has && !decimal_parse(parse_scalar(node), number))
        return parse_fail(node, err, ERR_MAPPING, "min and max are numbers");
    return OUT_OK;
}

static enum outcome parse_tolerance(struct yaml_at node, struct column *column, struct error *err)
{
    if (!yaml_has(node))
        return OUT_OK;
    struct bytes text = parse_scalar(node);
    char *end = NULL;
    column->tolerance = text.size ? strtod(text.data, &end) : -1;
    if (!(column->tolerance >= 0) || !end || *end)
        return parse_fail(node, err, ERR_MAPPING, "tolerance is a number of at least 0");
    return OUT_OK;
}

static bool is_among(yyjson_mut_val *list, yyjson_mut_val *val)
{
    for (size_t i = 0; i < yyjson_mut_arr_size(list); i++)
        if (yyjson_mut_equals(yyjson_mut_arr_get(list, i), val))
            return true;
    return false;
}

/* Literals are gathered as [[default] or [], [allowed…] or []] per column, frozen at the end. */
static enum outcome parse_literals(struct parse *parse, struct yaml_at at, struct column *column,
                                   yyjson_mut_val *gathered, struct error *err)
{
    yyjson_mut_doc *doc = parse->mapping->literals_mut;
    yyjson_mut_val *fill = yyjson_mut_arr(doc), *allow = yyjson_mut_arr(doc);
    struct yaml_at node = yaml_find(at, "default"), list = yaml_find(at, "allow");
    if (yaml_has(node)) {
        yyjson_mut_val *val = parse_literal(parse, column, node, err);
        if (!val)
            return OUT_FATAL;
        yyjson_mut_arr_append(fill, val);
    }
    if (yaml_has(list)) {
        if (yaml_kind_of(list) != YAML_LIST || yaml_count(list) == 0)
            return parse_fail(list, err, ERR_MAPPING, "allow is a list of values");
        for (size_t i = 0; i < yaml_count(list); i++) {
            yyjson_mut_val *val = parse_literal(parse, column, yaml_item(list, i), err);
            if (!val)
                return OUT_FATAL;
            yyjson_mut_arr_append(allow, val);
        }
    }
    yyjson_mut_val *first = yyjson_mut_arr_get_first(fill);
    if (first && yyjson_mut_arr_size(allow) && !is_among(allow, first))
        return parse_fail(node, err, ERR_MAPPING, "the default is not one of the values in allow");
    yyjson_mut_arr_append(gathered, fill);
    yyjson_mut_arr_append(gathered, allow);
    return OUT_OK;
}

static enum outcome parse_decode(struct yaml_at at, struct column *column, struct error *err)
{
    struct yaml_at node = yaml_find(at, "decode");
    if (!yaml_has(node))
        return OUT_OK;
    if (!bytes_equal(parse_scalar(node), BYTES_LITERAL("json")))
        return parse_fail(node, err, ERR_MAPPING, "decode is json");
    if (column->has_min || column->has_max || yaml_has(yaml_find(at, "allow")))
        return parse_fail(node, err, ERR_MAPPING,
                          "decode: json does not go with allow, min and max");
    column->decode_json = true;
    return OUT_OK;
}

/* A secret's cell is its reference, a token's is nothing: what would look at the value does not go
 * with either. */
static enum outcome parse_secrecy(struct yaml_at at, struct column *column, struct error *err)
{
    static const char *const OTHERS[] = {"default", "allow",  "min",      "max",
                                         "as",      "decode", "tolerance"};
    enum outcome outcome = parse_flag(yaml_find(at, "seal"), &column->seal, err);
    if (outcome == OUT_OK)
        outcome = parse_flag(yaml_find(at, "withhold"), &column->withhold, err);
    if (outcome != OUT_OK || (!column->seal && !column->withhold))
        return outcome;
    if (column->seal && column->withhold)
        return parse_fail(at, err, ERR_MAPPING, "a column is sealed or withheld, not both");
    if (column->source != FROM_POINTERS)
        return parse_fail(at, err, ERR_MAPPING, "only members can be sealed or withheld");
    if (column->type.array || column->type.base != VALUE_TEXT)
        return parse_fail(at, err, ERR_MAPPING_TYPE, "a sealed or withheld column is type: text");
    if (column->withhold && column->required)
        return parse_fail(at, err, ERR_MAPPING, "a withheld column is always NULL: not required");
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        if (yaml_has(yaml_find(at, OTHERS[i])))
            return parse_fail(yaml_find(at, OTHERS[i]), err, ERR_MAPPING,
                              "this option does not go with seal and withhold");
    return OUT_OK;
}

/* Every option, but for those that rest on a type or a source that could not be read. */
static void parse_column(struct parse *parse, struct yaml_at at, struct column *column,
                         yyjson_mut_val *gathered)
{
    struct error error, *err = &error;
    enum outcome outcome = parse_type(at, yaml_find(at, "type"), &column->type, err);
    if (parse_keep(parse, outcome, err) != OUT_OK)
        parse_is_unclear(parse, column);
    else
        parse_keep(parse, parse_form(yaml_find(at, "as"), &column->type, err), err);
    outcome = parse_from(parse, at, yaml_find(at, "from"), column, err);
    if (parse_keep(parse, outcome, err) != OUT_OK)
        parse_is_unclear(parse, column);
    parse_keep(parse, parse_flag(yaml_find(at, "required"), &column->required, err), err);
    outcome = parse_decimal_option(yaml_find(at, "min"), &column->has_min, &column->min, err);
    parse_keep(parse, outcome, err);
    outcome = parse_decimal_option(yaml_find(at, "max"), &column->has_max, &column->max, err);
    if (outcome == OUT_OK && column->has_min && column->has_max &&
        decimal_compare(&column->min, &column->max) > 0)
        outcome = parse_fail(yaml_find(at, "max"), err, ERR_MAPPING, "max is less than min");
    parse_keep(parse, outcome, err);
    parse_keep(parse, parse_tolerance(yaml_find(at, "tolerance"), column, err), err);
    parse_keep(parse, parse_decode(at, column, err), err);
    if (parse->unclear[column - parse->mapping->columns])
        return;
    parse_keep(parse, parse_secrecy(at, column, err), err);
    parse_keep(parse, parse_literals(parse, at, column, gathered, err), err);
}

static enum outcome parse_generated(struct parse *parse, struct yaml_at node, struct yaml_at at,
                                    const char *name, struct error *err)
{
    static const char *const KEYS[] = {"name", "type", "generated", NULL};
    struct mapping *mapping = parse->mapping;
    struct generated_column *made = &mapping->generated[mapping->generated_count++];
    struct bytes kind = parse_scalar(node);
    made->name = name;
    if (bytes_equal(kind, BYTES_LITERAL("identity")))
        made->kind = GENERATED_IDENTITY;
    else if (bytes_equal(kind, BYTES_LITERAL("on_insert")))
        made->kind = GENERATED_ON_INSERT;
    else if (bytes_equal(kind, BYTES_LITERAL("on_write")))
        made->kind = GENERATED_ON_WRITE;
    else
        return parse_fail(node, err, ERR_MAPPING, "generated is identity, on_insert or on_write");
    parse_keys(parse, at, "a generated column", KEYS);
    enum outcome outcome = parse_type(at, yaml_find(at, "type"), &made->type, err);
    bool integer = made->type.base == VALUE_INT4 || made->type.base == VALUE_INT8;
    bool time = made->type.base == VALUE_TIMESTAMP || made->type.base == VALUE_TIMESTAMPTZ;
    if (outcome == OUT_OK && (made->kind == GENERATED_IDENTITY ? !integer : !time))
        outcome = parse_fail(at, err, ERR_MAPPING_TYPE,
                             "identity goes with int8, on_insert and on_write with a time");
    return outcome;
}

static size_t depth_of(const struct column *column)
{
    size_t depth = 0;
    for (const char *at = column->pointers[0]; *at; at++)
        depth += *at == '/';
    return depth;
}

/* Also alternatives of one column among themselves. */
static bool columns_touch(const struct column *a, const struct column *b)
{
    for (size_t i = 0; i < a->pointer_count; i++)
        for (size_t k = a == b ? i + 1 : 0; k < b->pointer_count; k++)
            if (pointers_touch(a->pointers[i], b->pointers[k]))
                return true;
    return false;
}

/* The first names of a column's pointers: "/a~1b/c" begins with "a/b". */
static void prepare_steps(struct mapping *mapping, struct column *column)
{
    struct first_step *steps = arena_array(&mapping->arena, column->pointer_count, sizeof *steps);
    for (size_t i = 0; i < column->pointer_count; i++) {
        const char *at = column->pointers[i] + (column->pointers[i][0] == '/');
        size_t size = strcspn(at, "/"), kept = 0;
        char *name = arena_alloc(&mapping->arena, size + 1);
        for (size_t k = 0; k < size; k++) {
            bool escape = at[k] == '~' && (at[k + 1] == '0' || at[k + 1] == '1');
            name[kept++] = !escape ? at[k] : at[k + 1] == '0' ? '~' : '/';
            k += escape;
        }
        name[kept] = '\0';
        steps[i] = (struct first_step){member_name_of(bytes_of(name, kept)), at[size] == '/'};
    }
    column->steps = steps;
}

/* What the program asks of the columns' pointers, once: which of them have members in common, and
 * an order in which what is inside comes after what is around it. */
static void order_members(struct mapping *mapping)
{
    size_t *order = arena_array(&mapping->arena, mapping->column_count, sizeof *order);
    size_t count = 0;
    for (size_t i = 0; i < mapping->column_count; i++) {
        struct column *column = &mapping->columns[i];
        if (column->source != FROM_POINTERS)
            continue;
        prepare_steps(mapping, column);
        for (size_t k = 0; k < mapping->column_count && !column->shares; k++)
            column->shares = mapping->columns[k].source == FROM_VALUE ||
                             columns_touch(column, &mapping->columns[k]);
        size_t at = count++;
        for (; at > 0 && depth_of(&mapping->columns[order[at - 1]]) > depth_of(column); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    mapping->by_depth = order;
    mapping->by_depth_count = count;
    members_plan(mapping);
    members_judge(mapping);
}

/* The literal arrays become immutable, so that columns can point into them. */
static void freeze_literals(struct mapping *mapping, yyjson_mut_val *gathered)
{
    bool exact;
    yyjson_mut_doc_set_root(mapping->literals_mut, gathered);
    mapping->literals = yyjson_mut_doc_imut_copy(mapping->literals_mut, NULL);
    yyjson_val *root = yyjson_doc_get_root(mapping->literals);
    for (size_t i = 0; i < mapping->column_count; i++) {
        struct column *column = &mapping->columns[i];
        if (column->source == FROM_REST)
            continue;
        yyjson_val *fill = yyjson_arr_get(root, 2 * i), *allow = yyjson_arr_get(root, 2 * i + 1);
        column->fill = fill ? yyjson_arr_get_first(fill) : NULL;
        column->allow = allow && yyjson_arr_size(allow) ? allow : NULL;
        /* parse_literal has seen that it can be encoded */
        if (column->fill && value_encode(&column->type, column->fill, &mapping->arena,
                                         &column->fill_cell, &exact, NULL) != OUT_OK)
            column->fill = NULL;
    }
    if (mapping->on_delete == DELETE_SOFT)
        mapping->soft_value = yyjson_arr_get_last(root);
}

static enum outcome parse_one(struct parse *parse, struct yaml_at at, yyjson_mut_val *gathered,
                              struct error *err)
{
    struct mapping *mapping = parse->mapping;
    const char *name = NULL;
    if (yaml_kind_of(at) != YAML_MAP)
        return parse_fail(at, err, ERR_MAPPING, "a column is a map: { name: …, from: …, type: … }");
    struct yaml_at named = yaml_find(at, "name"), generated = yaml_find(at, "generated");
    /* a generated column has keys of its own, fewer */
    if (!yaml_has(generated))
        parse_keys(parse, at, "a column", COLUMN_KEYS);
    named = yaml_has(named) ? named : yaml_find(at, "name");
    if (parse_keep(parse,
                   parse_name(parse, yaml_has(named) ? named : at, "a column's name", &name, err),
                   err) != OUT_OK) {
        /* what refers to it is no mistake of its own */
        name = parse_copy(&mapping->arena, parse_scalar(named));
        parse->unnamed = parse->unnamed || !name[0];
    } else if (parse_name_is_used(mapping, name)) {
        parse->unnamed = true; /* the one it was to have is missed elsewhere */
        return parse_fail(yaml_has(named) ? named : at, err, ERR_MAPPING,
                          "the column's name is taken already");
    }
    parse_keep(parse, check_system_name(yaml_has(named) ? named : at, name, err), err);
    if (yaml_has(generated))
        return parse_generated(parse, generated, at, name, err);
    struct column *column = &mapping->columns[mapping->column_count++];
    column->name = name;
    column->key_at = -1;
    column->line = parse_line(at);
    parse_column(parse, at, column, gathered);
    return OUT_OK;
}

static enum outcome add_rest(struct parse *parse, struct yaml_at rest, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    if (!yaml_has(rest))
        return OUT_OK;
    struct column *column = &mapping->columns[mapping->column_count];
    column->name = "";
    enum outcome outcome = parse_name(parse, rest, "rest", &column->name, err);
    if (outcome == OUT_OK && parse_name_is_used(mapping, column->name))
        outcome = parse_fail(rest, err, ERR_MAPPING,
                             "rest must be a column of its own, not one of columns");
    if (outcome == OUT_OK)
        outcome = check_system_name(rest, column->name, err);
    column->type.base = VALUE_JSONB;
    column->source = FROM_REST;
    column->key_at = -1;
    mapping->rest_at = (int)mapping->column_count++;
    return outcome;
}

/* ---- on_delete --------------------------------------------------------------------------- */

static bool can_be_soft(const struct column *column)
{
    enum value_base base = column->type.base;
    bool kind = base == VALUE_TEXT || base == VALUE_VARCHAR || base == VALUE_BOOL ||
                base == VALUE_INT2 || base == VALUE_INT4 || base == VALUE_INT8;
    return kind && !column->type.array && column->type.form == FORM_NATURAL &&
           column->source == FROM_POINTERS && column->key_at < 0 && !column->seal &&
           !column->withhold;
}

static enum outcome parse_soft(struct parse *parse, struct yaml_at node, yyjson_mut_val *gathered,
                               struct error *err)
{
    static const char *const KEYS[] = {"column", "value", NULL};
    struct mapping *mapping = parse->mapping;
    parse_keys(parse, node, "on_delete", KEYS);
    struct yaml_at name = yaml_find(node, "column"), value = yaml_find(node, "value");
    struct column *column = parse_find_column(mapping, parse_scalar(name));
    if (!yaml_has(name))
        return parse_fail(node, err, ERR_MAPPING, "on_delete names no column");
    if (!column)
        return parse_no_column(parse, name, parse_scalar(name), "on_delete", ERR_MAPPING, err);
    if (parse->unclear[column - mapping->columns])
        return OUT_OK;
    if (!can_be_soft(column))
        return parse_fail(name, err, ERR_MAPPING,
                          "a soft delete sets a text, bool or integer column made of a member");
    if (!yaml_has(value))
        return parse_fail(node, err, ERR_MAPPING, "on_delete has no value for the column");
    yyjson_mut_val *literal = parse_literal(parse, column, value, err);
    if (!literal)
        return OUT_FATAL;
    yyjson_mut_arr_append(gathered, literal);
    mapping->on_delete = DELETE_SOFT;
    mapping->soft_column = (int)(column - mapping->columns);
    return OUT_OK;
}

static enum outcome parse_on_delete(struct parse *parse, yyjson_mut_val *gathered,
                                    struct error *err)
{
    static const char *const NAMES[] = {"tombstone", "hard", NULL};
    struct yaml_at node = yaml_find(parse->root, "on_delete");
    size_t which;
    parse->mapping->soft_column = -1;
    if (!yaml_has(node))
        return OUT_OK;
    if (yaml_kind_of(node) == YAML_MAP)
        return parse_soft(parse, node, gathered, err);
    enum outcome outcome =
        parse_word(node, "on_delete, if not {column, value},", NAMES, &which, err);
    if (outcome == OUT_OK)
        parse->mapping->on_delete = which ? DELETE_HARD : DELETE_TOMBSTONE;
    return outcome;
}

/* ---- all of them ------------------------------------------------------------------------- */

enum outcome parse_columns(struct parse *parse, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    struct yaml_at list = yaml_find(parse->root, "columns");
    if (!yaml_has(list) || yaml_kind_of(list) != YAML_LIST || yaml_count(list) == 0)
        return parse_fail(yaml_has(list) ? list : parse->root, err, ERR_MAPPING,
                          "columns must list at least one column");
    size_t count = yaml_count(list);
    if (count >= MAPPING_COLUMNS_MAX)
        return parse_fail(list, err, ERR_MAPPING, "a mapping may have 199 columns");
    mapping->columns = arena_array(&mapping->arena, count + 1, sizeof *mapping->columns);
    mapping->generated = arena_array(&mapping->arena, count, sizeof *mapping->generated);
    mapping->literals_mut = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *gathered = yyjson_mut_arr(mapping->literals_mut);
    size_t before = parse->mistakes->count;
    for (size_t i = 0; i < count; i++)
        parse_keep(parse, parse_one(parse, yaml_item(list, i), gathered, err), err);
    parse_keep(parse, add_rest(parse, yaml_find(parse->root, "rest"), err), err);
    parse_keep(parse, parse_on_delete(parse, gathered, err), err);
    bool whole = parse->mistakes->count == before; /* else it is only read on, never used */
    if (!whole)
        return OUT_OK;
    freeze_literals(mapping, gathered);
    order_members(mapping);
    return OUT_OK;
}
