#include "common/policy/secrets/secret_box.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static struct secret_ring ring;
static struct buf box, plain;

static const struct secret_place PLACE = {
    {"acme", 4}, {"llm_config", 10}, {"c1", 2}, {"/apiKey", 7}};

static void make_ring(void)
{
    secret_ring_generate(&ring);
    buf_init(&box, 1u << 20);
    buf_init(&plain, 1u << 20);
}

static void drop_ring(void)
{
    buf_free(&box);
    buf_free(&plain);
}

static void seal(const struct secret_place *place, const char *text, char *reference)
{
    buf_reset(&box);
    secret_box_seal(&ring, place, bytes_text(text), reference, &box);
    ck_assert(!box.failed);
}

START_TEST(a_box_opens_at_its_place)
{
    char reference[SECRET_REFERENCE_SIZE + 1];
    seal(&PLACE, "\"hunter2\"", reference);
    ck_assert_uint_eq(strlen(reference), SECRET_REFERENCE_SIZE);
    ck_assert_uint_eq(strspn(reference + 4, "abcdefghijklmnopqrstuvwxyz234567"), 32);
    ck_assert_ptr_null(memmem(box.data, box.size, "hunter2", 7));
    ck_assert_int_eq(secret_box_open(&ring, &PLACE, buf_view(&box), &plain, NULL), OUT_OK);
    ck_assert(bytes_equal(buf_view(&plain), BYTES_LITERAL("\"hunter2\"")));
    seal(&PLACE, "", reference);
    ck_assert_int_eq(secret_box_open(&ring, &PLACE, buf_view(&box), &plain, NULL), OUT_OK);
    ck_assert_uint_eq(plain.size, 0);
}
END_TEST

/* FAULTS X05: producing twice changes nothing; other texts have other nonces. */
START_TEST(the_same_value_gives_the_same_box)
{
    char first[SECRET_REFERENCE_SIZE + 1], again[SECRET_REFERENCE_SIZE + 1];
    struct buf kept;
    buf_init(&kept, 1u << 20);
    seal(&PLACE, "value", first);
    buf_append_bytes(&kept, buf_view(&box));
    seal(&PLACE, "value", again);
    ck_assert_str_eq(first, again);
    ck_assert(bytes_equal(buf_view(&kept), buf_view(&box)));
    seal(&PLACE, "valuf", again);
    ck_assert_str_ne(first, again);
    buf_free(&kept);
}
END_TEST

#define NONCE_AT (1 + SECRET_KEY_ID_SIZE)
#define NONCE_SIZE 24
#define TEXTS 20000

static int compare_nonces(const void *a, const void *b)
{
    return memcmp(a, b, NONCE_SIZE);
}

START_TEST(no_nonce_comes_twice)
{
    static unsigned char nonces[TEXTS][NONCE_SIZE];
    char text[32], id[32], reference[SECRET_REFERENCE_SIZE + 1];
    for (int i = 0; i < TEXTS; i++) {
        struct secret_place place = PLACE;
        snprintf(text, sizeof text, "%d", i / 2); /* each text at two places */
        snprintf(id, sizeof id, "%d", i % 2);
        place.id = bytes_text(id);
        seal(&place, text, reference);
        memcpy(nonces[i], box.data + NONCE_AT, NONCE_SIZE);
    }
    qsort(nonces, TEXTS, NONCE_SIZE, compare_nonces);
    for (int i = 1; i < TEXTS; i++)
        ck_assert_int_ne(compare_nonces(nonces[i - 1], nonces[i]), 0);
}
END_TEST

/* FAULTS X04: a thousand boxes, each tried at a place that differs in one part only, also where
 * the parts joined give the same text. */
START_TEST(a_box_moved_elsewhere_does_not_open)
{
    static const struct secret_place OTHERS[] = {
        {{"acmf", 4}, {"llm_config", 10}, {"c1", 2}, {"/apiKey", 7}},
        {{"acme", 4}, {"llm_confih", 10}, {"c1", 2}, {"/apiKey", 7}},
        {{"acme", 4}, {"llm_config", 10}, {"c2", 2}, {"/apiKey", 7}},
        {{"acme", 4}, {"llm_config", 10}, {"c1", 2}, {"/apiKez", 7}},
        {{"acmel", 5}, {"lm_config", 9}, {"c1", 2}, {"/apiKey", 7}},
        {{"acme", 4}, {"llm_config", 10}, {"c1/", 3}, {"apiKey", 6}},
        {{"", 0}, {"", 0}, {"", 0}, {"", 0}},
    };
    char text[32], reference[SECRET_REFERENCE_SIZE + 1];
    struct error err;
    int opened = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "secret %d", i);
        seal(&PLACE, text, reference);
        const struct secret_place *other = &OTHERS[(size_t)i % (sizeof OTHERS / sizeof *OTHERS)];
        opened += secret_box_open(&ring, other, buf_view(&box), &plain, &err) == OUT_OK;
        ck_assert_int_eq(err.code, ERR_SECRET_OPEN);
        ck_assert_uint_eq(plain.size, 0);
    }
    ck_assert_int_eq(opened, 0);
}
END_TEST

