#include "common/base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "tests/support/suite.h"

#include "tests/support/first_mistake.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct yaml_file *parse(const char *text)
{
    struct yaml_file *file;
    struct error err = {0};
    enum outcome outcome = yaml_parse("a.yaml", bytes_text(text), &file, &err);
    ck_assert_msg(outcome == OUT_OK, "%s at %s", err.text, err.where);
    return file;
}

static struct bytes scalar_at(struct yaml_at map, const char *key)
{
    return yaml_scalar(yaml_find(map, key), NULL);
}

START_TEST(reads_scalars_lists_and_maps)
{
    struct yaml_file *file = parse("# settings\n"
                                   "name: shop\n"
                                   "list: [a, 'b', \"c\\td\"]\n"
                                   "map:\n"
                                   "  é: 1\n"
                                   "  long: |\n"
                                   "    two\n"
                                   "    lines\n");
    struct yaml_at root = yaml_root(file);
    ck_assert_int_eq(yaml_kind_of(root), YAML_MAP);
    ck_assert_uint_eq(yaml_count(root), 3);
    bool plain;
    ck_assert_str_eq(yaml_scalar(yaml_find(root, "name"), &plain).data, "shop");
    ck_assert(plain);
    struct yaml_at list = yaml_find(root, "list");
    ck_assert_int_eq(yaml_kind_of(list), YAML_LIST);
    ck_assert_uint_eq(yaml_count(list), 3);
    ck_assert_str_eq(yaml_scalar(yaml_item(list, 1), &plain).data, "b");
    ck_assert(!plain);
    ck_assert_str_eq(yaml_scalar(yaml_item(list, 2), &plain).data, "c\td");
    struct yaml_at map = yaml_value(root, 2);
    ck_assert_str_eq(yaml_scalar(yaml_key(root, 2), NULL).data, "map");
    ck_assert(bytes_equal(scalar_at(map, "é"), BYTES_LITERAL("1")));
    ck_assert(bytes_equal(scalar_at(map, "long"), BYTES_LITERAL("two\nlines\n")));
    ck_assert(!yaml_has(yaml_find(map, "absent")));
    struct error err;
    error_set(&err, OUT_FATAL, ERR_CONF_VALUE, "x");
    yaml_where(yaml_item(list, 2), &err);
    ck_assert_str_eq(err.where, "a.yaml:3:16");
    yaml_where(yaml_find(map, "é"), &err);
    ck_assert_str_eq(err.where, "a.yaml:5:6"); /* columns are characters */
    yaml_file_free(file);
    yaml_file_free(NULL);
}
END_TEST

START_TEST(nothing_is_an_empty_map)
{
    static const char *const EMPTIES[] = {"",  "\n",     "# only a comment\n", "---\n",
                                          "~", "null\n", "---\n...\n",         "\xEF\xBB\xBF"};
    struct yaml_file *file = parse(EMPTIES[_i]);
    ck_assert_int_eq(yaml_kind_of(yaml_root(file)), YAML_MAP);
    ck_assert_uint_eq(yaml_count(yaml_root(file)), 0);
    ck_assert(!yaml_has(yaml_find(yaml_root(file), "x")));
    yaml_file_free(file);
}
END_TEST

START_TEST(knows_null)
{
    struct yaml_file *file =
        parse("- \n- ~\n- null\n- NULL\n- Null\n- ''\n- 'null'\n- nul\n- []\n- \"~\"\n");
    for (size_t i = 0; i < 10; i++)
        ck_assert_msg(yaml_is_null(yaml_item(yaml_root(file), i)) == (i < 5), "item %zu", i);
    yaml_file_free(file);
}
END_TEST

START_TEST(aliases_share_a_node)
{
    struct yaml_file *file = parse("a: &x {k: v}\nb: *x\nc: [*x, *x]\n");
    struct yaml_at root = yaml_root(file);
    ck_assert(bytes_equal(scalar_at(yaml_find(root, "b"), "k"), BYTES_LITERAL("v")));
    ck_assert_int_eq(yaml_item(yaml_find(root, "c"), 1).at, yaml_find(root, "a").at);
    yaml_file_free(file);
}
END_TEST

