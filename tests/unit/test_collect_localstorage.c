/* localStorage payloads as records: every form, every key of the product, every way to be wrong. */
#include "common/policy/collect/collect.h"

#include <stdio.h>

#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/policy/collect/collect_localstorage.h"
#include "tests/support/memory.h"
#include "tests/support/suite.h"

#define RECORD_MAX 2048

/* As schemas/mappings has them, with the columns left out. */
static const char *const YAMLS[] = {
    "entity: agent\ncollect: { local_storage: 'ai_agents_{tenant}', expand: elements }\n"
    "table: a\nkey: [id]\ncolumns:\n  - { name: id, from: /id, type: text }\nrest: x\n",
    "entity: message\ncollect: { local_storage: ['chat_session_{tenant}_global', 'chat_session_*'],"
    " expand: elements }\n"
    "table: m\nkey: [s, i]\ncolumns:\n  - { name: s, from: $key_suffix, type: text }\n"
    "  - { name: i, from: $index1, type: int4 }\nrest: x\n",
    "entity: session\ncollect: { local_storage: ['chat_session_{tenant}_global', 'chat_session_*'],"
    " expand: container }\n"
    "table: s\nkey: [s]\ncolumns:\n  - { name: s, from: $key_suffix, type: text }\nrest: x\n",
    "entity: item\ncollect: { local_storage: '*', expand: text }\n"
    "table: i\nkey: [key]\ncolumns:\n  - { name: key, from: $key, type: text }\nrest: x\n",
    "entity: prefs\ncollect:\n  local_storage: [theme, '*_preferences_*', '*_settings_*']\n"
    "  expand: merge\n  merge:\n    ui: '*ui_preferences*'\n    notification: '*notification*'\n"
    "    privacy: '*privacy*'\n    advanced: '*'\n  take: { theme: theme }\n"
    "table: p\nkey: [user]\ncolumns:\n  - { name: user, from: $user, type: text }\nrest: x\n",
    "entity: draft\ncollect: { local_storage: 'draft_*', expand: value }\n"
    "table: d\nkey: [key]\ncolumns:\n  - { name: key, from: $key, type: text }\nrest: x\n",
};
#define MAPPINGS (sizeof(YAMLS) / sizeof(YAMLS[0]))

static struct mapping *mappings[MAPPINGS];

static void make_mappings(void)
{
    for (size_t i = 0; i < MAPPINGS; i++) {
        struct error err;
        enum outcome outcome = mapping_parse("test.yaml", bytes_text(YAMLS[i]), &mappings[i], &err);
        ck_assert_msg(outcome == OUT_OK, "%s %s", err.text, err.where);
    }
}

static void free_mappings(void)
{
    for (size_t i = 0; i < MAPPINGS; i++)
        mapping_free(mappings[i]);
}

/* ---- what is said of a payload ---- */

static void describe(struct buf *out, const struct source_item *item, const struct error *err)
{
    static const char *const KINDS[] = {"", "rejected ", "withheld ", "note "};
    buf_append_format(out, "%s%s", out->size ? "\n" : "", KINDS[item->kind]);
    if (item->mapping && item->kind != SOURCE_ITEM_NOTE &&
        !bytes_equal(item->name, bytes_text(item->mapping->entity)))
        buf_append_format(out, "%s ", item->mapping->entity);
    buf_append_bytes(out, item->name);
    if (item->localstorage_origin.size)
        buf_append_format(out, " @%.*s", BYTES_ARGS(item->localstorage_origin));
    if (item->tenant.size)
        buf_append_format(out, " (%.*s)", BYTES_ARGS(item->tenant));
    if (item->kind == SOURCE_ITEM_RECORD)
        buf_append_format(out, " %.*s", BYTES_ARGS(item->payload));
    if (item->kind == SOURCE_ITEM_REJECTED)
        buf_append_format(out, " %s", error_code_id(err->code) + 4);
    if (item->kind == SOURCE_ITEM_NOTE)
        buf_append_format(out, ": %s", err->text);
}

/* One reading, in chunks of the given sizes in turn (0: the rest), each in memory of its own. */
static void read_once(struct collect *collect, struct bytes text, size_t first, size_t others,
                      struct buf *out)
{
    char *chunk = NULL;
    size_t at = 0;
    size_t size = first;
    uint64_t ordinal = 0;
    struct source_item item;
    struct error err;
    for (;;) {
        enum collect_result result = collect_next(collect, &item, &err);
        if (result == COLLECT_END)
            break;
        if (result == COLLECT_ITEM) {
            ck_assert_uint_eq(item.ordinal, ordinal);
            ordinal += item.kind != SOURCE_ITEM_NOTE;
            describe(out, &item, &err);
            continue;
        }
        free(chunk);
        chunk = NULL;
        if (at == text.size) {
            collect_finish(collect);
            continue;
        }
        if (size == 0 || size > text.size - at)
            size = text.size - at;
        chunk = malloc(size);
        ck_assert_ptr_nonnull(chunk);
        memcpy(chunk, text.data + at, size);
        collect_feed(collect, bytes_of(chunk, size));
        at += size;
        size = others;
    }
    free(chunk);
}

static const char *tenant_given;
static const char *origin_wanted;

static char *said(struct bytes text, size_t first, size_t others)
{
    struct collect_config config = {mappings,      MAPPINGS,   bytes_text(tenant_given),
                                    origin_wanted, RECORD_MAX, RECORD_MAX};
    struct collect *collect = collect_new(COLLECT_LOCALSTORAGE, &config);
    struct buf out;
    struct error err;
    buf_init(&out, 1 << 20);
    read_once(collect, text, first, others, &out);
    ck_assert_uint_eq(out.size, 0); /* the first reading finds nothing */
    ck_assert_int_eq(collect_rewind(collect, &err), OUT_OK);
    read_once(collect, text, first, others, &out);
    collect_free(collect);
    char *copy = strdup(buf_text(&out));
    buf_free(&out);
    return copy;
}

#define ACME "\"current_tenant_id\":\"acme\""
#define ACME_ITEM "item current_tenant_id (acme) {\"value\":\"acme\"}"

