#ifndef DROVER_POLICY_SECRET_GUARD_H
#define DROVER_POLICY_SECRET_GUARD_H

/*
 * Takes secrets and tokens out of a record before it leaves the producer's memory. In the payload a
 * sealed value (of any JSON kind) becomes {"$sealed":"sec_…"} and a withheld one
 * {"$withheld":"token"}; of a text in which a secret stands among other letters only the secret
 * goes, and its reference stands there (secret_text.h). The boxes travel beside it, in the header
 * drover-sealed (secret_sealed.h), and end in the credential vault. So row, digest, inverse and
 * comparison treat both as ordinary values, and no plaintext is in Kafka, dead letters or stores.
 *
 * What is taken: the mapping's `seal` and `withhold` pointers; and, when detecting, every member
 * whose name has the shape of one (token_shape.h) and every part of a text that has
 * (token_shape.h), in objects, arrays and JSON inside strings (three levels). A secret found by
 * detection is sealed, or withheld when there is no key. Sealed is the canonical JSON of the value;
 * its field is the pointer to it, with a '#' where the pointer goes into a string: /config#/apiKey.
 *
 * Whatever the mapping accepts it accepts afterwards: in a text column a whole secret is written as
 * text; a column that has room for neither is left empty and the mark kept in rest. Where a row
 * needs the value itself (a key, a column that must not be empty) the record is refused.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping.h"
#include "common/policy/secrets/secret_box.h"
#include "common/policy/secrets/secret_sealed.h"

struct secret_guard {
    const struct secret_ring *ring; /* NULL: no key */
    bool detect;
    struct buf payload, sealed, scratch; /* of the last record; wiped by the next */
};

struct guarded {
    bool changed;
    struct bytes payload; /* the record's own when nothing was taken */
    struct bytes sealed;  /* header value; empty: none */
    uint32_t sealed_count, withheld_count;
};

void secret_guard_init(struct secret_guard *guard, const struct secret_ring *ring, bool detect);
void secret_guard_free(struct secret_guard *guard);
/* Whether the record must pass: the mapping seals or withholds, `detect` is set, or the payload may
 * hold a text that looks like a reference (secret_text.h). */
bool secret_guard_concerns(const struct secret_guard *guard, const struct mapping *mapping,
                           struct bytes payload);
/* record: tenant, entity, id, source_key and payload are needed. OUT_REJECT DRV-X007 (a $sealed or
 * $withheld of its own), DRV-X008 (a key or a name is a secret, and cannot be taken), DRV-X009 (too
 * large), DRV-J…; OUT_FATAL DRV-X005 (the mapping seals and there is no key). */
MUST_USE enum outcome secret_guard_apply(struct secret_guard *guard, const struct mapping *mapping,
                                         const struct record *record, struct guarded *out,
                                         struct error *err);

#endif