#define TEXT(text) text, sizeof(text) - 1
static const struct {
    const char *name, *text;
    size_t size;
    const char *where, *sentence;
} REFUSED[] = {
    {"a tab", TEXT("a:\n\tb: 1\n"), "a.yaml:2:1", "found character that cannot start any token"},
    {"an open list", TEXT("a: [1, 2\nb: 3\n"), "a.yaml:2:2", "did not find expected ',' or ']'"},
    {"an open quote", TEXT("a: 'x\n"), "a.yaml:2:1", "found unexpected end of stream"},
    {"an unknown alias", TEXT("a: *b\n"), "a.yaml:1:4", "found undefined alias"},
    {"bad UTF-8", TEXT("a: b\nccé: \xff\n"), "a.yaml:2:6", "invalid leading UTF-8 octet"},
    {"a control character", TEXT("a: \x01"), "a.yaml:1:4", "control characters are not allowed"},
    {"a duplicate key", TEXT("a: 1\nb: 2\n'a': 3\n"), "a.yaml:3:1", "key \"a\" is written twice"},
    {"a duplicate key below", TEXT("x:\n  - {b: 1, b: 1}\n"), "a.yaml:2:12",
     "key \"b\" is written twice"},
    {"a list as key", TEXT("[a, b]: 1\n"), "a.yaml:1:1", "a key must be a single word or text"},
    {"two documents", TEXT("a: 1\n---\nb: 1\n"), "a.yaml:2:1", "more than one YAML document"},
    {"an error in the second document", TEXT("a: 1\n---\nb: [\n"), "a.yaml:4:1",
     "did not find expected node content"},
    {"an alias to itself", TEXT("a: &x [*x]\n"), "a.yaml:1:4", "an alias leads back"},
    {"a loop of two", TEXT("a: &x\n  b: &y\n    - *x\n"), "a.yaml:1:4", "an alias leads back"},
    {"NUL in a text", TEXT("a: \"x\\0y\"\n"), "a.yaml:1:4", "NUL character"},
    {"NUL in a key", TEXT("\"x\\0y\": 1\n"), "a.yaml:1:1", "NUL character"},
    {"a tag", TEXT("a: !include b.yaml\n"), "a.yaml:1:4", "tags"},
    {"a root of the wrong form", TEXT("a: 1\nb\n"), "a.yaml:3:1", "could not find expected ':'"},
};

START_TEST(refuses_with_the_place)
{
    struct yaml_file *file;
    struct error err;
    enum outcome outcome =
        yaml_parse("a.yaml", bytes_of(REFUSED[_i].text, REFUSED[_i].size), &file, &err);
    ck_assert_msg(outcome == OUT_FATAL, "%s was taken", REFUSED[_i].name);
    ck_assert_ptr_null(file);
    ck_assert_int_eq(err.code, ERR_CONF_SYNTAX);
    ck_assert_msg(strcmp(err.where, REFUSED[_i].where) == 0, "%s: %s (%s)", REFUSED[_i].name,
                  err.where, err.text);
    ck_assert_msg(strstr(err.text, REFUSED[_i].sentence), "%s: %s", REFUSED[_i].name, err.text);
    ck_assert_int_eq(
        yaml_parse("a.yaml", bytes_of(REFUSED[_i].text, REFUSED[_i].size), &file, NULL), OUT_FATAL);
}
END_TEST

static void nest(struct buf *out, int levels)
{
    buf_reset(out);
    for (int i = 0; i < levels; i++)
        buf_append_char(out, '[');
    for (int i = 0; i < levels; i++)
        buf_append_char(out, ']');
}

START_TEST(nesting_is_bounded)
{
    struct buf text;
    buf_init(&text, 1 << 21);
    struct yaml_file *file;
    struct error err;
    nest(&text, 32);
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_OK);
    yaml_file_free(file);
    nest(&text, 33);
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_FATAL);
    ck_assert_str_eq(err.text, "the file is nested more than 32 levels deep");
    /* by way of an alias: 20 levels inside 20 levels */
    buf_reset(&text);
    buf_append_text(&text, "[&x [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]], "
                           "[[[[[[[[[[[[[[[[[[[[*x]]]]]]]]]]]]]]]]]]]]]");
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_FATAL);
    ck_assert_str_eq(err.text, "the file is nested more than 32 levels deep");
    /* as large as a file may be: the answer must come at once all the same */
    nest(&text, 1 << 19);
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_FATAL);
    ck_assert_str_eq(err.where, "a:1:33");
    buf_free(&text);
}
END_TEST

START_TEST(unfolding_is_bounded)
{
    /* "Billion laughs": 9 lines that unfold to 10^9 nodes. */
    struct buf text;
    buf_init(&text, 1 << 21);
    buf_append_text(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++) {
        buf_append_format(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            buf_append_format(&text, "%s*a%d", j ? "," : "", i - 1);
        buf_append_text(&text, "]\n");
    }
    struct yaml_file *file;
    struct error err;
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_FATAL);
    ck_assert_str_eq(err.text, "the file's aliases unfold to more than a million nodes");
    buf_free(&text);
}
END_TEST

START_TEST(anchors_are_bounded)
{
    struct buf text;
    buf_init(&text, 1 << 21);
    struct yaml_file *file;
    struct error err;
    for (int i = 0; i < 1000; i++)
        buf_append_format(&text, "- &a%d x\n", i);
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_OK);
    yaml_file_free(file);
    buf_append_text(&text, "- &b x\n");
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_FATAL);
    ck_assert_str_eq(err.where, "a:1001:3");
    buf_free(&text);
}
END_TEST

