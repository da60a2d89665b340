#ifndef DROVER_POLICY_SECRET_KEY_H
#define DROVER_POLICY_SECRET_KEY_H

/*
 * The key file's content: an identity key, which makes references and stays for a migration's life,
 * and numbered sealing keys, of which the newest seals and all open. Pure; reading the file and its
 * mode are common/io/key_file.h's. Keys are wiped when freed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

#define SECRET_KEY_SIZE 32
#define SECRET_KEY_ID_SIZE 8 /* first bytes of BLAKE2b of the key; hex in texts */
#define SECRET_KEYS_MAX 64

struct secret_key {
    unsigned char id[SECRET_KEY_ID_SIZE];
    unsigned char bytes[SECRET_KEY_SIZE];
};

struct secret_ring {
    unsigned char identity[SECRET_KEY_SIZE];
    struct secret_key keys[SECRET_KEYS_MAX];
    size_t count; /* the last one seals */
};

/* A new ring with one key. */
void secret_ring_generate(struct secret_ring *ring);
/* Adds a key that seals from now on; false when the ring is full. */
MUST_USE bool secret_ring_add(struct secret_ring *ring);
void secret_ring_wipe(struct secret_ring *ring);
/* Text form, with a checksum. OUT_FATAL DRV-X005 when damaged. */
void secret_ring_append(struct buf *out, const struct secret_ring *ring);
MUST_USE enum outcome secret_ring_parse(struct bytes text, struct secret_ring *ring,
                                        struct error *err);
const struct secret_key *secret_ring_find(const struct secret_ring *ring,
                                          const unsigned char id[SECRET_KEY_ID_SIZE]);
/* What hashes in reports are keyed with: stays when keys rotate, tells nothing of the identity. */
void secret_ring_report_key(const struct secret_ring *ring, unsigned char key[SECRET_KEY_SIZE]);
/* 16 hex digits that tell which identity a ring has, for people and `secrets.identity`. */
void secret_ring_identity(const struct secret_ring *ring, char text[17]);

#endif
