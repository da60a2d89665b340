#ifndef DROVER_POLICY_BATCH_SORT_H
#define DROVER_POLICY_BATCH_SORT_H

/*
 * The order of a batch's records: by place (parents before their children, then entity, tenant and
 * id by bytes), so that concurrent batches lock rows in one order; of one place the winner first.
 * Records are first counted into their few (mapping, tenant) groups, and only within a group
 * compared, by eight bytes of the id behind what all ids of the group begin with.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch_item;

/* Memory that is used again by each sort; zeroed at first. */
struct batch_sorter {
    struct sort_key *keys;
    struct sort_group *groups;
    uint32_t *slots; /* a hash table of groups */
    uint32_t *group_of, *order;
    size_t capacity;
};

/* Sorts `places`: `count` numbers of `items`, which have mapping, tenant and id. */
void batch_sort(struct batch_sorter *sorter, const struct batch_item *items, uint32_t *places,
                size_t count);
void batch_sorter_free(struct batch_sorter *sorter);
/* Whether two records are of one row. */
bool batch_same_place(const struct batch_item *a, const struct batch_item *b);

#endif
