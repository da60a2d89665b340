#include "common/io/kafka/kafka_message.h"

#include <string.h>

#include <librdkafka/rdkafka.h>

#include "common/base/mem.h"

/* The message's headers; NULL: it has none. */
static rd_kafka_headers_t *headers_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    return rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR ? headers
                                                                                     : NULL;
}

static bool header_at(const rd_kafka_headers_t *headers, size_t at, struct header *header)
{
    const char *name;
    const void *value;
    size_t size;
    if (!headers ||
        rd_kafka_header_get_all(headers, at, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    *header = (struct header){bytes_text(name), bytes_of(value, value ? size : 0)};
    return true;
}

/* Appends all headers, or those whose name is (or is not) one of ours, while there is room. */
enum choice {
    CHOOSE_ALL,
    CHOOSE_OURS,
    CHOOSE_OTHERS,
};

static void take_headers(const rd_kafka_headers_t *headers, enum choice choice,
                         struct envelope *envelope)
{
    struct header header;
    for (size_t i = 0; envelope->header_count < ENVELOPE_HEADERS_MAX; i++) {
        if (!header_at(headers, i, &header))
            return;
        if (choice == CHOOSE_ALL || envelope_is_ours(header.name) == (choice == CHOOSE_OURS))
            envelope->headers[envelope->header_count++] = header;
    }
}

void kafka_message_view(const void *held, struct envelope *envelope)
{
    const rd_kafka_message_t *message = held;
    rd_kafka_headers_t *headers = headers_of(message);
    envelope->key = bytes_of(message->key, message->key ? message->key_len : 0);
    envelope->value = bytes_of(message->payload, message->payload ? message->len : 0);
    envelope->null_value = message->payload == NULL;
    envelope->header_count = 0;
    if (headers && rd_kafka_header_cnt(headers) > ENVELOPE_HEADERS_MAX) {
        take_headers(headers, CHOOSE_OURS, envelope);
        take_headers(headers, CHOOSE_OTHERS, envelope);
    } else {
        take_headers(headers, CHOOSE_ALL, envelope);
    }
}

void kafka_message_whole(const void *held, struct header **out, struct message_view *view)
{
    const rd_kafka_message_t *message = held;
    rd_kafka_headers_t *all = headers_of(message);
    struct header *headers = mem_zeroed(all ? rd_kafka_header_cnt(all) : 0, sizeof *headers);
    *view = (struct message_view){
        .key = bytes_of(message->key, message->key ? message->key_len : 0),
        .value = bytes_of(message->payload, message->payload ? message->len : 0),
        .null_value = message->payload == NULL,
        .headers = headers,
    };
    while (header_at(all, view->header_count, &headers[view->header_count]))
        view->header_count++;
    *out = headers;
}
