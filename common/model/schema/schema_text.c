/* See the header. */
#include "common/model/schema/schema_text.h"

#include <stdarg.h>

static void quote(struct buf *out, const char *text, char mark)
{
    buf_append_char(out, mark);
    for (; *text; text++) {
        if (*text == mark)
            buf_append_char(out, mark);
        buf_append_char(out, *text);
    }
    buf_append_char(out, mark);
}

void schema_sql_identifier(struct buf *out, const char *name)
{
    quote(out, name, '"');
}

/* Sessions have standard_conforming_strings on, so a backslash is itself. */
void schema_sql_literal(struct buf *out, const char *text)
{
    quote(out, text, '\'');
}

void schema_sql_append(struct buf *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            buf_append_char(out, *format);
            continue;
        }
        const char *text = va_arg(args, const char *);
        switch (*++format) {
        case 'i':
            schema_sql_identifier(out, text);
            break;
        case 'l':
            schema_sql_literal(out, text);
            break;
        default: /* 's' */
            buf_append_text(out, text);
            break;
        }
    }
    va_end(args);
}
