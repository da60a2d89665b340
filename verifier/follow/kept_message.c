/* See the header. */
#include "verifier/follow/kept_message.h"

#include <string.h>

#include "common/base/mem.h"

static struct bytes keep(char **at, struct bytes from)
{
    struct bytes to = bytes_of(*at, from.size);
    if (from.size)
        memcpy(*at, from.data, from.size);
    (*at)[from.size] = '\0'; /* names of headers end in one */
    *at += from.size + 1;
    return to;
}

struct kept_message *kept_message_make(const struct bus_message *message)
{
    const struct envelope *from = &message->envelope;
    size_t size = sizeof(struct kept_message) + from->header_count * sizeof *from->headers +
                  from->key.size + from->value.size + 2;
    for (size_t i = 0; i < from->header_count; i++)
        size += from->headers[i].name.size + from->headers[i].value.size + 2;
    struct kept_message *kept = mem_alloc(size);
    char *at = (char *)&kept->headers[from->header_count];
    *kept = (struct kept_message){.bytes = size,
                                  .partition = message->partition,
                                  .offset = message->offset,
                                  .timestamp_ms = message->timestamp_ms,
                                  .committed_ms = -1,
                                  .in_redis_ms = -1,
                                  .null_value = from->null_value,
                                  .header_count = from->header_count};
    kept->key = keep(&at, from->key);
    kept->value = keep(&at, from->value);
    for (size_t i = 0; i < from->header_count; i++) {
        kept->headers[i].name = keep(&at, from->headers[i].name);
        kept->headers[i].value = keep(&at, from->headers[i].value);
    }
    return kept;
}

void kept_message_view(const struct kept_message *kept, struct bus_message *message)
{
    struct envelope *to = &message->envelope;
    message->held = NULL;
    message->partition = kept->partition;
    message->offset = kept->offset;
    message->timestamp_ms = kept->timestamp_ms;
    to->key = kept->key;
    to->value = kept->value;
    to->null_value = kept->null_value;
    to->header_count = kept->header_count;
    memcpy(to->headers, kept->headers, kept->header_count * sizeof *to->headers);
}
