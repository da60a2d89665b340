#ifndef DROVER_POLICY_VERIFY_MASK_H
#define DROVER_POLICY_VERIFY_MASK_H

/* Values of samples as they may be shown: masked (kind, size, salted hash) or, when asked, as they
 * are, safe for a terminal. An absent value (size 0) is shown as such, never as a hash. */

#include "common/base/buf.h"
#include "common/policy/verify_report.h"

#define VERIFY_VALUE_MOST 200 /* bytes of a value shown; JSON reports hold the same */

/* `value` is JSON text: `"19.9"`, `absent`, `string of 12 bytes h:9f2c11d0`. */
void verify_mask_append(struct buf *out, const struct verify_report *report, struct bytes value);
/* The same inside a JSON string; null for an absent value. */
void verify_mask_append_json(struct buf *out, const struct verify_report *report,
                             struct bytes value);

#endif
