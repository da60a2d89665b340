#include "common/policy/apply/replay_plan.h"

#include <inttypes.h>

#include <yyjson.h>

#define NAME "~replay"

void replay_plan_append(struct buf *out, const struct replay_range *range,
                        const struct replay_filter *filter)
{
    buf_append_format(out, "\"" NAME "\":{\"from\":%" PRId64 ",\"to\":%" PRId64 ",\"tenant\":",
                      range->from, range->to);
    buf_append_json(out, bytes_or_empty(filter->tenant));
    buf_append_text(out, ",\"entity\":");
    buf_append_json(out, bytes_or_empty(filter->entity));
    buf_append_char(out, '}');
}

static size_t append(struct buf *texts, yyjson_val *text)
{
    size_t size = yyjson_get_len(text);
    if (size)
        buf_append_bytes(texts, bytes_of(yyjson_get_str(text), size));
    return size;
}

bool replay_plan_parse(struct bytes kept, struct replay_range *range, struct replay_filter *filter,
                       struct buf *texts)
{
    yyjson_doc *doc = yyjson_read(kept.data, kept.size, 0);
    yyjson_val *plan = yyjson_obj_get(yyjson_doc_get_root(doc), NAME);
    yyjson_val *from = yyjson_obj_get(plan, "from"), *to = yyjson_obj_get(plan, "to");
    bool ok = yyjson_is_int(from) && yyjson_is_int(to);
    buf_reset(texts);
    range->from = yyjson_get_sint(from);
    range->to = yyjson_get_sint(to);
    size_t tenant = append(texts, yyjson_obj_get(plan, "tenant"));
    size_t entity = append(texts, yyjson_obj_get(plan, "entity"));
    filter->tenant = bytes_of(texts->data, tenant);
    filter->entity = bytes_of(texts->data + tenant, entity);
    yyjson_doc_free(doc);
    return ok;
}
