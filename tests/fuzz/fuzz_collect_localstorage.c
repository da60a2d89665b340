/*
 * Any bytes as a localStorage payload, cut into any chunks: both readings end, the second one finds
 * the same as for one chunk, and the same bytes are never said to have changed.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/support/collect_chunks.h"

#define RECORD_MAX 300 /* small, so that a fuzzer passes it */

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

static uint64_t read_twice(struct bytes input, uint64_t seed)
{
    struct collect_config config = {MAPPINGS, MAPPING_COUNT, {0}, NULL, RECORD_MAX, RECORD_MAX};
    struct collect *collect = collect_new(COLLECT_LOCALSTORAGE, &config);
    struct error err;
    uint64_t hash = collect_chunks_read(collect, input, seed);
    assert(hash == 0);
    enum outcome outcome = collect_rewind(collect, &err);
    assert(outcome == OUT_OK);
    (void)outcome;
    hash = collect_chunks_read(collect, input, seed);
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
