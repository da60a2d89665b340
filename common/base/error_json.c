#include "common/base/error_json.h"

#include <string.h>

#include "common/base/text.h"

/* ---- the parts of a place ---------------------------------------------------------------------
 */

/* As text_cut_number, but something must be left. */
static bool take_number(struct bytes *text, const char *mark, uint64_t *number)
{
    struct bytes rest = *text;
    if (!text_cut_number(&rest, mark, number) || rest.size == 0)
        return false;
    *text = rest;
    return true;
}

/* "… (byte 12, record 3)" */
static void take_bytes(struct bytes *text, struct json_out *out)
{
    struct bytes rest = *text;
    uint64_t byte, record;
    if (!rest.size || rest.data[rest.size - 1] != ')')
        return;
    rest.size--;
    if (!take_number(&rest, ", record ", &record) || !take_number(&rest, " (byte ", &byte))
        return;
    json_out_count(out, "byte", byte);
    json_out_count(out, "record", record);
    *text = rest;
}

/* The codes of sources, of the file store and of mappings name files; others may name a setting. */
static bool is_of_files(enum error_code code)
{
    return strchr("SFM", error_code_id(code)[4]) != NULL;
}

static void append_file(enum error_code code, struct bytes text, struct json_out *out)
{
    uint64_t line, column;
    take_bytes(&text, out);
    struct bytes rest = text;
    if (take_number(&rest, ":", &column) && take_number(&rest, ":", &line)) {
        json_out_bytes(out, "file", rest);
        json_out_count(out, "line", line);
        json_out_count(out, "column", column);
        return;
    }
    rest = text;
    if (take_number(&rest, ":", &line)) {
        json_out_bytes(out, "file", rest);
        json_out_count(out, "line", line);
    } else if (is_of_files(code)) {
        json_out_bytes(out, "file", text);
    }
}

/* "public.cart.total (mappings/cart.yaml:7)" */
static bool append_named(enum error_code code, struct bytes text, struct json_out *out)
{
    const char *open = text.size ? memrchr(text.data, '(', text.size) : NULL;
    if (!open || open < text.data + 2 || open[-1] != ' ' || text.data[text.size - 1] != ')')
        return false;
    struct bytes file = bytes_of(open + 1, (size_t)(text.data + text.size - 1 - (open + 1)));
    struct bytes probe = file;
    uint64_t line;
    if (!take_number(&probe, ":", &line))
        return false;
    json_out_bytes(out, "name", bytes_of(text.data, (size_t)(open - 1 - text.data)));
    append_file(code, file, out);
    return true;
}

static bool append_offset(struct bytes text, struct json_out *out)
{
    uint64_t partition, offset;
    struct bytes rest = text;
    if (!take_number(&rest, "@", &offset) || !take_number(&rest, "-", &partition))
        return false;
    json_out_bytes(out, "topic", rest);
    json_out_count(out, "partition", partition);
    json_out_count(out, "offset", offset);
    return true;
}

/* The servers' codes name addresses; "127.0.0.1:5432" is no line of a file. */
static bool is_of_server(enum error_code code)
{
    return strchr("KPR", error_code_id(code)[4]) != NULL;
}

static void append_parts(enum error_code code, struct bytes text, struct json_out *out)
{
    static const char BYTE[] = "byte ";
    uint64_t number;
    struct bytes rest = text;
    if (append_offset(text, out) || append_named(code, text, out))
        return;
    if (text.size > sizeof BYTE && memcmp(text.data, BYTE, sizeof BYTE - 1) == 0 &&
        take_number(&rest, " ", &number))
        json_out_count(out, "byte", number);
    else if (!is_of_server(code))
        append_file(code, text, out);
    else if (take_number(&rest, ":", &number) && !memchr(rest.data, ':', rest.size))
        json_out_bytes(out, "address", text);
    else
        append_file(code, text, out);
}

void error_append_json_where(enum error_code code, struct bytes where, struct bytes path,
                             struct json_out *out, const char *name)
{
    if (!where.size && !path.size) {
        json_out_null(out, name);
        return;
    }
    json_out_object(out, name);
    if (where.size) {
        json_out_bytes(out, "text", where);
        append_parts(code, where, out);
    }
    if (path.size)
        json_out_bytes(out, "path", path);
    json_out_end(out);
}

/* ---- the error ---------------------------------------------------------------------------------
 */

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

void error_append_json(const struct error *err, struct json_out *out, const char *name)
{
    const char *advice = err->hint[0] ? err->hint : error_code_advice(err->code);
    json_out_object(out, name);
    json_out_text(out, "code", error_code_id(err->code));
    json_out_text(out, "message", err->text[0] ? err->text : error_code_meaning(err->code));
    json_out_text(out, "cause", or_null(err->cause));
    error_append_json_where(err->code, bytes_text(err->where), bytes_text(err->path), out, "where");
    json_out_text(out, "try", or_null(advice));
    json_out_int(out, "exit_code", error_code_exit(err->code));
    json_out_end(out);
}
