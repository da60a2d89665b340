/*
 * Settings as people and machines see them, each without its secret. When in doubt everything is
 * hidden: a text counts as a URL or a keyword string only when it has the whole form of one.
 */
#include "common/base/conf.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/error_json.h"
#include "common/base/text.h"
#include "common/base/text_width.h"

/* ---- without the secret ---- */

enum { LONGEST_SHOWN = 1024 * 1024 };

static const char HIDDEN[] = "***";

static void append_shown(struct buf *out, const char *from, size_t size)
{
    text_append_safe(out, bytes_of(from, size), size);
}

/* "password", "sslpassword", "auth_token", "ssl.key.pem", "sasl.oauthbearer.config": librdkafka's
 * and libpq's names, and any that a user may have made up in their manner. */
static bool is_secret_name(struct bytes name)
{
    static const char *const PARTS[] = {
        "pass", "secret", "token", "pem", "jaas", "oauthbearer.config", "credential"};
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
        size_t size = strlen(PARTS[i]);
        for (size_t at = 0; at + size <= name.size; at++) {
            if (strncasecmp(name.data + at, PARTS[i], size) == 0)
                return true;
        }
    }
    return false;
}

/* What follows '?': name=value pairs between '&'. */
static void append_query(struct buf *out, const char *query)
{
    while (*query) {
        size_t pair = strcspn(query, "&");
        size_t name = strcspn(query, "=&");
        if (name < pair && is_secret_name(bytes_of(query, name))) {
            append_shown(out, query, name + 1);
            buf_append_text(out, HIDDEN);
        } else {
            append_shown(out, query, pair);
        }
        query += pair;
        if (*query == '&')
            buf_append_char(out, *query++);
    }
}

/* The password ends at the last '@', as people paste passwords with '/', '?' and '@' in them. */
static void append_url(struct buf *out, const char *url)
{
    const char *user = strstr(url, "://") + 3;
    const char *at = strrchr(user, '@');
    const char *rest = user;
    append_shown(out, url, (size_t)(user - url));
    if (at) {
        const char *colon = memchr(user, ':', (size_t)(at - user));
        bool redis = strncmp(url, "redis", 5) == 0; /* a lone name may well be the password */
        if (colon)
            append_shown(out, user, (size_t)(colon - user) + 1);
        else if (!redis)
            append_shown(out, user, (size_t)(at - user));
        if (colon || redis)
            buf_append_text(out, HIDDEN);
        rest = at;
    }
    size_t before_query = strcspn(rest, "?");
    append_shown(out, rest, before_query);
    rest += before_query;
    if (*rest == '?') {
        buf_append_char(out, '?');
        append_query(out, rest + 1);
    }
}

/* One keyword=value of a libpq string; quotes and backslashes as libpq reads them. */
struct pair {
    struct bytes name;
    struct bytes value; /* with its quotes */
};

static size_t value_size(const char *value)
{
    size_t at = 0;
    if (value[0] != '\'') {
        while (value[at] && !isspace((unsigned char)value[at]))
            at += value[at] == '\\' && value[at + 1] ? 2 : 1;
        return at;
    }
    for (at = 1; value[at] && value[at] != '\''; at++)
        at += value[at] == '\\' && value[at + 1];
    return value[at] ? at + 1 : 0; /* 0: the quote never ends */
}

static bool next_pair(const char **text, struct pair *pair)
{
    const char *at = *text;
    size_t size = 0;
    while (islower((unsigned char)at[size]) || at[size] == '_')
        size++;
    pair->name = bytes_of(at, size);
    at += size;
    at += strspn(at, " \t\n");
    if (size == 0 || *at != '=')
        return false;
    at++;
    at += strspn(at, " \t\n");
    size = value_size(at);
    if (size == 0 && *at == '\'')
        return false;
    pair->value = bytes_of(at, size);
    *text = at + size + strspn(at + size, " \t\n");
    return true;
}

static bool is_connection_keyword(struct bytes name)
{
    static const char *const KEYWORDS[] = {"host", "hostaddr", "port", "dbname", "user", "service"};
    for (size_t i = 0; i < sizeof(KEYWORDS) / sizeof(KEYWORDS[0]); i++) {
        if (bytes_equal(name, bytes_text(KEYWORDS[i])))
            return true;
    }
    return false;
}

static bool is_keyword_string(const char *text)
{
    bool connects = false;
    struct pair pair;
    text += strspn(text, " \t\n");
    while (*text) {
        if (!next_pair(&text, &pair))
            return false;
        connects = connects || is_connection_keyword(pair.name);
    }
    return connects;
}

