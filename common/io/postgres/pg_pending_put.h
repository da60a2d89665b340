#ifndef DROVER_IO_PG_PENDING_PUT_H
#define DROVER_IO_PG_PENDING_PUT_H

/* Into and out of drover.waiting: one record as a row, with its message as it came. Headers are one
 * bytea: for each name and value, a big-endian u32 length and the bytes. */

#include "common/io/postgres/pg_connection.h"
#include "common/model/message/envelope.h"
#include "common/policy/apply/batch.h"

/* Queues the INSERT; the batch's transaction is open. `memory` is scratch. */
void pg_pending_put(struct pg_connection *connection, const struct batch_fence *fence,
                    const struct batch_item *item, const struct envelope *message,
                    struct buf *memory);

/* Views into `packed`; false when it is malformed. */
MUST_USE bool pg_pending_unpack_headers(struct bytes packed, struct envelope *message);

#endif
