#ifndef DROVER_MODEL_MAPPING_SET_H
#define DROVER_MODEL_MAPPING_SET_H

/* The mappings a command works with; no entity twice. Read by common/io/mappings.h. */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"
#include "common/base/hash.h"
#include "common/model/mapping/mapping.h"

#define MAPPING_SET_MAX 1000

struct mapping_set {
    struct mapping **items; /* sorted by entity */
    size_t count;
};

void mapping_set_free(struct mapping_set *set);
/* NULL when there is none. */
const struct mapping *mapping_set_find(const struct mapping_set *set, struct bytes entity);
/* The first that writes this table, or NULL. */
const struct mapping *mapping_set_find_table(const struct mapping_set *set, const char *schema,
                                             const char *table);
/* Digest over all fingerprints. */
struct digest mapping_set_fingerprint(const struct mapping_set *set);

#define MAPPING_PIN_SIZE 48
/* What a group is pinned to: its mappings and, where two storages keep their checkpoint in one
 * place (database and hybrid), which of them it is. The digest's 32 hex digits come first. */
void mapping_set_pin(const struct mapping_set *set, bool hybrid, char pin[MAPPING_PIN_SIZE]);
/* Name of the entity nearest to `word`, for suggestions, or NULL. */
const char *mapping_set_nearest(const struct mapping_set *set, struct bytes word);

#endif
