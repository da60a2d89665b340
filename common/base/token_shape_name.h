#ifndef DROVER_BASE_TOKEN_SHAPE_NAME_H
#define DROVER_BASE_TOKEN_SHAPE_NAME_H

/*
 * What a text may be in token_shape.h's eyes: by the name of the member or storage key it stands
 * under (case, '_', '-' and camelCase do not matter), and by its looks whatever its name is.
 */

#include <stdbool.h>

#include "common/base/bytes.h"

enum shape {
    SHAPE_PLAIN,
    SHAPE_TOKEN,  /* auth_token, access_token, a JWT, a Firebase or Cognito or Auth0 entry … */
    SHAPE_SECRET, /* apiKey, password, client_secret, sk-…, AKIA…, a private key … */
};

/* "", "***", "<your key>", "${TOKEN}", "none": stands where a secret would. */
bool token_shape_is_placeholder(struct bytes value);
/* Text that looks drawn at random: long enough, without blanks, digits and letters well mixed, no
 * UUID. */
bool token_shape_is_random(struct bytes text);

/* More than a header's line: what people write. A token among words is sealed as a secret. */
bool token_shape_has_words(struct bytes text);

/* What the name alone says. */
enum shape token_shape_of_name(struct bytes name);
/* Of names that say it only with a value that fits: a "pin" of digits, an "authorization" with a
 * credential, a "cookie" with an identifier; a number (its digits) under "otp". */
enum shape token_shape_of_name_with(struct bytes name, struct bytes value);
/* Of {"parent": {"name": value}}: tokens.access, api.key. */
enum shape token_shape_of_nested(struct bytes parent, struct bytes name, struct bytes value);
/* Whether a random-looking value under this name is a token or a secret. */
enum shape token_shape_of_suspect(struct bytes name);

#endif
