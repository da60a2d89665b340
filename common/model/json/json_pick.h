#ifndef DROVER_MODEL_JSON_PICK_H
#define DROVER_MODEL_JSON_PICK_H

/*
 * A record's members, all of them or the few that say who it is: one pass checks the text by all of
 * json_parse's rules and keeps what is asked for. It only ever says yes: what breaks a rule, and
 * what is unusual enough to need a closer look, is left to json_parse, which also knows how to say
 * what is wrong and where.
 */

#include <yyjson.h>

#include "common/base/bytes.h"

struct json_picker;

/* Memory for one record at a time (24 KiB, and what is kept of the largest one: at most 1 MiB),
 * used again for the next. Not shared between threads. */
struct json_picker *json_picker_new(void);
void json_picker_free(struct json_picker *picker);

/* The members of the object `text` whose names are among `names` (compared as they are: a name in
 * the text that has an escape is not known), in its order, each value whole, as json_parse gives
 * them. Views of `text` and of the picker, valid until its next use; strings have no NUL behind
 * them. NULL: json_parse must be asked. */
yyjson_val *json_pick(struct json_picker *picker, struct bytes text, const struct bytes *names,
                      size_t count);

/* The same of all members: the root of what json_parse gives as a document, whose strings are those
 * of `text` where they have no escapes. */
yyjson_val *json_pick_all(struct json_picker *picker, struct bytes text);

#endif
