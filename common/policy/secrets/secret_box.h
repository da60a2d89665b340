#ifndef DROVER_POLICY_SECRET_BOX_H
#define DROVER_POLICY_SECRET_BOX_H

/*
 * One sealed value: XChaCha20-Poly1305 (libsodium) under a nonce that is a keyed BLAKE2b of place
 * and plaintext (an SIV: the same value at the same place gives the same box, so producing twice
 * changes nothing, and a nonce is never used for two texts). The associated data is the place:
 * tenant, entity, id, field, and the key's id, each with its length; a box moved elsewhere does not
 * open (fault rows X04, X05).
 *
 * The reference, "sec_" and 32 base32 digits, is a keyed BLAKE2b of place and plaintext under the
 * identity key: it stays when keys rotate, and tells two values apart without telling them.
 */

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/policy/secrets/secret_key.h"

#define SECRET_REFERENCE_SIZE 36

struct secret_place {
    struct bytes tenant, entity, id;
    struct bytes field; /* JSON pointer in the record */
};

/* Box: version byte 1, key id, nonce (24), ciphertext with tag. */
void secret_box_seal(const struct secret_ring *ring, const struct secret_place *place,
                     struct bytes plain, char reference[SECRET_REFERENCE_SIZE + 1],
                     struct buf *box);
/* OUT_REJECT DRV-X006: unknown key, another place, or damaged. `plain` is reset first. */
MUST_USE enum outcome secret_box_open(const struct secret_ring *ring,
                                      const struct secret_place *place, struct bytes box,
                                      struct buf *plain, struct error *err);
/* The same text under the newest key; opens first. */
MUST_USE enum outcome secret_box_reseal(const struct secret_ring *ring,
                                        const struct secret_place *place, struct bytes box,
                                        struct buf *out, struct error *err);
/* Key id of a box; NULL when it is none. */
const unsigned char *secret_box_key_id(struct bytes box);

#endif
