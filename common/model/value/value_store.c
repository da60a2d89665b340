/* What every encoding ends in: the cell, or why it is none. */
#include "common/model/value/value_scalar.h"

enum outcome value_store(const struct value_target *to, const void *binary, size_t size)
{
    struct bytes copy = {0};
    if (size <= INT32_MAX)
        copy = arena_copy(to->arena, bytes_of(binary, size));
    if (!copy.data)
        return error_set(to->err, OUT_REJECT, ERR_JSON_SIZE,
                         "the value does not fit the memory of a batch");
    *to->cell = (struct cell){copy.data, (int32_t)size};
    return OUT_OK;
}

static const char *kind_of(yyjson_val *val)
{
    switch (yyjson_get_type(val)) {
    case YYJSON_TYPE_NULL:
        return "null";
    case YYJSON_TYPE_BOOL:
        return "a boolean";
    case YYJSON_TYPE_STR:
        return "a string";
    case YYJSON_TYPE_ARR:
        return "an array";
    case YYJSON_TYPE_OBJ:
        return "an object";
    default:
        return "a number";
    }
}

enum outcome value_reject_kind(const struct value_target *to, const char *expected,
                               yyjson_val *found)
{
    error_set(to->err, OUT_REJECT, ERR_VALUE_TYPE, "expected %s, found %s", expected,
              kind_of(found));
    if (to->type->form != FORM_NATURAL)
        error_hint(to->err, "the column's as: is not how the source writes it: change it or leave "
                            "it out, or fix the source");
    return OUT_REJECT;
}
