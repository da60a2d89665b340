/* Isolation keys: no two tenants share one, whatever they are called (fault rows I09 to I11). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/model/message/tenant.h"
#include "tests/support/suite.h"

static struct tenant plain(const char *id)
{
    return (struct tenant){.tenant_id = bytes_text(id)};
}

static struct tenant context(const char *organization, const char *server, const char *project)
{
    return (struct tenant){.organization_id = bytes_text(organization),
                           .server_id = bytes_text(server),
                           .project_id = bytes_text(project)};
}

/* The key as a NUL-terminated text in `out`; checks that it is a valid key. */
static const char *key_of(struct tenant tenant, char out[TENANT_KEY_MAX + 1])
{
    struct error err;
    struct buf key;
    buf_init(&key, TENANT_KEY_MAX);
    ck_assert_msg(tenant_append_key(&tenant, &key, &err) == OUT_OK, "%s", err.text);
    ck_assert_uint_le(key.size, TENANT_KEY_MAX);
    ck_assert_msg(tenant_key_is_valid(buf_view(&key)), "%s", buf_text(&key));
    memcpy(out, buf_text(&key), key.size + 1);
    buf_free(&key);
    return out;
}

static const struct {
    const char *id, *key;
} KEYS[] = {
    {"tenant-1", "tenant-1"},
    {"Tenant-1", "Tenant-1"},
    {"a:b", "a%3Ab"},
    {"a/b", "a%2Fb"},
    {"100%", "100%25"},
    {"*", "%2A"},
    {"a_b", "a_b"},
    {"{}", "%7B%7D"},
    {"'; drop table x; --", "%27%3B%20drop%20table%20x%3B%20--"},
    {"..", ".."},
    {"\r\n", "%0D%0A"},
    {"\xC3\xA9", "%C3%A9"},
    {"e\xCC\x81", "e%CC%81"},
    {"\xE2\x80\xAE", "%E2%80%AE"},
    {" ", "%20"},
};

START_TEST(keys)
{
    char key[TENANT_KEY_MAX + 1];
    ck_assert_str_eq(key_of(plain(KEYS[_i].id), key), KEYS[_i].key);
}
END_TEST

START_TEST(context_keys)
{
    char key[TENANT_KEY_MAX + 1];
    struct tenant tenant = {.organization_id = bytes_text("org"),
                            .server_id = bytes_text("s1"),
                            .project_id = bytes_text("p:1"),
                            .codebase_hash = bytes_text("abc"),
                            .environment = bytes_text("prod")};
    ck_assert_str_eq(key_of(tenant, key), "org:s1:p%3A1:abc:prod");
    ck_assert_str_eq(key_of(context("", "", "p"), key), "::p::");
}
END_TEST

/* Pairs made to collide where a key is built carelessly. */
START_TEST(no_collisions)
{
    static const struct {
        const char *a[3], *b[3];
    } ROWS[] = {
        {{"a:b", "c", ""}, {"a", "b:c", ""}}, {{"a", "", "b"}, {"a", "b", ""}},
        {{"a", "b", ""}, {"", "a", "b"}},     {{"a%3Ab", "", ""}, {"a:b", "", ""}},
        {{"Acme", "", ""}, {"acme", "", ""}}, {{"caf\xC3\xA9", "", ""}, {"cafe\xCC\x81", "", ""}},
        {{"t1", "", ""}, {"t10", "", ""}},    {{"a", "", ""}, {"a ", "", ""}},
    };
    char left[TENANT_KEY_MAX + 1], right[TENANT_KEY_MAX + 1];
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        key_of(context(ROWS[i].a[0], ROWS[i].a[1], ROWS[i].a[2]), left);
        key_of(context(ROWS[i].b[0], ROWS[i].b[1], ROWS[i].b[2]), right);
        ck_assert_str_ne(left, right);
    }
    /* A plain tenant is never a context. */
    ck_assert_str_ne(key_of(plain("a"), left), key_of(context("a", "", ""), right));
    ck_assert_str_ne(key_of(plain("a::::"), left), key_of(context("a", "", ""), right));
}
END_TEST