static const struct payload {
    const char *name;
    const char *text;
    const char *says;
} ROWS[] = {
    /* keys */
    {"agents", "{" ACME ",\"ai_agents_acme\":\"[{\\\"id\\\":1}, {\\\"id\\\":2}]\"}",
     ACME_ITEM "\nagent ai_agents_acme[0] (acme) {\"id\":1}\n"
               "agent ai_agents_acme[1] (acme) {\"id\":2}"},
    {"the tenant stands last", "{\"ai_agents_acme\":\"[{}]\"," ACME "}",
     "agent ai_agents_acme[0] (acme) {}\n" ACME_ITEM},
    {"foreign", "{" ACME ",\"ai_agents_beta\":\"[{}]\",\"chat_session_beta_global\":\"[]\"}",
     ACME_ITEM "\nrejected ai_agents_beta (acme) T003\n"
               "rejected chat_session_beta_global (acme) T003"},
    {"no tenant", "{\"ai_agents_beta\":\"[{}]\",\"chat_session_1\":\"[]\"}",
     "rejected ai_agents_beta T001\nsession chat_session_1 {\"form\":\"array\"}"},
    {"session and its messages", "{\"chat_session_7\":\"[{\\\"a\\\":1},2]\"}",
     "session chat_session_7 {\"form\":\"array\"}\nmessage chat_session_7[0] {\"a\":1}\n"
     "message chat_session_7[1] 2"},
    {"session of a tenant", "{" ACME ",\"chat_session_acme_global\":\"[1]\"}",
     ACME_ITEM "\nsession chat_session_acme_global (acme) {\"form\":\"array\"}\n"
               "message chat_session_acme_global[0] (acme) 1"},
    {"session that is no list", "{\"chat_session_7\":\" {\\\"a\\\":[]}\",\"chat_session_8\":\"1\"}",
     "session chat_session_7 {\"form\":\"value\",\"value\": {\"a\":[]}}\n"
     "session chat_session_8 {\"form\":\"value\",\"value\":1}"},
    {"unknown", "{\"draft_1\":\"[1]\",\"later\":\"x\\\"\\\\\\ny\\u20ac\"}",
     "draft draft_1 [1]\nnote later: the key later is unknown; it is kept as item\n"
     "item later {\"value\":\"x\\\"\\\\\\u000ay\xE2\x82\xAC\"}"},
    /* fault row L02: what is stored when something went wrong before */
    {"no JSON",
     "{\"chat_session_1\":\"[object Object]\",\"chat_session_2\":\"undefined\","
     "\"chat_session_3\":\"\",\"chat_session_4\":\"plain text\",\"chat_session_5\":"
     "\"null\",\"draft_1\":\"\",\"x\":\"\"}",
     "rejected session chat_session_1 S008\nrejected session chat_session_2 S008\n"
     "rejected session chat_session_3 S008\nrejected session chat_session_4 S008\n"
     "session chat_session_5 {\"form\":\"value\",\"value\":null}\nrejected draft draft_1 S008\n"
     "note x: the key x is unknown; it is kept as item\nitem x {\"value\":\"\"}"},
    {"no list", "{" ACME ",\"ai_agents_acme\":\"{}\"}",
     ACME_ITEM "\nrejected agent ai_agents_acme (acme) S008"},
    {"broken behind the first element",
     "{\"chat_session_1\":\"[{},{\",\"chat_session_2\":\"[1,,2]\","
     "\"chat_session_3\":\"[{\\\"a\\\":}]\",\"chat_session_4\":"
     "\"[1]]\",\"chat_session_5\":\"[01]\"}",
     "rejected session chat_session_1 S008\nrejected session chat_session_2 S008\n"
     "rejected session chat_session_3 S008\nrejected session chat_session_4 S008\n"
     "rejected session chat_session_5 S008"},
    {"a bad escape", "{\"chat_session_1\":\"[\\x]\",\"draft_2\":\"1\"}",
     "rejected session chat_session_1 S008\ndraft draft_2 1"},
    {"no string", "{\"chat_session_1\":[{}],\"x\":null,\"draft_1\":\"1\"}",
     "rejected session chat_session_1 S008\nrejected item x S008\ndraft draft_1 1"},
    {"twice", "{\"chat_session_1\":\"[1]\",\"chat_session_1\":\"[2]\"}",
     "rejected session chat_session_1 J005\nrejected session chat_session_1 J005"},
    /* fault row L01: strings around the value */
    {"encoded twice", "{\"draft_1\":\"\\\"{\\\\\\\"a\\\\\\\":1}\\\"\"}",
     "note draft_1: the value of draft_1 is JSON inside a JSON string; what is inside is migrated\n"
     "draft draft_1 {\"a\":1}"},
    {"a list encoded three times",
     "{\"chat_session_1\":\"\\\"\\\\\\\"[{\\\\\\\\\\\\\\\"a\\\\\\\\\\\\\\\":1}]\\\\\\\"\\\"\"}",
     "note chat_session_1: the value of chat_session_1 is JSON inside JSON strings, twice; "
     "what is inside is migrated\nsession chat_session_1 {\"form\":\"array\"}\n"
     "message chat_session_1[0] {\"a\":1}"},
    {"a string stays one", "{\"draft_1\":\"\\\"hello\\\"\",\"draft_2\":\"\\\"12\\\"\"}",
     "draft draft_1 \"hello\"\ndraft draft_2 \"12\""},
    {"a text that looks like JSON", "{\"x\":\"{\\\"a\\\":1}\"}",
     "note x: the key x is unknown; it is kept as item\nitem x {\"value\":\"{\\\"a\\\":1}\"}"},
    /* fault row L03 */
    {"lone surrogates", "{\"draft_1\":\"\\\"\\ud800\\\"\",\"x\":\"a\\udfffb\\u0000\"}",
     "draft draft_1 \"\\ud800\"\nnote x: the key x is unknown; it is kept as item\n"
     "item x {\"value\":\"a\\udfffb\\u0000\"}"},
    {"pairs", "{\"draft_1\":\"\\\"\\ud83d\\ude00\\\"\"}", "draft draft_1 \"\xF0\x9F\x98\x80\""},
    /* fault row L07, of keys */
    {"tokens",
     "{\"auth_token\":\"abc\",\"@@auth0spajs@@::c\":\"{}\",\"access_token\":1,\"misc\":"
     "\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9\"}",
     "withheld item auth_token\nwithheld item @@auth0spajs@@::c\nwithheld item access_token\n"
     "note misc: the key misc is unknown; it is kept as item\nwithheld item misc"},
    /* preferences */
    {"preferences",
     "{\"theme\":\"dark\",\"ui_preferences_1\":\"{\\\"a\\\":1}\","
     "\"x_settings_1\":\"{\\\"b\\\":[2]}\"}",
     "prefs {\"ui\":{\"a\":1},\"advanced\":{\"b\":[2]},\"theme\":\"dark\",\"keys\":{\"theme\":true,"
     "\"ui_preferences_1\":true,\"x_settings_1\":true}}"},
    {"no theme is not invented", "{\"privacy_settings_1\":\"{}\"}",
     "prefs {\"privacy\":{},\"keys\":{\"privacy_settings_1\":true}}"},
    {"merged",
     "{\"ui_preferences_1\":\"{\\\"a\\\":1,\\\"b\\\":1}\","
     "\"ui_preferences_2\":\"{\\\"b\\\":1.0,\\\"c\\\":3}\"}",
     "prefs {\"ui\":{\"a\":1,\"b\":1.0,\"c\":3},\"keys\":{"
     "\"ui_preferences_1\":{\"a\":1,\"b\":1},\"ui_preferences_2\":{\"b\":1.0,\"c\":3}}}"},
    {"keys that disagree",
     "{\"ui_preferences_1\":\"{\\\"a\\\":1}\","
     "\"ui_preferences_2\":\"{\\\"a\\\":{}}\"}",
     "note prefs: the keys \"ui_preferences_1\" and \"ui_preferences_2\" disagree on ui.a: the "
     "later one counts\n"
     "prefs {\"ui\":{\"a\":{}},\"keys\":{\"ui_preferences_1\":{\"a\":1},"
     "\"ui_preferences_2\":{\"a\":{}}}}"},
    {"preferences that are none",
     "{\"ui_preferences_1\":\"[]\",\"ui_preferences_2\":\"{\","
     "\"ui_preferences_3\":\"{\\\"a\\\":1,\\\"a\\\":2}\"}",
     "rejected prefs ui_preferences_1 S008\nrejected prefs ui_preferences_2 S008\n"
     "rejected prefs ui_preferences_3 J005"},
    {"another tenant's preferences",
     "{" ACME ",\"ui_preferences_beta\":\"{}\","
     "\"ui_preferences_gamma\":\"{}\",\"ai_agents_beta\":\"[]\"}",
     ACME_ITEM "\nrejected prefs ui_preferences_beta (acme) T003\n"
               "rejected ai_agents_beta (acme) T003\n"
               "prefs (acme) {\"ui\":{},\"keys\":{\"ui_preferences_gamma\":true}}"},
    /* forms */
    {"HTTP body",
     "{\"backup_requested\":true,\"who\":\"x\",\"localStorage_data\":{\"draft_1\":"
     "\"1\",\"theme\":\"light\"},\"y\":1}",
     "draft draft_1 1\nprefs {\"theme\":\"light\",\"keys\":{\"theme\":true}}"},
    {"storage state",
     "{\"cookies\":[{\"name\":\"sid\",\"value\":\"v\"}],\"origins\":[{\"origin\":"
     "\"https://a\",\"localStorage\":[{\"name\":\"draft_1\",\"value\":\"1\"}]}]}",
     "withheld cookie sid\ndraft draft_1 @https://a 1"},
    {"origins do not mix (fault row L09)",
     "{\"origins\":[{\"localStorage\":[{\"name\":\"ui_preferences_1\",\"value\":\"{}\"},"
     "{\"name\":\"current_tenant_id\",\"value\":\"t1\"}],\"origin\":\"https://a\"},"
     "{\"origin\":\"https://a/^0https://b\",\"localStorage\":["
     "{\"name\":\"ui_preferences_1\",\"value\":\"{\\\"a\\\":1}\"}]}]}",
     "item current_tenant_id @https://a (t1) {\"value\":\"t1\"}\n"
     "prefs @https://a (t1) {\"ui\":{},\"keys\":{\"ui_preferences_1\":true}}\n"
     "prefs @https://a/^0https://b {\"ui\":{\"a\":1},\"keys\":{\"ui_preferences_1\":true}}"},
    {"an origin twice", "{\"origins\":[{\"origin\":\"a\"},{\"origin\":\"a\",\"localStorage\":[]}]}",
     "rejected  @a S004"},
    /* which of two is meant nobody can tell */
    {"origins that are there twice",
     "{\"origins\":[{\"origin\":\"A\",\"localStorage\":[{\"name\":\"current_tenant_id\",\"value\":"
     "\"acme\"},{\"name\":\"draft_1\",\"value\":\"1\"}]}],\"origins\":[{\"origin\":\"B\","
     "\"localStorage\":[{\"name\":\"current_tenant_id\",\"value\":\"beta\"}]}]}",
     "item current_tenant_id @A (acme) {\"value\":\"acme\"}\ndraft draft_1 @A (acme) 1\n"
     "rejected  J005"},
    {"data that is there twice",
     "{\"localStorage_data\":{\"draft_1\":\"1\"},\"localStorage_data\":{" ACME ",\"theme\":\"x\"}}",
     "draft draft_1 1\nrejected  J005"},
    {"an origin with two names",
     "{\"origins\":[{\"origin\":\"A\",\"localStorage\":[{\"name\":\"draft_1\",\"value\":\"1\"}],"
     "\"origin\":\"B\"}]}",
     "draft draft_1 @A 1\nrejected  @A J005"},
    {"two tenants", "{" ACME ",\"draft_1\":\"1\",\"current_tenant_id\":\"beta\"}",
     "rejected item current_tenant_id J005\ndraft draft_1 1\nrejected item current_tenant_id J005"},
    {"entries that are none",
     "{\"origins\":[7,{\"origin\":\"a\",\"localStorage\":[1,{},"
     "{\"value\":\"1\",\"name\":\"draft_1\"},{\"name\":\"x\"}]}]}",
     "rejected  S004\nrejected  @a S004\nrejected  @a S004\nrejected  @a S004\nrejected  @a S004"},
    {"no object", "[1]", "rejected  S004"},
    {"nothing", " ", ""},
    {"empty", "{}", ""},
    /* limits */
    {"cut in a value (fault row L05)", "{\"draft_1\":\"1\",\"chat_session_1\":\"[1,2",
     "draft draft_1 1\nrejected  J009"},
    {"twice, the second one cut", "{\"chat_session_1\":\"[1]\",\"chat_session_1\":\"[1,2",
     "rejected session chat_session_1 J005\nrejected session chat_session_1 J005\n"
     "rejected  J009"},
    {"cut with preferences", "{\"theme\":\"dark\",\"draft_1\":\"1\",",
     "draft draft_1 1\nrejected prefs J009\nrejected  J009"},
};