static void append_keywords(struct buf *out, const char *text)
{
    struct pair pair;
    const char *between = "";
    text += strspn(text, " \t\n");
    while (*text && next_pair(&text, &pair)) {
        buf_append_format(out, "%s%.*s=", between, BYTES_ARGS(pair.name));
        if (is_secret_name(pair.name))
            buf_append_text(out, HIDDEN);
        else
            append_shown(out, pair.value.data, pair.value.size);
        between = " ";
    }
}

/* A scheme is letters only before "://"; a random secret hardly ever looks so. */
static bool is_url(const char *text)
{
    size_t size = 0;
    while (islower((unsigned char)text[size]) || text[size] == '+')
        size++;
    return size > 0 && strncmp(text + size, "://", 3) == 0;
}

void conf_append_masked(struct buf *out, const char *secret)
{
    if (is_url(secret))
        append_url(out, secret);
    else if (is_keyword_string(secret))
        append_keywords(out, secret);
    else
        buf_append_text(out, HIDDEN);
}

static void append_host(struct buf *out, const char *value)
{
    const char *host = strstr(value, "://") + 3;
    size_t size = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', size); /* a login before it is left out */
    size_t begin = at ? (size_t)(at - host) + 1 : 0;
    append_shown(out, value, (size_t)(host - value));
    append_shown(out, host + begin, size - begin);
    buf_append_text(out, host[size] || at ? "/…" : "");
}

void conf_append_open(struct buf *out, const char *value, const char *before)
{
    size_t name = strcspn(value, "=");
    bool is_flag = before && before[0] == '-' && !strchr(before, '=');
    const char *url = strstr(value, "://");
    bool is_pair = value[name] && (!url || value + name < url);
    if (is_flag && is_secret_name(bytes_text(before))) {
        buf_append_text(out, HIDDEN);
    } else if (is_pair && is_secret_name(bytes_of(value, name))) {
        append_shown(out, value, name + 1);
        buf_append_text(out, HIDDEN);
    } else if (url) {
        append_host(out, value);
    } else {
        append_shown(out, value, strlen(value));
    }
}

/* ---- as a drover.yaml that would give them again (but for the secrets) ---- */

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
    static const struct unit {
        const char *name;
        uint64_t factor;
    } SIZES[] = {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"", 1}},
      TIMES[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}},
      PLAIN = {"", 1};
    const struct unit *unit = kind == CONF_COUNT || amount == 0 ? &PLAIN
                              : kind == CONF_SIZE               ? SIZES
                                                                : TIMES;
    while (amount % unit->factor)
        unit++;
    buf_append_format(out, "%llu%s", (unsigned long long)(amount / unit->factor), unit->name);
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

static void append_origin(const struct showing *showing, const struct conf_entry *from)
{
    bool is_default = from->origin == CONF_FROM_DEFAULT || !from->place;
    buf_append_text(showing->out, "  # from ");
    text_append_safe(showing->out, bytes_text(is_default ? "default" : from->place), LONGEST_SHOWN);
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
        if (is_secret_name(bytes_text(map->keys[i])))
            append_value(showing->out, BYTES_LITERAL("***"));
        else
            append_value(showing->out, bytes_text(map->values[i]));
        if (showing->origins)
            append_origin(showing, &showing->conf->entries[index][i]);
        else
            buf_append_char(showing->out, '\n');
    }
}

static void append_cell(struct buf *out, const struct conf_list *list)
{
    struct buf shown;
    buf_init(&shown, LONGEST_SHOWN);
    buf_append_text(out, list->count == 1 ? "" : "[");
    for (size_t i = 0; i < list->count; i++) {
        buf_reset(&shown);
        conf_append_open(&shown, list->items[i], i ? list->items[i - 1] : NULL);
        buf_append_text(out, i ? ", " : "");
        append_value(out, buf_view(&shown));
    }
    buf_append_text(out, list->count == 1 ? "" : "]");
    buf_free(&shown);
}

