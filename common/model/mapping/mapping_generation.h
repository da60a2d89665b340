#ifndef DROVER_MODEL_MAPPING_GENERATION_H
#define DROVER_MODEL_MAPPING_GENERATION_H

/*
 * Which generation a mapping is in a store, from what is registered there: each form a table's
 * mapping had (mapping_form.h), numbered from 0 in the order in which they were taken over. A form
 * that comes back is a new generation, as rows of the one between are older than it. Begin, see
 * every form that is registered, in any order, then ask.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/model/mapping/mapping.h"

enum mapping_generation_state {
    GENERATION_FIRST,   /* nothing is registered */
    GENERATION_NEWEST,  /* the form is the newest one */
    GENERATION_CHANGED, /* the newest one is another */
    GENERATION_AGAIN,   /* the same, and this one was it before */
};

struct mapping_generation {
    char form[33];       /* as it is registered: hex digits */
    int32_t newest, own; /* -1: none */
};

void mapping_generation_begin(struct mapping_generation *generation, const struct mapping *mapping);
void mapping_generation_see(struct mapping_generation *generation, int32_t number,
                            struct bytes form);

enum mapping_generation_state mapping_generation_state(const struct mapping_generation *generation);
/* The generation the mapping is, or gets when it is taken over. */
int32_t mapping_generation_number(const struct mapping_generation *generation);

/* Refuses, OUT_FATAL DRV-M005, who would write with a mapping that is not the newest one. */
MUST_USE enum outcome mapping_generation_check(const struct mapping_generation *generation,
                                               const struct mapping *mapping, const char *hint,
                                               struct error *err);

#endif