static void assert_says(const struct payload *row, size_t first, size_t others)
{
    char *text = said(bytes_text(row->text), first, others);
    ck_assert_msg(strcmp(text, row->says) == 0, "%s, chunks %zu and %zu: it says\n%s\nnot\n%s",
                  row->name, first, others, text, row->says);
    free(text);
}

START_TEST(says_what_is_there)
{
    assert_says(&ROWS[_i], 0, 0);
}
END_TEST

START_TEST(chunks_make_no_difference)
{
    const struct payload *row = &ROWS[_i];
    assert_says(row, 1, 1);
    for (size_t first = 1; first < strlen(row->text); first++)
        assert_says(row, first, 0);
}
END_TEST

/* Fault row L05: of the key that is cut nothing comes, and that it is cut is said. */
START_TEST(cut_anywhere)
{
    static const char TEXT[] = "{\"chat_session_1\":\"[1,2]\",\"draft_1\":\"{}\"}";
    for (size_t size = 1; size < sizeof(TEXT) - 1; size++) {
        char *text = said(bytes_of(TEXT, size), 0, 0);
        bool first = size >= strlen("{\"chat_session_1\":\"[1,2]\"");
        bool second = size >= sizeof(TEXT) - 2;
        ck_assert_msg((strstr(text, "message") != NULL) == first, "%zu: %s", size, text);
        ck_assert_msg((strstr(text, "draft draft_1 {}") != NULL) == second, "%zu: %s", size, text);
        ck_assert_msg(strstr(text, "rejected  J0") != NULL, "%zu: %s", size, text);
        free(text);
    }
}
END_TEST

