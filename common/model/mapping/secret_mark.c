#include "common/model/mapping/secret_mark.h"

#include "common/model/json/json.h"

struct bytes mark_text(yyjson_val *val, const char *name)
{
    yyjson_val *text =
        yyjson_is_obj(val) && yyjson_obj_size(val) == 1 ? yyjson_obj_get(val, name) : NULL;
    return yyjson_is_str(text) ? json_text_of(text) : (struct bytes){0};
}
