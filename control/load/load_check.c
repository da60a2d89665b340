/* See the header. */
#include "control/load/load_check.h"

#include <string.h>

#include "common/io/kafka/kafka_topics.h"
#include "control/status/status.h"

enum { BROKER_MS = 15000 };

enum outcome load_check_topics(const struct settings *settings, struct error *err)
{
    struct topic_plan plan[TOPIC_KINDS];
    enum outcome outcome = kafka_topics_plan(settings, BROKER_MS, plan, err);
    for (int i = 0; i < TOPIC_KINDS && outcome == OUT_OK; i++) {
        if (plan[i].state != TOPIC_MISSING || plan[i].kind == TOPIC_STATE) /* no load needs it */
            continue;
        outcome = error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the topic is missing");
        error_where(err, "%s", plan[i].name);
        error_hint(err, "drover topics apply makes it; then again");
    }
    return outcome;
}

enum outcome load_count_left(const struct settings *settings, uint64_t *left, struct error *err)
{
    struct status status;
    *left = 0;
    enum outcome outcome = status_open(settings, BROKER_MS, 0, &status, err);
    if (outcome == OUT_OK)
        outcome = status_read(&status, err);
    if (outcome == OUT_OK)
        *left = status.lag;
    status_close(&status);
    return outcome;
}

enum outcome load_ask_states(const struct settings *settings, struct load_states *states,
                             struct error *err)
{
    struct pg_load_opens opens;
    enum outcome outcome = pg_load_ask_opens(settings, &opens, err);
    *states = (struct load_states){0};
    for (size_t i = 0; i < opens.count; i++) {
        const struct pg_load_open *open = &opens.items[i];
        bool is_own = strcmp(open->group, settings->group) == 0;
        states->loading |= is_own && !open->is_finalising;
        states->finalising |= is_own && open->is_finalising;
    }
    pg_load_opens_free(&opens);
    return outcome;
}

enum outcome load_check_mappings(const struct settings *settings,
                                 const struct mapping_set *mappings, struct error *err)
{
    struct pg_load_opens opens;
    enum outcome outcome = pg_load_ask_opens(settings, &opens, err);
    for (size_t i = 0; i < opens.count && outcome == OUT_OK; i++) {
        const struct pg_load_open *open = &opens.items[i];
        if (strcmp(open->group, settings->group) != 0 ||
            mapping_set_find_table(mappings, open->schema, open->table))
            continue;
        outcome = error_set(err, OUT_FATAL, ERR_PG_LOADING,
                            "group %s loads a table that no mapping here has", open->group);
        error_where(err, "%s.%s", open->schema, open->table);
        error_hint(err, "with that table's mapping (-m FILE): drover load abort gives the load up, "
                        "drover load finish ends it");
    }
    pg_load_opens_free(&opens);
    return outcome;
}