/* Of the value, of the entry that has none, of what is broken; an element's is its list's. */
START_TEST(finds_have_places)
{
    static const char TEXT[] =
        "{\"cookies\":[{\"name\":\"c\"}],\n\"origins\":[{\"localStorage\":[\n"
        "{\"name\":\"chat_session_1\",\n \"value\": \"[1,2]\"},\n"
        "  {\"name\":\"x\"},{\"name\":\"theme\",\"value\":\"t\"}]}],\n:";
    static const uint64_t PLACES[][3] = {{1, 13, 12}, {4, 11, 92},  {4, 11, 92}, {4, 11, 92},
                                         {5, 3, 104}, {5, 40, 141}, {6, 1, 150}};
    struct collect_config config = {mappings, MAPPINGS, {0}, NULL, RECORD_MAX, RECORD_MAX};
    struct collect *collect = collect_new(COLLECT_LOCALSTORAGE, &config);
    struct source_item item;
    struct error err;
    size_t count = 0;
    ck_assert_int_eq(collect_rewind(collect, &err), OUT_OK);
    collect_feed(collect, BYTES_LITERAL(TEXT));
    collect_finish(collect);
    for (; collect_next(collect, &item, &err) == COLLECT_ITEM; count++) {
        const uint64_t *place = PLACES[count];
        ck_assert_uint_lt(count, sizeof(PLACES) / sizeof(PLACES[0]));
        ck_assert_msg(item.line == place[0] && item.column == place[1] && item.byte == place[2],
                      "%zu: %lu:%lu, byte %lu", count, item.line, item.column, item.byte);
    }
    ck_assert_uint_eq(count, sizeof(PLACES) / sizeof(PLACES[0]));
    collect_free(collect);
}
END_TEST

/* What names the one given is taken, what is the storage's own is not. */
START_TEST(the_tenant_given_takes_nothing_of_another)
{
    tenant_given = "beta";
    char *text = said(BYTES_LITERAL("{" ACME ",\"ai_agents_acme\":\"[]\",\"ai_agents_beta\":"
                                    "\"[1]\",\"ui_preferences_acme\":\"{}\",\"draft_1\":\"7\"}"),
                      0, 0);
    ck_assert_str_eq(text, "rejected item current_tenant_id T004\n"
                           "rejected ai_agents_acme T003\nagent ai_agents_beta[0] 1\n"
                           "rejected prefs ui_preferences_acme T003\n"
                           "rejected draft draft_1 T004");
    free(text);
    tenant_given = NULL;
}
END_TEST

/* The storage's own tenant may be another than the one given; and no mapping takes its key. */
START_TEST(a_tenant_that_is_there_twice_is_none)
{
    static const char TEXT[] = "{" ACME ",\"draft_1\":\"1\",\"current_tenant_id\":\"beta\"}";
    struct mapping *item = mappings[3];
    mappings[3] = mappings[5]; /* the draft, instead of the one that takes every key */
    char *text = said(bytes_text(TEXT), 0, 0);
    ck_assert_str_eq(text, "rejected current_tenant_id J005\ndraft draft_1 1\n"
                           "rejected current_tenant_id J005");
    free(text);
    tenant_given = "beta";
    text = said(bytes_text(TEXT), 0, 0);
    ck_assert_str_eq(text, "rejected current_tenant_id J005\nrejected draft draft_1 T004\n"
                           "rejected current_tenant_id J005");
    free(text);
    tenant_given = NULL;
    mappings[3] = item;
}
END_TEST

