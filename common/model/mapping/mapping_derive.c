/* Cells and marks that do not come from a member's own value: the record's key, place, user and
 * tenant, and what the producer put in the place of secrets. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/model/mapping/mapping_value.h"
#include "common/model/message/tenant.h"

bool mark_is_beside(const struct column *column, yyjson_val *val)
{
    bool holds_json =
        column->type.base == VALUE_JSONB && !column->type.array && !column->decode_json;
    return !column->seal && !column->withhold && !holds_json && yyjson_is_obj(val) &&
           (mark_text(val, MARK_SEALED).size || mark_text(val, MARK_WITHHELD).size);
}

static enum outcome check_marks(yyjson_val *root, const char *const *pointers, size_t count,
                                const char *name, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        yyjson_val *val = json_at(root, bytes_text(pointers[i]));
        if (!val || yyjson_is_null(val) || mark_text(val, name).size)
            continue;
        error_set(err, OUT_REJECT, ERR_SECRET_PLAIN, "%s", error_code_meaning(ERR_SECRET_PLAIN));
        error_path(err, "%s", pointers[i]);
        return OUT_REJECT;
    }
    return OUT_OK;
}

enum outcome marks_check(const struct mapping *mapping, yyjson_val *root, struct error *err)
{
    enum outcome outcome =
        check_marks(root, mapping->seal_pointers, mapping->seal_count, MARK_SEALED, err);
    if (outcome == OUT_OK)
        outcome = check_marks(root, mapping->withhold_pointers, mapping->withhold_count,
                              MARK_WITHHELD, err);
    return outcome;
}

/* Of the patterns only one has a '*' when a column asks for it (mapping_parse.c), so that the key
 * can be made again from the suffix. */
/* $key_suffix: what the '*' of the mapping's key pattern matches in `key`; without such a pattern
 * the whole key. False when the pattern does not fit. */
static bool key_suffix(const struct mapping *mapping, struct bytes key, struct bytes *suffix)
{
    bool any = false;
    *suffix = key;
    for (size_t i = 0; i < mapping->collect_key_count; i++) {
        const char *pattern = mapping->collect_keys[i], *star = strchr(pattern, '*');
        if (!star)
            continue;
        any = true;
        size_t before = (size_t)(star - pattern), after = strlen(star + 1);
        if (key.size < before + after || memcmp(key.data, pattern, before) != 0 ||
            memcmp(key.data + key.size - after, star + 1, after) != 0)
            continue;
        *suffix = bytes_of(key.data + before, key.size - before - after);
        return true;
    }
    return !any;
}

static enum outcome derive_context(struct bytes tenant, struct arena *arena, struct cell *cell,
                                   struct error *err)
{
    struct buf text;
    buf_init(&text, 8192);
    buf_append_char(&text, 1); /* jsonb's version byte */
    bool made = tenant_append_context(tenant, &text) && !text.failed;
    struct bytes copy = made ? arena_copy(arena, buf_view(&text)) : (struct bytes){0};
    buf_free(&text);
    if (!copy.data)
        return error_set(err, OUT_REJECT, ERR_TENANT_FORM, "the isolation key is not usable");
    *cell = (struct cell){copy.data, (int32_t)copy.size};
    return OUT_OK;
}

/* A record that is in no list, or was no member of an object. */
static enum outcome nothing(const struct column *column, const char *word, struct cell *cell,
                            struct error *err)
{
    *cell = CELL_NULL;
    if (!column->required)
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_VALUE_REQUIRED, "the record has no %s", word);
}

/* The key comes back as its cell prints it: "7.0" and "7" must not become one record. */
static enum outcome check_printed(const struct column *column, struct cell cell, struct bytes text,
                                  struct error *err)
{
    struct buf printed;
    buf_init(&printed, text.size + 1);
    bool same = value_append_key(&column->type, cell, &printed) && !printed.failed &&
                bytes_equal(buf_view(&printed), text);
    buf_free(&printed);
    return same ? OUT_OK
                : error_set(err, OUT_REJECT, ERR_VALUE_FORM,
                            "the key is not written as column %s prints it", column->name);
}

static enum outcome derive_key(const struct mapping *mapping, const struct column *column,
                               const struct record *record, struct arena *arena, struct cell *cell,
                               struct error *err)
{
    struct bytes text = record->source_key;
    if (!text.data)
        return nothing(column, "$key", cell, err);
    if (column->source == FROM_KEY_SUFFIX && !key_suffix(mapping, record->source_key, &text))
        return error_set(err, OUT_REJECT, ERR_VALUE_FORM,
                         "the key fits none of the mapping's key patterns");
    enum outcome outcome = value_parse_key(&column->type, text, arena, cell, err);
    return outcome == OUT_OK ? check_printed(column, *cell, text, err) : outcome;
}

static enum outcome derive_index(const struct column *column, const struct record *record,
                                 struct arena *arena, struct cell *cell, struct error *err)
{
    char text[24];
    if (record->index < 0)
        return nothing(column, "$index", cell, err);
    int64_t number = record->index + (column->source == FROM_INDEX1);
    int size = snprintf(text, sizeof text, "%" PRId64, number);
    return value_parse_key(&column->type, bytes_of(text, (size_t)size), arena, cell, err);
}

bool column_is_derived(const struct column *column)
{
    return column->source != FROM_POINTERS && column->source != FROM_VALUE &&
           column->source != FROM_REST;
}

enum outcome column_derive(const struct mapping *mapping, const struct column *column,
                           const struct record *record, struct bytes tenant, struct arena *arena,
                           struct cell *cell, struct error *err)
{
    enum outcome outcome = OUT_OK;
    struct bytes copy;
    switch (column->source) {
    case FROM_TENANT_CONTEXT:
        outcome = derive_context(tenant, arena, cell, err);
        break;
    case FROM_ISOLATION_KEY:
        copy = arena_copy(arena, tenant);
        *cell = (struct cell){copy.data, (int32_t)copy.size};
        break;
    case FROM_KEY:
    case FROM_KEY_SUFFIX:
        outcome = derive_key(mapping, column, record, arena, cell, err);
        break;
    case FROM_INDEX:
    case FROM_INDEX1:
        outcome = derive_index(column, record, arena, cell, err);
        break;
    case FROM_USER:
        outcome = value_parse_key(&column->type, record->user, arena, cell, err);
        break;
    case FROM_ORIGIN:
        outcome = value_parse_key(&column->type, record->localstorage_origin, arena, cell, err);
        break;
    default:
        *cell = CELL_NULL;
    }
    if (outcome != OUT_OK)
        column_blame(mapping, column, 0, err);
    return outcome;
}
