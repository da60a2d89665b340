/* URLs of webhooks: which can be called, and that nothing of one is said when it cannot. */
#include "common/policy/alert/alert_url.h"

#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

static const char *const GOOD[] = {
    "http://h",
    "https://hooks.example.com/services/T0/B0?x=1#y",
    "HTTPS://Hooks.Example.com",
    "http://u:p@h:8080/path",
    "http://u:p@ss@h/at",
    "http://u:@h",
    "http://127.0.0.1:1",
    "http://h:65535?q",
    "http://h:/",
    "http://[::1]:8080/x",
    "http://[fe80::1%25eth0]",
};

START_TEST(can_be_called)
{
    const char *fault = alert_url_fault(GOOD[_i]);
    ck_assert_msg(!fault, "%s: %s", GOOD[_i], fault);
}
END_TEST

static const struct {
    const char *url, *fault;
} BAD[] = {
    {"", "is no http or https URL"},
    {"h", "is no http or https URL"},
    {"//h", "is no http or https URL"},
    {"ftp://u:S3CR3T@h", "is no http or https URL"},
    {"file:///etc/passwd", "is no http or https URL"},
    {"http:/h", "is no http or https URL"},
    {" http://h", "is no http or https URL"},
    {"http://", "names no host"},
    {"https:///path", "names no host"},
    {"http://?q", "names no host"},
    {"http://:80/", "names no host"},
    {"http://u:S3CR3T@", "names no host"},
    {"http://u:S3CR3T@/x", "names no host"},
    {"http://u:S3CR3T@:80", "names no host"},
    {"http://[]/", "names no host"},
    {"http://[::1/", "names no host"},
    {"http://h:http/", "has a port that is no number from 1 to 65535"},
    {"http://h:0", "has a port that is no number from 1 to 65535"},
    {"http://h:65536", "has a port that is no number from 1 to 65535"},
    {"http://h:-1", "has a port that is no number from 1 to 65535"},
    {"http://[::1]x", "has a port that is no number from 1 to 65535"},
    {"http://u:S3C/R3T@h", "has a port that is no number from 1 to 65535"},
    {"http://h/a b", "has a blank or a control character in its URL"},
    {"http://h/\n", "has a blank or a control character in its URL"},
    {"http://h\x1b[31m", "has a blank or a control character in its URL"},
};

START_TEST(cannot_be_called)
{
    const char *fault = alert_url_fault(BAD[_i].url);
    ck_assert_msg(fault && strcmp(fault, BAD[_i].fault) == 0, "%s: %s", BAD[_i].url,
                  fault ? fault : "(none)");
}
END_TEST

START_TEST(any_bytes_have_an_answer)
{
    static const char MARKS[] = "http://@:[]?#%a0\xff";
    random_begin((uint64_t)_i + 1);
    for (int i = 0; i < 5000; i++) {
        char text[40];
        size_t size = random_below(sizeof(text));
        for (size_t at = 0; at < size; at++)
            text[at] = MARKS[random_below(sizeof(MARKS) - 1)];
        text[size] = '\0';
        if (random_below(2) && size >= 7)
            memcpy(text, "http://", 7);
        const char *fault = alert_url_fault(text);
        ck_assert_msg(fault || strncmp(text, "http://", 7) == 0, "%s", text);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("alert_url");
    TCase *tests = tcase_create("alert_url");
    tcase_add_loop_test(tests, can_be_called, 0, sizeof(GOOD) / sizeof(GOOD[0]));
    tcase_add_loop_test(tests, cannot_be_called, 0, sizeof(BAD) / sizeof(BAD[0]));
    tcase_add_loop_test(tests, any_bytes_have_an_answer, 0, 3);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(make_suite)
