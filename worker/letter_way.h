#ifndef DROVER_WORKER_LETTER_WAY_H
#define DROVER_WORKER_LETTER_WAY_H

/* Which item a dead letter on its way belongs to. Its batch is recycled only when none is left. A
 * letter without a batch is that of an orphan (parents.h). */

#include <stdlib.h>

#include "common/policy/batch.h"

struct letter_way {
    struct batch *batch;
    struct batch_item *item;
};

static inline struct letter_way *letter_way_new(struct batch *batch, struct batch_item *item)
{
    struct letter_way *way = malloc(sizeof *way);
    if (!way)
        abort();
    *way = (struct letter_way){batch, item};
    return way;
}

#endif
