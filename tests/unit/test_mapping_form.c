/* What belongs to a mapping's form, and which generation a form is. */

#include "common/model/mapping/mapping_form.h"

#include <string.h>

#include "common/model/mapping/mapping.h"
#include "common/model/mapping/mapping_generation.h"
#include "tests/support/compile_mapping.h"
#include "tests/support/suite.h"

#define HEAD "entity: a\ntable: a\nkey: [id, n]\nversion: { from: /v, as: number }\n"
#define ID "  - { name: id, from: /id, type: text }\n"
#define N "  - { name: n, from: /n, type: int4 }\n"
#define DOC "  - { name: doc, from: /doc, type: jsonb }\n"
#define REST "rest: extra\n"
#define BASE HEAD REST "columns:\n" ID N DOC

/* Mappings, and whether they make of records what BASE does. */
static const struct {
    const char *name, *yaml;
    bool same;
} ROWS[] = {
    {"itself", BASE, true},
    {"a comment and a description", "# of old\ndescription: something\n" BASE, true},
    {"columns in another order", HEAD REST "columns:\n" DOC N ID, true},
    {"another table",
     "entity: a\ntable: s.b\nkey: [id, n]\nversion: { from: /v, as: number }\n" REST
     "columns:\n" ID N DOC,
     true},
    {"an index", BASE "indexes: [ { name: a_n, columns: [n] } ]\n", true},
    {"files", BASE "collect: { files: [\"a*.json\"] }\n", true},
    {"a tolerance, a check",
     HEAD REST "columns:\n" ID DOC "  - { name: n, from: /n, type: int4, min: 1, max: 9 }\n", true},
    {"required",
     HEAD REST "columns:\n" ID N "  - { name: doc, from: /doc, type: jsonb, required: true }\n",
     true},
    {"a reference", BASE "references: [ { columns: [id, n], entity: a } ]\n", true},
    {"another entity",
     "entity: b\ntable: a\nkey: [id, n]\nversion: { from: /v, as: number }\n" REST
     "columns:\n" ID N DOC,
     false},
    {"the key turned round",
     "entity: a\ntable: a\nkey: [n, id]\n"
     "version: { from: /v, as: number }\n" REST "columns:\n" ID N DOC,
     false},
    {"a column more", BASE "  - { name: m, from: /m, type: int4 }\n", false},
    {"a column less", HEAD REST "columns:\n" ID N, false},
    {"another type", HEAD REST "columns:\n" ID DOC "  - { name: n, from: /n, type: int8 }\n",
     false},
    {"another member", HEAD REST "columns:\n" ID DOC "  - { name: n, from: /m, type: int4 }\n",
     false},
    {"another place as well",
     HEAD REST "columns:\n" ID DOC "  - { name: n, from: [/n, /m], type: int4 }\n", false},
    {"a default",
     HEAD REST "columns:\n" ID DOC "  - { name: n, from: /n, type: int4, default: 3 }\n", false},
    {"no rest", HEAD "columns:\n" ID N DOC, false},
    {"another version",
     "entity: a\ntable: a\nkey: [id, n]\nversion: { from: /w, as: number }\n" REST
     "columns:\n" ID N DOC,
     false},
    {"a tenant", BASE "tenant: { from: /t }\n", false},
    {"a secret", BASE "seal: [/password]\n", false},
    {"a token", BASE "withhold: [/token]\n", false},
    {"deletes go", BASE "on_delete: hard\n", false},
    {"Redis", BASE "redis: { key: \"a:{isolation_key}:{id}\" }\n", false},
    {"unicode", BASE "on_invalid_unicode: replace\n", false},
};

START_TEST(a_form_is_what_rows_are_made_of)
{
    struct mapping *base = compile(BASE), *other = compile(ROWS[_i].yaml);
    ck_assert_msg(digest_equal(&base->form, &other->form) == ROWS[_i].same, "%s", ROWS[_i].name);
    mapping_free(other);
    mapping_free(base);
}
END_TEST

