/* See the header. A line is a word, the size of its text, and the text, so that no text can be
 * taken for another line. Words and numbers of enums stay as they are for ever: a form that changes
 * with the program makes every row look as if its mapping had changed. */
#include "common/model/mapping/mapping_form.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/json/canonical.h"

#define FORM_MAX (4u << 20) /* what a compiled mapping may be */

static void put(struct buf *out, const char *word, const char *text)
{
    if (text)
        buf_append_format(out, "%s %zu:%s\n", word, strlen(text), text);
}

static void put_number(struct buf *out, const char *word, int64_t number)
{
    buf_append_format(out, "%s %" PRId64 "\n", word, number);
}

static void put_value(struct buf *out, const char *word, yyjson_val *value)
{
    struct buf text;
    if (!value)
        return;
    buf_init(&text, FORM_MAX);
    canonical_append(&text, value);
    put(out, word, buf_text(&text));
    buf_free(&text);
}

static void put_list(struct buf *out, const char *word, const char *const *texts, size_t count)
{
    put_number(out, word, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        put(out, word, texts[i]);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void put_set(struct buf *out, const char *word, const char *const *texts, size_t count)
{
    const char **sorted = mem_alloc((count + 1) * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = texts[i];
    qsort(sorted, count, sizeof *sorted, by_text);
    put_list(out, word, sorted, count);
    free(sorted);
}

/* ---- columns ----------------------------------------------------------------------------- */

static void put_column(struct buf *out, const struct column *column)
{
    struct buf type;
    buf_init(&type, 256);
    value_type_append_sql(&type, &column->type);
    put(out, "column", column->name);
    put(out, "type", buf_text(&type));
    put_number(out, "as", column->type.form);
    put_number(out, "source", column->source);
    put_list(out, "from", column->pointers, column->pointer_count);
    put_number(out, "decode", column->decode_json);
    put_number(out, "seal", column->seal);
    put_number(out, "withhold", column->withhold);
    put_value(out, "default", column->fill);
    buf_free(&type);
}

static int by_name(const void *left, const void *right)
{
    const struct column *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static void put_columns(struct buf *out, const struct mapping *mapping)
{
    const struct column **sorted = mem_alloc((mapping->column_count + 1) * sizeof *sorted);
    for (size_t i = 0; i < mapping->column_count; i++)
        sorted[i] = &mapping->columns[i];
    qsort(sorted, mapping->column_count, sizeof *sorted, by_name);
    for (size_t i = 0; i < mapping->column_count; i++)
        put_column(out, sorted[i]);
    free(sorted);
    for (size_t k = 0; k < mapping->key_count; k++)
        put(out, "key", mapping->columns[mapping->key[k]].name);
    if (mapping->rest_at >= 0)
        put(out, "rest", mapping->columns[mapping->rest_at].name);
}

/* ---- the record, as producers make it of what they find ------------------------------------ */

/* Where it is found matters to a column that is made of the key's suffix alone. */
static void put_keys(struct buf *out, const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].source == FROM_KEY_SUFFIX) {
            put_list(out, "local_storage", mapping->collect_keys, mapping->collect_key_count);
            return;
        }
}

static void put_record(struct buf *out, const struct mapping *mapping)
{
    put_keys(out, mapping);
    put_number(out, "expand", mapping->expand);
    for (size_t i = 0; i < mapping->merge_count; i++) {
        put(out, "merge", mapping->merges[i].member);
        put(out, "pattern", mapping->merges[i].pattern);
        put_number(out, "take", mapping->merges[i].take);
    }
    if (mapping->join) {
        put(out, "join", mapping->join->collection);
        put(out, "on", mapping->join->pointer);
        put(out, "member", mapping->join->member);
    }
    put_set(out, "sealed", mapping->seal_pointers, mapping->seal_count);
    put_set(out, "withheld", mapping->withhold_pointers, mapping->withhold_count);
    put_number(out, "unicode", mapping->unicode);
}

/* ---- all of it --------------------------------------------------------------------------- */

void mapping_form_append(struct buf *out, const struct mapping *mapping)
{
    put(out, "entity", mapping->entity);
    put_number(out, "version", mapping->version_source);
    put(out, "version", mapping->version_pointer);
    put(out, "tenant", mapping->tenant_pointer);
    put_columns(out, mapping);
    put_record(out, mapping);
    put_number(out, "on_delete", mapping->on_delete);
    if (mapping->on_delete == DELETE_SOFT) {
        put(out, "soft", mapping->columns[mapping->soft_column].name);
        put_value(out, "value", mapping->soft_value);
    }
    put_number(out, "redis", mapping->redis.form);
    put(out, "redis_key", mapping->redis.key);
    put_number(out, "ttl", (int64_t)mapping->redis.ttl_s);
}

struct digest mapping_form_digest(const struct mapping *mapping)
{
    struct buf text;
    buf_init(&text, FORM_MAX);
    mapping_form_append(&text, mapping);
    struct digest digest = digest_of(buf_view(&text));
    buf_free(&text);
    return digest;
}
