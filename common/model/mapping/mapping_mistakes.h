#ifndef DROVER_MODEL_MAPPING_MISTAKES_H
#define DROVER_MODEL_MAPPING_MISTAKES_H

/* A mapping's reader that goes on behind a mistake, so that all of a file's are told at once. */

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error_list.h"
#include "common/model/mapping/mapping.h"

/* As mapping_parse, but every mistake is added to the list. OUT_FATAL when there was one: *mapping
 * is then what could be made of it, for its entity and table alone (NULL: the file is no YAML); the
 * caller frees it. */
MUST_USE enum outcome mapping_parse_all(const char *file, struct bytes text,
                                        struct mapping **mapping, struct error_list *mistakes);

#endif
