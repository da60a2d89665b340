#include "common/policy/secrets/secret_key.h"

#include <string.h>

#include "tests/support/suite.h"

static struct secret_ring ring;
static struct buf text;

static void make_ring(void)
{
    buf_init(&text, 1u << 20);
    secret_ring_generate(&ring);
    ck_assert(secret_ring_add(&ring));
    secret_ring_append(&text, &ring);
}

static void drop_ring(void)
{
    buf_free(&text);
}

START_TEST(a_ring_survives_its_text)
{
    struct secret_ring read;
    char identity[17], identity_read[17];
    ck_assert_int_eq(secret_ring_parse(buf_view(&text), &read, NULL), OUT_OK);
    ck_assert_mem_eq(&read, &ring, sizeof ring);
    secret_ring_identity(&ring, identity);
    secret_ring_identity(&read, identity_read);
    ck_assert_str_eq(identity, identity_read);
    ck_assert_uint_eq(strspn(identity, "0123456789abcdef"), 16);
    ck_assert_ptr_eq(secret_ring_find(&read, ring.keys[0].id), &read.keys[0]);
    ck_assert_ptr_null(secret_ring_find(&read, (const unsigned char *)"12345678"));
}
END_TEST

START_TEST(a_new_key_keeps_the_identity)
{
    char before[17], after[17];
    secret_ring_identity(&ring, before);
    ck_assert(secret_ring_add(&ring));
    secret_ring_identity(&ring, after);
    ck_assert_str_eq(before, after);
    secret_ring_generate(&ring);
    secret_ring_identity(&ring, after);
    ck_assert_str_ne(before, after);
}
END_TEST

START_TEST(a_full_ring_takes_no_more)
{
    while (ring.count < SECRET_KEYS_MAX)
        ck_assert(secret_ring_add(&ring));
    ck_assert(!secret_ring_add(&ring));
    struct secret_ring read;
    buf_reset(&text);
    secret_ring_append(&text, &ring);
    ck_assert_int_eq(secret_ring_parse(buf_view(&text), &read, NULL), OUT_OK);
    ck_assert_uint_eq(read.count, SECRET_KEYS_MAX);
}
END_TEST

/* Any byte of its lines that is another one, and any cut but the last newline's, is noticed. */
START_TEST(damage_is_noticed)
{
    struct secret_ring read;
    struct error err;
    const char *body = strstr(buf_text(&text), "drover-keys");
    size_t start = (size_t)(body - text.data);
    for (size_t at = start; at < text.size - 1; at++) {
        char kept = text.data[at];
        ck_assert_int_eq(secret_ring_parse(bytes_of(text.data, at), &read, &err), OUT_FATAL);
        ck_assert_int_eq(err.code, ERR_SECRET_KEY);
        text.data[at] = kept == '1' ? '2' : '1';
        ck_assert_msg(secret_ring_parse(buf_view(&text), &read, &err) == OUT_FATAL, "at %zu", at);
        ck_assert_uint_eq(read.count, 0);
        text.data[at] = kept;
    }
}
END_TEST

START_TEST(line_ends_and_remarks_do_not_matter)
{
    struct secret_ring read;
    struct buf other;
    buf_init(&other, 1u << 20);
    buf_append_text(&other, "# mine\r\n\r\n");
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\n')
            buf_append_char(&other, '\r');
        buf_append_char(&other, text.data[i]);
    }
    ck_assert_int_eq(secret_ring_parse(buf_view(&other), &read, NULL), OUT_OK);
    ck_assert_mem_eq(&read, &ring, sizeof ring);
    buf_free(&other);
}
END_TEST

START_TEST(wiping_leaves_nothing)
{
    static const struct secret_ring EMPTY;
    secret_ring_wipe(&ring);
    ck_assert_mem_eq(&ring, &EMPTY, sizeof ring);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("secret_key");
    TCase *tests = tcase_create("ring");
    tcase_add_checked_fixture(tests, make_ring, drop_ring);
    tcase_add_test(tests, a_ring_survives_its_text);
    tcase_add_test(tests, a_new_key_keeps_the_identity);
    tcase_add_test(tests, a_full_ring_takes_no_more);
    tcase_add_test(tests, damage_is_noticed);
    tcase_add_test(tests, line_ends_and_remarks_do_not_matter);
    tcase_add_test(tests, wiping_leaves_nothing);
    suite_add_tcase(made, tests);
    return made;
}

SUITE_MAIN(suite)
