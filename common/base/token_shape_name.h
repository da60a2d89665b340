#ifndef DROVER_BASE_TOKEN_SHAPE_NAME_H
#define DROVER_BASE_TOKEN_SHAPE_NAME_H

/* What the name of a member or storage key says. Case, '_', '-' and camelCase do not matter. */

#include "common/base/token_text.h"

enum shape token_shape_of_name(struct bytes name);
/* Of names that say it only with a value that fits: a "pin" of digits, an "authorization" with a
 * credential, a "cookie" with an identifier; a number (its digits) under "otp". */
enum shape token_shape_of_name_with(struct bytes name, struct bytes value);
/* Of {"parent": {"name": value}}: tokens.access, api.key. */
enum shape token_shape_of_nested(struct bytes parent, struct bytes name, struct bytes value);
/* Whether a random-looking value under this name is a token or a secret. */
enum shape token_shape_of_suspect(struct bytes name);

#endif
