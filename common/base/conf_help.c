/* A command's flags, as --help shows them: two columns, wrapped to a terminal of 80. */

#include <string.h>

#include "common/base/conf_put.h"

enum {
    WIDTH = 80,
    WIDEST_LEFT = 30, /* a longer flag gets a line of its own */
    LONGEST_TEXT = 4096,
};

/* Columns of UTF-8 text; all our texts are of narrow characters. */
static size_t width_of(struct bytes text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.size; i++)
        width += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return width;
}

static const char *placeholder_of(const struct conf_field *field)
{
    static const char *const PLACEHOLDERS[] = {
        [CONF_TEXT] = "TEXT",     [CONF_SECRET] = "SECRET", [CONF_COUNT] = "N",
        [CONF_SIZE] = "SIZE",     [CONF_MILLIS] = "TIME",   [CONF_LIST] = "ITEM",
        [CONF_MAP] = "KEY=VALUE",
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
