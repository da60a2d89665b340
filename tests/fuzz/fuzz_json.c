/*
 * JSON text from anywhere through json_parse and what follows it. Whatever is accepted must
 *   - be written and read again to the same canonical form,
 *   - have a canonical form that is its own canonical form,
 *   - hold no NUL and nothing that the replacing mode would still change,
 *   - give back, of every column type that takes it, an equal value when that was called exact.
 */

#include <stdint.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/value/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAX ((size_t)64 * 1024 * 1024)

static void require(bool condition)
{
    if (!condition)
        abort();
}

static yyjson_doc *parse(struct bytes text, enum json_unicode unicode)
{
    struct error err;
    yyjson_doc *doc = NULL;
    enum outcome outcome = json_parse(text, unicode, NULL, &doc, &err);
    require((outcome == OUT_OK) == (doc != NULL));
    require(outcome == OUT_OK || (outcome == OUT_REJECT && err.code >= ERR_JSON_SYNTAX &&
                                  err.code <= ERR_JSON_TRUNCATED));
    return doc;
}

static void check_written(yyjson_val *root)
{
    struct buf text, form;
    buf_init(&text, OUTPUT_MAX);
    buf_init(&form, OUTPUT_MAX);
    json_append(&text, root);
    canonical_append(&form, root);
    yyjson_doc *again = parse(buf_view(&text), JSON_UNICODE_REJECT);
    yyjson_doc *canonical = parse(buf_view(&form), JSON_UNICODE_REJECT);
    require(again && canonical);
    require(canonical_equal(root, yyjson_doc_get_root(again)));
    buf_reset(&text);
    canonical_append(&text, yyjson_doc_get_root(canonical));
    require(bytes_equal(buf_view(&text), buf_view(&form)));
    yyjson_doc_free(again);
    yyjson_doc_free(canonical);
    buf_free(&text);
    buf_free(&form);
}

static void check_value(const struct value_type *type, yyjson_val *val, struct arena *arena)
{
    struct cell cell;
    bool exact;
    struct error err;
    if (yyjson_is_null(val) || value_encode(type, val, arena, &cell, &exact, &err) != OUT_OK)
        return;
    yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *back = value_decode(type, cell, made);
    require(back != NULL);
    yyjson_mut_doc_set_root(made, back);
    yyjson_doc *doc = yyjson_mut_doc_imut_copy(made, NULL);
    require(!exact || canonical_equal(val, yyjson_doc_get_root(doc)));
    yyjson_doc_free(doc);
    yyjson_mut_doc_free(made);
}

static void check_values(yyjson_val *val)
{
    struct arena arena;
    arena_init(&arena, OUTPUT_MAX);
    for (int base = VALUE_TEXT; base <= VALUE_BYTEA; base++) {
        for (int form = FORM_NATURAL; form <= FORM_EPOCH_US; form++) {
            struct value_type type = {.base = (enum value_base)base, .form = (enum value_form)form};
            if (value_form_fits(&type))
                check_value(&type, val, &arena);
        }
        struct value_type array = {.base = (enum value_base)base, .array = true};
        check_value(&array, val, &arena);
        arena_reset(&arena);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_of(data, size);
    yyjson_doc *strict = parse(text, JSON_UNICODE_REJECT);
    yyjson_doc *repaired = parse(text, JSON_UNICODE_REPLACE);
    require(!strict || repaired);
    if (strict)
        require(canonical_equal(yyjson_doc_get_root(strict), yyjson_doc_get_root(repaired)));
    if (repaired) {
        yyjson_val *root = yyjson_doc_get_root(repaired);
        check_written(root);
        check_values(root);
        yyjson_arr_iter iter = yyjson_arr_iter_with(root);
        for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter));)
            check_values(item);
    }
    yyjson_doc_free(strict);
    yyjson_doc_free(repaired);
    return 0;
}
