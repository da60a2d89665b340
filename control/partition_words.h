#ifndef DROVER_CONTROL_PARTITION_WORDS_H
#define DROVER_CONTROL_PARTITION_WORDS_H

/* Partitions of the source topic as a person names them: by their numbers, or none for all. */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/base/conf.h"

/* chosen[0 … count-1] tells which are named. `flag` stands before a word in a message ("" where
 * words stand alone). OUT_FATAL DRV-C001: a word is no partition of the topic. */
MUST_USE enum outcome partition_words_choose(const struct conf_list *words, const char *flag,
                                             bool *chosen, int32_t count, struct error *err);

#endif