START_TEST(one_origin_of_many)
{
    origin_wanted = "b";
    char *text = said(BYTES_LITERAL("{\"origins\":[{\"origin\":\"a\",\"localStorage\":[{\"name\":"
                                    "\"draft_1\",\"value\":\"1\"}]},{\"origin\":\"b\","
                                    "\"localStorage\":[{\"name\":\"draft_2\",\"value\":\"2\"}]}]}"),
                      0, 0);
    ck_assert_str_eq(text, "note a @a: the origin a is left out\ndraft draft_2 @b 2");
    free(text);
    origin_wanted = NULL;
}
END_TEST

/* Each value has twice the limit; only lists can be taken apart. */
START_TEST(records_have_a_limit)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_text(&text, "{\"chat_session_1\":\"[");
    for (int i = 0; i < 4; i++) {
        buf_append_text(&text, i ? ",\\\"" : "\\\"");
        for (int k = 0; k < (i == 1 ? RECORD_MAX + 1 : RECORD_MAX / 2); k++)
            buf_append_char(&text, 'a');
        buf_append_text(&text, "\\\"");
    }
    buf_append_text(&text, "]\",\"draft_1\":\"[");
    for (int k = 0; k < RECORD_MAX; k++)
        buf_append_text(&text, "1,");
    buf_append_text(&text, "1]\"}");
    char *says = said(buf_view(&text), 0, 0);
    size_t lines = 1;
    for (const char *at = says; (at = strchr(at, '\n')); at++)
        lines++;
    ck_assert_uint_eq(lines, 6);
    ck_assert_ptr_nonnull(strstr(says, "rejected message chat_session_1[1] J007"));
    ck_assert_ptr_nonnull(strstr(says, "message chat_session_1[3] \"aa"));
    ck_assert_ptr_nonnull(strstr(says, "rejected draft draft_1 J007"));
    free(says);
    buf_free(&text);
}
END_TEST

/* ---- memory: fault row L04 ---- */

/* Feeds `total` bytes of one value, a list of small records, without having them. The most is held
 * when that value has been decoded. */
struct feeder {
    struct collect *collect;
    size_t left;
    int step; /* 0: opening, 1: elements, 2: closing, 3: end */
};

static char chunk_of_elements[1 << 16];
static size_t chunk_size;

static void feed_some(struct feeder *feeder)
{
    static const char OPENING[] = "{\"localStorage_data\":{\"chat_session_1\":\"[0";
    static const char CLOSING[] = "]\"}}";
    switch (feeder->step) {
    case 0:
        collect_feed(feeder->collect, BYTES_LITERAL(OPENING));
        break;
    case 1:
        collect_feed(feeder->collect, bytes_of(chunk_of_elements, chunk_size));
        feeder->left -= feeder->left < chunk_size ? feeder->left : chunk_size;
        if (feeder->left)
            return;
        break;
    case 2:
        collect_feed(feeder->collect, BYTES_LITERAL(CLOSING));
        break;
    default:
        collect_finish(feeder->collect);
        return;
    }
    feeder->step++;
}

static void note_held(size_t *max)
{
    size_t held = memory_held();
    *max = held > *max ? held : *max;
}

static size_t read_large(struct collect *collect, size_t total, size_t *max)
{
    struct feeder feeder = {collect, total, 0};
    struct source_item item;
    struct error err;
    size_t records = 0;
    for (;;) {
        enum collect_result result = collect_next(collect, &item, &err);
        if (result == COLLECT_END)
            return records;
        if (result == COLLECT_ITEM) {
            ck_assert_int_eq(item.kind, SOURCE_ITEM_RECORD);
            if (records++ % 1000 == 0)
                note_held(max);
            continue;
        }
        feed_some(&feeder);
        note_held(max);
    }
}

START_TEST(a_large_body_needs_bounded_memory)
{
    static const char OPEN[] = ",{\\\"role\\\":\\\"user\\\",\\\"content\\\":\\\"";
    char element[1024] = "";
    strcpy(element, OPEN);
    for (size_t i = 0; i < 100; i++) /* the six-fold growth of what is not ASCII */
        strcat(element, i % 2 ? "\\u0041 b" : "\\\\u0042");
    strcat(element, "\\\"}");
    size_t size = strlen(element);
    size_t total = (size_t)64 << 20;
    size_t max = 0;
    struct collect_config config = {mappings, MAPPINGS, {0}, NULL, 1 << 20, 1 << 20};
    for (; chunk_size + size < sizeof(chunk_of_elements); chunk_size += size)
        memcpy(chunk_of_elements + chunk_size, element, size);
    struct collect *collect = collect_new(COLLECT_LOCALSTORAGE, &config);
    size_t before = memory_held();
    struct error err;
    ck_assert_uint_eq(read_large(collect, total, &max), 0);
    ck_assert_int_eq(collect_rewind(collect, &err), OUT_OK);
    size_t chunks = (total + chunk_size - 1) / chunk_size;
    size_t elements = chunks * (chunk_size / size);
    ck_assert_uint_eq(read_large(collect, total, &max), elements + 2); /* "0" and the session */
    collect_free(collect);
    size_t bound = 4 * total + ((size_t)32 << 20);
    ck_assert_msg(max - before < bound, "%zu bytes", max - before);
}
END_TEST

#define NAME_OF_100                                                                                \
    "a name of a hundred bytes, of which five and some make the most that a key may be called by " \
    "here: .."

/* Bodies of many parts, with little or much beside them. What is held is asked for after each call.
 */
