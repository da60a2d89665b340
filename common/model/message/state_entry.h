#ifndef DROVER_MODEL_STATE_ENTRY_H
#define DROVER_MODEL_STATE_ENTRY_H

/*
 * An entry of the state topic: how one stands that follows without an end, as it said last. The
 * topic is compacted, so of each key the last entry counts; an empty value takes the key back.
 *
 *   key    follow/ID   a producer that follows      verify/ID   a verifier that follows
 *   value  {"kind": "follow", "id": ID, "host": …, "at": moment, …}
 *
 * Behind those four each kind has members of its own; who reads it takes those it knows and goes
 * without what is missing. What an entry says is true for the moment it was sent, and how long ago
 * that was is the message's timestamp: an entry that is not renewed is of somebody who is gone.
 */

#include <stdbool.h>
#include <stdint.h>

#include <yyjson.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/json_out.h"

#define STATE_ENTRY_EVERY_MS 5000       /* so often an entry is renewed */
#define STATE_ENTRY_BYTES_MAX (1 << 16) /* of a value; a larger one is not read */
#define STATE_ENTRY_ID_MAX 200

enum state_kind { STATE_FOLLOW, STATE_VERIFY, STATE_KINDS };

/* "follow/ID". */
void state_entry_append_key(struct buf *out, enum state_kind kind, struct bytes id);
/* *id is a view of the key. False: it is no key of ours, or its id is empty or too long. */
MUST_USE bool state_entry_split_key(struct bytes key, enum state_kind *kind, struct bytes *id);

/* Opens the value's object with what every entry has. The caller adds members and ends it. */
void state_entry_begin(struct json_out *out, enum state_kind kind, struct bytes id,
                       const char *host, int64_t now_ms);
/* The caller frees the document. NULL: it is no entry of that kind. */
yyjson_doc *state_entry_read(struct bytes value, enum state_kind kind);

#endif
