/*
 * One record's JSON text to a checked yyjson document.
 *
 * yyjson parses (strict RFC 8259, not recursive). What the grammar does not forbid is checked in
 * one walk over the values, which yyjson keeps in one block in document order, so the walk is a
 * loop with a bounded stack of open containers: depth, NUL, numbers, duplicate members. Only after
 * it may anything recurse into the document.
 */

#include "common/model/json/json.h"

#include <stdint.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/model/value/decimal.h"
#include "common/model/json/members.h"

/* From this size on the depth is looked at before parsing: yyjson takes 16 bytes a value, so
 * 250 kB of `[{"":` would otherwise cost megabytes before they are refused (fault row J17). */
#define SCAN_FIRST_BYTES (64 * 1024)

/* Where a document breaks a rule. */
struct breach {
    enum error_code code;
    const char *text;
    yyjson_val *at;
};

/* ---- the path of a value, for messages ---- */

static void append_step(struct buf *path, yyjson_val *key)
{
    static const size_t KEY_MAX = 40;
    struct bytes name = json_text_of(key);
    struct buf shown; /* the whole name is masked, then cut: half a secret is not known as one */
    buf_init(&shown, 16 * KEY_MAX);
    text_append_safe(&shown, name, KEY_MAX);
    buf_append_char(path, '/');
    text_append_pointer_name(path, buf_view(&shown));
    buf_free(&shown);
}

/* The child of `container` that is or holds `val`; appends its step. NULL when val is its key. */
static yyjson_val *append_child(struct buf *path, yyjson_val *container, yyjson_val *val)
{
    bool object = unsafe_yyjson_is_obj(container);
    yyjson_val *child = unsafe_yyjson_get_first(container);
    for (size_t i = 0; i < unsafe_yyjson_get_len(container); i++) {
        yyjson_val *key = child;
        child += object;
        yyjson_val *next = unsafe_yyjson_get_next(child);
        if (val < next) {
            if (object)
                append_step(path, key);
            else
                buf_append_format(path, "/%zu", i);
            return val == key && object ? NULL : child;
        }
        child = next;
    }
    return NULL;
}

static void set_path(yyjson_doc *doc, yyjson_val *val, struct error *err)
{
    struct buf path;
    buf_init(&path, sizeof(err->path) * 2); /* error_path cuts; one step more than fits is enough */
    yyjson_val *here = yyjson_doc_get_root(doc);
    while (here && here != val && !path.failed)
        here = append_child(&path, here, val);
    error_path(err, "%s", buf_text(&path));
    buf_free(&path);
}

/* ---- the rules beyond the grammar ---- */

static bool has_duplicate(yyjson_val *object, struct members *kept, struct breach *breach)
{
    if (unsafe_yyjson_get_len(object) < 2 && !kept)
        return false;
    struct members own, *members = kept ? kept : &own;
    members_sort(members, object);
    yyjson_val *key = members_find_duplicate(members);
    if (!kept)
        members_free(members);
    if (key)
        *breach = (struct breach){ERR_JSON_DUPLICATE, "an object has the same member twice", key};
    return key != NULL;
}

static bool is_number_kept(yyjson_val *val)
{
    struct bytes text = json_text_of(val);
    bool plain = text.size <= DECIMAL_DIGITS_MAX;
    for (size_t i = 0; plain && i < text.size; i++)
        plain = (text.data[i] | 0x20) != 'e';
    struct decimal ignored;
    return plain || decimal_parse(text, &ignored); /* short and without exponent: within limits */
}

/* yyjson marks strings whose text had no escape; a NUL can only come from one. */
static bool has_nul(yyjson_val *val)
{
    return !(unsafe_yyjson_get_subtype(val) & YYJSON_SUBTYPE_NOESC) &&
           memchr(unsafe_yyjson_get_str(val), '\0', unsafe_yyjson_get_len(val));
}

static bool breaks_rule(yyjson_val *val, struct members *kept, struct breach *breach)
{
    switch (unsafe_yyjson_get_type(val)) {
    case YYJSON_TYPE_OBJ:
        return has_duplicate(val, kept, breach);
    case YYJSON_TYPE_STR:
        *breach = (struct breach){ERR_JSON_NUL, "a string holds the NUL character", val};
        return has_nul(val);
    case YYJSON_TYPE_RAW:
        *breach = (struct breach){
            ERR_JSON_NUMBER, "a number has more than 309 digits or an exponent beyond 308", val};
        return !is_number_kept(val);
    default:
        return false;
    }
}