START_TEST(long_names_are_cut_and_hashed)
{
    static char long_a[10 * 1024 + 1], long_b[10 * 1024 + 1];
    char left[TENANT_KEY_MAX + 1], right[TENANT_KEY_MAX + 1];
    memset(long_a, 'x', sizeof(long_a) - 1);
    memset(long_b, 'x', sizeof(long_b) - 1);
    long_b[sizeof(long_b) - 2] = 'y';
    key_of(plain(long_a), left);
    key_of(plain(long_b), right);
    ck_assert_uint_eq(strlen(left), 255);
    ck_assert_int_eq(left[222], '~');
    ck_assert_int_eq(strncmp(left, long_a, 222), 0);
    ck_assert_str_ne(left, right);

    long_a[255] = '\0'; /* fits: kept as it is */
    ck_assert_str_eq(key_of(plain(long_a), left), long_a);
    long_b[256] = '\0';
    ck_assert_int_eq(key_of(plain(long_b), left)[222], '~');
}
END_TEST

/* A tenant called as another one's hashed key is not that one. */
START_TEST(a_hashed_key_cannot_be_taken)
{
    static char long_name[1025];
    char key[TENANT_KEY_MAX + 1], forged[TENANT_KEY_MAX + 1];
    memset(long_name, 'x', sizeof(long_name) - 1);
    key_of(plain(long_name), key);
    ck_assert_str_ne(key_of(plain(key), forged), key);
    ck_assert_int_eq(strncmp(forged, key, 222), 0);
}
END_TEST

/* Cut at every place of an escape and of a character. */
START_TEST(cuts_inside_an_escape)
{
    static char name[600];
    char key[TENANT_KEY_MAX + 1];
    for (size_t lead = 0; lead < 12; lead++) {
        memset(name, 'x', lead);
        size_t size = lead;
        while (size < 400) {
            memcpy(name + size, "\xF0\x9F\x98\x80", 4);
            size += 4;
        }
        name[size] = '\0';
        key_of(plain(name), key); /* checks validity */
        struct buf json;
        buf_init(&json, 4096);
        ck_assert(tenant_append_context(bytes_text(key), &json));
        ck_assert_int_eq(strncmp(buf_text(&json), "{\"isolationKey\":\"", 17), 0);
        buf_free(&json);
    }
}
END_TEST

START_TEST(refused_tenants)
{
    const struct {
        struct tenant tenant;
        enum error_code code;
    } rows[] = {
        {{.tenant_id = {NULL, 0}}, ERR_TENANT_MISSING},
        {plain(""), ERR_TENANT_MISSING},
        {{.tenant_id = {"a\0b", 3}}, ERR_TENANT_FORM},
        {{.tenant_id = {"\0", 1}}, ERR_TENANT_FORM},
        {plain("\xFF"), ERR_TENANT_FORM},
        {plain("\xED\xA0\x80"), ERR_TENANT_FORM},
        {context("a", "\xC0\x80", ""), ERR_TENANT_FORM},
        {{.tenant_id = bytes_text("a"), .project_id = bytes_text("b")}, ERR_TENANT_FORM},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err;
        struct buf key;
        buf_init(&key, TENANT_KEY_MAX);
        ck_assert_int_eq(tenant_append_key(&rows[i].tenant, &key, &err), OUT_REJECT);
        ck_assert_int_eq(err.code, rows[i].code);
        ck_assert_uint_eq(key.size, 0);
        buf_free(&key);
    }
}
END_TEST

START_TEST(invalid_keys)
{
    static const char *const ROWS[] = {
        "",    "a b",   "a/b",  "%",           "a%2",      "%zz", "%41", "a%3ab", "%00",
        "a:b", "a:b:c", "::::", "a:b:c:d:e:f", "\xC3\xA9", "%C3", "%FF", "a'b",   "a\nb"};
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        ck_assert_msg(!tenant_key_is_valid(bytes_text(ROWS[i])), "valid: %s", ROWS[i]);
    char longer[256];
    memset(longer, 'x', sizeof(longer));
    ck_assert(!tenant_key_is_valid(bytes_of(longer, sizeof(longer))));
    ck_assert(!tenant_key_is_valid(bytes_of("a\0b", 3)));
}
END_TEST

