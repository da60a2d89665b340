#ifndef DROVER_MODEL_MAPPING_PARSE_H
#define DROVER_MODEL_MAPPING_PARSE_H

/* Pieces of the mapping's reader, shared by mapping_parse.c and mapping_columns.c. */

#include "common/base/yaml.h"
#include "common/model/mapping.h"

struct parse {
    struct mapping *mapping;
    struct yaml_at root;
};

enum outcome parse_fail(struct yaml_at node, struct error *err, enum error_code code,
                        const char *text);
bool parse_is_name(struct bytes text);
const char *parse_copy(struct arena *arena, struct bytes text);
MUST_USE enum outcome parse_name(struct parse *parse, struct yaml_at node, const char *what,
                                 const char **name, struct error *err);
MUST_USE enum outcome parse_pointer(struct parse *parse, struct yaml_at node, const char **pointer,
                                    struct error *err);
struct column *parse_find_column(const struct mapping *mapping, struct bytes name);
MUST_USE enum outcome parse_columns(struct parse *parse, struct yaml_at list, struct yaml_at rest,
                                    struct error *err);
MUST_USE enum outcome parse_indexes(struct parse *parse, struct yaml_at list, struct error *err);

#endif
