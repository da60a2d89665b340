#ifndef DROVER_IO_KAFKA_MESSAGE_H
#define DROVER_IO_KAFKA_MESSAGE_H

/*
 * A librdkafka message (rd_kafka_message_t) seen as an envelope, without copying. One place,
 * because what happens to a message with more headers than an envelope holds must be the same for
 * everybody who reads it.
 */

#include "common/model/message/message.h"

/* As bus_ops.view and view_whole. Views into what is held, valid as long as it lives. Headers named
 * drover-… come first and in their order; the others follow as far as there is room. */
void kafka_message_view(const void *held, struct envelope *envelope);
/* The whole message, all headers in their order. Views into it; *headers, which view shows,
 * is malloc'ed and the caller's to free. */
void kafka_message_whole(const void *held, struct header **headers, struct message_view *view);

#endif
