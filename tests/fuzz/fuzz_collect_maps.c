/*
 * Any bytes as a dump of maps, cut into any chunks: both readings end, the second one finds the
 * same as for one chunk, and counts what it finds.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/support/collect_chunks.h"

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

static uint64_t listen(struct bytes input, bool joins, uint64_t seed)
{
    struct mapping *const mappings[] = {&first, &second};
    struct collect_config config = {
        .mappings = mappings,
        .mapping_count = joins ? 1 : 2, /* alone, what is joined has no rows of its own */
        .record_max = 200,
        .join_max = 1 << 16,
    };
    struct collect *collect = collect_new(COLLECT_MAP_DUMP, &config);
    uint64_t nothing = collect_chunks_read(collect, input, seed);
    assert(nothing == 0);
    uint64_t hash = 1;
    if (collect_rewind(collect, NULL) == OUT_OK)
        hash = collect_chunks_read(collect, input, seed);
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
