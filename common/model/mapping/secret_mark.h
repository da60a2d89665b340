#ifndef DROVER_MODEL_SECRET_MARK_H
#define DROVER_MODEL_SECRET_MARK_H

/* What stands in a record for a value that the producer took out (policy/secrets/secret_guard.h):
 * {"$sealed":"sec_…"}, the reference of a secret, and {"$withheld":"token"}. */

#include <yyjson.h>

#include "common/base/bytes.h"

#define MARK_SEALED "$sealed"
#define MARK_WITHHELD "$withheld"
/* The text in a mark of that name, empty when `val` is none. */
struct bytes mark_text(yyjson_val *val, const char *name);

#endif
