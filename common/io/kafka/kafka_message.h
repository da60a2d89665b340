#ifndef DROVER_IO_KAFKA_MESSAGE_H
#define DROVER_IO_KAFKA_MESSAGE_H

/*
 * A librdkafka message seen as an envelope, without copying. One place, because what happens to a
 * message with more headers than an envelope holds must be the same for everybody who reads it.
 */

#include <librdkafka/rdkafka.h>

#include "common/model/message/message.h"

/* Views into `message`, valid as long as it lives. Headers named drover-… come first and in their
 * order; the others follow as far as there is room. */
void kafka_message_view(const rd_kafka_message_t *message, struct envelope *envelope);
/* The whole message, all headers in their order. Views into `message`; *headers, which view shows,
 * is malloc'ed and the caller's to free. */
void kafka_message_whole(const rd_kafka_message_t *message, struct header **headers,
                         struct message_view *view);

#endif
