#include "common/base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/base/hex.h"
#include "common/base/mem.h"

static struct digest from_hash(XXH128_hash_t hash)
{
    XXH128_canonical_t canonical;
    struct digest digest;
    XXH128_canonicalFromHash(&canonical, hash);
    static_assert(sizeof(digest.bytes) == sizeof(canonical.digest), "a digest has 128 bits");
    memcpy(digest.bytes, canonical.digest, sizeof(digest.bytes));
    return digest;
}

struct digest digest_of(struct bytes input)
{
    return from_hash(XXH3_128bits(input.size ? input.data : "", input.size));
}

struct digest_parts *digest_begin(void)
{
    XXH3_state_t *state = mem_sure(XXH3_createState());
    XXH3_128bits_reset(state);
    return (struct digest_parts *)state;
}

void digest_add_part(struct digest_parts *parts, struct bytes part)
{
    if (part.size)
        XXH3_128bits_update((XXH3_state_t *)parts, part.data, part.size);
}

struct digest digest_finish(struct digest_parts *parts)
{
    struct digest digest = from_hash(XXH3_128bits_digest((XXH3_state_t *)parts));
    XXH3_freeState((XXH3_state_t *)parts);
    return digest;
}

struct digest digest_so_far(const struct digest_parts *parts)
{
    return from_hash(XXH3_128bits_digest((const XXH3_state_t *)parts));
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void digest_add(struct digest *sum, const struct digest *part)
{
    unsigned carry = 0;
    for (int i = (int)sizeof(sum->bytes) - 1; i >= 0; i--) {
        carry += (unsigned)sum->bytes[i] + part->bytes[i];
        sum->bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

void digest_format(const struct digest *digest, char out[33])
{
    *hex_put(out, digest->bytes, sizeof(digest->bytes)) = '\0';
}

bool digest_parse(struct bytes hex, struct digest *digest)
{
    struct digest parsed;
    if (hex.size != 2 * sizeof(parsed.bytes))
        return false;
    for (size_t i = 0; i < sizeof(parsed.bytes); i++) {
        int byte = hex_byte(hex.data + 2 * i);
        if (byte < 0)
            return false;
        parsed.bytes[i] = (uint8_t)byte;
    }
    *digest = parsed;
    return true;
}

uint64_t hash64(struct bytes input)
{
    return XXH3_64bits(input.size ? input.data : "", input.size);
}

static uint32_t load_le32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Austin Appleby's MurmurHash2 with the constants of Kafka's Utils.murmur2. */
static uint32_t murmur2(struct bytes key)
{
    const uint32_t mix = 0x5bd1e995;
    const unsigned char *at = (const unsigned char *)key.data;
    uint32_t hash = 0x9747b28c ^ (uint32_t)key.size;
    size_t left = key.size;
    for (; left >= 4; left -= 4, at += 4) {
        uint32_t word = load_le32(at) * mix;
        word = (word ^ word >> 24) * mix;
        hash = hash * mix ^ word;
    }
    if (left > 0) {
        for (size_t i = 0; i < left; i++)
            hash ^= (uint32_t)at[i] << (8 * i);
        hash *= mix;
    }
    hash = (hash ^ hash >> 13) * mix;
    return hash ^ hash >> 15;
}

int32_t hash_partition(struct bytes key, int32_t count)
{
    assert(count >= 1);
    return (int32_t)((murmur2(key) & 0x7fffffff) % (uint32_t)count);
}