static void append_rows(const struct showing *showing, const struct conf_rows *rows, unsigned depth)
{
    buf_append_char(showing->out, '\n');
    for (size_t i = 0; i < rows->count; i++) {
        const struct conf_row *row = &rows->rows[i];
        for (size_t k = 0; k < row->count; k++) {
            append_indent(showing->out, depth + 1);
            buf_append_format(showing->out, "%s %s: ", k ? " " : "-", row->keys[k]);
            append_cell(showing->out, &row->values[k]);
            if (k == 0)
                append_origin(showing, &(struct conf_entry){CONF_FROM_FILE, row->place});
            else
                buf_append_char(showing->out, '\n');
        }
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
    case CONF_ROWS:
        buf_append_text(out, "[]");
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
    if (field->kind == CONF_ROWS && ((const struct conf_rows *)member)->count > 0) {
        append_rows(showing, member, depth);
        return;
    }
    buf_append_char(showing->out, ' ');
    append_scalar(showing->out, field, member);
    if (showing->origins)
        append_origin(showing, &(struct conf_entry){conf->origins[index], conf->places[index]});
    else
        buf_append_char(showing->out, '\n');
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

/* ---- for machines: one object a value, with where it comes from ---- */

static void json_secret(struct json_out *out, const char *secret)
{
    struct buf masked;
    buf_init(&masked, LONGEST_SHOWN);
    conf_append_masked(&masked, secret);
    json_out_bytes(out, "value", buf_view(&masked));
    buf_free(&masked);
}

static void json_list(struct json_out *out, const struct conf_list *list)
{
    json_out_list(out, "value");
    for (size_t i = 0; i < list->count; i++)
        json_out_text(out, NULL, list->items[i]);
    json_out_end(out);
}

/* The value in its own type, and the unit of one that has one. */
static void json_value(struct json_out *out, const struct conf_field *field, const void *member)
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
        json_list(out, member);
        return;
    default:
        break;
    }
    text = *(const char *const *)member;
    if (field->kind == CONF_SECRET && text && text[0])
        json_secret(out, text);
    else
        json_out_text(out, "value", text);
}

static void json_from(struct json_out *out, enum conf_origin origin, const char *place)
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

static void json_map(const struct conf *conf, size_t index, struct json_out *out)
{
    const struct conf_map *map = conf_member(conf, index);
    for (size_t i = 0; i < map->count; i++) {
        bool hidden = is_secret_name(bytes_text(map->keys[i]));
        json_out_object(out, NULL);
        json_out_text(out, "setting", conf->fields[index].path);
        json_out_text(out, "key", map->keys[i]);
        json_out_text(out, "value", hidden ? "***" : map->values[i]);
        json_from(out, conf->entries[index][i].origin, conf->entries[index][i].place);
    }
}

/* Each value by itself: `key` is "1.when", its row from 1 and what it is called there. */
static void json_rows(const struct conf *conf, size_t index, struct json_out *out)
{
    const struct conf_rows *rows = conf_member(conf, index);
    struct buf shown;
    buf_init(&shown, LONGEST_SHOWN);
    for (size_t i = 0; i < rows->count; i++) {
        const struct conf_row *row = &rows->rows[i];
        for (size_t k = 0; k < row->count; k++) {
            json_out_object(out, NULL);
            json_out_text(out, "setting", conf->fields[index].path);
            buf_reset(&shown);
            buf_append_format(&shown, "%zu.%s", i + 1, row->keys[k]);
            json_out_bytes(out, "key", buf_view(&shown));
            buf_reset(&shown);
            if (row->values[k].count == 1)
                conf_append_open(&shown, row->values[k].items[0], NULL);
            else
                append_cell(&shown, &row->values[k]);
            json_out_bytes(out, "value", buf_view(&shown));
            json_from(out, CONF_FROM_FILE, row->place);
        }
    }
    buf_free(&shown);
}

void conf_append_json(const struct conf *conf, struct json_out *out, const char *name)
{
    json_out_list(out, name);
    for (size_t i = 0; i < conf->field_count; i++) {
        const struct conf_field *field = &conf->fields[i];
        if (!field->path)
            continue;
        if (field->kind == CONF_MAP) {
            json_map(conf, i, out);
            continue;
        }
        if (field->kind == CONF_ROWS) {
            json_rows(conf, i, out);
            continue;
        }
        json_out_object(out, NULL);
        json_out_text(out, "setting", field->path);
        json_value(out, field, conf_member(conf, i));
        json_from(out, conf->origins[i], conf->places[i]);
    }
    json_out_end(out);
}

/* ---- a command's flags as --help shows them: two columns, wrapped to a terminal of 80 ---- */

enum {
    WIDTH = 80,
    WIDEST_LEFT = 30, /* a longer flag gets a line of its own */
    LONGEST_TEXT = 4096,
};

static size_t width_of(struct bytes text)
{
    return (size_t)text_width(text);
}

static const char *placeholder_of(const struct conf_field *field)
{
    static const char *const PLACEHOLDERS[] = {
        [CONF_TEXT] = "TEXT",     [CONF_SECRET] = "SECRET", [CONF_COUNT] = "N",
        [CONF_SIZE] = "SIZE",     [CONF_MILLIS] = "TIME",   [CONF_LIST] = "ITEM",
        [CONF_MAP] = "KEY=VALUE", [CONF_ROWS] = "",
    };
    if (field->kind == CONF_BOOL)
        return NULL;
    if (field->placeholder)
        return field->placeholder;
    return field->kind == CONF_CHOICE ? field->choices : PLACEHOLDERS[field->kind];
}

