/* See the header. */
#include "common/io/source/source_guard.h"

void source_guard_init(struct source_guard *guard, const struct secret_ring *ring)
{
    secret_guard_init(&guard->named, ring, false);
    secret_guard_init(&guard->everywhere, ring, true);
}

void source_guard_free(struct source_guard *guard)
{
    secret_guard_free(&guard->named);
    secret_guard_free(&guard->everywhere);
}

enum outcome source_guard_apply(struct source_guard *guard, const struct source_rules *rules,
                                enum collect_form form, const struct mapping *mapping,
                                struct record *record, struct guarded *taken, struct error *err)
{
    struct guarded guarded = {.payload = record->payload};
    struct secret_guard *chosen =
        source_rules_detects(rules, form) ? &guard->everywhere : &guard->named;
    enum outcome outcome = OUT_OK;
    if (secret_guard_concerns(chosen, mapping, record->payload))
        outcome = secret_guard_apply(chosen, mapping, record, &guarded, err);
    if (outcome != OUT_OK)
        return outcome;
    record->payload = guarded.payload;
    record->sealed = guarded.sealed;
    if (taken)
        *taken = guarded;
    return OUT_OK;
}
