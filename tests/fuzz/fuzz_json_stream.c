/*
 * Any bytes, cut into any chunks: the splitter ends, and says the same as for one chunk. Its own
 * rules must hold too: places grow, ordinals count, no record is larger than allowed, and every
 * piece is what the input has at its place.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/model/json/json_stream.h"

#define RECORD_MAX 200 /* small, so that a fuzzer passes it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct said {
    uint64_t hash;
    uint64_t count;
};

static void add(struct said *said, uint64_t value)
{
    uint64_t pair[2] = {said->hash, value};
    said->hash = hash64(bytes_of(pair, sizeof(pair)));
}

static void note(struct said *said, struct bytes input, enum json_stream_result result,
                 const struct json_record_text *record_text, const struct error *err)
{
    assert(record_text->ordinal == said->count++);
    assert(record_text->byte <= input.size && record_text->line >= 1 && record_text->column >= 1);
    add(said, (uint64_t)result);
    add(said, record_text->byte);
    add(said, record_text->line);
    add(said, record_text->column);
    add(said, hash64(record_text->key));
    if (result == JSON_STREAM_REJECTED) {
        add(said, (uint64_t)err->code);
        return;
    }
    assert(record_text->text.size > 0 && record_text->text.size <= RECORD_MAX);
    assert(record_text->byte + record_text->text.size <= input.size);
    assert(memcmp(record_text->text.data, input.data + record_text->byte, record_text->text.size) ==
           0);
}

/* The next chunk in memory of its own, so that a view kept too long is seen. */
static size_t next_size(struct bytes input, size_t at, uint64_t *seed)
{
    size_t left = input.size - at;
    if (*seed == 0)
        return left;
    *seed = *seed * UINT64_C(6364136223846793005) + 1;
    size_t size = 1 + (size_t)(*seed >> 33) % 80;
    return size < left ? size : left;
}

static struct said listen(struct bytes input, enum json_shape shape, uint64_t seed)
{
    struct json_stream *stream = json_stream_new(shape, RECORD_MAX);
    struct said said = {0};
    char *chunk = NULL;
    size_t at = 0;
    for (;;) {
        struct json_record_text text;
        struct error err;
        enum json_stream_result result = json_stream_next(stream, &text, &err);
        if (result == JSON_STREAM_END)
            break;
        if (result != JSON_STREAM_MORE) {
            note(&said, input, result, &text, &err);
            continue;
        }
        free(chunk);
        chunk = NULL;
        if (at == input.size) {
            json_stream_finish(stream);
            continue;
        }
        size_t size = next_size(input, at, &seed);
        chunk = malloc(size);
        if (!chunk)
            abort();
        memcpy(chunk, input.data + at, size);
        json_stream_feed(stream, bytes_of(chunk, size));
        at += size;
    }
    free(chunk);
    json_stream_free(stream);
    return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum json_shape shape = (enum json_shape)(data[0] % (JSON_SHAPE_SINGLE + 1));
    struct bytes input = bytes_of(data + 2, size - 2);
    struct said whole = listen(input, shape, 0);
    struct said parts = listen(input, shape, data[1] + UINT64_C(1));
    assert(whole.count == parts.count && whole.hash == parts.hash);
    return 0;
}
