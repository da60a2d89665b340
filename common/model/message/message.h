#ifndef DROVER_MODEL_MESSAGE_H
#define DROVER_MODEL_MESSAGE_H

/*
 * A Kafka message with all its headers, however many: what is passed on as it came. struct envelope
 * is the same for those who read a record, and holds what they need of it only.
 */

#include "common/model/message/envelope.h"

/* Views; whoever made them keeps what they show. */
struct message_view {
    struct bytes key, value;
    bool null_value;
    const struct header *headers;
    size_t header_count;
};

/* What a header costs on the wire besides its name and value: two lengths of at most 5 bytes. */
#define MESSAGE_HEADER_COST 10

static inline struct message_view message_of(const struct envelope *envelope)
{
    return (struct message_view){envelope->key, envelope->value, envelope->null_value,
                                 envelope->headers, envelope->header_count};
}

static inline size_t message_header_size(const struct header *header)
{
    return header->name.size + header->value.size + MESSAGE_HEADER_COST;
}

/* Bytes of the message, as a topic's limit counts them (without its batch's own). */
static inline size_t message_size(const struct message_view *message)
{
    size_t size = message->key.size + (message->null_value ? 0 : message->value.size);
    for (size_t i = 0; i < message->header_count; i++)
        size += message_header_size(&message->headers[i]);
    return size;
}

/* OUT_REJECT when it is larger than `max`, the most that the topic takes. */
MUST_USE static inline enum outcome message_check_size(const struct message_view *message,
                                                       size_t max, struct error *err)
{
    if (message_size(message) <= max)
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_KAFKA_SIZE,
                     "the message is larger than the topic's max.message.bytes allows (%zu bytes)",
                     max);
}

#endif
