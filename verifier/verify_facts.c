#include "verifier/verify_facts.h"

#include <stdio.h>

#include "common/io/clock.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/stores.h"

#define WORD(store, word) word,
static const char *const STORE_WORDS[] = {STORAGES(WORD)};
#undef WORD

void verify_facts_take(struct verify_facts *texts, const struct settings *settings,
                       const struct mapping_set *mappings, const char *postgres,
                       struct report_facts *facts)
{
    const struct store *store = store_of(settings);
    *texts = (struct verify_facts){0};
    run_name_make(texts->run, "");
    who_is_it(texts->who);
    snprintf(texts->postgres, sizeof texts->postgres, "%s", postgres ? postgres : "");
    settings_digest(settings, mappings, texts->settings);
    if (store->read_redis_version)
        store->read_redis_version(settings, texts->redis, sizeof texts->redis);
    *facts = (struct report_facts){
        .run = texts->run,
        .who = texts->who,
        .storage = STORE_WORDS[settings->storage],
        .settings = texts->settings,
        .postgres = texts->postgres,
        .redis = texts->redis,
        .kafka = store->in_process ? NULL : kafka_topics_library(),
        .began_ms = clock_unix_ms(),
        .ended_ms = -1,
        .written_ms = -1,
    };
}
