#ifndef DROVER_VERIFIER_READS_TEMPLATE_H
#define DROVER_VERIFIER_READS_TEMPLATE_H

/*
 * Where the old store has a record: a text with {tenant}, {entity}, {id} and, of a file, {file},
 * the one that the record came from. Tenant and id are put in as the application knows them: the
 * percent-encoding that keys of messages have is undone. Pure.
 */

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

enum reads_template_kind {
    READS_TEMPLATE_KEY,  /* of Redis: any byte */
    READS_TEMPLATE_URL,  /* each percent-encoded, so that none is a '/' or a '?' */
    READS_TEMPLATE_PATH, /* as it is, but what would lead to another folder percent-encoded */
};

/* What stands for one record. Views. */
struct reads_place {
    struct bytes tenant; /* isolation key */
    struct bytes entity;
    struct bytes id;  /* as in keys of messages */
    struct bytes uri; /* of the file, as drover-origin spells it; or empty */
};

/* OUT_FATAL DRV-C008: a placeholder that there is not, or of another kind; none that tells two
 * records apart ({id} or {file}). */
MUST_USE enum outcome reads_template_check(const char *text, enum reads_template_kind kind,
                                           struct error *err);
/* Of a text that was checked. */
void reads_template_append(struct buf *out, const char *text, enum reads_template_kind kind,
                           const struct reads_place *place);

#endif
