#ifndef DROVER_MODEL_DEAD_LETTER_H
#define DROVER_MODEL_DEAD_LETTER_H

/*
 * A dead letter: key and value bytes unchanged, all headers kept, plus Kafka Connect's names and
 * ours, so that existing tools can read it. Written by the worker, read by the verifier and status.
 *
 * A dead letter that is larger than its topic takes is cut by one rule: headers that are not
 * Drover's own (drover-…) go, the largest first, until it fits, and the header drover-dlq-truncated
 * names what went. Key, value and drover-… headers are never touched: when they alone do not fit,
 * there is no dead letter.
 */

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/model/message/message.h"

#define DEAD_LETTER_PREFIX "__connect.errors."
#define DEAD_LETTER_CODE "drover-error-code"
#define DEAD_LETTER_PATH "drover-error-path"
#define DEAD_LETTER_ATTEMPTS "drover-attempts"
#define DEAD_LETTER_ID "drover-dlq-id"
/* Of a message that was a dead letter before, and is here again (dead_letter_replay.h): the id of
 * the first of its dead letters; drover-attempts are then those made before. */
#define DEAD_LETTER_REPLAYED_FROM "drover-replayed-from"
/* Of a record that brought no version: its place in the log, which its version may be. */
#define DEAD_LETTER_LOG_VERSION "drover-log-version"
#define DEAD_LETTER_TRUNCATED "drover-dlq-truncated" /* name:bytes,… of the headers left out */

/* What a dead letter's own headers may take at most: the error's texts (four of 240 bytes), a
 * topic's name (249) twice, the list of what was left out (2,048), names and numbers. The dlq topic
 * takes this much more than the source topic. */
#define DEAD_LETTER_ADDED_BYTES 8192
/* And what its topic should take beyond the source topic: those, and what a batch adds. */
#define DEAD_LETTER_ROOM_BYTES (16u * 1024)

struct dead_letter_place {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t log_version; /* of a record that brought no version; 0: it did, or nobody knows */
};

/* Owns its headers' array and what is made for them; key, value and the message's own headers are
 * views of the message it was made from. */
struct dead_letter_message {
    struct message_view view;
    struct header *headers;
    struct buf text;
};

/* Makes the dead letter of `message`, after `attempts` that come to those it says were made before;
 * of at most `max` bytes (message_size); `bare`: cut as far as
 * the rule allows, whatever fits (the broker takes less than it was thought to). OUT_REJECT
 * DRV-K010: key, value and drover-… headers alone are larger. dead_letter_free in every case. */
MUST_USE enum outcome dead_letter_make(const struct message_view *message,
                                       const struct dead_letter_place *place,
                                       const struct error *reason, int attempts, size_t max,
                                       bool bare, struct dead_letter_message *dead_letter,
                                       struct error *err);
/* Where a dead letter says that it comes from. Views into the message. */
struct dead_letter_origin {
    struct bytes id; /* empty: none of Drover's */
    bool has_place;  /* the id is one: "<topic>-<partition>-<offset>" */
    struct bytes topic;
    int32_t partition;
    int64_t offset;
    enum error_code code; /* ERR_NONE: none of ours */
};
/* Of a header that is there several times the last one counts: a record that was a dead letter
 * before brought its old ones along. */
struct dead_letter_origin dead_letter_read(const struct envelope *dead_letter);
void dead_letter_free(struct dead_letter_message *dead_letter);

#endif
