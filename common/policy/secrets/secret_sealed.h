#ifndef DROVER_POLICY_SECRET_SEALED_H
#define DROVER_POLICY_SECRET_SEALED_H

/*
 * The header drover-sealed: the boxes of the values that secret_guard.h took out of a record. For
 * each box: u32 little-endian size of the field pointer, pointer, reference (36 bytes), u32 size of
 * the box, box.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping.h"

#define SECRET_SEALED_MAX (256u << 10) /* bytes of the header */
#define SECRET_FIELD_MAX (1u << 20)    /* bytes of a field pointer */

/* Reading the header: *at from 0; false at its end or when it is malformed (*bad). */
struct sealed_box {
    struct bytes field, reference, box;
};
bool secret_sealed_next(struct bytes sealed, size_t *at, struct sealed_box *box, bool *bad);
/* OUT_REJECT DRV-X008 when it is malformed, or lacks a value that the row refers to: in a sealed
 * column, a mark or a text. */
MUST_USE enum outcome secret_sealed_check(struct bytes sealed, const struct mapping *mapping,
                                          const struct row *row, struct error *err);

#endif
