/*
 * Any bytes as a localStorage payload, cut into any chunks: both readings end, the second one finds
 * the same as for one chunk, and the same bytes are never said to have changed.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/policy/collect.h"

#define RECORD_MOST 300 /* small, so that a fuzzer passes it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const AGENTS[] = {"ai_agents_{tenant}"};
static const char *const CHATS[] = {"chat_session_{tenant}_global", "chat_session_*"};
static const char *const PREFERENCES[] = {"theme", "*_preferences_*", "*_settings_*"};
static const char *const DRAFTS[] = {"draft_*"};
static const char *const ANY[] = {"*"};
static struct collect_merge merges[] = {
    {"ui", "*ui_preferences*", false}, {"advanced", "*", false}, {"theme", "theme", true}};
static struct mapping agent = {.entity = "agent", .collect_keys = AGENTS, .collect_key_count = 1};
static struct mapping message = {
    .entity = "message", .collect_keys = CHATS, .collect_key_count = 2};
static struct mapping session = {
    .entity = "session", .collect_keys = CHATS, .collect_key_count = 2, .expand = EXPAND_CONTAINER};
static struct mapping preferences = {.entity = "preferences",
                                     .collect_keys = PREFERENCES,
                                     .collect_key_count = 3,
                                     .expand = EXPAND_MERGE,
                                     .merges = merges,
                                     .merge_count = 3};
static struct mapping draft = {
    .entity = "draft", .collect_keys = DRAFTS, .collect_key_count = 1, .expand = EXPAND_VALUE};
static struct mapping item = {
    .entity = "item", .collect_keys = ANY, .collect_key_count = 1, .expand = EXPAND_TEXT};
static struct mapping *const MAPPINGS[] = {&agent, &message, &session, &preferences, &draft, &item};
#define MAPPING_COUNT (sizeof(MAPPINGS) / sizeof(MAPPINGS[0]))

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
    assert(found->kind != FOUND_RECORD || (found->payload.size && found->mapping));
    assert(found->kind != FOUND_REJECTED || err->code != ERR_SOURCE_CHANGED);
    add(hash, (uint64_t)found->kind);
    add(hash, hash64(found->name));
    add(hash, hash64(found->payload));
    add(hash, hash64(found->source_key));
    add(hash, hash64(found->storage_origin));
    add(hash, hash64(found->tenant));
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
            assert(found.ordinal == ordinal);
            ordinal += found.kind != FOUND_NOTE;
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

static uint64_t read_twice(struct bytes input, uint64_t seed)
{
    struct collect_config config = {MAPPINGS, MAPPING_COUNT, {0}, NULL, RECORD_MOST, RECORD_MOST};
    struct collect *collect = collect_new(COLLECT_LOCAL_STORAGE, &config);
    struct error err;
    uint64_t hash = read_once(collect, input, seed);
    assert(hash == 0);
    enum outcome outcome = collect_rewind(collect, &err);
    assert(outcome == OUT_OK);
    (void)outcome;
    hash = read_once(collect, input, seed);
    collect_free(collect);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    uint64_t whole = read_twice(input, 0);
    uint64_t parts = read_twice(input, size + 1);
    assert(whole == parts);
    (void)parts;
    (void)collect_detect(input, true, MAPPINGS, MAPPING_COUNT);
    return 0;
}
