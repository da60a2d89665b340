#ifndef DROVER_TESTS_COLLECT_CHUNKS_H
#define DROVER_TESTS_COLLECT_CHUNKS_H

/* One reading of a source by a codec of policy/collect/collect.h, in chunks: a hash of all it
 * finds. Each chunk is memory of its own, so that a sanitizer sees a view that outlives it. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy/collect/collect.h"
#include "tests/support/chunks.h"

static inline void collect_chunks_note(uint64_t *hash, const struct source_item *item,
                                       const struct error *err)
{
    assert(item->kind != SOURCE_ITEM_RECORD || (item->payload.size && item->mapping));
    assert(item->kind != SOURCE_ITEM_REJECTED || err->code != ERR_SOURCE_CHANGED);
    chunks_add(hash, (uint64_t)item->kind);
    chunks_add(hash, hash64(item->name));
    chunks_add(hash, hash64(item->payload));
    chunks_add(hash, hash64(item->source_key));
    chunks_add(hash, hash64(item->localstorage_origin));
    chunks_add(hash, hash64(item->tenant));
    chunks_add(hash, (uint64_t)item->index);
    chunks_add(hash, item->line);
    chunks_add(hash, item->column);
    chunks_add(hash, item->byte);
    chunks_add(hash, item->kind == SOURCE_ITEM_REJECTED ? (uint64_t)err->code : 0);
}

static inline uint64_t collect_chunks_read(struct collect *collect, struct bytes input,
                                           uint64_t seed)
{
    uint64_t hash = 0;
    uint64_t ordinal = 0;
    char *chunk = NULL;
    size_t at = 0;
    for (;;) {
        struct source_item item;
        struct error err;
        enum collect_result result = collect_next(collect, &item, &err);
        if (result == COLLECT_END)
            break;
        if (result == COLLECT_ITEM) {
            assert(item.ordinal == ordinal);
            ordinal += item.kind != SOURCE_ITEM_NOTE;
            collect_chunks_note(&hash, &item, &err);
            continue;
        }
        free(chunk);
        chunk = NULL;
        if (at == input.size) {
            collect_finish(collect);
            continue;
        }
        size_t size = chunks_next_size(input.size - at, &seed);
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

#endif
