#ifndef DROVER_TESTS_JSON_CASES_H
#define DROVER_TESTS_JSON_CASES_H

/* The rows of tests/data/json_suite.tsv and tests/data/naughty_strings.txt. */

#include <check.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

#define JSON_CASES_MAX 400
#define NAUGHTY_MAX 600

struct json_case {
    char name[80];
    char strict[12], replaced[12]; /* "ok", or the code */
    struct buf text;
};

struct json_cases {
    struct json_case items[JSON_CASES_MAX];
    size_t count;
};

static inline FILE *cases_open(const char *name)
{
    char path[PATH_MAX];
    const char *root = getenv("DROVER_SOURCE_DIR");
    snprintf(path, sizeof(path), "%s/tests/data/%s", root ? root : ".", name);
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    return file;
}

/* Appends what `text` is the base64 of, `times` times. */
static inline void cases_decode(const char *text, int times, struct buf *out)
{
    unsigned char raw[4096];
    size_t size;
    ck_assert_msg(sodium_base642bin(raw, sizeof(raw), text, strlen(text), "\n", &size, NULL,
                                    sodium_base64_VARIANT_ORIGINAL) == 0,
                  "no base64: %s", text);
    for (int i = 0; i < times; i++)
        buf_append(out, raw, size);
}

static inline void json_cases_load(struct json_cases *cases)
{
    FILE *file = cases_open("json_suite.tsv");
    char *line = NULL;
    size_t capacity = 0;
    cases->count = 0;
    while (getline(&line, &capacity, file) > 0) {
        struct json_case *item = &cases->items[cases->count];
        char base64[4096] = "";
        int times;
        if (line[0] == '#')
            continue;
        ck_assert_uint_lt(cases->count, JSON_CASES_MAX);
        /* the bytes may be none: one case is the empty file */
        ck_assert_msg(sscanf(line, "%79s %11s %11s %d %4095s", item->name, item->strict,
                             item->replaced, &times, base64) >= 4,
                      "%s", line);
        buf_init(&item->text, 1 << 20);
        cases_decode(base64, times, &item->text);
        cases->count++;
    }
    free(line);
    fclose(file);
}

static inline void json_cases_free(struct json_cases *cases)
{
    for (size_t i = 0; i < cases->count; i++)
        buf_free(&cases->items[i].text);
}

static inline size_t naughty_load(struct buf *strings)
{
    FILE *file = cases_open("naughty_strings.txt");
    char *line = NULL;
    size_t capacity = 0, count = 0;
    while (getline(&line, &capacity, file) > 0) {
        if (line[0] == '#')
            continue;
        ck_assert_uint_lt(count, NAUGHTY_MAX);
        buf_init(&strings[count], 4096);
        cases_decode(line, 1, &strings[count++]);
    }
    free(line);
    fclose(file);
    return count;
}

#endif
