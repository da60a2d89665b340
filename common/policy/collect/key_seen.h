#ifndef DROVER_POLICY_KEY_SEEN_H
#define DROVER_POLICY_KEY_SEEN_H

/*
 * Keys that a producer has read, of mappings without a version of their own: there the later
 * reading of a key wins, and of two in one source nobody can tell which is meant. 16 bytes a key up
 * to a bound; what comes after it is not looked at, and said so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"

struct key_seen_entry {
    uint64_t key;    /* hash; 0: free */
    uint32_t source; /* where it was read last */
    uint32_t text;   /* hash of its record, as it was written there */
};

struct key_seen {
    struct key_seen_entry *entries; /* open addressing */
    size_t capacity, used;
    size_t max; /* of `used` */
    bool full;  /* some were not kept */
};

enum key_seen_result {
    KEY_NEW,
    KEY_AGAIN,   /* with the same text */
    KEY_TWICE,   /* before in this source, with another text */
    KEY_OVERLAP, /* before in another source, with another text */
};

/* At most `bytes` of memory (at least that of 64 keys). */
void key_seen_init(struct key_seen *seen, size_t bytes);
void key_seen_free(struct key_seen *seen);
enum key_seen_result key_seen_add(struct key_seen *seen, struct bytes key, struct bytes text,
                                  uint32_t source);

#endif
