#include "common/policy/apply/replay_plan.h"

#include <yyjson.h>

#include "common/base/json_out.h"

#define NAME "~replay"

void replay_plan_append(struct buf *out, const struct replay_range *range,
                        const struct replay_plan *plan)
{
    struct json_out json;
    struct buf object;
    buf_init(&object, 1u << 20);
    json_out_init(&json, &object);
    json_out_object(&json, NULL);
    json_out_object(&json, NAME);
    json_out_int(&json, "from", range->from);
    json_out_int(&json, "to", range->to);
    json_out_int(&json, "numbers_from", range->numbers_from);
    json_out_verbatim(&json, "tenant", bytes_or_empty(plan->filter.tenant));
    json_out_verbatim(&json, "entity", bytes_or_empty(plan->filter.entity));
    json_out_verbatim(&json, "mappings", bytes_or_empty(plan->mappings));
    json_out_int(&json, "parts", plan->parts);
    json_out_end(&json);
    json_out_end(&json);
    buf_append_bytes(out, bytes_of(object.data + 1, object.size - 2)); /* the member alone */
    buf_free(&object);
}

static size_t append(struct buf *texts, yyjson_val *text)
{
    size_t size = yyjson_get_len(text);
    if (size)
        buf_append_bytes(texts, bytes_of(yyjson_get_str(text), size));
    return size;
}

bool replay_plan_parse(struct bytes kept, struct replay_range *range, struct replay_plan *plan,
                       struct buf *texts)
{
    yyjson_doc *doc = yyjson_read(kept.data, kept.size, 0);
    yyjson_val *all = yyjson_obj_get(yyjson_doc_get_root(doc), NAME);
    yyjson_val *from = yyjson_obj_get(all, "from"), *to = yyjson_obj_get(all, "to");
    bool ok = yyjson_is_int(from) && yyjson_is_int(to);
    buf_reset(texts);
    range->from = yyjson_get_sint(from);
    range->to = yyjson_get_sint(to);
    range->numbers_from = yyjson_get_sint(yyjson_obj_get(all, "numbers_from"));
    plan->parts = yyjson_get_sint(yyjson_obj_get(all, "parts"));
    size_t tenant = append(texts, yyjson_obj_get(all, "tenant"));
    size_t entity = append(texts, yyjson_obj_get(all, "entity"));
    size_t mappings = append(texts, yyjson_obj_get(all, "mappings"));
    plan->filter.tenant = bytes_of(texts->data, tenant);
    plan->filter.entity = bytes_of(texts->data + tenant, entity);
    plan->mappings = bytes_of(texts->data + tenant + entity, mappings);
    yyjson_doc_free(doc);
    return ok;
}
