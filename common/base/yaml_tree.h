#ifndef DROVER_BASE_YAML_TREE_H
#define DROVER_BASE_YAML_TREE_H

/* What yaml.c (the view) and yaml_parse.c (reading and refusing) share; nobody else includes it. */

#include <yaml.h>

#include "common/base/yaml.h"

struct yaml_file {
    yaml_document_t document; /* nodes are numbered from 1; the root is 1 */
    char *name;
};

/* Refuses trees the view does not promise to handle (yaml.h says which). Keys that are written
 * twice are added to `twice` and taken out of the tree; NULL: the first of them is refused. */
MUST_USE enum outcome yaml_tree_check(const struct yaml_file *file, struct error_list *twice,
                                      struct error *err);

#endif
