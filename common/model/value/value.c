/* A value of any column: arrays, scalars, and the loose form, which is decided value by value; and
 * scalars written in YAML. */
#include "common/model/value/value.h"

#include "common/model/json/json.h"
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

/* ---- YAML ---- */

/* The JSON text a YAML scalar stands for, by the kind the column's form takes. */
static void append_json_of(const struct value_type *type, struct bytes text, bool plain,
                           struct buf *out)
{
    bool bare = type->form >= FORM_NUMBER ||
                (type->form <= FORM_LOOSE && (value_is_number(type) || type->base == VALUE_BOOL));
    yyjson_doc *parsed;
    if (type->array || type->base == VALUE_JSONB) {
        bare = json_parse(text, JSON_UNICODE_REJECT, NULL, &parsed, NULL) == OUT_OK;
        if (bare)
            yyjson_doc_free(parsed);
    } else if (bare && !plain) {
        bare = false; /* "5" is a string, which the column then refuses */
    }
    if (bare)
        buf_append_bytes(out, text);
    else
        json_append_string(out, text);
}

yyjson_mut_val *value_from_yaml(const struct value_type *type, struct bytes text, bool plain,
                                yyjson_mut_doc *doc)
{
    enum { SCALAR_MAX = 1024 * 1024 };
    if (text.size > SCALAR_MAX)
        return NULL;
    struct buf json;
    struct arena arena;
    buf_init(&json, SCALAR_MAX * 6 + 2);
    arena_init(&arena, SCALAR_MAX * 16);
    append_json_of(type, text, plain, &json);
    yyjson_doc *parsed = NULL;
    yyjson_mut_val *val = NULL;
    struct cell cell;
    bool exact;
    /* The encoder says whether the column takes it. */
    if (json_parse(buf_view(&json), JSON_UNICODE_REJECT, NULL, &parsed, NULL) == OUT_OK &&
        value_encode(type, yyjson_doc_get_root(parsed), &arena, &cell, &exact, NULL) == OUT_OK)
        val = yyjson_val_mut_copy(doc, yyjson_doc_get_root(parsed));
    yyjson_doc_free(parsed);
    arena_free(&arena);
    buf_free(&json);
    return val;
}
