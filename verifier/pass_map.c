/* See the header. */
#include "verifier/pass_map.h"

#include <stdlib.h>

#include "common/base/mem.h"

void pass_map_begin(struct pass_map *map, const struct verify_partition *partitions, size_t count,
                    uint32_t passes, size_t bytes)
{
    size_t messages = 0;
    if (passes < 2 || passes > UINT8_MAX)
        return;
    map->starts = mem_zeroed(count, sizeof *map->starts);
    map->lows = mem_zeroed(count, sizeof *map->lows);
    for (size_t i = 0; i < count; i++) {
        map->starts[i] = messages;
        map->lows[i] = partitions[i].low;
        messages += (size_t)(partitions[i].snapshot_end - partitions[i].low);
    }
    if (messages <= bytes)
        map->passes = calloc(messages, 1); /* without it all goes on, slower */
}

void pass_map_set(struct pass_map *map, int32_t partition, int64_t offset, uint32_t pass)
{
    if (map->passes)
        map->passes[map->starts[partition] + (size_t)(offset - map->lows[partition])] =
            (uint8_t)pass;
}

bool pass_map_skips(const struct pass_map *map, int32_t partition, int64_t offset, uint32_t pass)
{
    return map->passes && pass != 0 &&
           map->passes[map->starts[partition] + (size_t)(offset - map->lows[partition])] != pass;
}

void pass_map_free(struct pass_map *map)
{
    free(map->passes);
    free(map->starts);
    free(map->lows);
    *map = (struct pass_map){0};
}
