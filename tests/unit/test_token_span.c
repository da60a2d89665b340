#include "common/base/token_shape.h"

#include <stdio.h>
#include <time.h>

#include <sodium.h>

#include "tests/support/suite.h"
#include "tests/support/token_values.h"

#define ROUNDS 20 /* values of each kind */
#define UNIT_COUNT 30

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
    "id «AKIARPTVYFZIWSHOZVKK» and AKIAXXXXXXXXXXXXXXXX",
    "{\"a\": 1.5, \"apiKey\": \"«-----BEGIN PRIVATE KEY-----\nMHcCAQEE\nabc",
    "https://h.example/p?api_key=«-----BEGIN PRIVATE KEY-----\nMHcCAQEE\nabc",
    "«sk-proj-a1B2c3D4e5F6g7H8i9J0-----BEGIN PRIVATE KEY-----\nMHcCAQEE\n-----END PRIVATE "
    "KEY-----» x",
    "postgres://u:p«-----BEGIN PRIVATE KEY-----\nMHcC\n-----END PRIVATE KEY-----»@h and more",
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

/* Forms that are judged by their beginning: what stands for the value must go to its end. */
static const char *const LONG[][2] = {
    {"curl -H 'Authorization: Bearer ", "' https://x"},
    {"Authorization: Token ", ""},
    {"Authorization: ", " and so on"},
    {"use sk-", " now"},
    {"DB_PASSWORD=", ""},
    {"https://x/?api_key=", "&y=1"},
    {"{\"password\":\"", "\",\"b\":1}x"},
    {"{\"password\":\"two words ", "\",\"b\":1}x"},
    {"password: ", "; next"},
    {"<login><password>", "</password></login>"},
    {"machine h login u password ", "\nmachine y"},
    {"curl -u bob:", " https://x"},
    {"postgres://bob:", "@db.example/prod"},
    {"glpat-", " and so on"},
    {"was eyJhbGciOiJIUzI1NiJ9.", ".dozjgNryP4J3jVmNHl0w5NXgL0n3I9PlFUP0THsR8U."},
    {"Authorization: Basic X2pzb25fa2V5Om", " and so on"}, /* _json_key:… */
};
static const size_t SIZES[] = {40, 500, 512, 513, 1020, 1024, 1500, 5000, 8000};
#define LONG_COUNT (sizeof LONG / sizeof LONG[0])
#define SIZE_COUNT (sizeof SIZES / sizeof SIZES[0])

