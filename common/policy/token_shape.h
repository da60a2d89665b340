#ifndef DROVER_POLICY_TOKEN_SHAPE_H
#define DROVER_POLICY_TOKEN_SHAPE_H

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
/* Of a string value, decoded. Also values that hold one: URLs with ?api_key=…, "Bearer …". Does not
 * look into JSON inside strings: the guard does. */
enum shape token_shape_of_value(struct bytes value);

#endif