/* `members`, unless NULL, are the root's afterwards. */
static bool find_breach(yyjson_doc *doc, struct members *members, struct breach *breach)
{
    yyjson_val *ends[JSON_DEPTH_MAX];
    size_t depth = 0;
    yyjson_val *val = yyjson_doc_get_root(doc);
    yyjson_val *end = val + yyjson_doc_get_val_count(doc);
    for (; val < end; val++) {
        while (depth > 0 && val >= ends[depth - 1])
            depth--;
        if (unsafe_yyjson_is_ctn(val)) {
            if (depth == JSON_DEPTH_MAX) {
                *breach = (struct breach){ERR_JSON_DEPTH, "more than 256 levels of nesting", val};
                return true;
            }
            ends[depth++] = unsafe_yyjson_get_next(val);
        }
        if (breaks_rule(val, members, breach))
            return true;
        members = NULL; /* the root came first */
    }
    return false;
}

/*
 * ---- a text looked at byte by byte, without believing it. For texts that failed or that are too
 * large to be parsed on trust, and for the repair that JSON_UNICODE_REPLACE asks for; never on the
 * fast path ----
 */

struct text_facts {
    size_t fault_at;   /* first lone surrogate or invalid UTF-8 in a string; SIZE_MAX when none */
    size_t deepest;    /* most brackets open at once */
    size_t deepest_at; /* the byte that opened them */
    bool complete;     /* no bracket or string is open at the end */
};

/* What starts at a byte inside a string. */
enum piece_kind {
    PIECE_PLAIN,
    PIECE_END,     /* the closing quote */
    PIECE_NUL,     /* \u0000 */
    PIECE_INVALID, /* a lone surrogate escape, a byte that is not UTF-8 */
};

struct piece {
    enum piece_kind kind;
    size_t size;
};

