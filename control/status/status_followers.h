#ifndef DROVER_CONTROL_STATUS_FOLLOWERS_H
#define DROVER_CONTROL_STATUS_FOLLOWERS_H

/*
 * Those that follow without an end, by what they said last in the state topic: producers
 * (produce --follow) and verifiers (verify --follow). Reading is bounded: of a topic that nobody
 * compacts only its begin and its end are read, of entries the first STATUS_FOLLOWERS_MAX are kept.
 */

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json_out.h"
#include "common/model/message/state_entry.h"
#include "common/port/bus.h"

#define STATUS_FOLLOWERS_MAX 64

struct status_follower {
    enum state_kind kind;
    char id[STATE_ENTRY_ID_MAX + 1];
    yyjson_doc *entry; /* the last one */
    int64_t said_ms;   /* the message's timestamp */
};

struct status_followers {
    struct status_follower *items; /* sorted by kind and id */
    size_t count;
    size_t left_out; /* entries that had no room */
    int64_t next;    /* offset of the topic that is to be read next */
};

/* What is new; a topic that is not there has nothing. Failures as of the bus. */
MUST_USE enum outcome status_followers_read(struct status_followers *followers, struct bus *bus,
                                            const char *topic, int timeout_ms, struct error *err);
void status_followers_free(struct status_followers *followers);

/* A line each. */
void status_followers_append(struct buf *out, const struct status_followers *followers,
                             int64_t now_ms, size_t width);
/* "followers" and "verifiers": members of the object that is open. */
void status_followers_append_json(struct json_out *out, const struct status_followers *followers,
                                  int64_t now_ms);

#endif