static void append_left(const struct conf_field *field, struct buf *out)
{
    if (field->letter)
        buf_append_format(out, "-%c%s", field->letter, field->flag ? ", " : "");
    else
        buf_append_text(out, "    ");
    bool on_by_default =
        field->kind == CONF_BOOL && field->fallback && strcmp(field->fallback, "true") == 0;
    if (field->flag)
        buf_append_format(out, "--%s%s", on_by_default ? "no-" : "", field->flag);
    if (placeholder_of(field))
        buf_append_format(out, " %s", placeholder_of(field));
}

/* "connections of one worker [default: 2; DROVER_…]": what a table cell of the manual holds. */
static void append_right(const struct conf_field *field, struct buf *out)
{
    buf_append_text(out, field->help);
    const char *between = " [";
    if (field->kind == CONF_CHOICE && field->placeholder) {
        buf_append_text(out, between);
        for (const char *at = field->choices; *at; at++)
            buf_append_text(out, *at == '|' ? ", " : (char[]){*at, '\0'});
        between = "; ";
    }
    if (field->fallback && field->fallback[0] && field->kind != CONF_BOOL) {
        buf_append_format(out, "%sdefault: ", between);
        if (field->kind == CONF_SECRET)
            conf_append_masked(out, field->fallback);
        else
            buf_append_text(out, field->fallback);
        between = "; ";
    }
    if (field->env) {
        buf_append_format(out, "%sor $%s", between, field->env);
        between = "; ";
    }
    if (field->kind == CONF_LIST || field->kind == CONF_MAP) {
        buf_append_format(out, "%srepeatable", between);
        between = "; ";
    }
    if (between[0] == ';')
        buf_append_char(out, ']');
}

static void append_spaces(struct buf *out, size_t count)
{
    for (; count > 0; count--)
        buf_append_char(out, ' ');
}

/* Words from column `left` on; the cursor already stands there. */
static void append_wrapped(struct buf *out, struct bytes text, size_t left)
{
    size_t column = left;
    for (size_t at = 0; at < text.size;) {
        const char *space = memchr(text.data + at, ' ', text.size - at);
        size_t end = space ? (size_t)(space - text.data) : text.size;
        struct bytes word = bytes_of(text.data + at, end - at);
        size_t width = width_of(word);
        if (column > left && column + 1 + width > WIDTH) {
            buf_append_char(out, '\n');
            append_spaces(out, left);
            column = left;
        } else if (column > left) {
            buf_append_char(out, ' ');
            column++;
        }
        buf_append_bytes(out, word);
        column += width;
        at = end + 1;
    }
}

void conf_append_help_row(struct buf *out, const char *left, size_t column, const char *right)
{
    size_t width = width_of(bytes_text(left));
    buf_append_text(out, left);
    append_spaces(out, width < column ? column - width : 1);
    append_wrapped(out, bytes_text(right), column);
    buf_append_char(out, '\n');
}

static bool is_shown(const struct conf_field *field, uint32_t command)
{
    return (field->commands & command) && (field->flag || field->letter);
}

static size_t left_width(const struct conf *conf, uint32_t command)
{
    struct buf text;
    buf_init(&text, LONGEST_TEXT);
    size_t widest = 0;
    for (size_t i = 0; i < conf->field_count; i++) {
        if (!is_shown(&conf->fields[i], command))
            continue;
        buf_reset(&text);
        append_left(&conf->fields[i], &text);
        size_t width = width_of(buf_view(&text));
        if (width > widest && width <= WIDEST_LEFT)
            widest = width;
    }
    buf_free(&text);
    return widest;
}

void conf_append_help(const struct conf *conf, uint32_t command,
                      bool (*is_wanted)(const struct conf_field *field, void *owner), void *owner,
                      struct buf *out)
{
    size_t column = 2 + left_width(conf, command) + 2;
    struct buf text;
    buf_init(&text, LONGEST_TEXT);
    for (size_t i = 0; i < conf->field_count; i++) {
        if (!is_shown(&conf->fields[i], command) ||
            (is_wanted && !is_wanted(&conf->fields[i], owner)))
            continue;
        buf_reset(&text);
        append_left(&conf->fields[i], &text);
        size_t width = 2 + width_of(buf_view(&text));
        buf_append_text(out, "  ");
        buf_append_bytes(out, buf_view(&text));
        if (width + 2 > column) {
            buf_append_char(out, '\n');
            width = 0;
        }
        append_spaces(out, column - width);
        buf_reset(&text);
        append_right(&conf->fields[i], &text);
        append_wrapped(out, buf_view(&text), column);
        buf_append_char(out, '\n');
    }
    buf_free(&text);
}