/* It is kept in stores: no version of the program may give another one. */
START_TEST(a_form_does_not_change_with_the_program)
{
    struct mapping *base = compile(BASE);
    struct buf text;
    buf_init(&text, 4096);
    mapping_form_append(&text, base);
    ck_assert_str_eq(buf_text(&text),
                     "entity 1:a\nversion 2\nversion 2:/v\n"
                     "column 3:doc\ntype 5:jsonb\nas 0\nsource 0\nfrom 1\nfrom 4:/doc\ndecode 0\n"
                     "seal 0\nwithhold 0\n"
                     "column 5:extra\ntype 5:jsonb\nas 0\nsource 8\nfrom 0\ndecode 0\nseal 0\n"
                     "withhold 0\n"
                     "column 2:id\ntype 4:text\nas 0\nsource 0\nfrom 1\nfrom 3:/id\ndecode 0\n"
                     "seal 0\nwithhold 0\n"
                     "column 1:n\ntype 4:int4\nas 0\nsource 0\nfrom 1\nfrom 2:/n\ndecode 0\n"
                     "seal 0\nwithhold 0\n"
                     "key 2:id\nkey 1:n\nrest 5:extra\nexpand 0\nsealed 0\nwithheld 0\nunicode 0\n"
                     "on_delete 0\nredis 0\nttl 0\n");
    buf_free(&text);
    mapping_free(base);
}
END_TEST

/* Forms as they were registered, '*' the mapping's own; then what it is. */
static const struct {
    const char *forms;
    enum mapping_generation_state state;
    int32_t number;
    bool may_write;
} REGISTERED[] = {
    {"", GENERATION_FIRST, 0, true},       {"*", GENERATION_NEWEST, 0, true},
    {"a", GENERATION_CHANGED, 1, false},   {"ab", GENERATION_CHANGED, 2, false},
    {"a*", GENERATION_NEWEST, 1, true},    {"*a", GENERATION_AGAIN, 2, false},
    {"*a*", GENERATION_NEWEST, 2, true},   {"*a*b", GENERATION_AGAIN, 4, false},
    {"ab*ba", GENERATION_AGAIN, 5, false},
};

START_TEST(the_newest_form_is_the_generation)
{
    struct error err = {0};
    struct mapping *mapping = compile(BASE);
    const char *forms = REGISTERED[_i].forms;
    for (int turn = 0; turn < 2; turn++) { /* in any order */
        struct mapping_generation generation;
        mapping_generation_begin(&generation, mapping);
        int32_t count = (int32_t)strlen(forms);
        for (int32_t i = 0; i < count; i++) {
            int32_t at = turn ? count - 1 - i : i;
            char other[33] = "00000000000000000000000000000000";
            other[0] = forms[at];
            mapping_generation_see(&generation, at,
                                   bytes_text(forms[at] == '*' ? generation.form : other));
        }
        ck_assert_msg(mapping_generation_state(&generation) == REGISTERED[_i].state, "%s", forms);
        ck_assert_msg(mapping_generation_number(&generation) == REGISTERED[_i].number, "%s", forms);
        enum outcome outcome = mapping_generation_check(&generation, mapping, "do it", &err);
        ck_assert_msg((outcome == OUT_OK) == REGISTERED[_i].may_write, "%s", forms);
        if (outcome != OUT_OK)
            ck_assert_int_eq(err.code, ERR_MAPPING_GENERATION);
    }
    mapping_free(mapping);
}
END_TEST

static Suite *mapping_form_suite(void)
{
    Suite *suite = suite_create("mapping_form");
    TCase *tcase = tcase_create("mapping_form");
    tcase_add_loop_test(tcase, a_form_is_what_rows_are_made_of, 0,
                        (int)(sizeof ROWS / sizeof *ROWS));
    tcase_add_test(tcase, a_form_does_not_change_with_the_program);
    tcase_add_loop_test(tcase, the_newest_form_is_the_generation, 0,
                        (int)(sizeof REGISTERED / sizeof *REGISTERED));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(mapping_form_suite)
