#include "common/io/kafka/kafka_message.h"

#include <string.h>

#include "common/base/mem.h"

static bool is_ours(const char *name)
{
    return strncmp(name, "drover-", 7) == 0;
}

/* Appends the headers whose name is (or is not) one of ours while there is room. */
static void take_headers(rd_kafka_headers_t *headers, bool ours, struct envelope *envelope)
{
    const char *name;
    const void *value;
    size_t size;
    for (size_t i = 0; envelope->header_count < ENVELOPE_HEADERS_MAX; i++) {
        if (rd_kafka_header_get_all(headers, i, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
            return;
        if (is_ours(name) != ours)
            continue;
        envelope->headers[envelope->header_count++] =
            (struct header){bytes_text(name), bytes_of(value, value ? size : 0)};
    }
}

void kafka_message_view(const rd_kafka_message_t *message, struct envelope *envelope)
{
    rd_kafka_headers_t *headers = NULL;
    envelope->key = bytes_of(message->key, message->key ? message->key_len : 0);
    envelope->value = bytes_of(message->payload, message->payload ? message->len : 0);
    envelope->null_value = message->payload == NULL;
    envelope->header_count = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    take_headers(headers, true, envelope);
    take_headers(headers, false, envelope);
}

void kafka_message_whole(const rd_kafka_message_t *message, struct header **out,
                         struct message_view *view)
{
    rd_kafka_headers_t *all = NULL;
    const char *name;
    const void *value;
    size_t size;
    bool any = rd_kafka_message_headers(message, &all) == RD_KAFKA_RESP_ERR_NO_ERROR;
    size_t count = any ? rd_kafka_header_cnt(all) : 0;
    struct header *headers = mem_array(count + 1, sizeof *headers);
    *view = (struct message_view){
        .key = bytes_of(message->key, message->key ? message->key_len : 0),
        .value = bytes_of(message->payload, message->payload ? message->len : 0),
        .null_value = message->payload == NULL,
        .headers = headers,
    };
    for (size_t i = 0; i < count && rd_kafka_header_get_all(all, i, &name, &value, &size) ==
                                        RD_KAFKA_RESP_ERR_NO_ERROR;
         i++)
        headers[view->header_count++] =
            (struct header){bytes_text(name), bytes_of(value, value ? size : 0)};
    *out = headers;
}
