#ifndef DROVER_MODEL_DECIMAL_H
#define DROVER_MODEL_DECIMAL_H

/*
 * Exact decimals. A decimal is digits * 10^exponent with no leading or trailing zero digit (zero
 * has no digits); `scale` is the number of fraction digits the text was written with, which
 * PostgreSQL's numeric keeps and a number held in a string must get back.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"

#define DECIMAL_EXPONENT_MAX 308 /* fault row J10: magnitude of the first digit's power of ten */
#define DECIMAL_DIGITS_MAX 309   /* all digits of the largest whole number; 2^256 has 78 */
#define DECIMAL_SCALE_MAX 1000   /* fraction digits written; most that numeric(p,s) declares */

struct decimal {
    bool negative;  /* false for zero */
    uint16_t count; /* digits used; 0 = zero */
    int32_t exponent;
    int32_t scale;                   /* >= 0 */
    char digits[DECIMAL_DIGITS_MAX]; /* '0'..'9' */
};

/* Parses a JSON number (`-12.50e3`). False when it is not one, or outside the two limits. */
MUST_USE bool decimal_parse(struct bytes text, struct decimal *out);

/* Shortest plain form for |exponent of the leading digit| <= 40: "-12500", "0.005", "0"; larger
 * ones as "1e300" / "1.5e-200". Unique for each number: the canonical form. */
void decimal_append_canonical(struct buf *out, const struct decimal *decimal);
/* The plain form with `scale` fraction digits, as PostgreSQL prints a numeric: "42.50000". */
void decimal_append_plain(struct buf *out, const struct decimal *decimal);

/* PostgreSQL's binary numeric (numeric_send): base-10000 digits, weight, sign, dscale = scale. */
void decimal_append_numeric(struct buf *out, const struct decimal *decimal);
/* Reads that form; false when malformed, NaN, infinite, or over the digit limit. */
MUST_USE bool decimal_from_numeric(struct bytes binary, struct decimal *out);

/* Exact; false when there is a fraction or it does not fit. */
bool decimal_to_int64(const struct decimal *decimal, int64_t *value);
/* The value of text that is a plain integer of at most 18 digits, as decimal_parse and
 * decimal_to_int64 give it; false for all other text, which may still be a number. */
MUST_USE bool decimal_short_int64(struct bytes text, int64_t *value);
int decimal_compare(const struct decimal *a, const struct decimal *b);

#endif
