/* The effective settings, as a drover.yaml that would give them again (but for the secrets). */

#include <string.h>

#include "common/base/conf_put.h"
#include "common/base/text.h"

enum { LONGEST_SHOWN = 1024 * 1024 };

struct showing {
    const struct conf *conf;
    bool origins;
    struct buf *out;
};

/* Text that YAML reads as itself without quotes, also inside [a, b]. */
static bool is_plain(struct bytes text)
{
    static const char *const SPECIAL[] = {"null", "Null", "NULL"};
    static const char MARKS[] = "_./:@+-=*?";
    for (size_t i = 0; i < sizeof(SPECIAL) / sizeof(SPECIAL[0]); i++) {
        if (bytes_equal(text, bytes_text(SPECIAL[i])))
            return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool first_or_last = i == 0 || i == text.size - 1;
        bool mark = c != '\0' && strchr(MARKS, c) != NULL;
        if (!word && (!mark || (first_or_last && c != '/' && c != '_' && c != '.')))
            return false;
    }
    return text.size > 0;
}

static void append_value(struct buf *out, struct bytes text)
{
    if (is_plain(text))
        buf_append_bytes(out, text);
    else
        buf_append_json(out, text);
}

static void append_masked_value(struct buf *out, const char *secret)
{
    struct buf masked;
    buf_init(&masked, LONGEST_SHOWN);
    conf_append_masked(&masked, secret);
    append_value(out, buf_view(&masked));
    buf_free(&masked);
}

/* In the largest unit that divides it: 16m, 24h. */
static void append_amount(struct buf *out, enum conf_kind kind, uint64_t amount)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } SIZES[] = {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"", 1}},
      TIMES[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    if (kind == CONF_COUNT || amount == 0) {
        buf_append_format(out, "%llu", (unsigned long long)amount);
    } else if (kind == CONF_SIZE) {
        while (amount % SIZES[i].factor)
            i++;
        buf_append_format(out, "%llu%s", (unsigned long long)(amount / SIZES[i].factor),
                          SIZES[i].name);
    } else {
        while (amount % TIMES[i].factor)
            i++;
        buf_append_format(out, "%llu%s", (unsigned long long)(amount / TIMES[i].factor),
                          TIMES[i].name);
    }
}

static void append_list(struct buf *out, const struct conf_list *list)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        buf_append_text(out, i ? ", " : "");
        append_value(out, bytes_text(list->items[i]));
    }
    buf_append_char(out, ']');
}

static void append_origin(const struct showing *showing, enum conf_origin origin, const char *place)
{
    if (showing->origins) {
        buf_append_text(showing->out, "  # from ");
        text_append_safe(showing->out,
                         bytes_text(origin == CONF_FROM_DEFAULT || !place ? "default" : place),
                         LONGEST_SHOWN);
    }
    buf_append_char(showing->out, '\n');
}

static void append_indent(struct buf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        buf_append_text(out, "  ");
}

static void append_map(const struct showing *showing, size_t index, unsigned depth)
{
    const struct conf_map *map = conf_member(showing->conf, index);
    buf_append_text(showing->out, "\n");
    for (size_t i = 0; i < map->count; i++) {
        append_indent(showing->out, depth + 1);
        append_value(showing->out, bytes_text(map->keys[i]));
        buf_append_text(showing->out, ": ");
        if (conf_is_secret_name(bytes_text(map->keys[i])))
            append_value(showing->out, BYTES_LITERAL("***"));
        else
            append_value(showing->out, bytes_text(map->values[i]));
        const struct conf_entry *entry = &showing->conf->entries[index][i];
        append_origin(showing, entry->origin, entry->place);
    }
}

static void append_scalar(struct buf *out, const struct conf_field *field, const void *member)
{
    const char *text;
    switch (field->kind) {
    case CONF_BOOL:
        buf_append_text(out, *(const bool *)member ? "true" : "false");
        return;
    case CONF_COUNT:
    case CONF_SIZE:
    case CONF_MILLIS:
        append_amount(out, field->kind, *(const uint64_t *)member);
        return;
    case CONF_LIST:
        append_list(out, member);
        return;
    case CONF_MAP:
        buf_append_text(out, "{}");
        return;
    default:
        break;
    }
    text = *(const char *const *)member;
    if (!text)
        buf_append_text(out, "null");
    else if (field->kind == CONF_SECRET && text[0])
        append_masked_value(out, text);
    else
        append_value(out, bytes_text(text));
}

static void append_field(const struct showing *showing, size_t index, unsigned depth)
{
    const struct conf *conf = showing->conf;
    const struct conf_field *field = &conf->fields[index];
    const void *member = conf_member(conf, index);
    const char *dot = strrchr(field->path, '.');
    append_indent(showing->out, depth);
    buf_append_format(showing->out, "%s:", dot ? dot + 1 : field->path);
    if (field->kind == CONF_MAP && ((const struct conf_map *)member)->count > 0) {
        append_map(showing, index, depth);
        return;
    }
    buf_append_char(showing->out, ' ');
    append_scalar(showing->out, field, member);
    append_origin(showing, conf->origins[index], conf->places[index]);
}

static bool begins(const char *path, const char *prefix, size_t size)
{
    return path && strncmp(path, prefix, size) == 0;
}

/* All fields whose path begins with `prefix` (empty, or ending in a dot). The table need not
 * keep a section together: a section is written where its first field stands. */
static void append_section(const struct showing *showing, const char *prefix, size_t size,
                           unsigned depth)
{
    const struct conf *conf = showing->conf;
    for (size_t i = 0; i < conf->field_count; i++) {
        const char *path = conf->fields[i].path;
        if (!begins(path, prefix, size))
            continue;
        size_t part = strcspn(path + size, ".");
        if (path[size + part] == '\0') {
            append_field(showing, i, depth);
            continue;
        }
        size_t earlier = 0;
        while (!begins(conf->fields[earlier].path, path, size + part + 1))
            earlier++;
        if (earlier < i)
            continue;
        append_indent(showing->out, depth);
        buf_append_format(showing->out, "%.*s:\n", (int)part, path + size);
        append_section(showing, path, size + part + 1, depth + 1);
    }
}

void conf_append_yaml(const struct conf *conf, bool origins, struct buf *out)
{
    const struct showing showing = {conf, origins, out};
    append_section(&showing, "", 0, 0);
}
