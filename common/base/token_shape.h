#ifndef DROVER_BASE_TOKEN_SHAPE_H
#define DROVER_BASE_TOKEN_SHAPE_H

/*
 * What looks like a token (withheld: it proves who somebody is and dies soon) or like a secret
 * (sealed: the application needs it again). By name and by value; fault rows L07, L08, X09.
 */

#include <stdbool.h>

#include "common/base/bytes.h"

enum shape {
    SHAPE_PLAIN,
    SHAPE_TOKEN,  /* auth_token, access_token, a JWT, a Firebase or Cognito or Auth0 entry … */
    SHAPE_SECRET, /* apiKey, password, client_secret, sk-…, AKIA…, a private key … */
};

/* Of a member or storage key. Case, '_', '-' and camelCase do not matter. */
enum shape token_shape_of_name(struct bytes name);
/* Of names that say it only with a value that fits: a "pin" of digits, an "authorization" with a
 * credential, a "cookie" with an identifier; a number (its digits) under "otp". */
enum shape token_shape_of_name_with(struct bytes name, struct bytes value);
/* Of {"parent": {"name": value}}: tokens.access, api.key. */
enum shape token_shape_of_nested(struct bytes parent, struct bytes name, struct bytes value);
/* Of a string value, decoded. Also values that hold one: URLs with ?api_key=…, "Bearer …". Does not
 * look into JSON inside strings: the guard does. */
enum shape token_shape_of_value(struct bytes value);
/* Of a string under a name: what its value says, else its name, else a random-looking value under a
 * name that makes one suspicious ("session", "key"). Placeholders ("", "***", "none") are plain. */
enum shape token_shape_of_member(struct bytes name, struct bytes value);
/* Of text that should be JSON but cannot be read as such (cut, nested too deep): `"name": "value"`
 * and `name=value` with any value count. */
enum shape token_shape_of_broken(struct bytes text);

/* "", "***", "<your key>", "${TOKEN}", "none": stands where a secret would. */
bool token_shape_is_placeholder(struct bytes value);
/* Text that looks drawn at random: long enough, without blanks, digits and letters well mixed, no
 * UUID. */
bool token_shape_is_random(struct bytes text);
/* Whether a random-looking value under this name is a token or a secret. */
enum shape token_shape_of_suspect(struct bytes name);

#endif
