/* Isolation keys: no two tenants share one, whatever they are called (fault rows I09 to I11). */

#include <string.h>

#include "common/model/tenant.h"
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
static const char *key_of(struct tenant tenant, char out[TENANT_KEY_MOST + 1])
{
    struct error err;
    struct buf key;
    buf_init(&key, TENANT_KEY_MOST);
    ck_assert_msg(tenant_append_key(&tenant, &key, &err) == OUT_OK, "%s", err.text);
    ck_assert_uint_le(key.size, TENANT_KEY_MOST);
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
    char key[TENANT_KEY_MOST + 1];
    ck_assert_str_eq(key_of(plain(KEYS[_i].id), key), KEYS[_i].key);
}
END_TEST

START_TEST(context_keys)
{
    char key[TENANT_KEY_MOST + 1];
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
    char left[TENANT_KEY_MOST + 1], right[TENANT_KEY_MOST + 1];
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
    char left[TENANT_KEY_MOST + 1], right[TENANT_KEY_MOST + 1];
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
    char key[TENANT_KEY_MOST + 1], forged[TENANT_KEY_MOST + 1];
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
    char key[TENANT_KEY_MOST + 1];
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
        buf_init(&key, TENANT_KEY_MOST);
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
    tcase_add_test(tcase, invalid_keys);
    tcase_add_loop_test(tcase, contexts, 0, COUNT(CONTEXTS));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(tenant_suite)
