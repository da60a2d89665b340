/*
 * Any bytes, cut into any chunks: the walk ends, and says the same as for one chunk, but for where
 * a string's parts end. What is captured is what the input has at its place.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/model/json/json_walk.h"
#include "tests/support/chunks.h"

#define CAPTURE_MAX 60 /* small, so that a fuzzer passes it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct said {
    uint64_t hash;
    size_t depth;
};

static void add(struct said *said, uint64_t value)
{
    uint64_t pair[2] = {said->hash, value};
    said->hash = hash64(bytes_of(pair, sizeof(pair)));
}

static void note(struct said *said, struct bytes input, enum json_walk_result result,
                 const struct json_walk_step *step, const struct error *err)
{
    for (size_t i = 0; result == JSON_WALK_PART && i < step->text.size; i++)
        add(said, (unsigned char)step->text.data[i]);
    if (result == JSON_WALK_PART && !step->last)
        return;
    add(said, (uint64_t)result);
    add(said, step->byte);
    add(said, step->line);
    add(said, step->column);
    add(said, step->index);
    add(said, hash64(step->name));
    if (result == JSON_WALK_REJECTED || result == JSON_WALK_BROKEN)
        add(said, (uint64_t)err->code);
    if (result != JSON_WALK_CAPTURED)
        return;
    assert(step->text.size <= CAPTURE_MAX && step->byte + step->text.size <= input.size);
    assert(memcmp(step->text.data, input.data + step->byte, step->text.size) == 0);
}

/* What is done with a value depends on its place alone. */
static void choose(struct json_walk *walk, struct said *said, const struct json_walk_step *step,
                   unsigned manner)
{
    unsigned choice = (unsigned)(step->byte * 7 + step->index + manner) % 4;
    bool container = step->kind == '{' || step->kind == '[';
    if (container && choice < 2 && said->depth < JSON_WALK_DEPTH_MAX) {
        said->depth++;
        json_walk_enter(walk);
    } else if (step->kind == '"' && choice < 2) {
        json_walk_read(walk);
    } else if (choice == 2) {
        json_walk_skip(walk);
    } else {
        json_walk_capture(walk);
    }
}

static uint64_t listen(struct bytes input, unsigned manner, uint64_t seed)
{
    struct json_walk *walk = json_walk_new(CAPTURE_MAX);
    struct said said = {0};
    char *chunk = NULL;
    size_t at = 0;
    if (manner & 1)
        json_walk_allow_many(walk);
    for (;;) {
        struct json_walk_step step;
        struct error err;
        enum json_walk_result result = json_walk_next(walk, &step, &err);
        if (result == JSON_WALK_END)
            break;
        if (result != JSON_WALK_MORE) {
            note(&said, input, result, &step, &err);
            said.depth -= result == JSON_WALK_LEFT;
            if (result == JSON_WALK_VALUE)
                choose(walk, &said, &step, manner);
            continue;
        }
        free(chunk);
        chunk = NULL;
        if (at == input.size) {
            json_walk_finish(walk);
            continue;
        }
        size_t size = chunks_next_size(input.size - at, &seed);
        chunk = malloc(size);
        if (!chunk)
            abort();
        memcpy(chunk, input.data + at, size);
        json_walk_feed(walk, bytes_of(chunk, size));
        at += size;
    }
    free(chunk);
    json_walk_free(walk);
    return said.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct bytes input = bytes_of(data + 2, size - 2);
    uint64_t whole = listen(input, data[0], 0);
    uint64_t parts = listen(input, data[0], data[1] + UINT64_C(1));
    assert(whole == parts);
    return 0;
}