/* FAULTS X06: any flipped bit and any cut is noticed: version, key id, nonce, text, tag. */
START_TEST(damage_is_noticed)
{
    char reference[SECRET_REFERENCE_SIZE + 1];
    seal(&PLACE, "a secret text", reference);
    for (size_t at = 0; at < box.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            box.data[at] ^= (char)(1 << bit);
            ck_assert_int_eq(secret_box_open(&ring, &PLACE, buf_view(&box), &plain, NULL),
                             OUT_REJECT);
            box.data[at] ^= (char)(1 << bit);
        }
        ck_assert_int_eq(secret_box_open(&ring, &PLACE, bytes_of(box.data, at), &plain, NULL),
                         OUT_REJECT);
    }
    buf_append_char(&box, 0);
    ck_assert_int_eq(secret_box_open(&ring, &PLACE, buf_view(&box), &plain, NULL), OUT_REJECT);
}
END_TEST

START_TEST(a_box_of_another_ring_does_not_open)
{
    char reference[SECRET_REFERENCE_SIZE + 1], other[SECRET_REFERENCE_SIZE + 1];
    struct buf kept;
    seal(&PLACE, "value", reference);
    secret_ring_generate(&ring);
    ck_assert_int_eq(secret_box_open(&ring, &PLACE, buf_view(&box), &plain, NULL), OUT_REJECT);
    buf_init(&kept, 1u << 20);
    secret_box_seal(&ring, &PLACE, BYTES_LITERAL("value"), other, &kept);
    ck_assert_str_ne(reference, other);
    buf_free(&kept);
}
END_TEST

START_TEST(rotation_keeps_text_and_reference)
{
    char before[SECRET_REFERENCE_SIZE + 1], after[SECRET_REFERENCE_SIZE + 1];
    struct buf moved;
    buf_init(&moved, 1u << 20);
    seal(&PLACE, "value", before);
    ck_assert(secret_ring_add(&ring));
    ck_assert_int_eq(secret_box_open(&ring, &PLACE, buf_view(&box), &plain, NULL), OUT_OK);
    ck_assert_int_eq(secret_box_reseal(&ring, &PLACE, buf_view(&box), &moved, NULL), OUT_OK);
    ck_assert_mem_eq(secret_box_key_id(buf_view(&moved)), ring.keys[1].id, SECRET_KEY_ID_SIZE);
    ck_assert_int_eq(secret_box_open(&ring, &PLACE, buf_view(&moved), &plain, NULL), OUT_OK);
    ck_assert(bytes_equal(buf_view(&plain), BYTES_LITERAL("value")));
    seal(&PLACE, "value", after);
    ck_assert_str_eq(before, after);
    ck_assert(bytes_equal(buf_view(&box), buf_view(&moved)));
    ck_assert_ptr_null(secret_box_key_id(BYTES_LITERAL("")));
    buf_free(&moved);
}
END_TEST

/* draft-irtf-cfrg-xchacha-03, A.3.1: the library under us is the cipher it says it is. */
START_TEST(the_cipher_is_xchacha20_poly1305)
{
    static const char PLAIN[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                                "only one tip for the future, sunscreen would be it.";
    static const char EXPECTED[] =
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4e"
        "da7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2"
        "383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
    unsigned char key[32], nonce[24], extra[12], out[200];
    char hex[2 * sizeof out + 1];
    unsigned long long size;
    for (int i = 0; i < 32; i++)
        key[i] = (unsigned char)(0x80 + i);
    for (int i = 0; i < 24; i++)
        nonce[i] = (unsigned char)(0x40 + i);
    sodium_hex2bin(extra, sizeof extra, "50515253c0c1c2c3c4c5c6c7", 24, NULL, NULL, NULL);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out, &size, (const unsigned char *)PLAIN,
                                               sizeof PLAIN - 1, extra, sizeof extra, NULL, nonce,
                                               key);
    ck_assert_str_eq(sodium_bin2hex(hex, sizeof hex, out, size), EXPECTED);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("secret_box");
    TCase *tests = tcase_create("boxes");
    tcase_add_checked_fixture(tests, make_ring, drop_ring);
    tcase_add_test(tests, a_box_opens_at_its_place);
    tcase_add_test(tests, the_same_value_gives_the_same_box);
    tcase_add_test(tests, no_nonce_comes_twice);
    tcase_add_test(tests, a_box_moved_elsewhere_does_not_open);
    tcase_add_test(tests, damage_is_noticed);
    tcase_add_test(tests, a_box_of_another_ring_does_not_open);
    tcase_add_test(tests, rotation_keeps_text_and_reference);
    tcase_add_test(tests, the_cipher_is_xchacha20_poly1305);
    suite_add_tcase(made, tests);
    return made;
}

SUITE_MAIN(suite)
