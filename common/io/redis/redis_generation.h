#ifndef DROVER_IO_REDIS_GENERATION_H
#define DROVER_IO_REDIS_GENERATION_H

/*
 * The generations of mappings in Redis (model/mapping/mapping_generation.h): one hash, a field an
 * entity, "<generation> <form>" of the newest one. Workers register when they pin a group's
 * mappings (redis_checkpoint.c).
 */

#include "common/io/mappings.h"
#include "common/model/mapping/mapping_generation.h"

#define REDIS_GENERATIONS "drover:generations"

/* A field's text, or empty. */
void redis_generation_see(struct mapping_generation *generation, struct bytes text);
/* For who reads back (stores.h). Blocks. */
MUST_USE enum outcome redis_generation_read(const struct settings *settings,
                                            const struct mapping_set *mappings, struct error *err);

#endif
