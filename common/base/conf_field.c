/* What a field is called, where its member lies, and how a value of it is refused. */

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/conf_put.h"

void *conf_member(const struct conf *conf, size_t field)
{
    return (char *)conf->target + conf->fields[field].offset;
}

/* "kafka.brokers", or "--json" when it is not in the file. */
static const char *name_of(const struct conf_field *field, char out[80])
{
    if (field->path)
        snprintf(out, 80, "%s", field->path);
    else if (field->flag)
        snprintf(out, 80, "--%s", field->flag);
    else
        snprintf(out, 80, "-%c", field->letter);
    return out;
}

bool conf_variable(const char *path, char out[80])
{
    if (!path)
        return false;
    snprintf(out, 80, "DROVER_%s", path);
    for (char *c = out; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    return true;
}

void conf_note_old(struct conf *conf, size_t field, const char *old, const char *now,
                   const char *place)
{
    char text[400];
    snprintf(text, sizeof(text), place ? "%s is called %s now (%.160s)" : "%s is called %s now",
             old, now, place);
    if (!conf->renamed[field])
        conf->renamed[field] = arena_copy(&conf->arena, bytes_text(text)).data;
}

struct bytes conf_choice(const char *choices, size_t index)
{
    for (; index > 0 && *choices; index--)
        choices += strcspn(choices, "|") + (choices[strcspn(choices, "|")] == '|');
    return bytes_of(choices, strcspn(choices, "|"));
}

enum outcome conf_refuse(const struct conf_field *field, struct conf_source source,
                         struct error *err, const char *format, ...)
{
    if (!err)
        return OUT_FATAL;
    char sentence[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    char name[80];
    error_set(err, OUT_FATAL, source.origin == CONF_FROM_FLAG ? ERR_USAGE : ERR_CONF_VALUE, "%s %s",
              name_of(field, name), sentence);
    error_where(err, "%s", source.place ? source.place : "");
    return OUT_FATAL;
}