/* The code unit of a \uXXXX at `at`, or -1. */
static int code_unit(struct bytes text, size_t at)
{
    if (text.size - at < 6 || text.data[at] != '\\' || text.data[at + 1] != 'u')
        return -1;
    int unit = 0;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = hex_value(text.data[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static bool is_high(int unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(int unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static struct piece escape_at(struct bytes text, size_t at)
{
    int unit = code_unit(text, at);
    if (unit == 0)
        return (struct piece){PIECE_NUL, 6};
    if (is_high(unit) && is_low(code_unit(text, at + 6)))
        return (struct piece){PIECE_PLAIN, 12};
    if (is_high(unit) || is_low(unit))
        return (struct piece){PIECE_INVALID, 6};
    return (struct piece){PIECE_PLAIN, text.size - at < 2 ? 1 : 2};
}

static struct piece piece_at(struct bytes text, size_t at)
{
    char c = text.data[at];
    if (c == '"')
        return (struct piece){PIECE_END, 1};
    if (c == '\\')
        return escape_at(text, at);
    size_t size = text_utf8_size(text, at);
    return size ? (struct piece){PIECE_PLAIN, size} : (struct piece){PIECE_INVALID, 1};
}

static void open_bracket(struct text_facts *scan, size_t *depth, size_t at)
{
    if (++*depth > scan->deepest) {
        scan->deepest = *depth;
        scan->deepest_at = at;
    }
}

static void scan_text(struct bytes text, struct text_facts *scan)
{
    *scan = (struct text_facts){.fault_at = SIZE_MAX};
    size_t depth = 0;
    bool in_string = false;
    for (size_t at = 0; at < text.size;) {
        if (in_string) {
            struct piece piece = piece_at(text, at);
            if (piece.kind == PIECE_INVALID && scan->fault_at == SIZE_MAX)
                scan->fault_at = at;
            in_string = piece.kind != PIECE_END;
            at += piece.size;
            continue;
        }
        char c = text.data[at];
        in_string = c == '"';
        if (c == '[' || c == '{')
            open_bracket(scan, &depth, at);
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
        at++;
    }
    scan->complete = depth == 0 && !in_string;
}

/* Appends `text` with each lone surrogate escape, each invalid UTF-8 byte of a string and each
 * \u0000 replaced by U+FFFD. Everything else stays, valid or not. */
static void repair_text(struct bytes text, struct buf *out)
{
    bool in_string = false;
    size_t kept = 0; /* start of bytes not yet appended that stay as they are */
    for (size_t at = 0; at < text.size;) {
        if (!in_string) {
            in_string = text.data[at++] == '"';
            continue;
        }
        struct piece piece = piece_at(text, at);
        in_string = piece.kind != PIECE_END;
        if (piece.kind == PIECE_NUL || piece.kind == PIECE_INVALID) {
            buf_append(out, text.data + kept, at - kept);
            buf_append(out, "\xEF\xBF\xBD", 3); /* U+FFFD */
            kept = at + piece.size;
        }
        at += piece.size;
    }
    buf_append(out, text.data + kept, text.size - kept);
}

/* ---- failures of the grammar ---- */

static enum outcome reject_at(struct error *err, enum error_code code, const char *text, size_t at)
{
    (void)error_set(err, OUT_REJECT, code, "%s", text);
    error_where(err, "byte %zu", at);
    return OUT_REJECT;
}

/* yyjson has one code for all faults of strings, and takes some endings for cut ones. */
static enum outcome explain(struct bytes text, const yyjson_read_err *why, enum error_code *code,
                            struct error *err)
{
    static const size_t ESCAPE_SIZE = 6; /* yyjson may point behind a surrogate's escape */
    struct text_facts scan;
    scan_text(text, &scan);
    *code = ERR_JSON_SYNTAX;
    if (why->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
        *code = ERR_JSON_SIZE;
    } else if (why->code == YYJSON_READ_ERROR_UNEXPECTED_END && !scan.complete) {
        *code = ERR_JSON_TRUNCATED;
    } else if (why->code == YYJSON_READ_ERROR_INVALID_STRING && scan.fault_at != SIZE_MAX &&
               scan.fault_at <= why->pos + ESCAPE_SIZE) {
        *code = ERR_JSON_UNICODE;
        return reject_at(err, *code, "a string is not valid Unicode", scan.fault_at);
    }
    return reject_at(err, *code, why->msg, why->pos);
}

static enum outcome check_depth(struct bytes text, struct error *err)
{
    struct text_facts scan;
    scan_text(text, &scan);
    if (scan.deepest <= JSON_DEPTH_MAX)
        return OUT_OK;
    return reject_at(err, ERR_JSON_DEPTH, "more than 256 levels of nesting", scan.deepest_at);
}

static yyjson_doc *read_text(struct bytes text, const yyjson_alc *alc, yyjson_read_err *why)
{
    /* Without INSITU yyjson copies the text first and does not write to it. */
    yyjson_doc *doc =
        yyjson_read_opts((char *)text.data, text.size, YYJSON_READ_NUMBER_AS_RAW, alc, why);
    if (!doc && alc && why->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        doc = yyjson_read_opts((char *)text.data, text.size, YYJSON_READ_NUMBER_AS_RAW, NULL, why);
    return doc;
}

static enum outcome parse_strict(struct bytes text, const yyjson_alc *alc, yyjson_doc **doc,
                                 struct members *members, enum error_code *code, struct error *err)
{
    *code = ERR_JSON_DEPTH;
    if (text.size > SCAN_FIRST_BYTES && check_depth(text, err) != OUT_OK)
        return OUT_REJECT;
    yyjson_read_err why = {0};
    yyjson_doc *made = text.size > 0 ? read_text(text, alc, &why) : NULL;
    if (text.size == 0) {
        *code = ERR_JSON_SYNTAX;
        return reject_at(err, *code, "there is no text", 0);
    }
    if (!made)
        return explain(text, &why, code, err);
    struct breach breach;
    if (!find_breach(made, members, &breach)) {
        *doc = made;
        return OUT_OK;
    }
    if (members)
        members_reset(members);
    *code = breach.code;
    (void)error_set(err, OUT_REJECT, breach.code, "%s", breach.text);
    if (err)
        set_path(made, breach.at, err);
    yyjson_doc_free(made);
    return OUT_REJECT;
}

enum outcome json_parse_members(struct bytes text, enum json_unicode unicode, const yyjson_alc *alc,
                                yyjson_doc **doc, struct members *members, struct error *err)
{
    *doc = NULL;
    enum error_code code;
    if (members)
        members_reset(members);
    enum outcome outcome = parse_strict(text, alc, doc, members, &code, err);
    if (outcome == OUT_OK || unicode == JSON_UNICODE_REJECT ||
        (code != ERR_JSON_UNICODE && code != ERR_JSON_NUL))
        return outcome;
    struct buf repaired;
    buf_init(&repaired, text.size * 3); /* an invalid byte becomes the three of U+FFFD */
    repair_text(text, &repaired);
    outcome = parse_strict(buf_view(&repaired), alc, doc, members, &code, err);
    buf_free(&repaired);
    return outcome;
}

enum outcome json_parse(struct bytes text, enum json_unicode unicode, const yyjson_alc *alc,
                        yyjson_doc **doc, struct error *err)
{
    return json_parse_members(text, unicode, alc, doc, NULL, err);
}

bool json_get_digest(yyjson_val *val, struct digest *digest)
{
    return yyjson_is_str(val) &&
           digest_parse(bytes_of(yyjson_get_str(val), yyjson_get_len(val)), digest);
}

struct bytes json_copy_text(yyjson_val *val)
{
    struct bytes text = json_text_of(val);
    return bytes_of(mem_text_part(text.size ? text.data : "", text.size), text.size);
}

yyjson_val *json_at(yyjson_val *root, struct bytes pointer)
{
    return yyjson_ptr_getn(root, pointer.data ? pointer.data : "", pointer.size);
}
