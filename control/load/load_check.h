#ifndef DROVER_CONTROL_LOAD_CHECK_H
#define DROVER_CONTROL_LOAD_CHECK_H

/* What is asked before a bulk load begins or ends, as neither can be taken back by itself. */

#include <stdbool.h>
#include <stdint.h>

#include "common/io/mappings.h"
#include "common/io/postgres/pg_load_open.h"

/* Are the migration's topics there? OUT_FATAL DRV-K003 names the first that is not; OUT_RETRY:
 * Kafka is away. Blocks, for 15 s at most. */
MUST_USE enum outcome load_check_topics(const struct settings *settings, struct error *err);

/* Has the group taken every record of the topic? *left: those that it has not. Blocks. */
MUST_USE enum outcome load_count_left(const struct settings *settings, uint64_t *left,
                                      struct error *err);

/* What the group loads: */
struct load_states {
    bool loading;    /* tables to which the workers append */
    bool finalising; /* and such that somebody has begun to finish, and not ended */
};
/* Blocks. */
MUST_USE enum outcome load_ask_states(const struct settings *settings, struct load_states *states,
                                      struct error *err);

/* Does the group load a table that none of the mappings has? Then nobody who has only these can
 * finish it: OUT_FATAL DRV-P010. Blocks. */
MUST_USE enum outcome load_check_mappings(const struct settings *settings,
                                          const struct mapping_set *mappings, struct error *err);

#endif
