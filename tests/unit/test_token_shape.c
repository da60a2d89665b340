#include "common/base/token_shape.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/suite.h"

/* {"alg":"HS256","typ":"JWT"} . {"sub":"1"} . … */
#define JWT                                                                                        \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_"     \
    "XgL0n3I9PlFUP0THsR8U"

struct member {
    const char *name, *value;
};

/* FAULTS L07: forty tokens. */
static const struct member TOKENS[] = {
    {"auth_token", "f00ba4"},
    {"access_token", "0a1b2c"},
    {"accessToken", "0a1b2c"},
    {"ACCESS_TOKEN", "0a1b2c"},
    {"access-token", "0a1b2c"},
    {"accesstoken", "0a1b2c"},
    {"refresh_token", "1//0gabc"},
    {"refreshToken", "abc"},
    {"id_token", "abc"},
    {"idToken", "abc"},
    {"session_token", "abc"},
    {"sessionToken", "abc"},
    {"csrf", "abc"},
    {"csrfToken", "abc"},
    {"xsrf-token", "abc"},
    {"jwt", "abc"},
    {"user_jwt", "abc"},
    {"bearer", "abcdef"},
    {"token", "abc"},
    {"auth0spajs", "abc"},
    {"@@auth0spajs@@::client::audience::openid", "{}x"},
    {"CognitoIdentityServiceProvider.5ab3.jane.accessToken", "abc"},
    {"CognitoIdentityServiceProvider.5ab3.jane.idToken", "abc"},
    {"CognitoIdentityServiceProvider.5ab3.jane.refreshToken", "abc"},
    {"firebase:authUser:AIzaSy:[DEFAULT]", "abc"},
    {"sb-abcdefgh-auth-token", "abc"},
    {"sb-abcdefgh-auth-token.0", "abc"},
    {"oidc.user:https://id.example:spa", "abc"},
    {"msal.1234.idtoken", "abc"},
    {"adal.idtoken", "abc"},
    {"downloadToken", "dl_1_2"},
    {"download_token", "abc"},
    {"deviceToken", "abc"},
    {"next-auth.session-token", "abc"},
    {"connect.sid", "s%3Aabc"},
    {"code_verifier", "abc"},
    {"note", JWT},
    {"header", "Bearer 3q2-7wAB12cd34EF56gh"},
    {"Authorization", "bearer " JWT},
    {"session", "x7Kq29LmPz04RtWv81YbNc53"},
};

