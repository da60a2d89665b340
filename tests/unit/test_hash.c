#include "common/base/hash.h"

#include <stdint.h>
#include <string.h>

#include "tests/support/suite.h"

/* The vectors of Kafka's UtilsTest.testMurmur2. */
static const struct {
    const char *key;
    int32_t hash;
} MURMUR2[] = {
    {"21", -973932308},
    {"foobar", -790332482},
    {"a-little-bit-long-string", -985981536},
    {"a-little-bit-longer-string", -1486304829},
    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
    {"abc", 479470107},
};

START_TEST(partitions_as_java_does)
{
    int32_t positive = MURMUR2[_i].hash & 0x7fffffff;
    static const int32_t COUNTS[] = {1, 2, 3, 4, 12, 1000, INT32_MAX};
    for (size_t i = 0; i < sizeof(COUNTS) / sizeof(COUNTS[0]); i++)
        ck_assert_int_eq(hash_partition(bytes_text(MURMUR2[_i].key), COUNTS[i]),
                         positive % COUNTS[i]);
}
END_TEST

START_TEST(partitions_any_bytes)
{
    /* High bytes must not be sign-extended; empty keys have a partition too. */
    char key[9];
    memset(key, 0xFF, sizeof(key));
    for (size_t size = 0; size <= sizeof(key); size++) {
        int32_t partition = hash_partition(bytes_of(key, size), 7);
        ck_assert(partition >= 0 && partition < 7);
    }
    ck_assert_int_eq(hash_partition(bytes_of(NULL, 0), 1), 0);
    /* 275646681 is what librdkafka's own test (rdmurmur2.c) gives for the empty key. */
    ck_assert_int_eq(hash_partition(bytes_of(NULL, 0), INT32_MAX), 275646681);
}
END_TEST

START_TEST(digests_are_those_of_xxh3)
{
    char hex[33];
    struct digest digest = digest_of(bytes_of(NULL, 0));
    digest_format(&digest, hex);
    ck_assert_str_eq(hex, "99aa06d3014798d86001c324468d497f"); /* XXH3-128 of nothing */
    struct digest parsed;
    ck_assert(digest_parse(bytes_text(hex), &parsed));
    ck_assert(digest_equal(&digest, &parsed));
    struct digest other = digest_of(BYTES_LITERAL("a"));
    ck_assert(!digest_equal(&digest, &other));
    ck_assert(hash64(BYTES_LITERAL("a")) != hash64(BYTES_LITERAL("b")));
    ck_assert_uint_eq(hash64(bytes_of(NULL, 0)), 0x2D06800538D394C2u); /* XXH3-64 of nothing */
}
END_TEST

static const struct {
    const char *name, *hex;
    bool ok;
} HEXES[] = {
    {"lower case", "00112233445566778899aabbccddeeff", true},
    {"upper case", "00112233445566778899AABBCCDDEEFF", true},
    {"too short", "00112233445566778899aabbccddeef", false},
    {"too long", "00112233445566778899aabbccddeeff0", false},
    {"not hex", "00112233445566778899aabbccddeefg", false},
    {"a space", " 0112233445566778899aabbccddeeff", false},
    {"nothing", "", false},
};

START_TEST(parses_hex)
{
    struct digest digest = {{7}};
    ck_assert_msg(digest_parse(bytes_text(HEXES[_i].hex), &digest) == HEXES[_i].ok, "%s",
                  HEXES[_i].name);
    ck_assert_int_eq(digest.bytes[0], HEXES[_i].ok ? 0 : 7);
    if (HEXES[_i].ok)
        ck_assert_int_eq(digest.bytes[15], 0xFF);
}
END_TEST

static const struct {
    const char *name, *a, *b, *sum;
} SUMS[] = {
    {"small", "00000000000000000000000000000001", "00000000000000000000000000000002",
     "00000000000000000000000000000003"},
    {"a carry through all bytes", "00ffffffffffffffffffffffffffffff",
     "00000000000000000000000000000001", "01000000000000000000000000000000"},
    {"modulo 2^128", "ffffffffffffffffffffffffffffffff", "00000000000000000000000000000002",
     "00000000000000000000000000000001"},
};

START_TEST(sums)
{
    struct digest a, b;
    ck_assert(digest_parse(bytes_text(SUMS[_i].a), &a) && digest_parse(bytes_text(SUMS[_i].b), &b));
    struct digest swapped = b;
    digest_add(&swapped, &a);
    digest_add(&a, &b);
    char hex[33];
    digest_format(&a, hex);
    ck_assert_msg(strcmp(hex, SUMS[_i].sum) == 0, "%s: %s", SUMS[_i].name, hex);
    ck_assert(digest_equal(&a, &swapped));
}
END_TEST

static Suite *hash_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *tcase = tcase_create("hash");
    tcase_add_loop_test(tcase, partitions_as_java_does, 0, sizeof(MURMUR2) / sizeof(MURMUR2[0]));
    tcase_add_test(tcase, partitions_any_bytes);
    tcase_add_test(tcase, digests_are_those_of_xxh3);
    tcase_add_loop_test(tcase, parses_hex, 0, sizeof(HEXES) / sizeof(HEXES[0]));
    tcase_add_loop_test(tcase, sums, 0, sizeof(SUMS) / sizeof(SUMS[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(hash_suite)
