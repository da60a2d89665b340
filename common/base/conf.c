/* The target, its defaults, and the one way a value gets into it. */

#include "common/base/conf.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/conf_put.h"

enum {
    /* One file of 1 MiB, the kernel's 6 MiB of arguments and environment, and their arrays: up to
     * 600,000 sources of a run are flags of its verifier. */
    CONF_MEMORY = 64 * 1024 * 1024,
};

void *conf_member(const struct conf *conf, size_t field)
{
    return (char *)conf->target + conf->fields[field].offset;
}

const char *conf_name(const struct conf_field *field, char out[80])
{
    if (field->path)
        snprintf(out, 80, "%s", field->path);
    else if (field->flag)
        snprintf(out, 80, "--%s", field->flag);
    else
        snprintf(out, 80, "-%c", field->letter);
    return out;
}

bool conf_variable(const struct conf_field *field, char out[80])
{
    if (!field->path)
        return false;
    snprintf(out, 80, "DROVER_%s", field->path);
    for (char *c = out; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    return true;
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
              conf_name(field, name), sentence);
    error_where(err, "%s", source.place ? source.place : "");
    return OUT_FATAL;
}

static void clear_member(const struct conf *conf, size_t field)
{
    static const size_t SIZES[] = {
        [CONF_TEXT] = sizeof(const char *),   [CONF_SECRET] = sizeof(const char *),
        [CONF_BOOL] = sizeof(bool),           [CONF_COUNT] = sizeof(uint64_t),
        [CONF_SIZE] = sizeof(uint64_t),       [CONF_MILLIS] = sizeof(uint64_t),
        [CONF_CHOICE] = sizeof(const char *), [CONF_LIST] = sizeof(struct conf_list),
        [CONF_MAP] = sizeof(struct conf_map),
    };
    memset(conf_member(conf, field), 0, SIZES[conf->fields[field].kind]);
}

void conf_init(struct conf *conf, const struct conf_field *fields, size_t field_count, void *target)
{
    *conf = (struct conf){.fields = fields, .field_count = field_count, .target = target};
    arena_init(&conf->arena, CONF_MEMORY);
    conf->origins = arena_array(&conf->arena, field_count, sizeof(*conf->origins));
    conf->places = arena_array(&conf->arena, field_count, sizeof(*conf->places));
    conf->entries = arena_array(&conf->arena, field_count, sizeof(struct conf_entry *));
    assert(conf->origins && conf->places && conf->entries);
    const struct conf_source source = {CONF_FROM_DEFAULT, NULL};
    for (size_t i = 0; i < field_count; i++) {
        clear_member(conf, i);
        if (!fields[i].fallback)
            continue;
        enum outcome outcome = conf_put_text(conf, i, bytes_text(fields[i].fallback), source, NULL);
        assert(outcome == OUT_OK);
        (void)outcome;
    }
}

void conf_free(struct conf *conf)
{
    for (size_t i = 0; i < conf->field_count; i++) {
        char *const *secret = conf_member(conf, i);
        if (conf->fields[i].kind == CONF_SECRET && *secret)
            explicit_bzero(*secret, strlen(*secret));
        clear_member(conf, i);
    }
    arena_free(&conf->arena);
    *conf = (struct conf){0};
}
