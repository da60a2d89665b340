#ifndef DROVER_CONTROL_JSON_SENDER_H
#define DROVER_CONTROL_JSON_SENDER_H

/*
 * What a command says to a topic of the migration: documents in JSON, few of them, each stored for
 * good before the command goes on. Always into the first partition, as those who read them need
 * them in order. Not for what a loop sends beside its work (port/bus_sender.h).
 */

#include "common/port/bus.h"

struct json_sender;

/* Failures as of bus_open_sender. The topic's name is kept until close. */
MUST_USE enum outcome json_sender_open(struct bus *bus, const char *topic, int timeout_ms,
                                       struct json_sender **sender, struct error *err);
/* Blocks while there is no room. What became of it is known at the next flush, or earlier. */
MUST_USE enum outcome json_sender_send(struct json_sender *sender, struct bytes key,
                                       struct bytes value, struct error *err);
/* OUT_OK: all is stored for good; else why the first one is not. OUT_RETRY DRV-K001 with the text
 * `late` when wait_ms is over. */
MUST_USE enum outcome json_sender_flush(struct json_sender *sender, int wait_ms, const char *late,
                                        struct error *err);
/* NULL is allowed. */
void json_sender_close(struct json_sender *sender);

#endif
