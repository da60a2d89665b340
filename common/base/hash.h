#ifndef DROVER_BASE_HASH_H
#define DROVER_BASE_HASH_H

/*
 * Digests and hashes. XXH3-128 (xxhash) is the digest of a canonical record: not cryptographic,
 * chosen for speed against accidental differences (DESIGN: 26 times faster than BLAKE2b).
 * murmur2 is Kafka's partitioner (org.apache.kafka.common.utils.Utils.murmur2, seed 0x9747b28c),
 * needed here because sequence numbers are per partition and so it must be known before produce.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"

struct digest {
    uint8_t bytes[16]; /* XXH128_canonical_t: big endian, the same on every machine */
};

struct digest digest_of(struct bytes input);
/* The same of an input that comes in parts: begin, any number of adds, finish (which frees it). */
struct digest_parts;
struct digest_parts *digest_begin(void);
void digest_add_part(struct digest_parts *parts, struct bytes part);
struct digest digest_finish(struct digest_parts *parts);
/* Of what was added so far. */
struct digest digest_so_far(const struct digest_parts *parts);
bool digest_equal(const struct digest *a, const struct digest *b);
/* Sum of digests modulo 2^128, independent of order: what receipts carry per tenant and entity. */
void digest_add(struct digest *sum, const struct digest *part);
/* Lower-case hex, 33 bytes with the NUL. */
void digest_format(const struct digest *digest, char out[33]);
bool digest_parse(struct bytes hex, struct digest *digest);

uint64_t hash64(struct bytes input);
/* Partition of a key among `count` >= 1, as Java's and librdkafka's murmur2 partitioner choose. */
int32_t hash_partition(struct bytes key, int32_t count);

#endif
