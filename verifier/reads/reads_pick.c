#include "verifier/reads/reads_pick.h"

#include <string.h>

#include "common/base/text.h"
#include "common/model/json/json.h"

#define ID_MAX (4u << 10)

void reads_pick_init(struct reads_pick *pick)
{
    *pick = (struct reads_pick){0};
    buf_init(&pick->text, ID_MAX);
}

void reads_pick_free(struct reads_pick *pick)
{
    buf_free(&pick->text);
}

/* Ends of the parts first, as the text moves while it grows. */
bool reads_pick_begin(struct reads_pick *pick, const struct mapping *mapping, struct bytes tenant,
                      struct bytes id)
{
    size_t ends[READS_PICK_PARTS_MAX], count = 0;
    buf_reset(&pick->text);
    pick->mapping = mapping;
    for (size_t from = 0; from <= id.size && count < READS_PICK_PARTS_MAX; count++) {
        const char *colon = id.size > from ? memchr(id.data + from, ':', id.size - from) : NULL;
        size_t end = colon ? (size_t)(colon - id.data) : id.size;
        if (!text_percent_decode(&pick->text, bytes_of(id.data + from, end - from)))
            return false;
        ends[count] = pick->text.size;
        from = end + 1;
    }
    size_t size = pick->text.size;
    if (!text_percent_decode(&pick->text, tenant))
        return false;
    pick->tenant = bytes_of(buf_text(&pick->text) + size, pick->text.size - size);
    for (size_t i = 0, from = 0; i < count; from = ends[i++])
        pick->parts[i] = bytes_of(buf_text(&pick->text) + from, ends[i] - from);
    return count == mapping->key_count && !pick->text.failed;
}

static bool tenant_is(const struct reads_pick *pick, yyjson_val *record)
{
    const char *pointer = pick->mapping->tenant_pointer;
    struct bytes named =
        pointer ? json_text_of(json_at(record, bytes_text(pointer))) : (struct bytes){0};
    return !named.size || bytes_equal(named, pick->tenant);
}

static bool member_is(yyjson_val *record, const struct column *column, struct bytes part)
{
    for (size_t i = 0; i < column->pointer_count; i++) {
        yyjson_val *member = json_at(record, bytes_text(column->pointers[i]));
        if (member)
            return bytes_equal(json_text_of(member), part);
    }
    return part.size == 0;
}

/* `name`: of the member that the value is, data NULL: it is none. */
static bool is_record(const struct reads_pick *pick, yyjson_val *value, struct bytes name)
{
    bool compared = false;
    const struct mapping *mapping = pick->mapping;
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct column *column = &mapping->columns[mapping->key[i]];
        bool by_name = column->source == FROM_KEY;
        if (!by_name && column->source != FROM_POINTERS)
            continue;
        if (by_name ? !name.data || !bytes_equal(name, pick->parts[i])
                    : !member_is(value, column, pick->parts[i]))
            return false;
        compared = true;
    }
    return compared && tenant_is(pick, value);
}

static yyjson_val *find_in(const struct reads_pick *pick, yyjson_val *value, struct bytes name,
                           unsigned depth)
{
    yyjson_val *found = NULL, *item;
    if (is_record(pick, value, name))
        return value;
    if (depth == READS_PICK_DEPTH_MAX)
        return NULL;
    if (yyjson_is_arr(value)) {
        yyjson_arr_iter items = yyjson_arr_iter_with(value);
        while (!found && (item = yyjson_arr_iter_next(&items)))
            found = find_in(pick, item, (struct bytes){0}, depth + 1);
    } else if (yyjson_is_obj(value)) {
        yyjson_obj_iter members = yyjson_obj_iter_with(value);
        while (!found && (item = yyjson_obj_iter_next(&members)))
            found = find_in(pick, yyjson_obj_iter_get_val(item), json_text_of(item), depth + 1);
    }
    return found;
}

yyjson_val *reads_pick_find(const struct reads_pick *pick, yyjson_val *root)
{
    return find_in(pick, root, (struct bytes){0}, 0);
}
