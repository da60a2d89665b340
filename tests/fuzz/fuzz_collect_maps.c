/*
 * Any bytes as a dump of maps, cut into any chunks: both readings end, the second one finds the
 * same as for one chunk, and counts what it finds.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/policy/collect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const A[] = {"a"};
static const char *const B[] = {"b"};
static const char *const ID[] = {"/id"};
static struct column columns[] = {{.name = "id", .pointers = ID, .pointer_count = 1}};
static size_t key[] = {0};
static struct collect_join join = {"b", "/a", "b"};
static struct mapping first = {.entity = "first",
                               .columns = columns,
                               .key = key,
                               .key_count = 1,
                               .collect_maps = A,
                               .collect_map_count = 1,
                               .join = &join};
static struct mapping second = {.entity = "second", .collect_maps = B, .collect_map_count = 1};

static void add(uint64_t *hash, uint64_t value)
{
    uint64_t pair[2] = {*hash, value};
    *hash = hash64(bytes_of(pair, sizeof(pair)));
}

static size_t next_size(size_t left, uint64_t *seed)
{
    if (*seed == 0)
        return left;
    *seed = *seed * UINT64_C(6364136223846793005) + 1;
    size_t size = 1 + (size_t)(*seed >> 33) % 80;
    return size < left ? size : left;
}

static void note(uint64_t *hash, const struct found *found, const struct error *err)
{
    add(hash, (uint64_t)found->kind);
    add(hash, hash64(found->name));
    add(hash, hash64(found->payload));
    add(hash, hash64(found->source_key));
    add(hash, (uint64_t)found->index);
    add(hash, found->line);
    add(hash, found->column);
    add(hash, found->byte);
    add(hash, found->kind == FOUND_REJECTED ? (uint64_t)err->code : 0);
}

static uint64_t read_once(struct collect *collect, struct bytes input, uint64_t seed)
{
    uint64_t hash = 0;
    uint64_t ordinal = 0;
    char *chunk = NULL;
    size_t at = 0;
    for (;;) {
        struct found found;
        struct error err;
        enum collect_result result = collect_next(collect, &found, &err);
        if (result == COLLECT_END)
            break;
        if (result == COLLECT_FOUND) {
            assert(found.ordinal == ordinal++);
            note(&hash, &found, &err);
            continue;
        }
        free(chunk);
        chunk = NULL;
        if (at == input.size) {
            collect_finish(collect);
            continue;
        }
        size_t size = next_size(input.size - at, &seed);
        chunk = malloc(size);
        if (!chunk)
            abort();
        memcpy(chunk, input.data + at, size);
        collect_feed(collect, bytes_of(chunk, size));
        at += size;
    }
    free(chunk);
    return hash;
}

static uint64_t listen(struct bytes input, bool joins, uint64_t seed)
{
    struct mapping *const mappings[] = {&first, &second};
    struct collect_config config = {
        .mappings = mappings,
        .mapping_count = joins ? 1 : 2, /* alone, what is joined has no rows of its own */
        .record_most = 200,
        .join_most = 1 << 16,
    };
    struct collect *collect = collect_new(COLLECT_MAP_DUMP, &config);
    uint64_t nothing = read_once(collect, input, seed);
    assert(nothing == 0);
    uint64_t hash = 1;
    if (collect_rewind(collect, NULL) == OUT_OK)
        hash = read_once(collect, input, seed);
    collect_free(collect);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct bytes input = bytes_of(data + 2, size - 2);
    uint64_t whole = listen(input, data[0] & 1, 0);
    uint64_t parts = listen(input, data[0] & 1, data[1] + UINT64_C(1));
    assert(whole == parts);
    return 0;
}
