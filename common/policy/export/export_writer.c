/* See the header. A storage value is written while its texts come: `open` says that its string is
 * begun, `whole` that nothing more belongs to it. */
#include "common/policy/export/export_writer.h"

#include "common/model/json/json.h"

#define OUT_MAX (1ull << 30) /* what is not taken in time; a text is far smaller */

void export_writer_init(struct export_writer *writer)
{
    *writer = (struct export_writer){0};
    buf_init(&writer->out, OUT_MAX);
    buf_init(&writer->group, 1u << 20);
    buf_init(&writer->key, 1u << 20);
    buf_init(&writer->scratch, OUT_MAX);
}

void export_writer_free(struct export_writer *writer)
{
    buf_free(&writer->out);
    buf_free(&writer->group);
    buf_free(&writer->key);
    buf_free(&writer->scratch);
}

void export_writer_begin(struct export_writer *writer, enum export_layout layout)
{
    writer->layout = layout;
    writer->any = writer->any_group = writer->open = false;
    buf_reset(&writer->group);
    buf_reset(&writer->key);
    if (layout == EXPORT_LAYOUT_LIST)
        buf_append_text(&writer->out, "[\n");
    else if (layout != EXPORT_LAYOUT_LINES)
        buf_append_text(&writer->out, "{\n");
}

static void append_separator(struct export_writer *writer)
{
    if (writer->any)
        buf_append_text(&writer->out, ",\n");
    writer->any = true;
}

static void append_name(struct export_writer *writer, struct bytes name)
{
    json_append_string(&writer->out, name);
    buf_append_char(&writer->out, ':');
}

/* `text` as a part of a JSON string. */
static void append_inside(struct export_writer *writer, struct bytes text)
{
    buf_reset(&writer->scratch);
    json_append_string(&writer->scratch, text);
    buf_append(&writer->out, writer->scratch.data + 1, writer->scratch.size - 2);
}

static void remember(struct buf *kept, struct bytes text)
{
    buf_reset(kept);
    buf_append_bytes(kept, text);
}

/* ---- a localStorage's values */

static void close_value(struct export_writer *writer)
{
    if (writer->open && !writer->whole)
        buf_append_char(&writer->out, ']');
    if (writer->open)
        buf_append_char(&writer->out, '"');
    writer->open = false;
}

static void open_value(struct export_writer *writer, const struct export_record_text *part)
{
    close_value(writer);
    append_separator(writer);
    append_name(writer, part->key);
    buf_append_char(&writer->out, '"');
    remember(&writer->key, part->key);
    writer->open = true;
    writer->elements = false;
    writer->whole = part->kind == EXPORT_TEXT || part->kind == EXPORT_JSON;
    if (!writer->whole)
        buf_append_char(&writer->out, '[');
}

static bool add_to_localstorage(struct export_writer *writer, const struct export_record_text *part)
{
    bool first = !writer->open || !bytes_equal(buf_view(&writer->key), part->key);
    if (first)
        open_value(writer, part);
    else if (writer->whole || part->kind != EXPORT_ELEMENT)
        return false;
    if (part->kind == EXPORT_ARRAY)
        return true;
    if (part->kind == EXPORT_ELEMENT && writer->elements)
        buf_append_char(&writer->out, ',');
    writer->elements = true;
    append_inside(writer, part->text);
    return true;
}

/* ---- maps and keyed records */

static void enter_group(struct export_writer *writer, const struct export_record_text *part)
{
    if (writer->any_group && bytes_equal(buf_view(&writer->group), part->group))
        return;
    if (writer->any_group)
        buf_append_text(&writer->out, "\n}");
    append_separator(writer);
    append_name(writer, part->group);
    buf_append_text(&writer->out, "{\n");
    remember(&writer->group, part->group);
    writer->any_group = true;
    writer->any = writer->open = false;
}

static bool add_keyed(struct export_writer *writer, const struct export_record_text *part)
{
    if (writer->layout == EXPORT_LAYOUT_MAPS)
        enter_group(writer, part);
    if (writer->open && bytes_equal(buf_view(&writer->key), part->key))
        return false;
    append_separator(writer);
    append_name(writer, part->key);
    buf_append_bytes(&writer->out, part->text);
    remember(&writer->key, part->key);
    writer->open = true;
    return true;
}

bool export_writer_add(struct export_writer *writer, const struct export_record_text *part)
{
    bool added = true;
    switch (writer->layout) {
    case EXPORT_LAYOUT_LOCALSTORAGE:
        added = add_to_localstorage(writer, part);
        break;
    case EXPORT_LAYOUT_MAPS:
    case EXPORT_LAYOUT_KEYED:
        added = add_keyed(writer, part);
        break;
    case EXPORT_LAYOUT_LIST:
        append_separator(writer);
        buf_append_bytes(&writer->out, part->text);
        break;
    case EXPORT_LAYOUT_LINES:
        buf_append_bytes(&writer->out, part->text);
        buf_append_char(&writer->out, '\n');
        break;
    }
    writer->dropped += !added;
    return added;
}

void export_writer_finish(struct export_writer *writer)
{
    if (writer->layout == EXPORT_LAYOUT_LOCALSTORAGE)
        close_value(writer);
    if (writer->any_group)
        buf_append_text(&writer->out, "\n}");
    if (writer->layout == EXPORT_LAYOUT_LIST)
        buf_append_text(&writer->out, "\n]\n");
    else if (writer->layout != EXPORT_LAYOUT_LINES)
        buf_append_text(&writer->out, "\n}\n");
}
