/* No secret of a known kind gets into what people see, wherever it stands and wherever the text is
 * cut. */

#include <stdio.h>

#include "common/base/error.h"
#include "common/base/text.h"
#include "common/base/token_kinds.h"
#include "tests/support/suite.h"
#include "tests/support/token_values.h"

#define ROUNDS 12

static struct buf shown;

static void setup(void)
{
    buf_init(&shown, 1u << 20);
}

static void teardown(void)
{
    buf_free(&shown);
}

/* Twelve bytes of the secret in a row are too many. */
static bool leaks(struct bytes text, const struct token_value *value)
{
    const char *secret = value->text + value->secret_start;
    for (size_t at = value->secret_size > 24 ? 12 : 0; at + 12 <= value->secret_size; at++)
        if (text.size >= 12 && memmem(text.data, text.size, secret + at, 12))
            return true;
    return false;
}

/* Texts of people's names around it, so that cuts meet it at every place. */
static void plant(uint64_t *state, const struct token_value *value, size_t letters, struct buf *out)
{
    static const char *const WORDS[] = {"cache_", "the key ", "a/b/", "\"", "", "x=", "Größe "};
    size_t before = tv_below(state, 260);
    buf_reset(out);
    for (size_t i = 0; i < before; i++)
        buf_append_char(out, i % 7 == 6 ? ' ' : 'a');
    if (before)
        buf_append_char(out, ' ');
    const char *word = WORDS[tv_below(state, sizeof WORDS / sizeof WORDS[0])];
    bool alone = word[0] == 'c' && letters < 4; /* not looked for inside a word */
    buf_append_text(out, alone ? "" : word);
    buf_append(out, value->text, value->size);
    buf_append_text(out, "\" and more words behind it");
}

START_TEST(secrets_are_masked_before_texts_are_cut)
{
    const struct token_kind *kind = &TOKEN_KINDS[_i];
    uint64_t state = 77 + (uint64_t)_i;
    struct buf text;
    size_t leaked = 0;
    buf_init(&text, 1u << 16);
    for (int round = 0; round < ROUNDS; round++) {
        struct token_value value;
        struct error err;
        tv_make(kind->pattern, &state, &value);
        plant(&state, &value, strcspn(kind->pattern, "%[("), &text);
        buf_reset(&shown);
        text_append_safe(&shown, buf_view(&text), tv_below(&state, text.size + 10));
        leaked += leaks(buf_view(&shown), &value);
        error_set(&err, OUT_REJECT, ERR_SECRET_PLAIN, "%s", buf_text(&text));
        error_where(&err, "%s", buf_text(&text));
        error_cause(&err, "%s", buf_text(&text));
        error_hint(&err, "%s", buf_text(&text));
        error_path(&err, "/a/%s", buf_text(&text));
        leaked += leaks(bytes_of(&err, sizeof err), &value);
        if (leaked > 1)
            fprintf(stderr, "%s: %s\n", kind->name, buf_text(&text));
    }
    ck_assert_msg(leaked <= 1, /* one in a hundred has no digit */ "%s: %zu of %d", kind->name,
                  leaked, 2 * ROUNDS);
    buf_free(&text);
}
END_TEST

START_TEST(names_in_a_pointer_are_masked_as_they_were)
{
    struct error err;
    error_set(&err, OUT_REJECT, ERR_SECRET_PLAIN, "x");
    error_path(&err, "%s",
               "/hooks/https:~1~1hooks.slack.com~1services~1T012345~1B012345~1aB3dE5fG7hJ9kL1mN3pQ5"
               "rS7/a~1b/~0c");
    ck_assert_str_eq(err.path, "/hooks/https:~1~1hooks.slack.com~1services~1***/a~1b/~0c");
}
END_TEST

START_TEST(what_is_no_secret_stays)
{
    static const char TEXT[] = "the key ai_agents_acme is unknown; it is kept as "
                               "/srv/exports/2024-05-01/acme.json:12:3 (run 9f86d081884c7d65)";
    text_append_safe(&shown, BYTES_LITERAL(TEXT), SIZE_MAX);
    ck_assert_str_eq(buf_text(&shown), TEXT);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("text_safe");
    TCase *tests = tcase_create("masks");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, secrets_are_masked_before_texts_are_cut, 0, (int)TOKEN_KIND_COUNT);
    tcase_add_test(tests, names_in_a_pointer_are_masked_as_they_were);
    tcase_add_test(tests, what_is_no_secret_stays);
    suite_add_tcase(made, tests);
    return made;
}

SUITE_MAIN(suite)
