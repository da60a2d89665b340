#ifndef DROVER_MODEL_TOPIC_H
#define DROVER_MODEL_TOPIC_H

/* Topic names: <prefix>.<migration>.{source,results,dlq,control,state}, legal [a-zA-Z0-9._-], at
 * most 249 bytes. The control topic has one partition and is never cleaned: what people decided
 * (decision.h). The state topic has one and is compacted: how those stand that follow without an
 * end (state_entry.h). A migration of before there was one has none. */

#include "common/base/attributes.h"
#include "common/base/error.h"

#define TOPIC_NAME_SIZE 250

enum topic_kind {
    TOPIC_SOURCE,
    TOPIC_RESULTS,
    TOPIC_DEAD_LETTERS,
    TOPIC_CONTROL,
    TOPIC_STATE,
    TOPIC_KINDS
};

/* OUT_FATAL DRV-C008 when prefix or migration hold other characters or the name is too long. */
MUST_USE enum outcome topic_format(const char *prefix, const char *migration, enum topic_kind kind,
                                   char out[TOPIC_NAME_SIZE], struct error *err);
/* All of a migration's, by kind. */
MUST_USE enum outcome topic_format_all(const char *prefix, const char *migration,
                                       char out[TOPIC_KINDS][TOPIC_NAME_SIZE], struct error *err);

#endif