static const struct {
    const char *opening, *part, *closing;
    bool value;       /* behind some parts, one value up to the end */
    const char *says; /* the first find, what it begins with */
} MANY[] = {
    {"{\"cookies\":[1", ",1", "]}", false, "rejected  S014"},
    {"{\"localStorage_data\":{\"a\":\"\"", ",\"a\":\"\"", "}}", false, "rejected  S014"},
    {"{\"origins\":[{}", ",{}", "]}", false, "rejected  S014"},
    {"{\"a\":\"\"", ",\"current_tenant_id\":\"acme\"", "}", false, "rejected  S014"},
    {"{\"x\":\"\"",
     ",\"" NAME_OF_100 NAME_OF_100 NAME_OF_100 NAME_OF_100 NAME_OF_100 "1234567890\":\"\"", "}",
     false, "note x: "},
    {"{\"cookies\":[1", ",1", "],\"localStorage_data\":{\"draft_1\":\"\\\"\\\\\\\"", true,
     "rejected  S004"},
};

START_TEST(many_parts_need_bounded_memory)
{
    size_t total = (size_t)64 << 20;
    size_t many = MANY[_i].value ? (size_t)5 << 16 : total;
    size_t size = strlen(MANY[_i].part);
    struct collect_config config = {mappings, MAPPINGS, {0}, NULL, 1 << 20, 1 << 20};
    struct collect *collect = collect_new(COLLECT_LOCALSTORAGE, &config);
    struct source_item item;
    struct error err;
    struct buf first;
    size_t before = memory_held(), max = 0;
    buf_init(&first, 1 << 10);
    ck_assert_int_eq(collect_rewind(collect, &err), OUT_OK);
    collect_feed(collect, bytes_text(MANY[_i].opening));
    for (chunk_size = 0; chunk_size + size < sizeof(chunk_of_elements); chunk_size += size)
        memcpy(chunk_of_elements + chunk_size, MANY[_i].part, size);
    for (size_t at = 0; at + chunk_size < many; at += chunk_size)
        collect_feed(collect, bytes_of(chunk_of_elements, chunk_size));
    collect_feed(collect, bytes_text(MANY[_i].closing));
    memset(chunk_of_elements, 'x', sizeof(chunk_of_elements));
    for (size_t at = many + 2 * sizeof(chunk_of_elements); at < total;
         at += sizeof(chunk_of_elements))
        collect_feed(collect, bytes_of(chunk_of_elements, sizeof(chunk_of_elements)));
    if (MANY[_i].value)
        collect_feed(collect, BYTES_LITERAL("\\\\\\\"\\\"\"}}"));
    collect_finish(collect);
    note_held(&max);
    for (size_t i = 0; collect_next(collect, &item, &err) == COLLECT_ITEM; i++) {
        if (i % 1000 == 0)
            note_held(&max);
        if (!first.size)
            describe(&first, &item, &err);
    }
    note_held(&max);
    collect_free(collect);
    ck_assert_msg(strncmp(buf_text(&first), MANY[_i].says, strlen(MANY[_i].says)) == 0, "%s",
                  buf_text(&first));
    buf_free(&first);
    size_t bound = 4 * total + ((size_t)32 << 20);
    ck_assert_msg(max - before < bound, "%zu bytes", max - before);
}
END_TEST

/* ---- the samples, with the mappings of the product ---- */

static const char *const SHIPPED[] = {"agent",           "chat_message",       "chat_session",
                                      "llm_config",      "local_storage_item", "mcp_server",
                                      "user_preferences"};
#define SHIPPED_COUNT (sizeof(SHIPPED) / sizeof(SHIPPED[0]))

static void read_file(const char *folder, const char *name, const char *ending, struct buf *out)
{
    char path[512];
    const char *root = getenv("DROVER_SOURCE_DIR");
    snprintf(path, sizeof(path), "%s/schemas/%s/%s%s", root ? root : ".", folder, name, ending);
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s", path);
    buf_init(out, 1 << 20);
    for (int c; (c = fgetc(file)) != EOF;)
        buf_append_char(out, (char)c);
    fclose(file);
}

/* The kind of each find, its entity and its name; codes of rejections. */
static void count_finds(struct collect *collect, struct bytes text, struct buf *out)
{
    struct source_item item;
    struct error err;
    enum collect_result result;
    bool fed = false;
    while ((result = collect_next(collect, &item, &err)) != COLLECT_END) {
        if (result == COLLECT_ITEM) {
            ck_assert(item.kind != SOURCE_ITEM_RECORD || item.payload.size);
            item.payload = BYTES_LITERAL("+");
            describe(out, &item, &err);
        } else if (fed) {
            collect_finish(collect);
        } else {
            collect_feed(collect, text);
        }
        fed = true;
    }
}

static const struct {
    const char *file;
    const char *says;
} SAMPLES[] = {
    {"acme",
     "local_storage_item current_tenant_id (acme) +\nwithheld local_storage_item auth_token "
     "(acme)\n"
     "agent ai_agents_acme[0] (acme) +\nagent ai_agents_acme[1] (acme) +\n"
     "mcp_server tenant_mcp_servers_acme[0] (acme) +\n"
     "mcp_server tenant_mcp_servers_acme[1] (acme) +\n"
     "llm_config user_llm_configs_acme[0] (acme) +\nllm_config user_llm_configs_acme[1] (acme) +\n"
     "chat_session chat_session_s1 (acme) +\nchat_message chat_session_s1[0] (acme) +\n"
     "chat_message chat_session_s1[1] (acme) +\nchat_message chat_session_s1[2] (acme) +\n"
     "chat_session chat_session_acme_global (acme) +\n"
     "chat_message chat_session_acme_global[0] (acme) +\n"
     "chat_session chat_session_empty (acme) +\nchat_session chat_session_draft (acme) +\n"
     "rejected chat_session chat_session_lost (acme) S008\n"
     "rejected chat_session chat_session_cut (acme) S008\n"
     "rejected ai_agents_globex (acme) T003\n"
     "rejected user_preferences ui_preferences_globex (acme) T003\n"
     "note migration_skipped (acme): the key migration_skipped is unknown; it is kept as "
     "local_storage_item\nlocal_storage_item migration_skipped (acme) +\n"
     "note recent_search (acme): the key recent_search is unknown; it is kept as "
     "local_storage_item\nlocal_storage_item recent_search (acme) +\n"
     "note wizard_settings_acme (acme): the value of wizard_settings_acme is JSON inside a JSON "
     "string; what is inside is migrated\n"
     "note user_preferences (acme): the keys \"ui_preferences_acme\" and \"ui_preferences_legacy\" "
     "disagree on ui_preferences.density: the later one counts\n"
     "user_preferences (acme) +"},
    {"globex.body",
     "local_storage_item current_tenant_id (globex) +\nagent ai_agents_globex[0] (globex) +\n"
     "llm_config user_llm_configs_globex[0] (globex) +\n"
     "chat_session chat_session_s1 (globex) +\nchat_message chat_session_s1[0] (globex) +\n"
     "user_preferences (globex) +"},
    {"globex.state",
     "withheld cookie session\n"
     "local_storage_item current_tenant_id @https://app.globex.example (globex) +\n"
     "agent ai_agents_globex[0] @https://app.globex.example (globex) +\n"
     "llm_config user_llm_configs_globex[0] @https://app.globex.example (globex) +\n"
     "chat_session chat_session_s1 @https://app.globex.example (globex) +\n"
     "chat_message chat_session_s1[0] @https://app.globex.example (globex) +\n"
     "user_preferences @https://app.globex.example (globex) +\n"
     "local_storage_item current_tenant_id @https://beta.globex.example (globex) +\n"
     "chat_session chat_session_s1 @https://beta.globex.example (globex) +\n"
     "chat_message chat_session_s1[0] @https://beta.globex.example (globex) +\n"
     "user_preferences @https://beta.globex.example (globex) +"},
};

