#ifndef DROVER_VERIFIER_READS_PICK_H
#define DROVER_VERIFIER_READS_PICK_H

/*
 * A record in a JSON document of many, found as an application finds it: gone through until the
 * one whose key members say the id. The key's `from` members are compared as texts, a member's own
 * name where the mapping's key is $key; parts of a key that no document has ($user, $index …) are
 * taken for equal. Where the mapping takes the tenant of a member, that must be the tenant's too.
 * Arrays, objects keyed by id, and either of them within objects. Pure.
 */

#include <yyjson.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/model/mapping/mapping.h"

#define READS_PICK_PARTS_MAX 32
#define READS_PICK_DEPTH_MAX 8 /* containers within each other that are gone into */

struct reads_pick {
    const struct mapping *mapping;
    struct bytes parts[READS_PICK_PARTS_MAX]; /* of the id, decoded; in `text` */
    struct bytes tenant;                      /* decoded, in `text` */
    struct buf text;
};

void reads_pick_init(struct reads_pick *pick);
void reads_pick_free(struct reads_pick *pick);
/* What is looked for from now on. False: the id is none of the mapping's. */
MUST_USE bool reads_pick_begin(struct reads_pick *pick, const struct mapping *mapping,
                               struct bytes tenant, struct bytes id);
/* NULL: it is not there. Numbers of the document are raw. */
yyjson_val *reads_pick_find(const struct reads_pick *pick, yyjson_val *root);

#endif
