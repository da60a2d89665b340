/*
 * The text form, one item a line; lines that begin with '#' are for people:
 *
 *   drover-keys 1
 *   identity <64 hex>
 *   key <16 hex: its id> <64 hex>       … the newest last
 *   sum <32 hex>                        BLAKE2b of the version, the identity and the keys
 */

#include "common/policy/secrets/secret_key.h"

#include <sodium.h>
#include <string.h>

#define HEAD "drover-keys 1"
#define SUM_SIZE 16

/* BLAKE2b's personalisation keeps hashes of the same key for different ends apart. */
static const unsigned char FOR_KEY_ID[crypto_generichash_blake2b_PERSONALBYTES] = "drover-key-id";
static const unsigned char FOR_IDENTITY[crypto_generichash_blake2b_PERSONALBYTES] =
    "drover-identity";
static const unsigned char FOR_REPORTS[crypto_generichash_blake2b_PERSONALBYTES] = "drover-reports";

static void name_key(const unsigned char key[SECRET_KEY_SIZE], const unsigned char *purpose,
                     unsigned char id[SECRET_KEY_ID_SIZE])
{
    unsigned char hash[32];
    crypto_generichash_blake2b_salt_personal(hash, sizeof hash, key, SECRET_KEY_SIZE, NULL, 0, NULL,
                                             purpose);
    memcpy(id, hash, SECRET_KEY_ID_SIZE);
}

bool secret_ring_add(struct secret_ring *ring)
{
    if (ring->count == SECRET_KEYS_MAX)
        return false;
    struct secret_key *key = &ring->keys[ring->count++];
    randombytes_buf(key->bytes, sizeof key->bytes);
    name_key(key->bytes, FOR_KEY_ID, key->id);
    return true;
}

void secret_ring_generate(struct secret_ring *ring)
{
    memset(ring, 0, sizeof *ring);
    randombytes_buf(ring->identity, sizeof ring->identity);
    (void)!secret_ring_add(ring);
}

void secret_ring_wipe(struct secret_ring *ring)
{
    sodium_memzero(ring, sizeof *ring);
}

const struct secret_key *secret_ring_find(const struct secret_ring *ring,
                                          const unsigned char id[SECRET_KEY_ID_SIZE])
{
    for (size_t i = 0; i < ring->count; i++)
        if (memcmp(ring->keys[i].id, id, SECRET_KEY_ID_SIZE) == 0)
            return &ring->keys[i];
    return NULL;
}

void secret_ring_report_key(const struct secret_ring *ring, unsigned char key[SECRET_KEY_SIZE])
{
    crypto_generichash_blake2b_salt_personal(key, SECRET_KEY_SIZE, NULL, 0, ring->identity,
                                             sizeof ring->identity, NULL, FOR_REPORTS);
}

void secret_ring_identity(const struct secret_ring *ring, char text[17])
{
    unsigned char id[SECRET_KEY_ID_SIZE];
    name_key(ring->identity, FOR_IDENTITY, id);
    sodium_bin2hex(text, 17, id, sizeof id);
}

/* ---- text ---------------------------------------------------------------------------------- */

static void sum_of(const struct secret_ring *ring, char text[2 * SUM_SIZE + 1])
{
    crypto_generichash_state state;
    unsigned char sum[SUM_SIZE];
    crypto_generichash_init(&state, NULL, 0, sizeof sum);
    crypto_generichash_update(&state, (const unsigned char *)HEAD, sizeof(HEAD) - 1);
    crypto_generichash_update(&state, ring->identity, sizeof ring->identity);
    for (size_t i = 0; i < ring->count; i++) {
        crypto_generichash_update(&state, ring->keys[i].id, SECRET_KEY_ID_SIZE);
        crypto_generichash_update(&state, ring->keys[i].bytes, SECRET_KEY_SIZE);
    }
    crypto_generichash_final(&state, sum, sizeof sum);
    sodium_bin2hex(text, 2 * SUM_SIZE + 1, sum, sizeof sum);
    sodium_memzero(&state, sizeof state);
}

static void append_hex(struct buf *out, const unsigned char *bytes, size_t size)
{
    char hex[2 * SECRET_KEY_SIZE + 1];
    sodium_bin2hex(hex, sizeof hex, bytes, size);
    buf_append_text(out, hex);
    sodium_memzero(hex, sizeof hex);
}