START_TEST(samples_are_found)
{
    struct mapping *shipped[SHIPPED_COUNT];
    struct error err;
    struct buf text;
    for (size_t i = 0; i < SHIPPED_COUNT; i++) {
        read_file("mappings", SHIPPED[i], ".yaml", &text);
        enum outcome outcome = mapping_parse(SHIPPED[i], buf_view(&text), &shipped[i], &err);
        ck_assert_msg(outcome == OUT_OK, "%s %s", err.text, err.where);
        buf_free(&text);
    }
    struct buf out;
    buf_init(&out, 1 << 16);
    read_file("samples/local_storage", SAMPLES[_i].file, ".json", &text);
    ck_assert_int_eq(collect_detect(buf_view(&text), true, shipped, SHIPPED_COUNT),
                     COLLECT_LOCALSTORAGE);
    struct collect_config config = {shipped, SHIPPED_COUNT, {0}, NULL, 1 << 16, 1 << 16};
    struct collect *collect = collect_new(COLLECT_LOCALSTORAGE, &config);
    count_finds(collect, buf_view(&text), &out);
    ck_assert_int_eq(collect_rewind(collect, &err), OUT_OK);
    count_finds(collect, buf_view(&text), &out);
    ck_assert_str_eq(buf_text(&out), SAMPLES[_i].says);
    collect_free(collect);
    for (size_t i = 0; i < SHIPPED_COUNT; i++)
        mapping_free(shipped[i]);
    buf_free(&out);
    buf_free(&text);
}
END_TEST

/* ---- detection ---- */

static const struct {
    const char *text;
    bool whole;
    bool is;
} DETECTS[] = {
    {"{\"localStorage_data\":{", false, true},
    {"{\"backup_requested\":true,\"localStorage_data\":{}}", true, true},
    {"{\"localStorage_data\":1}", true, false},
    {"{\"cookies\":[],\"origins\":[]}", true, true},
    {"{\"origins\":[{\"origin\":\"https://a\"", false, true},
    {"{\"cookies\":[{\"name\":\"a\",\"value\":\"b\",\"domain\":\"c\"},", false, true},
    {"{\"origins\":[{\"name\":\"x\"}]}", true, false},
    {"{\"origins\":[\"x\"]}", true, false},
    {"{\"ai_agents_acme\":\"[{", false, true},
    {"{\"a\":\"b\",\"chat_session_1\":\"[]\"}", true, true},
    {"{\"current_tenant_id\":\"acme\"}", true, true},
    {"{\"theme\":\"dark\"}", true, true},
    {"{\"theme\":\"dark\",\"name\":\"x\"}", true, false},
    {"{\"theme\":\"dark\",\"ui_preferences_1\":{}}", true, false},
    {"{\"ai_agents_acme\":[{}]}", true, false},
    {"{\"id\":\"1\"}", true, false},
    {"{}", true, false},
    {"[{\"chat_session_1\":\"[]\"}]", true, false},
    {"{\"chat_session_1\":\"[]\"}\n{\"a\":1}", true, true},
    {"", true, false},
    {"x", true, false},
};

START_TEST(detects_what_it_is_sure_of)
{
    struct bytes text = bytes_text(DETECTS[_i].text);
    bool is = collect_detect(text, DETECTS[_i].whole, mappings, MAPPINGS) == COLLECT_LOCALSTORAGE;
    ck_assert_msg(is == DETECTS[_i].is, "%s", DETECTS[_i].text);
}
END_TEST

/* ---- the grammar ---- */

