#include "common/policy/secrets/secret_box.h"

#include <sodium.h>
#include <string.h>

#define VERSION 1
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD_SIZE (1 + SECRET_KEY_ID_SIZE)
#define PLAIN_AT (HEAD_SIZE + NONCE_SIZE)
#define PLACE_MAX (1u << 20) /* ids and pointers are far below it */
#define HASH_SIZE 20         /* of a reference: 160 bits are 32 base32 digits */

_Static_assert(SECRET_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "one key size");
_Static_assert(SECRET_REFERENCE_SIZE == 4 + HASH_SIZE * 8 / 5, "the reference's digits");

static const unsigned char FOR_NONCE[crypto_generichash_blake2b_PERSONALBYTES] = "drover-nonce";
static const unsigned char FOR_REFERENCE[crypto_generichash_blake2b_PERSONALBYTES] = "drover-ref";

/* Each part with its length, so that no two places have the same bytes. */
static void append_part(struct buf *out, struct bytes part)
{
    buf_append_be32(out, (uint32_t)(part.size >> 32));
    buf_append_be32(out, (uint32_t)part.size);
    buf_append_bytes(out, part);
}

static void append_place(struct buf *out, const struct secret_place *place)
{
    append_part(out, place->tenant);
    append_part(out, place->entity);
    append_part(out, place->id);
    append_part(out, place->field);
}

static void hash_keyed(unsigned char *out, size_t size, const unsigned char *key,
                       const unsigned char *purpose, struct bytes place, struct bytes plain)
{
    crypto_generichash_blake2b_state state;
    crypto_generichash_blake2b_init_salt_personal(&state, key, SECRET_KEY_SIZE, size, NULL,
                                                  purpose);
    crypto_generichash_blake2b_update(&state, (const unsigned char *)place.data, place.size);
    crypto_generichash_blake2b_update(&state, (const unsigned char *)plain.data, plain.size);
    crypto_generichash_blake2b_final(&state, out, size);
    sodium_memzero(&state, sizeof state);
}

/* Under a key of its own, made from the sealing key. */
static void make_nonce(const struct secret_key *key, struct bytes place, struct bytes plain,
                       unsigned char nonce[NONCE_SIZE])
{
    unsigned char subkey[SECRET_KEY_SIZE];
    crypto_generichash_blake2b_salt_personal(subkey, sizeof subkey, NULL, 0, key->bytes,
                                             sizeof key->bytes, NULL, FOR_NONCE);
    hash_keyed(nonce, NONCE_SIZE, subkey, FOR_NONCE, place, plain);
    sodium_memzero(subkey, sizeof subkey);
}

/* RFC 4648's base32 in lower case: it survives names and terminals that ignore case. */
static void append_base32(const unsigned char hash[HASH_SIZE], char *out)
{
    static const char DIGITS[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < HASH_SIZE; i++) {
        bits = bits << 8 | hash[i];
        for (held += 8; held >= 5; held -= 5)
            *out++ = DIGITS[bits >> (held - 5) & 31];
    }
    *out = '\0';
}

static void make_reference(const struct secret_ring *ring, struct bytes place, struct bytes plain,
                           char reference[SECRET_REFERENCE_SIZE + 1])
{
    unsigned char hash[HASH_SIZE];
    hash_keyed(hash, sizeof hash, ring->identity, FOR_REFERENCE, place, plain);
    memcpy(reference, "sec_", 4);
    append_base32(hash, reference + 4);
}

static void seal(const struct secret_key *key, struct buf *place, struct bytes plain,
                 struct buf *box)
{
    unsigned char nonce[NONCE_SIZE];
    unsigned long long size = 0;
    make_nonce(key, buf_view(place), plain, nonce);
    buf_append_char(place, VERSION); /* from here on it is the associated data */
    buf_append(place, key->id, sizeof key->id);
    buf_append_char(box, VERSION);
    buf_append(box, key->id, sizeof key->id);
    buf_append(box, nonce, sizeof nonce);
    char *out = buf_extend(box, plain.size + TAG_SIZE);
    if (!out || place->failed) {
        box->failed = true;
        return;
    }
    crypto_aead_xchacha20poly1305_ietf_encrypt(
        (unsigned char *)out, &size, (const unsigned char *)plain.data, plain.size,
        (const unsigned char *)place->data, place->size, NULL, nonce, key->bytes);
}

void secret_box_seal(const struct secret_ring *ring, const struct secret_place *place,
                     struct bytes plain, char reference[SECRET_REFERENCE_SIZE + 1], struct buf *box)
{
    struct buf bytes;
    buf_init(&bytes, PLACE_MAX);
    append_place(&bytes, place);
    make_reference(ring, buf_view(&bytes), plain, reference);
    seal(&ring->keys[ring->count - 1], &bytes, plain, box);
    buf_free(&bytes);
}

const unsigned char *secret_box_key_id(struct bytes box)
{
    if (box.size < PLAIN_AT + TAG_SIZE || box.data[0] != VERSION)
        return NULL;
    return (const unsigned char *)box.data + 1;
}

static enum outcome refuse(struct error *err, const char *why)
{
    return error_set(err, OUT_REJECT, ERR_SECRET_OPEN, "a sealed value cannot be opened: %s", why);
}

static bool open_box(const struct secret_key *key, struct buf *place, struct bytes box,
                     struct buf *plain)
{
    const unsigned char *bytes = (const unsigned char *)box.data;
    size_t size = box.size - PLAIN_AT - TAG_SIZE;
    unsigned char nonce[NONCE_SIZE];
    size_t place_size = place->size;
    char *out = buf_extend(plain, size + 1); /* one more, so that there is a place for no byte */
    buf_append(place, bytes, HEAD_SIZE);
    if (!out || place->failed)
        return false;
    plain->size -= 1;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            (unsigned char *)out, NULL, NULL, bytes + PLAIN_AT, size + TAG_SIZE,
            (const unsigned char *)place->data, place->size, bytes + HEAD_SIZE, key->bytes) != 0)
        return false;
    make_nonce(key, bytes_of(place->data, place_size), bytes_of(out, size), nonce);
    return sodium_memcmp(nonce, bytes + HEAD_SIZE, sizeof nonce) == 0;
}

enum outcome secret_box_open(const struct secret_ring *ring, const struct secret_place *place,
                             struct bytes box, struct buf *plain, struct error *err)
{
    struct buf bytes;
    buf_reset(plain);
    const unsigned char *id = secret_box_key_id(box);
    if (!id)
        return refuse(err, "it is damaged");
    const struct secret_key *key = secret_ring_find(ring, id);
    if (!key)
        return refuse(err, "the key file does not have its key");
    buf_init(&bytes, PLACE_MAX);
    append_place(&bytes, place);
    bool opened = open_box(key, &bytes, box, plain);
    buf_free(&bytes);
    if (opened)
        return OUT_OK;
    if (plain->data)
        sodium_memzero(plain->data, plain->capacity);
    buf_reset(plain);
    return refuse(err, "it was made for another place, or is damaged");
}

enum outcome secret_box_reseal(const struct secret_ring *ring, const struct secret_place *place,
                               struct bytes box, struct buf *out, struct error *err)
{
    struct buf plain;
    char reference[SECRET_REFERENCE_SIZE + 1];
    buf_init(&plain, box.size + 1);
    enum outcome outcome = secret_box_open(ring, place, box, &plain, err);
    if (outcome == OUT_OK)
        secret_box_seal(ring, place, buf_view(&plain), reference, out);
    if (plain.data)
        sodium_memzero(plain.data, plain.capacity);
    buf_free(&plain);
    return outcome;
}
