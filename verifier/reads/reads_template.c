#include "verifier/reads/reads_template.h"

#include <string.h>

#include "common/base/text.h"

#define PART_MAX 4096

/* The next literal part, or the next name between braces; false: the end. */
static bool next_part(const char **at, struct bytes *part, bool *is_name)
{
    const char *text = *at;
    const char *end = text[0] == '{' ? strchr(text, '}') : NULL;
    *is_name = end != NULL;
    size_t size = *is_name ? (size_t)(end - text) - 1 : text[0] ? 1 + strcspn(text + 1, "{") : 0;
    *part = bytes_of(text + *is_name, size);
    *at = text + size + 2 * (size_t)*is_name;
    return text[0] != '\0';
}

enum outcome reads_template_check(const char *text, enum reads_template_kind kind,
                                  struct error *err)
{
    struct bytes part;
    bool is_name, tells = false;
    for (const char *at = text; next_part(&at, &part, &is_name);) {
        bool of_file = is_name && bytes_equal(part, BYTES_LITERAL("file"));
        bool of_id = is_name && bytes_equal(part, BYTES_LITERAL("id"));
        bool any = of_id || (of_file && kind == READS_TEMPLATE_PATH) ||
                   bytes_equal(part, BYTES_LITERAL("tenant")) ||
                   bytes_equal(part, BYTES_LITERAL("entity"));
        if (is_name && !any)
            return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                             "there is no {%.*s} here: {tenant}, {entity}, {id}%s",
                             (int)(part.size < 40 ? part.size : 40), part.data,
                             kind == READS_TEMPLATE_PATH ? ", {file}" : "");
        tells = tells || of_id || of_file || (kind == READS_TEMPLATE_PATH && is_name);
    }
    return tells ? OUT_OK
                 : error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                             "every record would be read at one place: put {id} in");
}

/* No part of a path leads out of where it stands. */
static void append_in_path(struct buf *out, struct bytes text)
{
    bool dots =
        text.size <= 2 && text.size > 0 && text.data[0] == '.' && text.data[text.size - 1] == '.';
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (dots || c == '/' || c == '\0')
            buf_append_format(out, "%%%02X", c);
        else
            buf_append_char(out, (char)c);
    }
}

static void append_value(struct buf *out, enum reads_template_kind kind, struct bytes value,
                         bool is_file)
{
    if (kind == READS_TEMPLATE_URL)
        text_percent_encode(out, value);
    else if (kind == READS_TEMPLATE_PATH && !is_file)
        append_in_path(out, value);
    else
        buf_append_bytes(out, value);
}

void reads_template_append(struct buf *out, const char *text, enum reads_template_kind kind,
                           const struct reads_place *place)
{
    struct bytes part;
    struct buf plain;
    bool is_name;
    buf_init(&plain, PART_MAX);
    for (const char *at = text; next_part(&at, &part, &is_name);) {
        bool is_file = is_name && bytes_equal(part, BYTES_LITERAL("file"));
        struct bytes encoded = is_file                                      ? place->uri
                               : bytes_equal(part, BYTES_LITERAL("id"))     ? place->id
                               : bytes_equal(part, BYTES_LITERAL("tenant")) ? place->tenant
                                                                            : place->entity;
        buf_reset(&plain);
        bool is_encoded = is_name && !bytes_equal(part, BYTES_LITERAL("entity"));
        if (!is_name)
            buf_append_bytes(out, part);
        else if (is_encoded && text_percent_decode(&plain, encoded))
            append_value(out, kind, buf_view(&plain), is_file);
        else
            append_value(out, kind, encoded, is_file);
    }
    buf_free(&plain);
}