static const struct {
    const char *key, *json;
} CONTEXTS[] = {
    {"tenant-1", "{\"tenantId\":\"tenant-1\"}"},
    {"a%3Ab%22", "{\"tenantId\":\"a:b\\\"\"}"},
    {"org:s1:p%3A1:abc:prod", "{\"organizationId\":\"org\",\"serverId\":\"s1\",\"projectId\":"
                              "\"p:1\",\"codebaseHash\":\"abc\",\"environment\":\"prod\"}"},
    {"::p::", "{\"projectId\":\"p\"}"},
    {"%C3%A9", "{\"tenantId\":\"\xC3\xA9\"}"},
};

START_TEST(contexts)
{
    struct buf json;
    buf_init(&json, 4096);
    ck_assert(tenant_append_context(bytes_text(CONTEXTS[_i].key), &json));
    ck_assert_str_eq(buf_text(&json), CONTEXTS[_i].json);
    buf_reset(&json);
    ck_assert(!tenant_append_context(bytes_text("a:b"), &json));
    buf_free(&json);
}
END_TEST

/* ---- I09: whatever somebody calls a tenant ------------------------------------------------- */

/* Patterns, quotes, paths, protocols, bidirectional and invisible characters. */
static const char *const HOSTILE[] = {
    "*",
    "?",
    "%",
    "_",
    "[",
    "]",
    "[a-z]",
    "\\",
    "\\\\",
    "'",
    "\"",
    "`",
    "''",
    "\"\"",
    "\\'",
    ";",
    ":",
    "::::",
    "/",
    "//",
    "..",
    "../..",
    "./",
    ".",
    "%2e%2e%2f",
    "..\\",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\x01",
    "\x1B[31m",
    "\x7F",
    "{}",
    "{",
    "}",
    "${x}",
    "{{x}}",
    "$(id)",
    "`id`",
    "|id",
    "&",
    "&&",
    "<script>",
    "-->",
    " ",
    "  ",
    "\xC2\xA0",
    "\xE2\x80\x8B",
    "\xE2\x80\x8F",
    "\xE2\x80\xAE",
    "\xEF\xBB\xBF",
    "\xC2\xAD",
    "\xC3\xA9",
    "e\xCC\x81",
    "\xC3\x89",
    "\xC4\xB0",
    "\xC4\xB1",
    "\xD8\xA7",
    "\xF0\x9F\x98\x80",
    "\xEF\xBF\xBD",
    "\xEF\xBF\xBF",
    "\xC2\x80",
    "' OR '1'='1",
    "'; DROP TABLE x; --",
    "/**/",
    "--",
    "#",
    "*1\r\n$4\r\nPING\r\n",
    "GET x",
    "null",
    "NULL",
    "undefined",
    "true",
    "0",
    "-0",
    "00",
    "1e3",
    "app.current_tenant_key",
    "%00",
    "%s%n",
    "~",
    "t1",
    "T1",
    "t10",
    "@",
    "!",
    "=",
    "+",
    ",",
    "<,>",
    "(",
    ")",
    "^",
    "con",
    "\\x00",
    "\\u0000",
};
#define HOSTILE_COUNT (sizeof(HOSTILE) / sizeof(HOSTILE[0]))

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Alone, in front, behind and within: the key holds unreserved characters and %XX only, and gives
 * the id back; so no two share one. Refused are NUL and the empty id (refused_tenants). */
START_TEST(hostile_ids)
{
    static const char *const FORMS[][2] = {{"", ""}, {"a", ""}, {"", "a"}, {"a", "b"}};
    static char made[4 * HOSTILE_COUNT][TENANT_KEY_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < 4 * HOSTILE_COUNT; i++) {
        char id[64];
        const char *const *form = FORMS[i % 4];
        snprintf(id, sizeof id, "%s%s%s", form[0], HOSTILE[i / 4], form[1]);
        struct buf decoded;
        buf_init(&decoded, sizeof id);
        const char *key = key_of(plain(id), made[count++]);
        ck_assert_uint_eq(strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-._~%"),
                          strlen(key));
        ck_assert(text_percent_decode(&decoded, bytes_text(key)));
        ck_assert_str_eq(buf_text(&decoded), id);
        buf_free(&decoded);
    }
    ck_assert_uint_ge(count, 200);
    qsort(made, count, sizeof made[0], by_text);
    for (size_t i = 1; i < count; i++)
        ck_assert_str_ne(made[i - 1], made[i]);
}
END_TEST

/* ---- I11: nothing folds, nothing is cut off ------------------------------------------------ */