START_TEST(long_ones_go_to_their_end)
{
    static const char LETTERS[] = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9";
    static char text[16384];
    const char *const *around = LONG[_i / SIZE_COUNT];
    bool base64 = strstr(around[0], "Basic ");
    uint64_t state = 1 + (uint64_t)_i;
    size_t size = base64 ? SIZES[_i % SIZE_COUNT] / 4 * 4 + 2 : SIZES[_i % SIZE_COUNT];
    size_t before = strlen(around[0]);
    struct token_scan scan;
    struct token_span span = {.size = 0};
    memcpy(text, around[0], before);
    for (size_t i = 0; i < size; i++)
        text[before + i] =
            base64
                ? "AEIMQUYcgkosw048"[(i % 4 == 0 || i % 4 == 3) * tv_below(&state, 16)] /* ASCII */
                : LETTERS[tv_below(&state, sizeof LETTERS - 1)];
    strcpy(text + before + size, around[1]);
    token_scan_init(&scan, bytes_of(text, before + size + strlen(around[1])));
    bool hit = token_scan_next(&scan, &span);
    ck_assert_msg(hit && span.start <= before && span.start + span.size >= before + size,
                  "%s, %zu bytes: %zu..%zu", around[0], size, span.start, span.start + span.size);
    ck_assert_msg(!token_scan_next(&scan, &span), "%s, %zu bytes: a rest", around[0], size);
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

static void expect_linear(const char *unit, size_t size, char *text, size_t room)
{
    for (size_t i = 0; i < room; i++)
        text[i] = unit[i % size];
    double one = seconds_of(bytes_of(text, room / 8)), eight = seconds_of(bytes_of(text, room));
    ck_assert_msg(eight < 0.02 || eight < one * 24, "%.*s: %.3f s, then %.3f s", (int)size, unit,
                  one, eight);
}

/* Texts that make a careless scanner read the same bytes again and again. */
START_TEST(the_pass_is_linear)
{
    static const char *const UNITS[] = {"token=",
                                        "glpat-",
                                        "eyJ.",
                                        "eyJ/",
                                        "://",
                                        "@",
                                        "a://@@",
                                        "%41pw%3D",
                                        "password:",
                                        "sk-",
                                        "-u a:",
                                        "-----BEGIN ",
                                        "\"secret\":\"",
                                        "\\\\\\\"",
                                        "ghp_",
                                        "machine ",
                                        "bearer ",
                                        "<token>",
                                        "AAAAAAA",
                                        "dp.st.",
                                        "x%3D",
                                        "glpat-.",
                                        "ya29.",
                                        "&pw%3Da1b2c3d4",
                                        "secret:'",
                                        "secret:\"",
                                        "<password>",
                                        "Basic QWxhZGRpbjp",
                                        "eyJhbGciOiJ9.e30.x%",
                                        "https://u:p"};
    ck_assert_uint_eq(sizeof UNITS / sizeof UNITS[0], UNIT_COUNT);
    static char text[1u << 18];
    expect_linear(UNITS[_i], strlen(UNITS[_i]), text, sizeof text);
}
END_TEST

/* The same of every kind: its letters, with a little of a value or all of one, joined by what may
 * go on in it. */
START_TEST(the_pass_is_linear_in_every_kind)
{
    static const char *const JOINS[] = {".", "-", "/", "_."};
    static char text[1u << 15], unit[1200];
    struct token_value value;
    uint64_t state = 1 + (uint64_t)_i;
    tv_make(TOKEN_KINDS[_i].pattern, &state, &value);
    size_t sizes[] = {value.secret_start + 7 < value.size ? value.secret_start + 7 : value.size,
                      value.size};
    for (size_t s = 0; s < 2; s++) {
        for (size_t j = 0; j < sizeof JOINS / sizeof JOINS[0]; j++) {
            int size = snprintf(unit, sizeof unit, "%.*s%s", (int)sizes[s], value.text, JOINS[j]);
            expect_linear(unit, (size_t)size, text, sizeof text);
        }
    }
}
END_TEST

/* Base64 in a percent-encoded word in base64 …: each way to look into it must not look into all
 * ways again. */
START_TEST(what_is_encoded_in_itself_is_looked_into_a_bounded_number_of_times)
{
    static char word[1u << 16], plain[1u << 16];
    strcpy(word, "hello there");
    while (strlen(word) < 20000) {
        snprintf(plain, sizeof plain, "{ %.60000s", word);
        strcpy(word, "%252525.");
        sodium_bin2base64(word + 8, sizeof word - 8, (const unsigned char *)plain, strlen(plain),
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    }
    double seconds = seconds_of(bytes_text(word));
    ck_assert_msg(seconds < 2, "%zu bytes took %.1f s of processor time", strlen(word), seconds);
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
    tcase_add_loop_test(tests, long_ones_go_to_their_end, 0, (int)(LONG_COUNT * SIZE_COUNT));
    tcase_add_loop_test(tests, the_pass_is_linear, 0, UNIT_COUNT);
    tcase_add_loop_test(tests, the_pass_is_linear_in_every_kind, 0, (int)TOKEN_KIND_COUNT);
    tcase_add_test(tests, what_is_encoded_in_itself_is_looked_into_a_bounded_number_of_times);
    suite_add_tcase(made, tests);
    return made;
}

SUITE_MAIN(suite)