START_TEST(size_is_bounded_and_many_keys_are_quick)
{
    struct buf text;
    buf_init(&text, 1 << 22);
    for (int i = 0; i < 60000; i++)
        buf_append_format(&text, "key%d: 1\n", i);
    struct yaml_file *file;
    struct error err;
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_OK);
    yaml_file_free(file);
    buf_append_text(&text, "key17: 1\n");
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_FATAL);
    ck_assert_str_eq(err.where, "a:60001:1");
    while (text.size <= 1 << 20)
        buf_append_char(&text, '#');
    ck_assert_int_eq(yaml_parse("a", buf_view(&text), &file, &err), OUT_FATAL);
    ck_assert_str_eq(err.text, "the file is larger than 1 MiB");
    buf_free(&text);
}
END_TEST

START_TEST(checks_keys)
{
    static const char *const KNOWN[] = {"partitions", "retention", NULL};
    static const struct {
        const char *text, *inside, *sentence, *where, *hint; /* sentence NULL: taken */
    } ROWS[] = {
        {"partitions: 4\nretention: 1d\n", "topics.source", NULL, "", ""},
        {"", "topics.source", NULL, "", ""},
        {"partitions: 4\n  \nretension: 1d\n", "topics.source",
         "unknown key \"retension\" under topics.source", "a.yaml:3:1",
         "did you mean \"retention\"?"},
        {"colour: red", "", "unknown key \"colour\"", "a.yaml:1:1", ""},
    };
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct yaml_file *file = parse(ROWS[i].text);
        struct error err = {0};
        struct error_list mistakes = {0};
        (void)yaml_fix_keys(yaml_root(file), ROWS[i].inside, KNOWN, &mistakes);
        enum outcome outcome = first_mistake(&mistakes, &err);
        ck_assert_int_eq(outcome, ROWS[i].sentence ? OUT_FATAL : OUT_OK);
        if (ROWS[i].sentence) {
            ck_assert_int_eq(err.code, ERR_CONF_UNKNOWN);
            ck_assert_str_eq(err.text, ROWS[i].sentence);
            ck_assert_str_eq(err.where, ROWS[i].where);
            ck_assert_str_eq(err.hint, ROWS[i].hint);
        }
        yaml_file_free(file);
    }
}
END_TEST

/* Each is told, and the tree is what it would be without them. */
START_TEST(keys_written_twice_hide_nothing)
{
    static const char TEXT[] = "a: 1\nb:\n  c: 2\n  c: 3\n  c: 4\na: 5\nd: 6\n";
    static const char *const WHERE[] = {"a.yaml:4:3", "a.yaml:5:3", "a.yaml:6:1"};
    struct error_list mistakes;
    struct yaml_file *tree;
    error_list_init(&mistakes);
    ck_assert_int_eq(yaml_parse_all("a.yaml", bytes_text(TEXT), &tree, &mistakes), OUT_OK);
    ck_assert_uint_eq(mistakes.count, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_str_eq(mistakes.items[i].where, WHERE[i]);
    struct yaml_at root = yaml_root(tree), inner = yaml_find(root, "b");
    ck_assert_uint_eq(yaml_count(root), 3);
    ck_assert_uint_eq(yaml_count(inner), 1);
    ck_assert(bytes_equal(yaml_scalar(yaml_find(root, "a"), NULL), BYTES_LITERAL("1")));
    ck_assert(bytes_equal(yaml_scalar(yaml_find(inner, "c"), NULL), BYTES_LITERAL("2")));
    yaml_file_free(tree);
    ck_assert_int_eq(yaml_parse_all("a.yaml", bytes_text("a: ["), &tree, &mistakes), OUT_FATAL);
    ck_assert_uint_eq(mistakes.count, 4);
    error_list_free(&mistakes);
}
END_TEST

static Suite *yaml_suite(void)
{
    Suite *suite = suite_create("yaml");
    TCase *tcase = tcase_create("yaml");
    tcase_add_test(tcase, reads_scalars_lists_and_maps);
    tcase_add_loop_test(tcase, nothing_is_an_empty_map, 0, 8);
    tcase_add_test(tcase, knows_null);
    tcase_add_test(tcase, aliases_share_a_node);
    tcase_add_loop_test(tcase, refuses_with_the_place, 0, COUNT(REFUSED));
    tcase_add_test(tcase, nesting_is_bounded);
    tcase_add_test(tcase, unfolding_is_bounded);
    tcase_add_test(tcase, anchors_are_bounded);
    tcase_add_test(tcase, size_is_bounded_and_many_keys_are_quick);
    tcase_add_test(tcase, checks_keys);
    tcase_add_test(tcase, keys_written_twice_hide_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(yaml_suite)
