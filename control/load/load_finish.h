#ifndef DROVER_CONTROL_LOAD_FINISH_H
#define DROVER_CONTROL_LOAD_FINISH_H

/* The end of a bulk load, with what it says to the results topic. */

#include "common/io/postgres/pg_load.h"

/* Finishes what the group loads (pg_load_finish, with its failures) and sends the receipt of each
 * table. Before anything is ended the topics are looked for (load_check_topics, with its failures);
 * a table whose receipt could not be stored is told of by the next call. Blocks. `report`
 * has the tables that were finished or told of; pg_load_free, also after a failure. */
MUST_USE enum outcome load_finish(const struct settings *settings,
                                  const struct pg_load_waiting *waiting,
                                  struct pg_load_report *report, struct error *err);

/* "public.cart: 1000000 rows; left out: 17 superseded, 1 conflict" */
void load_append_table(struct buf *out, const struct pg_load_table *table);

#endif
