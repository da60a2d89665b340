#ifndef DROVER_POLICY_EXPORT_SECRETS_H
#define DROVER_POLICY_EXPORT_SECRETS_H

/*
 * secret_guard.h's inverse: {"$sealed":"sec_…"} becomes the value again when the key and its box
 * are there, else it stays; {"$withheld":"token"} is left out, in a list it becomes null. Both also
 * in JSON inside strings. In a text ${sealed:sec_…} becomes its part again, or stays; a
 * ${withheld:token} stays: a text is never left out.
 */

#include <stdint.h>

#include <yyjson.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/policy/secrets/secret_box.h"

enum export_secret {
    EXPORT_OPENED,
    EXPORT_LEFT_SEALED,
    EXPORT_ABSENT, /* withheld */
};

struct export_secrets {
    const struct secret_ring *ring; /* NULL: nothing is opened */
    /* The box of a reference; false when the vault has none. */
    bool (*find_box)(void *owner, struct bytes tenant, struct bytes reference, struct buf *box);
    /* What became of the value at `pointer` of the record at work. May be NULL. */
    void (*tell)(void *owner, enum export_secret what, struct bytes pointer);
    void *owner;
    struct secret_place place; /* of the record at work, but its field */
    size_t changes;            /* values of it that are no longer what they were */
    struct buf pointer, box, plain;
};

void export_secrets_init(struct export_secrets *secrets, const struct secret_ring *ring);
/* Wipes what was opened. */
void export_secrets_free(struct export_secrets *secrets);
/* Whether the text may hold one: saves the copy. */
bool export_secrets_concern(struct bytes json);
/* *made is a copy of the record with all of it undone; the caller frees it. `tenant`, `entity` and
 * `id` are the record's. */
MUST_USE enum outcome export_secrets_open(struct export_secrets *secrets,
                                          const struct secret_place *record, yyjson_val *root,
                                          yyjson_doc **made, struct error *err);

#endif
