#ifndef DROVER_POLICY_VERIFY_MASK_H
#define DROVER_POLICY_VERIFY_MASK_H

/*
 * Keys and values of samples as they may be shown: masked (a value also has its kind and size) or,
 * when asked, as they are, safe for a terminal. An absent value (size 0) is shown as such, never as
 * a hash.
 *
 * A hash is a BLAKE2b of 64 bits keyed with the report's mask_key: who has a report cannot try
 * guesses against it. With a key file the key is derived from its identity
 * (secret_ring_report_key), so that a record has the same hash in all reports of the migration;
 * without one it is drawn for one report and written nowhere. Texts for people show the first 32
 * bits, JSON all of them.
 */

#include "common/base/buf.h"
#include "common/policy/verify/verify_report.h"

#define VERIFY_VALUE_MAX 200 /* bytes of a value shown; JSON reports hold the same */

/* Without a key file: a key of this report's own. */
void verify_mask_draw_key(struct verify_report *report);
uint64_t verify_mask_hash(const struct verify_report *report, struct bytes text);
uint64_t verify_mask_hash_key(const struct verify_report *report, const struct diff_key *key);
/* `value` is JSON text: `"19.9"`, `absent`, `string of 12 bytes h:9f2c11d0`. */
void verify_mask_append(struct buf *out, const struct verify_report *report, struct bytes value);
/* The same with all of the hash, */
void verify_mask_append_long(struct buf *out, const struct verify_report *report,
                             struct bytes value);
/* and that inside a JSON string; null for an absent value. */
void verify_mask_append_json(struct buf *out, const struct verify_report *report,
                             struct bytes value);

#endif
