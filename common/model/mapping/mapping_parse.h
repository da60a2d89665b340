#ifndef DROVER_MODEL_MAPPING_PARSE_H
#define DROVER_MODEL_MAPPING_PARSE_H

/* Pieces of the mapping's reader: mapping_yaml.c has the tools, mapping_columns.c the columns,
 * mapping_parse.c everything else. */

#include "common/base/yaml.h"
#include "common/model/mapping/mapping.h"

/* The reader goes on behind a mistake: each part adds its own to `mistakes` (parse_keep) and is
 * left; what follows from it is not told as well. */
enum { PARSE_ODD_MAX = 256 };

struct parse {
    struct mapping *mapping;
    struct yaml_at root;
    struct error_list *mistakes;
    bool unnamed; /* a column has no name, or another's: it may be the one that is missed */
    const char *odd[PARSE_ODD_MAX]; /* places of maps with unknown keys: what is missed there may
                                        stand under one of them, and is not told as well */
    size_t odd_count;
    bool unclear[MAPPING_COLUMNS_MAX]; /* by column: its type or source could not be read */
};

/* ---- mapping_yaml.c */
enum outcome parse_fail(struct yaml_at node, struct error *err, enum error_code code,
                        const char *text);
/* Adds what a part says to the mistakes; `outcome` as it was. */
enum outcome parse_keep(struct parse *parse, enum outcome outcome, const struct error *err);
/* Unknown keys of a map, all of them, and types cut at their comma. */
void parse_keys(struct parse *parse, struct yaml_at map, const char *inside,
                const char *const *known);
/* "the key names the column x, which is not there", with the nearest one. OUT_OK when there
 * is none near, and a column without a name may be meant. */
MUST_USE enum outcome parse_no_column(struct parse *parse, struct yaml_at node, struct bytes text,
                                      const char *what, enum error_code code, struct error *err);
bool parse_is_name(struct bytes text);
const char *parse_copy(struct arena *arena, struct bytes text);
/* Empty when the node is none or no scalar. */
struct bytes parse_scalar(struct yaml_at node);
int parse_line(struct yaml_at node);
MUST_USE enum outcome parse_word(struct yaml_at node, const char *what, const char *const *names,
                                 size_t *which, struct error *err);
MUST_USE enum outcome parse_name(struct parse *parse, struct yaml_at node, const char *what,
                                 const char **name, struct error *err);
MUST_USE enum outcome parse_pointer(struct parse *parse, struct yaml_at node, const char **pointer,
                                    struct error *err);

struct column *parse_find_column(const struct mapping *mapping, struct bytes name);
bool parse_name_is_used(const struct mapping *mapping, const char *name);
MUST_USE enum outcome parse_flag(struct yaml_at node, bool *flag, struct error *err);
/* NULL when the scalar does not fit the column; made in literals_mut. */
yyjson_mut_val *parse_literal(struct parse *parse, const struct column *column, struct yaml_at node,
                              struct error *err);

/* ---- mapping_columns.c */
MUST_USE enum outcome parse_columns(struct parse *parse, struct error *err);

#endif
