#include "common/model/mapping/secret_mark.h"

struct bytes mark_text(yyjson_val *val, const char *name)
{
    yyjson_val *text =
        yyjson_is_obj(val) && yyjson_obj_size(val) == 1 ? yyjson_obj_get(val, name) : NULL;
    if (!yyjson_is_str(text))
        return (struct bytes){0};
    return bytes_of(yyjson_get_str(text), yyjson_get_len(text));
}
