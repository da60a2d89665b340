#ifndef DROVER_VERIFIER_FOLLOW_SETTLED_LIST_H
#define DROVER_VERIFIER_FOLLOW_SETTLED_LIST_H

/*
 * Records that waited for their parents and were settled: receipts tell of them, and steps look at
 * them, as many at once as there is room for. A receipt whose records were not all looked at is to
 * be read again after a restart. Pure.
 *
 *   add ──► pick ──► find, and is_done of each; or done_all ──► drop_done
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/model/message/receipt.h"

struct settled_entry {
    struct settled_item item;
    int32_t told_in; /* the receipt's place in the results topic */
    int64_t told_at;
    bool is_done;
};

struct settled_list {
    struct settled_entry *entries; /* those picked come first, by their place in the source */
    size_t count, room, picked;
    int64_t round; /* of the last receipt */
};

void settled_list_init(struct settled_list *list);
void settled_list_free(struct settled_list *list);
/* Forgets all of them: they are read again. */
void settled_list_reset(struct settled_list *list);
/* Those of a receipt, of partitions below `partitions`. One that was taken before changes nothing.
 */
void settled_list_add(struct settled_list *list, const struct settled_receipt *receipt,
                      size_t partitions, int32_t told_in, int64_t told_at);
/* At most `max` to be looked at now, none of them done; returns how many. */
size_t settled_list_pick(struct settled_list *list, size_t max);
/* Among those picked; NULL: it is none of them. */
struct settled_entry *settled_list_find(const struct settled_list *list, int32_t partition,
                                        int64_t offset);
void settled_list_done_all(struct settled_list *list); /* that are picked */
/* Those of the partition of the source below `offset`, picked or not; returns how many. */
size_t settled_list_done_below(struct settled_list *list, int32_t partition, int64_t offset);
void settled_list_drop_done(struct settled_list *list);
/* The first receipt in that partition of the results with one that is not done; INT64_MAX: there is
 * none. */
int64_t settled_list_held(const struct settled_list *list, int32_t told_in);

#endif
