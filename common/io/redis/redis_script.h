#ifndef DROVER_IO_REDIS_SCRIPT_H
#define DROVER_IO_REDIS_SCRIPT_H

#include "common/base/buf.h"

/*
 * The two scripts that are all of Drover's writing into Redis. Redis runs a script as a whole;
 * these look first and write last, so that what stops them (no memory, no right) stops them before
 * the first write.
 *
 * What is kept of a record, `meta`: 16 hex digits of the version with its sign bit flipped (so that
 * text order is number order: Lua's numbers are doubles and would lose an int64), 32 of the digest,
 * 'u' or 'd' (a tombstone), and whose it is: isolation_key/entity/id. 'U' and 'D' say the same, and
 * that 8 hex digits of the mapping's generation follow, which is 0 without them: of one version and
 * one content the greater generation is newer. It stands beside the value under <key>:v, and for
 * the hash form in the field _v (a hash's tombstone stands under <key>:v). A key without a meta of
 * this record is somebody else's: never written, never deleted. A value that is unchanged gets the
 * ttl its mapping has now, when it has none or more, or should have none.
 *
 *   apply      KEYS  [checkpoint key] key…
 *              ARGV  mode, tombstone's life in ms, fence 0|1,
 *                    [epoch, start, end, redis_next, results_next, sequences, in doubt 0|1],
 *                    then run by run for all keys: form, ttl in ms, how many keys, and for each
 *                      j  meta value                                    a string
 *                      h  meta n (field value)… m absent-field…         a hash
 *                      x  meta                                          a delete of a string
 *                      y  meta                                          a delete of a hash
 *                      s  reference box                                 a sealed value
 *              mode  w: nothing when one key is unowned   s: all but the unowned ones
 *                    r: as s, and what is there of the same version is written anew when it is not
 *                       what a write would leave there: value, fields, digest, ttl
 *                    l: only classify
 *              gives a status and a code a key:
 *                    k done   f unowned ones, nothing done   d done before (in doubt)
 *                    m no checkpoint   e other epoch   o other offset
 *                    a applied  u unchanged  s superseded  c conflict  f unowned  n not there
 *   checkpoint   KEYS  checkpoint key
 *              ARGV  claim owner | stages epoch redis results | release epoch redis results
 */

enum redis_script {
    SCRIPT_APPLY,
    SCRIPT_CHECKPOINT,
    SCRIPT_COUNT,
};

const char *redis_script_text(enum redis_script script);
/* A call's words before its keys, of `words` in all: EVALSHA when `sha`, else EVAL with the text.
 */
void redis_script_append_head(struct buf *out, enum redis_script script, size_t words,
                              const char *sha);

#define REDIS_META_MARK 48      /* bytes before the letter */
#define REDIS_META_GENERATION 8 /* digits behind a capital */

#endif
