#ifndef DROVER_MODEL_SECRET_MARK_H
#define DROVER_MODEL_SECRET_MARK_H

/* What stands in a record for a value that the producer took out (policy/secrets/secret_guard.h):
 * {"$sealed":"sec_…"}, the reference of a secret, and {"$withheld":"token"}. */

#define MARK_SEALED "$sealed"
#define MARK_WITHHELD "$withheld"

#endif