void secret_ring_append(struct buf *out, const struct secret_ring *ring)
{
    char sum[2 * SUM_SIZE + 1];
    buf_append_text(out, "# Drover's keys. Whoever has this file can open every secret sealed with "
                         "it; without it\n# they are lost. Keep a copy in a safe place, and never "
                         "put it under version control.\n" HEAD "\nidentity ");
    append_hex(out, ring->identity, SECRET_KEY_SIZE);
    for (size_t i = 0; i < ring->count; i++) {
        buf_append_text(out, "\nkey ");
        append_hex(out, ring->keys[i].id, SECRET_KEY_ID_SIZE);
        buf_append_char(out, ' ');
        append_hex(out, ring->keys[i].bytes, SECRET_KEY_SIZE);
    }
    sum_of(ring, sum);
    buf_append_text(out, "\nsum ");
    buf_append_text(out, sum);
    buf_append_char(out, '\n');
}

static bool next_line(struct bytes *text, struct bytes *line)
{
    while (text->size > 0) {
        const char *end = memchr(text->data, '\n', text->size);
        size_t size = end ? (size_t)(end - text->data) : text->size;
        *line = bytes_of(text->data, size);
        size_t taken = size + (end != NULL);
        *text = bytes_of(text->data + taken, text->size - taken);
        if (line->size && line->data[line->size - 1] == '\r')
            line->size--;
        if (line->size && line->data[0] != '#')
            return true;
    }
    return false;
}

/* The line is `word`, a blank, and what is left in *line. */
static bool takes(struct bytes *line, const char *word)
{
    size_t size = strlen(word);
    if (line->size <= size || memcmp(line->data, word, size) != 0 || line->data[size] != ' ')
        return false;
    *line = bytes_of(line->data + size + 1, line->size - size - 1);
    return true;
}

static bool take_hex(struct bytes text, unsigned char *out, size_t size)
{
    size_t got = 0;
    return text.size == 2 * size &&
           sodium_hex2bin(out, size, text.data, text.size, NULL, &got, NULL) == 0 && got == size;
}

static bool take_key(struct bytes line, struct secret_ring *ring)
{
    unsigned char id[SECRET_KEY_ID_SIZE];
    const size_t id_text = sizeof(id) * 2;
    if (ring->count == SECRET_KEYS_MAX || line.size <= id_text || line.data[id_text] != ' ')
        return false;
    struct secret_key *key = &ring->keys[ring->count];
    if (!take_hex(bytes_of(line.data, id_text), id, sizeof id) ||
        !take_hex(bytes_of(line.data + id_text + 1, line.size - id_text - 1), key->bytes,
                  sizeof key->bytes))
        return false;
    name_key(key->bytes, FOR_KEY_ID, key->id);
    ring->count++;
    return memcmp(key->id, id, sizeof id) == 0;
}

static const char *parse(struct bytes text, struct secret_ring *ring)
{
    struct bytes line;
    char sum[2 * SUM_SIZE + 1];
    if (!next_line(&text, &line) || !bytes_equal(line, BYTES_LITERAL(HEAD)))
        return "it is no key file of drover";
    if (!next_line(&text, &line) || !takes(&line, "identity") ||
        !take_hex(line, ring->identity, sizeof ring->identity))
        return "its identity is damaged";
    bool more = next_line(&text, &line);
    for (; more && takes(&line, "key"); more = next_line(&text, &line))
        if (!take_key(line, ring))
            return "a key is damaged";
    if (ring->count == 0)
        return "it holds no key";
    sum_of(ring, sum);
    if (!more || !takes(&line, "sum") || !bytes_equal(line, bytes_text(sum)) ||
        next_line(&text, &line))
        return "its checksum is not right: it was cut or changed";
    return NULL;
}

enum outcome secret_ring_parse(struct bytes text, struct secret_ring *ring, struct error *err)
{
    memset(ring, 0, sizeof *ring);
    const char *fault = parse(text, ring);
    if (!fault)
        return OUT_OK;
    secret_ring_wipe(ring);
    error_set(err, OUT_FATAL, ERR_SECRET_KEY, "the key file is damaged: %s", fault);
    error_hint(err, "take the copy you kept; without the keys, sealed values cannot be opened");
    return OUT_FATAL;
}
