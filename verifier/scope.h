#ifndef DROVER_VERIFIER_SCOPE_H
#define DROVER_VERIFIER_SCOPE_H

/*
 * What of a migration is compared. The settings that narrow it are known here alone: whoever reads
 * records of the topic, the store or files asks scope_has of each, and what goes table by table
 * walks `mappings`, and reads the rows of `tenant`.
 */

#include "common/io/settings.h"
#include "common/model/mapping/mapping_set.h"
#include "common/model/message/record.h"

struct scope {
    const struct mapping_set *mappings; /* whose records are compared */
    const char *tenant;                 /* an isolation key; NULL: of all tenants */
};

/* `mappings` and the settings outlive the scope. OUT_FATAL DRV-C008: a tenant that can be none. */
MUST_USE enum outcome scope_init(struct scope *scope, const struct settings *settings,
                                 const struct mapping_set *mappings, struct error *err);
/* Nothing is left out, not even a record that nobody can read. */
bool scope_is_whole(const struct scope *scope);
/* Asks for tenant and entity. */
bool scope_has(const struct scope *scope, const struct record *record);
/* Of a record that never got into the topic; `tenant` empty: nobody knows whose it was, so it is
 * one's of no part. */
bool scope_has_rejected(const struct scope *scope, struct bytes tenant);

#endif
