/* `drover topics print|apply` */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/text.h"
#include "common/io/kafka/kafka_topics.h"
#include "control/command.h"

enum {
    BROKER_MS = 15000,
};

static const char *const STATE_NAMES[] = {
    [TOPIC_MISSING] = "missing",
    [TOPIC_AS_PLANNED] = "exists",
    [TOPIC_DIFFERENT] = "different",
};

static void format_retention(const struct topic_plan *plan, char out[32])
{
    int64_t retention_ms = plan->retention_ms;
    if (plan->is_compacted)
        snprintf(out, 32, "the last of a key");
    else if (retention_ms < 0)
        snprintf(out, 32, "unlimited");
    else
        snprintf(out, 32, "%" PRId64 " d", retention_ms / 86400000);
}

static void print_plan(const struct topic_plan plan[TOPIC_KINDS], const enum topic_state *before)
{
    for (int i = 0; i < TOPIC_KINDS; i++) {
        char retention[32], replication[32] = "default";
        format_retention(&plan[i], retention);
        if (plan[i].replication > 0)
            snprintf(replication, sizeof(replication), "%" PRId32, plan[i].replication);
        bool made = before && before[i] == TOPIC_MISSING && plan[i].state == TOPIC_AS_PLANNED;
        printf("%-40s %-9s %" PRId32 " partition%s, replication %s, retention %s", plan[i].name,
               made ? "created" : STATE_NAMES[plan[i].state], plan[i].partitions,
               plan[i].partitions == 1 ? "" : "s", replication, retention);
        if (plan[i].state == TOPIC_DIFFERENT)
            printf("  (it has %" PRId32 " partitions)", plan[i].partitions_now);
        printf("\n");
    }
}

static void append_topics(struct json_out *out, const struct topic_plan plan[TOPIC_KINDS],
                          const enum topic_state *before)
{
    json_out_list(out, "topics");
    for (int i = 0; i < TOPIC_KINDS; i++) {
        bool made = before[i] == TOPIC_MISSING && plan[i].state == TOPIC_AS_PLANNED;
        json_out_object(out, NULL);
        json_out_text(out, "name", plan[i].name);
        json_out_text(out, "state", made ? "created" : STATE_NAMES[plan[i].state]);
        json_out_int(out, "partitions", plan[i].partitions);
        if (plan[i].state == TOPIC_MISSING)
            json_out_null(out, "partitions_now");
        else
            json_out_int(out, "partitions_now", plan[i].partitions_now);
        if (plan[i].replication > 0)
            json_out_int(out, "replication", plan[i].replication);
        else
            json_out_null(out, "replication");
        if (plan[i].retention_ms >= 0)
            json_out_seconds(out, "retention_seconds", (uint64_t)plan[i].retention_ms);
        else
            json_out_null(out, "retention_seconds");
        json_out_text(out, "cleanup", plan[i].is_compacted ? "compact" : "delete");
        json_out_end(out);
    }
    json_out_end(out);
}

static enum exit_code refuse_difference(const struct topic_plan plan[TOPIC_KINDS],
                                        struct error *err)
{
    for (int i = 0; i < TOPIC_KINDS; i++) {
        if (plan[i].state != TOPIC_DIFFERENT)
            continue;
        error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                  "the topic has %" PRId32 " partitions, %" PRId32 " are wanted",
                  plan[i].partitions_now, plan[i].partitions);
        error_where(err, "%s", plan[i].name);
        return command_fail(err);
    }
    return EXIT_OK;
}

enum exit_code topics_command(const struct invocation *invocation, struct error *err)
{
    static const char *const WORDS[] = {"print", "apply", NULL};
    const struct settings *settings = &invocation->settings;
    int word = command_choose(invocation, WORDS, err);
    if (word < 0)
        return EXIT_USAGE;
    answer_name(invocation->answer, "topics", WORDS[word]);
    struct topic_plan plan[TOPIC_KINDS];
    if (kafka_topics_plan(settings, BROKER_MS, plan, err) != OUT_OK)
        return command_fail(err);
    enum topic_state before[TOPIC_KINDS];
    for (int i = 0; i < TOPIC_KINDS; i++)
        before[i] = plan[i].state;
    bool apply = word == 1 && !settings->dry_run;
    if (apply && refuse_difference(plan, err) != EXIT_OK)
        return command_fail(err);
    if (apply && kafka_topics_apply(settings, BROKER_MS, plan, err) != OUT_OK)
        return command_fail(err);
    if (invocation->answer->wanted)
        append_topics(answer_body(invocation->answer), plan, before);
    else
        print_plan(plan, before);
    return EXIT_OK;
}
