#ifndef DROVER_IO_PG_LOAD_OPEN_H
#define DROVER_IO_PG_LOAD_OPEN_H

/* Which tables are being loaded, by which group, and what its people would type to end that. Reads
 * drover.load only (pg_load.h). */

#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/model/mapping/mapping.h"

struct pg_conn;

enum {
    PG_LOAD_NAME_SIZE = 64,   /* a name of PostgreSQL, with its end */
    PG_LOAD_GROUP_SIZE = 256, /* a group's name in Kafka, with its end */
};

struct pg_load_open {
    char schema[PG_LOAD_NAME_SIZE], table[PG_LOAD_NAME_SIZE], group[PG_LOAD_GROUP_SIZE];
    bool is_finalising; /* its workers' batches are refused already */
};

struct pg_load_opens {
    struct pg_load_open *items; /* in the order in which they began */
    size_t count;
};

/* Fills `opens` (pg_load_opens_free, also after a failure); none in a schema from before. The
 * failures are pg_session_query's. */
MUST_USE enum outcome pg_load_read_opens(struct pg_conn *session, struct pg_load_opens *opens,
                                         struct error *err);
/* The same, in a session of its own as the login user; blocks. */
MUST_USE enum outcome pg_load_ask_opens(const struct settings *settings,
                                        struct pg_load_opens *opens, struct error *err);
void pg_load_opens_free(struct pg_load_opens *opens);

/* The tables that the group loads, one name ("public.cart") a line, appended. */
MUST_USE enum outcome pg_load_list_open(struct pg_conn *session, const char *group,
                                        struct buf *names, struct error *err);
/* OUT_FATAL DRV-P010 when a table of the mappings is being loaded, by whatever group, or any by the
 * group (NULL: none): what is read would be another table. */
MUST_USE enum outcome pg_load_refuse_open(struct pg_conn *session, const char *group,
                                          struct mapping *const *mappings, size_t count,
                                          struct error *err);

/* The flags that make a command one of `group`: " --migration cart" where that gives it its name,
 * else " --group NAME"; nothing for the group of the settings. */
void pg_load_append_flags(struct buf *out, const struct settings *settings, const char *group);

#endif
