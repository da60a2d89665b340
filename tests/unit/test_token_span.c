#include "common/base/token_span.h"

#include <stdio.h>
#include <time.h>

#include "tests/support/suite.h"
#include "tests/support/token_values.h"

#define ROUNDS 20 /* values of each kind */

/* Each text with its secrets between « and ». */
static const char *const TEXTS[] = {
    "nothing here",
    "use «sk-proj-4f9aB2cD8eF1gH7iJ3kL» for it, please",
    "«sk-live4f9aB2cD8eF1gH7iJ3kL» and «AKIAIOSFODNN7EXAMPLE».",
    "Authorization: Bearer «3q2-7wAB12cd34EF56gh»",
    "curl -H 'Authorization: Bearer «abcdefghijklmnopqrstuvwxyz0123456789ABCDEF»' https://x",
    "Authorization: Token «9f86d081884c7d659a2feaa0c55ad015a3bf4f1b»",
    "Authorization: Basic «dXNlcjpodW50ZXIy», and so on",
    "postgres://bob:«hunter22pass»@db.example/prod is our db",
    "https://user:«p@ss:w0rd»@host/path?x=a@b",
    "https://«ghp_16C7e42F292c6912E7710c838347Ae178B4a»@github.com/x/y.git",
    "https://«aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z»@github.com/x/y.git",
    "https://«ghp_16C7e42F292c6912E7710c838347Ae178B4a»:«x-oauth-basic»@github.com/x",
    "https://user@example.com:8443/path, mail anna@example.com",
    "https://api.example/v1?api_key=«abcd1234»&x=1",
    "https://x/cb#access_token=«aB3dE5fG7hJ9»&x=1",
    "https://api.example/cb?next=https%3A%2F%2Fb.example%3Fapi_key%3D«abcd1234»%26y%3D2&z=3",
    "DB_PASSWORD=«correct4horse»",
    "export OPENAI_API_KEY=«sk-abcdEFGH1234ijklMNOP5678qrstUVWX9012»\nFOO=bar",
    "Server=db;User=sa;Password=«Tr0ub4dor»;Encrypt=true",
    "curl -H \"X-Api-Key: «aB3dE5fG7hJ9kL1m»\" https://x",
    "curl -u admin:«hunter2» https://x",
    "sessionid=«9f86d081884c7d659a2feaa0c55ad015»; theme=dark",
    "theme=dark; PHPSESSID=«9f86d081884c7d659a2feaa0c5»",
    "{\"user\":\"a\",\"password\":\"«hunter2 & more»\",\"b\":1}x",
    ")]}',{\"password\":\"«hunter2»\"}",
    "<login><password>«hunter2secret»</password></login>",
    "machine x login u password «hunter2secret»\nmachine y",
    "a\n«-----BEGIN EC PRIVATE KEY-----\nMHc=\n-----END EC PRIVATE KEY-----»\nb",
    "a «-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl",
    "«PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 1\nAAAA\nPrivate-MAC: 0a1b2c»\nend",
    "cache_«ghp_CANARYabcdefghijklmnopqrstuvwxyz0123»",
    "my_«sk-proj-aB3dE5fG7hJ9kL1mN3pQ5rS7»",
    "log line\\n«ghp_CANARYabcdefghijklmnopqrstuvwxyz0123»\\nnext",
    "{\"a\":\"line\\u000a«ghp_CANARYabcdefghijklmnopqrstuvwxyz0123»\\u000anext",
    "https://hooks.slack.com/services/«T0AAAAAA1/B0BBBBBB2/aB3dE5fG7hJ9kL1mN3pQ5rS7»",
    "https://discord.com/api/webhooks/«123456789012345678/"
    "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9f"
    "G1hJ3kL5mN7pQ9rS1tU3»",
    "https://api.telegram.org/«bot123456789:AAaB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xYz»/getMe",
    "was «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U».",
    "see «eyJwYXNzd29yZCI6Imh1bnRlcjIifQ==» there", /* {"password":"hunter2"} */
    "see eyJjb2xvdXIiOiJncmVlbiBhbmQgYmx1ZSJ9 there",
    "AccountName=x;AccountKey=«aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG==»;EndpointSuffix=y",
    "password: please choose one (12 characters)",
    "glpat-your-personal-access-token-here, ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "100% sure, 50%off and %zz https://x?t=%41pi_key%3D«abcd1234»",
};

struct marked {
    char text[1024];
    size_t size, starts[8], ends[8], count;
};

