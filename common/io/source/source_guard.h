#ifndef DROVER_IO_SOURCE_GUARD_H
#define DROVER_IO_SOURCE_GUARD_H

/*
 * What is taken out of a source's records (policy/secrets/secret_guard.h): the same answer for
 * everybody who reads the source (the producer first, the verifier again). Where secrets.detect
 * says so, every member is looked at; else only what the mapping names.
 */

#include "common/io/source/source_rules.h"
#include "common/policy/secrets/secret_guard.h"

struct source_guard {
    struct secret_guard named, everywhere;
};

/* `ring` NULL: no key. It must outlive the guard. */
void source_guard_init(struct source_guard *guard, const struct secret_ring *ring);
void source_guard_free(struct source_guard *guard);
/* Fills record->payload and record->sealed, views valid until the next call, and *taken (which may
 * be NULL). Outcomes as of secret_guard_apply. */
MUST_USE enum outcome source_guard_apply(struct source_guard *guard,
                                         const struct source_rules *rules, enum collect_form form,
                                         const struct mapping *mapping, struct record *record,
                                         struct guarded *taken, struct error *err);

#endif
