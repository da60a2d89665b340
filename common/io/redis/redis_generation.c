/* See the header. */
#include "common/io/redis/redis_generation.h"

#include <string.h>

#include "common/base/text.h"
#include "common/io/redis/redis_session.h"

#define ANSWER_MS 30000

void redis_generation_see(struct mapping_generation *generation, struct bytes text)
{
    int64_t number = 0;
    const char *space = text.size ? memchr(text.data, ' ', text.size) : NULL;
    size_t before = space ? (size_t)(space - text.data) : 0;
    if (space && text_parse_int64(bytes_of(text.data, before), &number))
        mapping_generation_see(generation, (int32_t)number,
                               bytes_of(space + 1, text.size - before - 1));
}

enum outcome redis_generation_read(const struct settings *settings,
                                   const struct mapping_set *mappings, struct error *err)
{
    struct redis_session session;
    enum outcome outcome = redis_session_open(settings->redis_url, ANSWER_MS, false, &session, err);
    if (outcome != OUT_OK)
        return OUT_FATAL;
    for (size_t i = 0; i < mappings->count && outcome == OUT_OK; i++) {
        redisReply *reply = NULL;
        struct mapping_generation generation;
        struct mapping *mapping = mappings->items[i];
        redis_session_ask(&session, BYTES_LITERAL("HGET"), BYTES_LITERAL(REDIS_GENERATIONS),
                          bytes_text(mapping->entity));
        outcome = redis_session_take(&session, &reply, err);
        mapping_generation_begin(&generation, mapping);
        if (outcome == OUT_OK)
            redis_generation_see(&generation, redis_reply_text(reply));
        mapping->generation = mapping_generation_number(&generation);
        freeReplyObject(reply);
    }
    redis_session_close(&session);
    return outcome == OUT_OK ? OUT_OK : OUT_FATAL;
}