static void unmark(const char *text, struct marked *out)
{
    *out = (struct marked){.size = 0};
    for (; *text; text++) {
        if (strncmp(text, "«", 2) == 0) {
            out->starts[out->count++] = out->size;
            out->ends[out->count - 1] = SIZE_MAX;
            text++;
        } else if (strncmp(text, "»", 2) == 0) {
            out->ends[out->count - 1] = out->size;
            text++;
        } else {
            out->text[out->size++] = *text;
        }
    }
    if (out->count && out->ends[out->count - 1] == SIZE_MAX)
        out->ends[out->count - 1] = out->size;
}

START_TEST(spans_are_the_secret_parts)
{
    struct marked marked;
    struct token_scan scan;
    struct token_span span;
    size_t count = 0;
    unmark(TEXTS[_i], &marked);
    token_scan_init(&scan, bytes_of(marked.text, marked.size));
    for (; token_scan_next(&scan, &span); count++) {
        ck_assert_msg(count < marked.count && span.start == marked.starts[count] &&
                          span.start + span.size == marked.ends[count],
                      "%s: found %zu..%zu (%.*s)", TEXTS[_i], span.start, span.start + span.size,
                      (int)span.size, marked.text + span.start);
        ck_assert_int_ne(span.shape, SHAPE_PLAIN);
    }
    ck_assert_msg(count == marked.count, "%s: found %zu", TEXTS[_i], count);
}
END_TEST

/* How a value stands in a text: before and behind it. */
static const char *const AROUND[][2] = {
    {"", ""},       {"use ", " for it"},     {"key: ", "."},
    {"(", ")"},     {"\"", "\","},           {"a\n", "\nb"},
    {"x=", "&y=1"}, {"https://host/", "?q"}, {"Schlüssel „", "“"}};

START_TEST(each_kind_is_found_wherever_it_stands)
{
    const struct token_kind *kind = &TOKEN_KINDS[_i];
    uint64_t seed = 1 + (uint64_t)_i, state = seed;
    size_t missed = 0, total = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t a = 0; a < sizeof AROUND / sizeof AROUND[0]; a++) {
            struct token_value value;
            struct token_scan scan;
            struct token_span span = {.size = 0};
            char text[2048];
            tv_make(kind->pattern, &state, &value);
            size_t before = strlen(AROUND[a][0]);
            int size =
                snprintf(text, sizeof text, "%s%s%s", AROUND[a][0], value.text, AROUND[a][1]);
            token_scan_init(&scan, bytes_of(text, (size_t)size));
            bool hit = token_scan_next(&scan, &span) && span.start == before + value.secret_start &&
                       span.size == value.secret_size;
            if (!hit && missed++ == 0)
                fprintf(stderr, "%s, seed %llu: %s (%zu..%zu)\n", kind->name,
                        (unsigned long long)seed, text, span.start, span.start + span.size);
            total++;
        }
    }
    ck_assert_msg(missed * 50 <= total, "%s: %zu of %zu missed", kind->name, missed, total);
}
END_TEST

static double seconds_of(struct bytes text)
{
    struct token_scan scan;
    struct token_span span;
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    token_scan_init(&scan, text);
    while (token_scan_next(&scan, &span))
        continue;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
}

/* Texts that make a careless scanner read the same bytes again and again. */
START_TEST(the_pass_is_linear)
{
    static const char *const UNITS[] = {
        "token=",        "glpat-",   "eyJ.",      "eyJ/",     "://",     "@",
        "a://@@",        "%41pw%3D", "password:", "sk-",      "-u a:",   "-----BEGIN ",
        "\"secret\":\"", "\\\\\\\"", "ghp_",      "machine ", "bearer ", "<token>",
        "AAAAAAA",       "dp.st.",   "x%3D"};
    static char text[1u << 18];
    const char *unit = UNITS[_i];
    size_t size = strlen(unit), small = sizeof text / 8;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = unit[i % size];
    double one = seconds_of(bytes_of(text, small)), eight = seconds_of(bytes_of(text, sizeof text));
    ck_assert_msg(eight < 0.02 || eight < one * 24, "%s: %.3f s, then %.3f s", unit, one, eight);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("token_span");
    TCase *tests = tcase_create("spans");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, spans_are_the_secret_parts, 0,
                        (int)(sizeof TEXTS / sizeof TEXTS[0]));
    tcase_add_loop_test(tests, each_kind_is_found_wherever_it_stands, 0, (int)TOKEN_KIND_COUNT);
    tcase_add_loop_test(tests, the_pass_is_linear, 0, 21);
    suite_add_tcase(made, tests);
    return made;
}

SUITE_MAIN(suite)
