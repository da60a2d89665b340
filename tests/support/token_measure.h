#ifndef DROVER_TESTS_TOKEN_MEASURE_H
#define DROVER_TESTS_TOKEN_MEASURE_H

/* How many secrets are found and how many ordinary values taken: for unit.token_measure, which has
 * limits, and for tests/check/secrets_md.sh, which writes the table of docs/secrets.md. Always the
 * same values. */

#include <stdbool.h>
#include <stdio.h>

#include "common/base/token_kinds.h"
#include "common/base/token_shape.h"
#include "tests/support/token_ordinary.h"

#define MEASURE_SEED 20240501u
#define MEASURE_OF_A_KIND 60 /* values of each kind of token, half of them among words */
#define MEASURE_OF_A_ROW 30  /* ordinary members of each row */

struct measured {
    const char *kind;
    size_t values, hits;
};

/* One kind of token: `hits` were found. Missed ones are told to `told`, which may be NULL. */
static inline struct measured measure_kind(const struct token_kind *kind, FILE *told)
{
    struct measured measured = {.kind = kind->name};
    uint64_t state = MEASURE_SEED;
    for (const char *c = kind->name; *c; c++)
        state = state * 31 + (unsigned char)*c;
    for (; measured.values < MEASURE_OF_A_KIND; measured.values++) {
        struct token_value value;
        char text[1200];
        bool among = measured.values % 2;
        tv_make(kind->pattern, &state, &value);
        snprintf(text, sizeof text, "%s%s%s", among ? "please use " : "", value.text,
                 among ? " for the demo." : "");
        if (token_shape_of_member(BYTES_LITERAL("note"), bytes_text(text)) == kind->shape ||
            (among && token_shape_of_value(bytes_text(text)) == SHAPE_SECRET))
            measured.hits++;
        else if (told)
            fprintf(told, "missed: %s: %s\n", kind->name, text);
    }
    return measured;
}

/* One row of ordinary members: `hits` were taken. */
static inline struct measured measure_row(const struct ordinary *row, FILE *told)
{
    struct measured measured = {.kind = row->kind};
    uint64_t state = MEASURE_SEED + (uint64_t)(row - ORDINARY);
    for (; measured.values < MEASURE_OF_A_ROW; measured.values++) {
        struct ordinary_text value;
        ordinary_make(row, &state, &value);
        if (token_shape_of_member(bytes_text(row->name), bytes_of(value.text, value.size)) ==
            SHAPE_PLAIN)
            continue;
        measured.hits++;
        if (told)
            fprintf(told, "taken: %s = %s\n", row->name, value.text);
    }
    return measured;
}

#endif