static const struct {
    const char *text;
    enum localstorage_form form;
} CHECKS[] = {
    {"[]", LOCALSTORAGE_ARRAY},
    {" [ 1 , -0.5e+3 , [ ] , { } ] ", LOCALSTORAGE_ARRAY},
    {"{\"a\":{\"b\":null,\"c\":true},\"\":false}", LOCALSTORAGE_OBJECT},
    {"0", LOCALSTORAGE_SCALAR},
    {"-10", LOCALSTORAGE_SCALAR},
    {"1E9 ", LOCALSTORAGE_SCALAR},
    {"\"\\u00Ff\\n\\/\"", LOCALSTORAGE_SCALAR},
    {"null", LOCALSTORAGE_SCALAR},
    {"", LOCALSTORAGE_BROKEN},
    {" ", LOCALSTORAGE_BROKEN},
    {"[", LOCALSTORAGE_BROKEN},
    {"[1,]", LOCALSTORAGE_BROKEN},
    {"[,1]", LOCALSTORAGE_BROKEN},
    {"[1 2]", LOCALSTORAGE_BROKEN},
    {"[1}", LOCALSTORAGE_BROKEN},
    {"[1~", LOCALSTORAGE_BROKEN},
    {"[1:", LOCALSTORAGE_BROKEN},
    {"[1;2]", LOCALSTORAGE_BROKEN},
    {"{\"a\":1]", LOCALSTORAGE_BROKEN},
    {"{\"a\":1;", LOCALSTORAGE_BROKEN},
    {"{1:2}", LOCALSTORAGE_BROKEN},
    {"{\"a\"}", LOCALSTORAGE_BROKEN},
    {"{\"a\":}", LOCALSTORAGE_BROKEN},
    {"{\"a\":1,}", LOCALSTORAGE_BROKEN},
    {"{\"a\":1,2}", LOCALSTORAGE_BROKEN},
    {"01", LOCALSTORAGE_BROKEN},
    {"1.", LOCALSTORAGE_BROKEN},
    {".5", LOCALSTORAGE_BROKEN},
    {"-", LOCALSTORAGE_BROKEN},
    {"1e", LOCALSTORAGE_BROKEN},
    {"1e+", LOCALSTORAGE_BROKEN},
    {"+1", LOCALSTORAGE_BROKEN},
    {"nul", LOCALSTORAGE_BROKEN},
    {"nulll", LOCALSTORAGE_BROKEN},
    {"NaN", LOCALSTORAGE_BROKEN},
    {"\"a", LOCALSTORAGE_BROKEN},
    {"\"\\x\"", LOCALSTORAGE_BROKEN},
    {"\"\\u00g0\"", LOCALSTORAGE_BROKEN},
    {"\"\t\"", LOCALSTORAGE_BROKEN},
    {"[] []", LOCALSTORAGE_BROKEN},
    {"]", LOCALSTORAGE_BROKEN},
};

START_TEST(checks_the_grammar)
{
    struct bytes text = bytes_text(CHECKS[_i].text);
    struct localstorage_value value;
    localstorage_value_init(&value, RECORD_MAX);
    localstorage_value_judge(&value, text);
    ck_assert_msg(value.form == CHECKS[_i].form, "%s", CHECKS[_i].text);
    localstorage_value_free(&value);
    yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
    ck_assert_msg((doc != NULL) == (CHECKS[_i].form != LOCALSTORAGE_BROKEN), "%s", CHECKS[_i].text);
    yyjson_doc_free(doc);
}
END_TEST

/* The space between two elements is not looked at with them: it may be larger than a record. */
START_TEST(space_between_elements_is_no_fault)
{
    static char text[3 << 16];
    struct localstorage_value value;
    memset(text, ' ', sizeof(text));
    text[0] = '[';
    text[1] = '1';
    text[2] = ',';
    text[sizeof(text) - 2] = '2';
    text[sizeof(text) - 1] = ']';
    localstorage_value_init(&value, RECORD_MAX);
    localstorage_value_judge(&value, bytes_of(text, sizeof(text)));
    ck_assert_int_eq(value.form, LOCALSTORAGE_ARRAY);
    localstorage_value_free(&value);
}
END_TEST

/* That an element is nested too deep is the record's fault, not the list's. */
START_TEST(nesting_is_the_records)
{
    char text[RECORD_MAX];
    struct localstorage_value value;
    struct json_walk_step step;
    struct error err;
    yyjson_doc *doc;
    memset(text, '[', sizeof(text) / 2);
    memset(text + sizeof(text) / 2, ']', sizeof(text) / 2);
    localstorage_value_init(&value, RECORD_MAX);
    localstorage_value_judge(&value, bytes_of(text, sizeof(text)));
    ck_assert_int_eq(value.form, LOCALSTORAGE_ARRAY);
    localstorage_value_begin_list(&value);
    ck_assert_int_eq(localstorage_value_next(&value, &step, &err), JSON_WALK_CAPTURED);
    ck_assert_uint_eq(step.text.size, sizeof(text) - 2);
    ck_assert_int_eq(json_parse(step.text, JSON_UNICODE_REJECT, NULL, &doc, &err), OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_JSON_DEPTH);
    ck_assert_int_eq(localstorage_value_next(&value, &step, &err), JSON_WALK_END);
    localstorage_value_free(&value);
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows[0])))

static Suite *collect_localstorage_suite(void)
{
    Suite *suite = suite_create("collect_localstorage");
    TCase *payloads = tcase_create("payloads");
    tcase_add_checked_fixture(payloads, make_mappings, free_mappings);
    tcase_set_timeout(payloads, 120);
    tcase_add_loop_test(payloads, says_what_is_there, 0, COUNT(ROWS));
    tcase_add_loop_test(payloads, chunks_make_no_difference, 0, COUNT(ROWS));
    tcase_add_test(payloads, cut_anywhere);
    tcase_add_test(payloads, finds_have_places);
    tcase_add_test(payloads, the_tenant_given_takes_nothing_of_another);
    tcase_add_test(payloads, a_tenant_that_is_there_twice_is_none);
    tcase_add_test(payloads, one_origin_of_many);
    tcase_add_test(payloads, records_have_a_limit);
    tcase_add_test(payloads, a_large_body_needs_bounded_memory);
    tcase_add_loop_test(payloads, many_parts_need_bounded_memory, 0, COUNT(MANY));
    tcase_add_loop_test(payloads, detects_what_it_is_sure_of, 0, COUNT(DETECTS));
    suite_add_tcase(suite, payloads);
    TCase *samples = tcase_create("samples");
    tcase_add_loop_test(samples, samples_are_found, 0, COUNT(SAMPLES));
    suite_add_tcase(suite, samples);
    TCase *grammar = tcase_create("grammar");
    tcase_add_loop_test(grammar, checks_the_grammar, 0, COUNT(CHECKS));
    tcase_add_test(grammar, space_between_elements_is_no_fault);
    tcase_add_test(grammar, nesting_is_the_records);
    suite_add_tcase(suite, grammar);
    return suite;
}

SUITE_MAIN(collect_localstorage_suite)
