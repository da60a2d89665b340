#ifndef DROVER_CONTROL_ENTITY_WORD_H
#define DROVER_CONTROL_ENTITY_WORD_H

/* --entity as a person writes it: what no mapping has would choose nothing, without a word. */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping_set.h"

/* `word` may be NULL: none is asked for. OUT_FATAL DRV-C001, with the nearest entity. */
MUST_USE enum outcome entity_word_check(const struct mapping_set *mappings, const char *word,
                                        struct error *err);

#endif