/* FAULTS L08, X09: thirty secrets, under their names or where nobody expects them. */
static const struct member SECRETS[] = {
    {"apiKey", "abc"},
    {"api_key", "abc"},
    {"API-KEY", "abc"},
    {"apikey", "abc"},
    {"OPENAI_API_KEY", "abc"},
    {"secret", "abc"},
    {"client_secret", "abc"},
    {"clientSecret", "abc"},
    {"webhook_secret", "abc"},
    {"password", "hunter2"},
    {"dbPassword", "hunter2"},
    {"passwd", "hunter2"},
    {"private_key", "abc"},
    {"secretAccessKey", "abc"},
    {"connectionString", "abc"},
    {"credentials", "abc"},
    {"note", "sk-proj4f9aB2cD8eF1gH7iJ3kL"},
    {"note", "sk-ant-api03-aBcD1234eFgH5678"},
    {"note", "AKIAIOSFODNN7EXAMPLE"},
    {"note", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"},
    {"note", "github_pat_11ABCDEFG0abcdefghijkl_mnop"},
    {"note", "xoxb-123456789012-abcdefghij"},
    {"note", "AIzaSyA1234567890abcdefghijklmnopqrstuv"},
    {"note", "-----BEGIN RSA PRIVATE KEY-----\nMIIE"},
    {"url", "https://api.example/v1?api_key=abcd1234&x=1"},
    {"url", "https://api.example/cb?next=https%3A%2F%2Fb.example%3Fapi_key%3Dabcd1234"},
    {"endpoint", "postgresql://app:s3cret@db.example:5432/app"},
    {"args", "--password=correct4horse"},
    {"env", "Server=db;User=sa;Password=Tr0ub4dor;Encrypt=true"},
    {"text", "use sk-live4f9aB2cD8eF1gH7iJ3kL for the demo, please do not share it"},
};

/* What must stay. Each row stands for many: `%d` is replaced by a number. */
static const struct member PLAIN[] = {
    {"tokens", "128%d"},
    {"token_count", "5%d"},
    {"max_tokens", "4096"},
    {"maxTokens", "20%d"},
    {"tokenizer", "cl100k_base"},
    {"token_type", "urn:ietf:params:oauth:grant-type:jwt-bearer%d"},
    {"nextPageToken", "CAUQAA%d"},
    {"eos_token", "<|endoftext|>"},
    {"tokens_per_second", "31.%d"},
    {"access_token_expires_at", "2024-05-01T10:00:%dZ"},
    {"secretary", "Jane Doe %d"},
    {"secret_santa", "Bob %d"},
    {"passwordless", "true"},
    {"password_updated_at", "2024-01-01T00:00:%dZ"},
    {"passport", "X%d"},
    {"password", "********"},
    {"token", "none"},
    {"apiKey", "${OPENAI_API_KEY}"},
    {"apiKey", "<your key>"},
    {"api_key_id", "k-%d"},
    {"key", "theme_%d"},
    {"sort_key", "created_at#%d"},
    {"public_key_id", "%d"},
    {"keyboard", "qwerty %d"},
    {"session_id", "6f1ed002-ab5c-4c7b-9f3a-0000000000%02d"},
    {"sessionName", "planning for sprint %d"},
    {"codebaseHash", "3f786850e387550fdab836ed7e6dc881de23%04d"},
    {"codebase_hash", "9e107d9d372bb6826bd81d3542a4%04d"},
    {"commit", "a94a8fe5ccb19ba61c4c0873d391e987982f%04d"},
    {"integrity", "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg%04dSpIdNs6c5H0NE8XYXysP-DGNKHfuwvY7kx"},
    {"etag", "W/\"0815-%d\""},
    {"id", "550e8400-e29b-41d4-a716-44665544%04d"},
    {"userId", "user_2NNEqL2nrIRdJ194ndJqAHwEf%04d"},
    {"avatar",
     "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//"
     "8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==%d"},
    {"url", "https://example.com/a/b?page_token=%d&limit=20"},
    {"url", "https://user@example.com:8443/path?q=%d"},
    {"url", "http://localhost:30%02d/api/projects?user=anna@example.com"},
    {"repo", "git@github.com:acme/repo-%d.git"},
    {"email", "jane.doe+%d@example.com"},
    {"phone", "+49 30 1234%04d"},
    {"content", "The bearer of bad news came %d times, and the secret was out: nobody knew."},
    {"content", "How many tokens does this prompt use? About %d, I think."},
    {"content", "password: please choose one (%d characters)"},
    {"content", "sk-learn-0.24-release-notes-part-%d"},
    {"content", "const token = getToken(); // line %d"},
    {"content", "x = a == b ? token : key; y=%d"},
    {"title", "Basic training for beginners, part %d"},
    {"description", "A basic authorization flow with an access token, explained in %d steps"},
    {"path", "/srv/projects/akia-%d/src/main.ts"},
    {"model", "claude-3-5-sonnet-202410%02d"},
    {"version", "1.2.%d-beta.4+build.77"},
    {"createdAt", "2024-03-%02dT12:34:56.789Z"},
    {"color", "#a1b2%02d"},
    {"price", "19.%02d"},
    {"license", "MIT, see the file LICENSE-%d"},
    {"css", "a:hover{color:#fff;margin:0 auto;width:%dpx}"},
    {"cacheKey", "v3:projects:list:%d:9e107d9d372bb6826bd81d3542a419d6"},
    {"signature", "function map<T, U>(xs: T[], f: (x: T) => U): U[] // %d"},
    {"author", "Author Unknown %d"},
    {"notes", "Ask the secretary about the passport; see room %d."},
    {"session_key", "2024-planning-meeting-with-the-board"},
    {"design_token", "color.brand.%d"},
    {"boarding_pass", "seat 12A, gate %d"},
    {"host", "db-%d.internal.example"},
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define PLAIN_VALUES 960

static enum shape shape_of(const struct member *member)
{
    return token_shape_of_member(bytes_text(member->name), bytes_text(member->value));
}

START_TEST(every_token_is_found)
{
    const struct member *row = &TOKENS[_i];
    ck_assert_msg(shape_of(row) == SHAPE_TOKEN, "%s = %s", row->name, row->value);
}
END_TEST

START_TEST(every_secret_is_found)
{
    const struct member *row = &SECRETS[_i];
    ck_assert_msg(shape_of(row) == SHAPE_SECRET, "%s = %s", row->name, row->value);
}
END_TEST

START_TEST(nearly_no_plain_value_is_taken)
{
    char value[512];
    int taken = 0;
    for (int i = 0; i < PLAIN_VALUES; i++) {
        const struct member *row = &PLAIN[(size_t)i % COUNT(PLAIN)];
        const char *number = strchr(row->value, '%');
        snprintf(value, sizeof value, "%s", row->value);
        if (number && number[1] != '%') {
            size_t at = (size_t)(number - row->value);
            size_t form = strcspn(number, "d") + 1;
            int width = form > 2 ? number[2] - '0' : 1;
            snprintf(value + at, sizeof value - at, "%0*d%s", width, i % 100, number + form);
        }
        struct member member = {row->name, value};
        if (shape_of(&member) != SHAPE_PLAIN) {
            fprintf(stderr, "taken: %s = %s\n", member.name, member.value);
            taken++;
        }
    }
    ck_assert_int_le(taken, 1);
}
END_TEST

static const struct {
    const char *name;
    enum shape shape;
} NAMES[] = {
    {"", SHAPE_PLAIN},
    {"...", SHAPE_PLAIN},
    {"APIKey", SHAPE_SECRET},
    {"x-api-key", SHAPE_SECRET},
    {"service_role_key", SHAPE_SECRET},
    {"passwordHash", SHAPE_SECRET},
    {"password2", SHAPE_SECRET},
    {"newPasswordConfirm", SHAPE_SECRET},
    {"accessKeyId", SHAPE_PLAIN},
    {"primaryKey", SHAPE_PLAIN},
    {"compass", SHAPE_PLAIN},
    {"input_tokens", SHAPE_PLAIN},
    {"auth_tokens", SHAPE_TOKEN},
    {"token_value", SHAPE_TOKEN},
    {"\xc3\xa4pi_key", SHAPE_PLAIN},
    {"a_b_c_d_e_f_g_h_i_j_k_access_token", SHAPE_TOKEN},
    {"averyveryverylongwordthatisnotawordatallreally_token", SHAPE_TOKEN},
};

START_TEST(names_are_cut_into_words)
{
    ck_assert_msg(token_shape_of_name(bytes_text(NAMES[_i].name)) == NAMES[_i].shape, "%s",
                  NAMES[_i].name);
}
END_TEST

static const struct {
    const char *name;
    enum shape shape;
} MORE_NAMES[] = {
    {"pw", SHAPE_SECRET},
    {"userPw", SHAPE_SECRET},
    {"passcode", SHAPE_SECRET},
    {"Passwort", SHAPE_SECRET},
    {"contrase\xc3\xb1"
     "a",
     SHAPE_SECRET},
    {"privateKeyPem", SHAPE_SECRET},
    {"encryptionKeyBase64", SHAPE_SECRET},
    {"SECRET_KEY_BASE", SHAPE_SECRET},
    {"totpSeed", SHAPE_SECRET},
    {"tokens.access", SHAPE_TOKEN},
    {"api.key", SHAPE_SECRET},
    {"DBPASS", SHAPE_SECRET},
    {"mfaCode", SHAPE_TOKEN},
    {"securityAnswer", SHAPE_SECRET},
    {"publicKeyPem", SHAPE_PLAIN},
    {"random_seed", SHAPE_PLAIN},
    {"country_code", SHAPE_PLAIN},
    {"author", SHAPE_PLAIN},
    {"pinned", SHAPE_PLAIN},
    {"cookies_accepted", SHAPE_PLAIN},
    {"compass", SHAPE_PLAIN},
    {"bypass", SHAPE_PLAIN},
    {"question_answer", SHAPE_PLAIN},
    {"tokens.input", SHAPE_PLAIN},
    {"view", SHAPE_PLAIN},
    {"powerplant", SHAPE_PLAIN},
    {"knowledge_base", SHAPE_PLAIN},
    {"license.key", SHAPE_PLAIN},
};

START_TEST(more_names_are_known)
{
    ck_assert_msg(token_shape_of_name(bytes_text(MORE_NAMES[_i].name)) == MORE_NAMES[_i].shape,
                  "%s", MORE_NAMES[_i].name);
}
END_TEST

static const struct {
    const char *name, *value;
    enum shape shape;
} WITH_VALUES[] = {
    {"pin", "4930", SHAPE_SECRET},
    {"cardPin", "493021", SHAPE_SECRET},
    {"pin", "map-pin", SHAPE_PLAIN},
    {"pin", "true", SHAPE_PLAIN},
    {"spin", "4930", SHAPE_PLAIN},
    {"pinned", "4930", SHAPE_PLAIN},
    {"cvv", "123", SHAPE_SECRET},
    {"authorization", "Token 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", SHAPE_TOKEN},
    {"Authorization", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", SHAPE_TOKEN},
    {"authorization", "required", SHAPE_PLAIN},
    {"authorization", "granted by the board in 2024", SHAPE_PLAIN},
    {"author", "Token 9f86d081884c7d65", SHAPE_PLAIN},
    {"cookie", "sid=8f14e45fceea; theme=dark", SHAPE_TOKEN},
    {"Set-Cookie", "id=a3fWa1234; Expires=Wed, 21 Oct 2026 07:28:00 GMT", SHAPE_TOKEN},
    {"cookie", "chocolate chip", SHAPE_PLAIN},
    {"cookies", "theme=dark", SHAPE_PLAIN},
    {"cookies_accepted", "yes=2024-01-01", SHAPE_PLAIN},
    {"auth", "oauth2", SHAPE_PLAIN},
};

START_TEST(some_names_need_a_value_that_fits)
{
    enum shape shape =
        token_shape_of_member(bytes_text(WITH_VALUES[_i].name), bytes_text(WITH_VALUES[_i].value));
    ck_assert_msg(shape == WITH_VALUES[_i].shape, "%s = %s", WITH_VALUES[_i].name,
                  WITH_VALUES[_i].value);
}
END_TEST

START_TEST(a_token_among_words_is_a_secret)
{
    ck_assert_int_eq(token_shape_of_value(BYTES_LITERAL(JWT)), SHAPE_TOKEN);
    ck_assert_int_eq(
        token_shape_of_value(BYTES_LITERAL("my old one was " JWT " but it does not work")),
        SHAPE_SECRET);
    ck_assert_int_eq(token_shape_of_value(BYTES_LITERAL("https://x.example/?t=" JWT)), SHAPE_TOKEN);
}
END_TEST

START_TEST(what_only_looks_like_a_jwt_is_plain)
{
    ck_assert_int_eq(token_shape_of_value(BYTES_LITERAL("eyJub3QiOiJhIGp3dCJ9.eyJ4IjoxfQ.abc")),
                     SHAPE_PLAIN); /* {"not":"a jwt"} */
    ck_assert_int_eq(token_shape_of_value(BYTES_LITERAL("eyJhbGciOiJIUzI1NiJ9 without any parts")),
                     SHAPE_PLAIN);
    ck_assert_int_eq(token_shape_of_value(BYTES_LITERAL("eyebrows.and.eyelashes.are.fine")),
                     SHAPE_PLAIN);
}
END_TEST

static enum shape shape_of_broken(struct bytes text)
{
    struct token_scan scan;
    struct token_span span;
    token_scan_init_broken(&scan, text);
    return token_scan_next(&scan, &span) ? span.shape : SHAPE_PLAIN;
}

START_TEST(broken_json_hides_nothing)
{
    ck_assert_int_eq(shape_of_broken(BYTES_LITERAL("{\"a\":1,\"apiKey\":\"plainword")),
                     SHAPE_SECRET);
    ck_assert_int_eq(shape_of_broken(BYTES_LITERAL("{\\\"secret\\\": \\\"plainword\\\"}")),
                     SHAPE_SECRET);
    ck_assert_int_eq(shape_of_broken(BYTES_LITERAL("{\"a\":1,\"tokens\":12")), SHAPE_PLAIN);
}
END_TEST

/* A mebibyte of random base64: no part of it may be taken for a key. */
START_TEST(images_stay_plain)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char blob[1u << 20];
    uint64_t state = 0x9e3779b97f4a7c15u + (uint64_t)_i;
    for (size_t i = 0; i < sizeof blob; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        blob[i] = DIGITS[state >> 58];
    }
    ck_assert_int_eq(token_shape_of_value(bytes_of(blob, sizeof blob)), SHAPE_PLAIN);
    memcpy(blob, "data:image/png;base64,", 22);
    ck_assert_int_eq(token_shape_of_member(BYTES_LITERAL("image"), bytes_of(blob, sizeof blob)),
                     SHAPE_PLAIN);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("token_shape");
    TCase *tests = tcase_create("shapes");
    tcase_add_loop_test(tests, every_token_is_found, 0, (int)COUNT(TOKENS));
    tcase_add_loop_test(tests, every_secret_is_found, 0, (int)COUNT(SECRETS));
    tcase_add_test(tests, nearly_no_plain_value_is_taken);
    tcase_add_loop_test(tests, names_are_cut_into_words, 0, (int)COUNT(NAMES));
    tcase_add_loop_test(tests, more_names_are_known, 0, (int)COUNT(MORE_NAMES));
    tcase_add_loop_test(tests, some_names_need_a_value_that_fits, 0, (int)COUNT(WITH_VALUES));
    tcase_add_test(tests, a_token_among_words_is_a_secret);
    tcase_add_test(tests, what_only_looks_like_a_jwt_is_plain);
    tcase_add_test(tests, broken_json_hides_nothing);
    tcase_add_loop_test(tests, images_stay_plain, 0, 4);
    suite_add_tcase(made, tests);
    return made;
}

SUITE_MAIN(suite)
