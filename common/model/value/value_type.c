/* The column types: their names in mappings, in SQL, and as parameters. */

#include "common/model/value/value.h"

#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/model/value/value_scalar.h"

enum {
    VARCHAR_MAX = 10485760, /* PostgreSQL: MaxAttrSize */
    PRECISION_MAX =
        DECIMAL_DIGITS_MAX, /* PostgreSQL takes 1000, of which no record could use all */
    NAME_ROOM = 64,
};

/* In the order of enum value_base. OIDs from pg_type.dat: stable since 8.x. */
static const struct {
    const char *sql;
    const char *param_array;
    uint32_t oid;
} BASES[] = {
    [VALUE_TEXT] = {"text", "text[]", 25},
    [VALUE_VARCHAR] = {"varchar", "text[]", 25},
    [VALUE_BOOL] = {"bool", "bool[]", 16},
    [VALUE_INT2] = {"int2", "int2[]", 21},
    [VALUE_INT4] = {"int4", "int4[]", 23},
    [VALUE_INT8] = {"int8", "int8[]", 20},
    [VALUE_FLOAT4] = {"float4", "float4[]", 700},
    [VALUE_FLOAT8] = {"float8", "float8[]", 701},
    [VALUE_NUMERIC] = {"numeric", "numeric[]", 1700},
    [VALUE_DATE] = {"date", "date[]", 1082},
    [VALUE_TIMESTAMP] = {"timestamp", "timestamp[]", 1114},
    [VALUE_TIMESTAMPTZ] = {"timestamptz", "timestamptz[]", 1184},
    [VALUE_UUID] = {"uuid", "uuid[]", 2950},
    [VALUE_JSONB] = {"jsonb", "jsonb[]", 3802},
    [VALUE_BYTEA] = {"bytea", "bytea[]", 17},
};

/* What a mapping may call them. */
/* clang-format off */
#define TYPE_NAMES(X) \
    X("text", VALUE_TEXT) X("varchar", VALUE_VARCHAR) X("character varying", VALUE_VARCHAR) \
    X("bool", VALUE_BOOL) X("boolean", VALUE_BOOL) X("int2", VALUE_INT2) \
    X("smallint", VALUE_INT2) X("int4", VALUE_INT4) X("int", VALUE_INT4) \
    X("integer", VALUE_INT4) X("int8", VALUE_INT8) X("bigint", VALUE_INT8) \
    X("float4", VALUE_FLOAT4) X("real", VALUE_FLOAT4) X("float8", VALUE_FLOAT8) \
    X("float", VALUE_FLOAT8) X("double precision", VALUE_FLOAT8) X("numeric", VALUE_NUMERIC) \
    X("decimal", VALUE_NUMERIC) X("date", VALUE_DATE) X("timestamp", VALUE_TIMESTAMP) \
    X("timestamp without time zone", VALUE_TIMESTAMP) X("timestamptz", VALUE_TIMESTAMPTZ) \
    X("timestamp with time zone", VALUE_TIMESTAMPTZ) X("uuid", VALUE_UUID) \
    X("jsonb", VALUE_JSONB) X("bytea", VALUE_BYTEA)
/* clang-format on */

static const struct {
    const char *name;
    enum value_base base;
} NAMES[] = {
#define X(name, base) {name, base},
    TYPE_NAMES(X)
#undef X
};

enum { NAME_COUNT = sizeof(NAMES) / sizeof(NAMES[0]) };

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Lower case; blanks only between words: "NUMERIC( 10, 2 )" -> "numeric(10,2)". */
static bool tidy(struct bytes text, char out[NAME_ROOM])
{
    size_t size = 0;
    bool blank = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        if (c == ' ') {
            blank = true;
            continue;
        }
        bool between = blank && size > 0 && is_letter(out[size - 1]) && is_letter(c);
        if (c == '\0' || size + between + 1 >= NAME_ROOM)
            return false;
        if (between)
            out[size++] = ' ';
        out[size++] = c;
        blank = false;
    }
    out[size] = '\0';
    return size > 0;
}

/* "(10,2)" at `at`: up to two numbers. Returns how many, 0 without brackets, -1 when malformed. */
static int parse_modifier(const char *at, int64_t numbers[2])
{
    if (*at != '(')
        return *at == '\0' ? 0 : -1;
    at++;
    for (int count = 0; count < 2; count++) {
        size_t size = strspn(at, "0123456789");
        if (!text_parse_int64(bytes_of(at, size), &numbers[count]))
            return -1;
        at += size;
        if (strcmp(at, ")") == 0)
            return count + 1;
        if (*at++ != ',')
            return -1;
    }
    return -1;
}

static bool set_modifier(struct value_type *type, int count, const int64_t numbers[2])
{
    if (count == 0)
        return true;
    if (type->base == VALUE_VARCHAR) {
        type->length = (int32_t)numbers[0];
        return count == 1 && numbers[0] >= 1 && numbers[0] <= VARCHAR_MAX;
    }
    if (type->base != VALUE_NUMERIC || numbers[0] < 1 || numbers[0] > PRECISION_MAX)
        return false;
    int64_t scale = count == 2 ? numbers[1] : 0;
    type->precision = (int32_t)numbers[0];
    type->scale = (int32_t)scale;
    return scale <= numbers[0];
}

bool value_type_parse(struct bytes text, struct value_type *type)
{
    char name[NAME_ROOM];
    *type = (struct value_type){.form = FORM_NATURAL};
    if (!tidy(text, name))
        return false;
    size_t size = strlen(name);
    if (size > 2 && strcmp(name + size - 2, "[]") == 0) {
        type->array = true;
        name[size - 2] = '\0';
    }
    size_t word = strcspn(name, "(");
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (strlen(NAMES[i].name) != word || memcmp(NAMES[i].name, name, word) != 0)
            continue;
        int64_t numbers[2] = {0, 0};
        int count = parse_modifier(name + word, numbers);
        type->base = NAMES[i].base;
        return count >= 0 && set_modifier(type, count, numbers);
    }
    return false;
}

const char *const *value_type_names(void)
{
    static const char *const LIST[] = {
#define X(name, base) name,
        TYPE_NAMES(X)
#undef X
            NULL,
    };
    return LIST;
}

void value_type_append_sql(struct buf *out, const struct value_type *type)
{
    buf_append_text(out, BASES[type->base].sql);
    if (type->base == VALUE_VARCHAR && type->length > 0)
        buf_append_format(out, "(%d)", type->length);
    if (type->base == VALUE_NUMERIC && type->precision > 0)
        buf_append_format(out, "(%d,%d)", type->precision, type->scale);
    if (type->array)
        buf_append_text(out, "[]");
}

const char *value_type_param_array(const struct value_type *type)
{
    return BASES[type->array ? VALUE_JSONB : type->base].param_array;
}

uint32_t value_type_param_oid(const struct value_type *type)
{
    return BASES[type->array ? VALUE_JSONB : type->base].oid;
}

bool value_form_fits(const struct value_type *type)
{
    switch (type->form) {
    case FORM_NATURAL:
        return true;
    case FORM_LOOSE:
        return !type->array && (type->base == VALUE_TIMESTAMP || type->base == VALUE_TIMESTAMPTZ ||
                                type->base <= VALUE_VARCHAR || value_is_number(type));
    case FORM_STRING:
        return !type->array && type->base >= VALUE_BOOL && type->base <= VALUE_NUMERIC;
    case FORM_NUMBER:
        return !type->array && type->base <= VALUE_VARCHAR;
    default:
        return !type->array && (type->base == VALUE_TIMESTAMP || type->base == VALUE_TIMESTAMPTZ);
    }
}
