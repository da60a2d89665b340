/* See the header. */
#include "common/model/message/topic.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "source", "results", "dlq", "control", "state". */
static const char *kind_name(enum topic_kind kind)
{
    static const char *const NAMES[] = {
        [TOPIC_SOURCE] = "source",   [TOPIC_RESULTS] = "results", [TOPIC_DEAD_LETTERS] = "dlq",
        [TOPIC_CONTROL] = "control", [TOPIC_STATE] = "state",
    };
    return NAMES[kind];
}

/* As Kafka's own Topic.validate; a part must also not be empty. */
static bool part_is_legal(const char *part)
{
    static const char LEGAL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return part[0] != '\0' && part[strspn(part, LEGAL)] == '\0';
}

enum outcome topic_format(const char *prefix, const char *migration, enum topic_kind kind,
                          char out[TOPIC_NAME_SIZE], struct error *err)
{
    const char *bad = NULL;
    if (!part_is_legal(prefix))
        bad = "prefix";
    else if (!part_is_legal(migration))
        bad = "migration";
    if (bad) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE, "the %s cannot be part of a topic name", bad);
        error_hint(err, "use letters, digits, '.', '_' and '-'");
        return OUT_FATAL;
    }
    int size = snprintf(out, TOPIC_NAME_SIZE, "%s.%s.%s", prefix, migration, kind_name(kind));
    if (size >= TOPIC_NAME_SIZE)
        return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                         "the topic's name would be longer than %d bytes: shorten the migration's",
                         TOPIC_NAME_SIZE - 1);
    return OUT_OK;
}

enum outcome topic_format_all(const char *prefix, const char *migration,
                              char out[TOPIC_KINDS][TOPIC_NAME_SIZE], struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (int kind = 0; kind < TOPIC_KINDS && outcome == OUT_OK; kind++)
        outcome = topic_format(prefix, migration, (enum topic_kind)kind, out[kind], err);
    return outcome;
}
