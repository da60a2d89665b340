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

#include "common/base/bytes.h"

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
    uint8_t order[MEMBERS_FEW]; /* of members_sort_again: places in the object */
    size_t ordered;             /* how many; 0 at first */
};

/* Collects and sorts. `members` holds pointers into itself: not to be copied. */
void members_sort(struct members *members, yyjson_val *object);
/* The same, for objects that are alike as records of a source are: the order of the object before
 * is tried first. */
void members_sort_again(struct members *members, yyjson_val *object);
void members_free(struct members *members);
/* Frees them, and leaves a list of none. */
void members_reset(struct members *members);
/* The second of two equal keys of a sorted list, or NULL. */
yyjson_val *members_find_duplicate(const struct members *members);

/* A member's name, prepared to be looked for; the text outlives it. */
struct member_name {
    uint64_t prefix;
    struct bytes text;
};
struct member_name member_name_of(struct bytes text);
/* The value of the member of that name in a sorted list without duplicates, or NULL. `*hint`, any
 * number, is looked at first and becomes its place: records of one kind have it in the same. */
yyjson_val *members_find(const struct members *members, const struct member_name *name,
                         uint16_t *hint);

#endif
