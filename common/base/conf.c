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
    conf->renamed = arena_array(&conf->arena, field_count, sizeof(*conf->renamed));
    assert(conf->origins && conf->places && conf->entries && conf->renamed);
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
