#ifndef DROVER_POLICY_VERIFY_SECRETS_H
#define DROVER_POLICY_VERIFY_SECRETS_H

#include "common/base/buf.h"

/*
 * Without the key nobody can say which reference a secret gets. So on both sides what stands for a
 * secret is made the same: {"$sealed":"sec_…"} becomes {"$withheld":"token"}, also in JSON inside
 * strings, where quotes have backslashes; and ${sealed:sec_…} in a text ${withheld:token}.
 * `canonical` is a canonical text.
 */
void verify_secrets_append(struct buf *out, struct bytes canonical);

#endif
