#ifndef DROVER_IO_MAPPINGS_H
#define DROVER_IO_MAPPINGS_H

/* The set of mappings a command works with, read from the files, folders and patterns of the
 * settings. */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/base/error_list.h"
#include "common/io/settings.h"
#include "common/model/mapping.h"

struct mapping_set {
    struct mapping **items; /* sorted by entity */
    size_t count;
};

/* All errors are OUT_FATAL: unreadable file, bad mapping, two mappings of one entity or one table,
 * a reference to what is not there, none at all. */
MUST_USE enum outcome mapping_set_load(const struct settings *settings, struct mapping_set *set,
                                       struct error *err);
/* Every mistake of every file, sorted by file and line; none: nothing is added. What mappings say
 * of each other's keys is looked at when each is right by itself. */
void mapping_set_check(const struct settings *settings, struct error_list *mistakes);
void mapping_set_free(struct mapping_set *set);
/* NULL when there is none. */
const struct mapping *mapping_set_find(const struct mapping_set *set, struct bytes entity);
/* Digest over all fingerprints. */
struct digest mapping_set_fingerprint(const struct mapping_set *set);

#define MAPPING_PIN_SIZE 48
/* What a group is pinned to: its mappings and, where two storages keep their progress in one place
 * (database and hybrid), which of them it is. The digest's 32 hex digits come first. */
void mapping_set_pin(const struct mapping_set *set, bool hybrid, char pin[MAPPING_PIN_SIZE]);
/* Name of the entity nearest to `word`, for suggestions, or NULL. */
const char *mapping_set_nearest(const struct mapping_set *set, struct bytes word);

#endif
