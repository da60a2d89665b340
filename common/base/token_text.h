#ifndef DROVER_BASE_TOKEN_TEXT_H
#define DROVER_BASE_TOKEN_TEXT_H

/* What a text may be in token_shape.h's eyes, and what one looks like whatever its name is. */

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

#endif
