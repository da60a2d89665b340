#ifndef DROVER_MODEL_JSON_MEMBER_H
#define DROVER_MODEL_JSON_MEMBER_H

/* A member `"name" : value` of an object, as the text of one. Part of json_stream. */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

struct json_member {
    struct bytes name; /* with its quotes */
    struct bytes value;
    size_t value_at; /* its offset in the text */
};

/* False when the text does not have that form. The value is not looked at. */
MUST_USE bool json_member_split(struct bytes text, struct json_member *member);

/* Appends the name with its escapes decoded. OUT_REJECT DRV-J002/J003 for what is not Unicode, or
 * NUL. */
MUST_USE enum outcome json_member_name(struct bytes name, struct buf *out, struct error *err);

#endif
