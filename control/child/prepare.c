/* See the header. */
#include <stdio.h>
#include <string.h>

#include "common/io/files.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/mappings.h"
#include "common/io/postgres/pg_schema.h"
#include "common/io/redis/redis_url.h"
#include "common/io/report_folder.h"
#include "common/io/source/source_rules.h"
#include "common/io/stores.h"
#include "control/child/prepare.h"
#include "control/load/load_check.h"

enum { BROKER_MS = 15000 };

static void say_lines(const char *title, struct buf *lines)
{
    const char *at = buf_text(lines);
    while (*at) {
        size_t size = strcspn(at, "\n");
        fprintf(stderr, "  %-8s %.*s\n", title, (int)size, at);
        at += size + (at[size] == '\n');
    }
}

static enum outcome prepare_schema(const struct settings *settings, struct error *err)
{
    struct mapping_set mappings;
    enum outcome outcome = mapping_set_load(settings, &mappings, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = load_check_mappings(settings, &mappings, err);
    if (outcome != OUT_OK) {
        mapping_set_free(&mappings);
        return outcome;
    }
    struct pg_schema apply;
    outcome = pg_schema_apply(settings, &mappings, store_of(settings)->has_stage, &apply, err);
    if (outcome == OUT_OK && !settings->quiet)
        say_lines("schema", &apply.changes);
    if (outcome == OUT_OK && !settings->quiet)
        say_lines("load", &apply.notes);
    pg_schema_free(&apply);
    mapping_set_free(&mappings);
    return outcome;
}

static enum outcome prepare_topics(const struct settings *settings, struct error *err)
{
    struct topic_plan plan[TOPIC_KINDS];
    enum topic_state before[TOPIC_KINDS];
    enum outcome outcome = kafka_topics_plan(settings, BROKER_MS, plan, err);
    for (int i = 0; i < TOPIC_KINDS && outcome == OUT_OK; i++) {
        before[i] = plan[i].state;
        if (plan[i].state == TOPIC_DIFFERENT) {
            outcome = error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                                "the topic has %d partitions, %d are wanted",
                                plan[i].partitions_now, plan[i].partitions);
            error_where(err, "%s", plan[i].name);
        }
    }
    if (outcome == OUT_OK)
        outcome = kafka_topics_apply(settings, BROKER_MS, plan, err);
    for (int i = 0; i < TOPIC_KINDS && outcome == OUT_OK && !settings->quiet; i++)
        if (before[i] == TOPIC_MISSING)
            fprintf(stderr, "  topics   create %s with %d partition%s\n", plan[i].name,
                    plan[i].partitions, plan[i].partitions == 1 ? "" : "s");
    return outcome;
}

/* A typo in a name should not make tables and topics first. */
static enum outcome check_source(const char *source, struct error *err)
{
    bool other = strcmp(source, "-") == 0 || strpbrk(source, "*?[{") || strstr(source, "://");
    if (other || files_exist(source))
        return OUT_OK;
    enum outcome outcome = error_set(err, OUT_FATAL, ERR_SOURCE_OPEN, "the source is not there");
    error_where(err, "%s", source);
    return outcome;
}

/* All mistakes of the mappings, and whose the records are, before anything is touched. */
static enum outcome prepare_rules(const struct settings *given, const struct conf_list *sources,
                                  struct error *err)
{
    struct settings settings = *given;
    struct mapping_set mappings;
    struct source_rules rules;
    settings.sources = *sources;
    if (mapping_set_load(&settings, &mappings, err) != OUT_OK)
        return OUT_FATAL;
    enum outcome outcome = source_rules_init(&rules, &settings, &mappings, err);
    if (outcome == OUT_OK && !settings.quiet) {
        struct buf text;
        buf_init(&text, 4096);
        source_rules_say_tenant(&rules, &text);
        fprintf(stderr, "  tenant   %s\n", buf_text(&text));
        buf_free(&text);
    }
    source_rules_free(&rules);
    mapping_set_free(&mappings);
    return outcome;
}

enum outcome prepare_servers(const struct settings *settings, struct error *err)
{
    enum outcome outcome = report_folder_try(settings->report_dir, err);
    struct redis_url redis;
    if (outcome == OUT_OK && store_of(settings)->has_redis)
        outcome = redis_url_parse(settings->redis_url, &redis, err);
    if (outcome == OUT_OK && store_of(settings)->has_tables)
        outcome = prepare_schema(settings, err);
    else if (outcome == OUT_OK && !settings->quiet && strcmp(settings->load, "upsert") != 0)
        fprintf(stderr, "  load     not in bulk, because this storage has no tables\n");
    return outcome == OUT_OK ? prepare_topics(settings, err) : outcome;
}

enum outcome prepare_all(const struct settings *settings, const struct conf_list *sources,
                         struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (sources->count == 0) {
        outcome = error_set(err, OUT_FATAL, ERR_CONF_MISSING, "no source is given");
        error_hint(err, "name files: drover run exports/*.json, or set produce.sources");
    }
    for (size_t i = 0; i < sources->count && outcome == OUT_OK; i++)
        outcome = check_source(sources->items[i], err);
    if (outcome == OUT_OK)
        outcome = prepare_rules(settings, sources, err);
    return outcome == OUT_OK ? prepare_servers(settings, err) : outcome;
}
