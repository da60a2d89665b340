#ifndef DROVER_BASE_YAML_H
#define DROVER_BASE_YAML_H

/*
 * A thin view of libyaml's document tree: every node keeps its line and column, so that errors
 * can say where. Refused at parse: aliases to themselves, duplicate keys, keys that are not
 * scalars, more than one document, nesting beyond 32, and what would grow beyond a million nodes
 * when its aliases are followed; so walking a tree always ends soon.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/error_list.h"

struct yaml_file; /* opaque: owns the tree */

enum yaml_kind {
    YAML_SCALAR,
    YAML_LIST,
    YAML_MAP,
};

/* A node is a position in its file; value type, cheap to copy. at == 0: no node. */
struct yaml_at {
    const struct yaml_file *file;
    int at;
};

/* Parses; mistakes are added to the list: OUT_FATAL DRV-C003 with name:line:column. Of keys that
 * are written twice the first is read; with any other mistake there is no tree (OUT_FATAL). `name`
 * is copied. An empty text is an empty map. */
MUST_USE enum outcome yaml_parse_all(const char *name, struct bytes text, struct yaml_file **file,
                                     struct error_list *mistakes);
/* Not yaml_free: libyaml exports that name, and would call ours in place of its own. */
void yaml_file_free(struct yaml_file *file);

struct yaml_at yaml_root(const struct yaml_file *file);
enum yaml_kind yaml_kind_of(struct yaml_at node);
/* Scalar text (valid until yaml_file_free, NUL-terminated); plain = written without quotes. */
struct bytes yaml_scalar(struct yaml_at node, bool *plain);
/* True for a plain scalar that YAML reads as null: empty, ~, null. */
bool yaml_is_null(struct yaml_at node);
size_t yaml_count(struct yaml_at list_or_map);
struct yaml_at yaml_item(struct yaml_at list, size_t index);
/* Key (a scalar) and value of the index-th pair. */
struct yaml_at yaml_key(struct yaml_at map, size_t index);
struct yaml_at yaml_value(struct yaml_at map, size_t index);
/* Value under `key`, or no node. */
struct yaml_at yaml_find(struct yaml_at map, const char *key);
bool yaml_has(struct yaml_at node);
/* "file:line:column" of the node into err's where. */
void yaml_where(struct yaml_at node, struct error *err);
/* Keys of `map` not in `known` (NULL-terminated) are added to the list: DRV-C007 with a suggestion
 * ("did you mean"); `inside` names the map. Where the right spelling is not there beside it, the
 * key is read from now on as if it had been written rightly. False when there are others: what is
 * missed in the map may stand under one of them. */
bool yaml_fix_keys(struct yaml_at map, const char *inside, const char *const *known,
                   struct error_list *mistakes);
/* Within { } a plain numeric(12,2) is cut at its comma, into a value and a key of its own: put
 * together again, and added to the list (DRV-M002) with the advice to quote it. */
void yaml_fix_cuts(struct yaml_at map, struct error_list *mistakes);

#endif
