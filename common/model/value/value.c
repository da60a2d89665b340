/* A value of any column: arrays, scalars, and the loose form, which is decided value by value. */
#include "common/model/value/value.h"

#include "common/model/value/value_scalar.h"

/* The form that a value of a loose column has. */
static enum value_form form_of(const struct value_type *type, yyjson_val *val)
{
    bool number = yyjson_is_raw(val) || yyjson_is_num(val);
    if (type->base == VALUE_TIMESTAMP || type->base == VALUE_TIMESTAMPTZ)
        return number ? FORM_EPOCH_MS : FORM_NATURAL;
    if (type->base <= VALUE_VARCHAR)
        return number ? FORM_NUMBER : FORM_NATURAL;
    return yyjson_is_str(val) ? FORM_STRING : FORM_NATURAL;
}

/* Seconds, or a spreadsheet's days, taken for milliseconds land about New Year 1970; what is in ms
 * is 1973-03-03 at 10^11. Zero is the same instant in each unit. */
static enum outcome check_unit(yyjson_val *val, struct error *err)
{
    static const struct decimal MIN = {.count = 1, .exponent = 11, .digits = {'1'}};
    char memory[24];
    struct bytes text;
    struct decimal number;
    if (!value_number_text(val, memory, &text) || !decimal_parse(text, &number) ||
        number.count == 0)
        return OUT_OK; /* refused, or taken, by the encoding */
    number.negative = false;
    if (decimal_compare(&number, &MIN) >= 0)
        return OUT_OK;
    error_set(err, OUT_REJECT, ERR_VALUE_RANGE,
              "as: loose takes a number for Unix milliseconds, and this one would be near January "
              "1970: is it in seconds?");
    error_hint(err, "write as: epoch_s if it is in seconds, as: epoch_ms if the year is right");
    return OUT_REJECT;
}

static enum outcome encode_loose(const struct value_type *type, yyjson_val *val,
                                 struct arena *arena, struct cell *cell, bool *exact,
                                 struct error *err)
{
    struct value_type strict = *type;
    strict.form = form_of(type, val);
    if (strict.form == FORM_EPOCH_MS && check_unit(val, err) != OUT_OK)
        return OUT_REJECT;
    enum outcome outcome = value_encode(&strict, val, arena, cell, exact, err);
    if (strict.form != FORM_NATURAL)
        *exact = false;
    return outcome;
}

enum outcome value_encode(const struct value_type *type, yyjson_val *val, struct arena *arena,
                          struct cell *cell, bool *exact, struct error *err)
{
    if (type->form == FORM_LOOSE)
        return encode_loose(type, val, arena, cell, exact, err);
    const struct value_target to = {type, arena, cell, exact, err};
    *exact = true;
    *cell = CELL_NULL;
    return type->array ? value_encode_array(&to, val) : value_encode_scalar(&to, val);
}

yyjson_mut_val *value_decode(const struct value_type *type, struct cell cell, yyjson_mut_doc *doc)
{
    if (cell.size < 0 || (cell.size > 0 && !cell.data))
        return NULL;
    return type->array ? value_decode_array(type, cell, doc) : value_decode_scalar(type, cell, doc);
}
