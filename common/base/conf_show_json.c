/* The effective settings for machines: one object a value, with where it comes from. */

#include <string.h>

#include "common/base/conf_put.h"
#include "common/base/error_json.h"

enum { LONGEST_SHOWN = 1024 * 1024 };

static void append_secret(struct json_out *out, const char *secret)
{
    struct buf masked;
    buf_init(&masked, LONGEST_SHOWN);
    conf_append_masked(&masked, secret);
    json_out_bytes(out, "value", buf_view(&masked));
    buf_free(&masked);
}

static void append_list(struct json_out *out, const struct conf_list *list)
{
    json_out_list(out, "value");
    for (size_t i = 0; i < list->count; i++)
        json_out_text(out, NULL, list->items[i]);
    json_out_end(out);
}

/* The value in its own type, and the unit of one that has one. */
static void append_value(struct json_out *out, const struct conf_field *field, const void *member)
{
    const char *text;
    switch (field->kind) {
    case CONF_BOOL:
        json_out_bool(out, "value", *(const bool *)member);
        return;
    case CONF_COUNT:
        json_out_count(out, "value", *(const uint64_t *)member);
        return;
    case CONF_SIZE:
        json_out_count(out, "value", *(const uint64_t *)member);
        json_out_text(out, "unit", "bytes");
        return;
    case CONF_MILLIS:
        json_out_seconds(out, "value", *(const uint64_t *)member);
        json_out_text(out, "unit", "seconds");
        return;
    case CONF_LIST:
        append_list(out, member);
        return;
    default:
        break;
    }
    text = *(const char *const *)member;
    if (field->kind == CONF_SECRET && text && text[0])
        append_secret(out, text);
    else
        json_out_text(out, "value", text);
}

static void append_from(struct json_out *out, enum conf_origin origin, const char *place)
{
    static const char *const NAMES[] = {
        [CONF_FROM_DEFAULT] = "default",
        [CONF_FROM_FILE] = "file",
        [CONF_FROM_ENVIRONMENT] = "environment",
        [CONF_FROM_FLAG] = "flag",
    };
    const char *where = origin == CONF_FROM_DEFAULT || !place ? "" : place;
    json_out_text(out, "from", NAMES[origin]);
    error_append_json_where(ERR_CONF_VALUE, bytes_text(where), (struct bytes){0}, out, "where");
    json_out_end(out);
}

static void append_map(const struct conf *conf, size_t index, struct json_out *out)
{
    const struct conf_map *map = conf_member(conf, index);
    for (size_t i = 0; i < map->count; i++) {
        bool hidden = conf_is_secret_name(bytes_text(map->keys[i]));
        json_out_object(out, NULL);
        json_out_text(out, "setting", conf->fields[index].path);
        json_out_text(out, "key", map->keys[i]);
        json_out_text(out, "value", hidden ? "***" : map->values[i]);
        append_from(out, conf->entries[index][i].origin, conf->entries[index][i].place);
    }
}

void conf_append_json(const struct conf *conf, struct json_out *out, const char *name)
{
    json_out_list(out, name);
    for (size_t i = 0; i < conf->field_count; i++) {
        const struct conf_field *field = &conf->fields[i];
        if (!field->path)
            continue;
        if (field->kind == CONF_MAP) {
            append_map(conf, i, out);
            continue;
        }
        json_out_object(out, NULL);
        json_out_text(out, "setting", field->path);
        append_value(out, field, conf_member(conf, i));
        append_from(out, conf->origins[i], conf->places[i]);
    }
    json_out_end(out);
}
