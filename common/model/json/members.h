#ifndef DROVER_MODEL_MEMBERS_H
#define DROVER_MODEL_MEMBERS_H

/*
 * An object's members in the order of their key bytes: what finds duplicates and what the
 * canonical form writes. Sorting is n log n whatever the keys are, so that chosen keys cannot slow
 * a worker down (fault row J18); there is no hash to attack.
 */

#include <stddef.h>
#include <stdint.h>

#include <yyjson.h>

/* Objects up to this size need no memory from the heap. */
#define MEMBERS_FEW 32

struct member {
    uint64_t prefix; /* first eight key bytes, big endian: decides nearly every comparison */
    yyjson_val *key; /* its value is the next one: yyjson_obj_iter_get_val */
};

struct members {
    struct member *list;
    size_t count;
    struct member few[MEMBERS_FEW];
};

/* Collects and sorts. `members` holds pointers into itself: not to be copied. */
void members_sort(struct members *members, yyjson_val *object);
void members_free(struct members *members);
/* The second of two equal keys of a sorted list, or NULL. */
yyjson_val *members_find_duplicate(const struct members *members);

#endif