/* Ids that differ in their last character alone, or in one more, at every length about the limit,
 * plain and of characters that take six or twelve bytes in the key. */
START_TEST(ids_about_the_limit)
{
    static const char *const UNITS[] = {"x", "\xC3\xA9", "\xF0\x9F\x98\x80"};
    static const char *const ENDS[] = {"",         "a",  "A",   "\xC3\xA9",     "e\xCC\x81",
                                       "\xC3\x89", "aa", "%61", "\xEF\xBC\xA1", " "};
    enum { FROM = 15, TO = 262, ENDS_COUNT = sizeof(ENDS) / sizeof(ENDS[0]) };
    static char made[3 * (TO - FROM) * ENDS_COUNT][TENANT_KEY_MAX + 1];
    size_t count = 0;
    for (size_t unit = 0; unit < 3; unit++) {
        char id[1200] = "";
        for (int length = 1; length < TO; length++) {
            size_t size = strlen(id), step = strlen(UNITS[unit]);
            memcpy(id + size, UNITS[unit], step + 1);
            for (int end = 0; length >= FROM && end < ENDS_COUNT; end++) {
                strcpy(id + size + step, ENDS[end]);
                if (unit != 1 || strcmp(ENDS[end], UNITS[1]) != 0)
                    key_of(plain(id), made[count++]);
            }
            id[size + step] = '\0';
        }
    }
    ck_assert_uint_gt(count, 7000);
    qsort(made, count, sizeof made[0], by_text);
    for (size_t i = 1; i < count; i++)
        ck_assert_msg(strcmp(made[i - 1], made[i]) != 0, "two ids share %s", made[i]);
}
END_TEST

struct tail {
    char text[48]; /* what tells keys of one prefix apart */
};

static int by_tail(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct tail));
}

/* A million ids: every eighth one is too long and differs from the next behind the cut alone.
 * Counted, as a million assertions take longer than what they look at. */
START_TEST(a_million_ids)
{
    enum { COUNT = 1000000, LEAD = 300, KEPT = 222 };
    struct tail *tails = calloc(COUNT, sizeof *tails);
    char id[LEAD + 16];
    struct buf key;
    struct error err;
    size_t wrong = 0, equal = 0;
    ck_assert_ptr_nonnull(tails);
    memset(id, 'x', LEAD);
    buf_init(&key, TENANT_KEY_MAX);
    for (int i = 0; i < COUNT; i++) {
        bool is_long = i % 16 < 2;
        size_t kept = is_long ? KEPT : 0;
        snprintf(id + LEAD, 16, "%c%d", i & 1 ? 'k' : 'K', i >> 1);
        struct tenant tenant = plain(is_long ? id : id + LEAD);
        buf_reset(&key);
        if (tenant_append_key(&tenant, &key, &err) != OUT_OK || key.size < kept ||
            key.size - kept > sizeof tails->text) {
            wrong++;
            continue;
        }
        wrong += is_long && memcmp(buf_text(&key), id, kept) != 0;
        memcpy(tails[i].text, buf_text(&key) + kept, key.size - kept);
    }
    qsort(tails, COUNT, sizeof *tails, by_tail);
    for (int i = 1; i < COUNT; i++)
        equal += by_tail(&tails[i - 1], &tails[i]) == 0;
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(equal, 0);
    buf_free(&key);
    free(tails);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static Suite *tenant_suite(void)
{
    Suite *suite = suite_create("tenant");
    TCase *tcase = tcase_create("tenant");
    tcase_add_loop_test(tcase, keys, 0, COUNT(KEYS));
    tcase_add_test(tcase, context_keys);
    tcase_add_test(tcase, no_collisions);
    tcase_add_test(tcase, long_names_are_cut_and_hashed);
    tcase_add_test(tcase, a_hashed_key_cannot_be_taken);
    tcase_add_test(tcase, cuts_inside_an_escape);
    tcase_add_test(tcase, refused_tenants);
    tcase_add_test(tcase, hostile_ids);
    tcase_add_test(tcase, ids_about_the_limit);
    tcase_add_test(tcase, a_million_ids);
    tcase_add_test(tcase, invalid_keys);
    tcase_add_loop_test(tcase, contexts, 0, COUNT(CONTEXTS));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(tenant_suite)
