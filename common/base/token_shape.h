#ifndef DROVER_BASE_TOKEN_SHAPE_H
#define DROVER_BASE_TOKEN_SHAPE_H

/*
 * What looks like a token (withheld: it proves who somebody is and dies soon) or like a secret
 * (sealed: the application needs it again). By name and by value; fault rows L07, L08, X09.
 */

#include "common/base/token_shape_name.h"
#include "common/base/token_text.h"

/* Of a string value, decoded. Also values that hold one: URLs with ?api_key=…, "Bearer …". Does not
 * look into JSON inside strings: the guard does. */
enum shape token_shape_of_value(struct bytes value);
/* Of a string under a name: what its value says, else its name, else a random-looking value under a
 * name that makes one suspicious ("session", "key"). Placeholders ("", "***", "none") are plain. */
enum shape token_shape_of_member(struct bytes name, struct bytes value);
/* The same when token_shape_of_value(value) is known: it is the part that takes time. */
enum shape token_shape_of_member_known(struct bytes name, struct bytes value, enum shape by_value);

#endif
