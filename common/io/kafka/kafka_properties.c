/*
 * The names come from librdkafka's own table (rd_kafka_conf_properties_show): lines of the form
 * `name | C/P | range | default | importance | description`, where C/P says whose it is.
 */
#include "common/io/kafka/kafka_properties.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/kafka/kafka_client.h"

#define NAMES_MAX 512 /* librdkafka 2.0.2 has 190 */

struct known {
    char *text; /* the whole table; names and kinds point into it, cut by NULs */
    const char *names[NAMES_MAX];
    char kinds[NAMES_MAX]; /* 'C', 'P' or '*' */
    size_t count;
};

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t", text[size - 1]))
        text[--size] = '\0';
    return text;
}

static void add_line(struct known *known, char *line)
{
    char *rest = strchr(line, '|');
    if (!rest || known->count == NAMES_MAX)
        return;
    *rest++ = '\0';
    char *end = strchr(rest, '|');
    if (!end)
        return;
    *end = '\0';
    const char *kind = trim(rest);
    if (strlen(kind) != 1 || !strchr("CP*", kind[0]))
        return; /* the table's heading */
    known->kinds[known->count] = kind[0];
    known->names[known->count++] = trim(line);
}

static struct known *known_new(void)
{
    struct known *known = mem_new(sizeof(*known));
    size_t size = 0;
    FILE *stream = open_memstream(&known->text, &size);
    if (!stream)
        abort();
    rd_kafka_conf_properties_show(stream);
    fclose(stream);
    char *rest = known->text;
    for (char *line; (line = strsep(&rest, "\n"));)
        add_line(known, line);
    return known;
}

static void known_free(struct known *known)
{
    free(known->text);
    free(known);
}

/* NULL when librdkafka has no such property. */
static const char *kind_of(const struct known *known, const char *name)
{
    for (size_t i = 0; i < known->count; i++)
        if (strcmp(known->names[i], name) == 0)
            return &known->kinds[i];
    return NULL;
}

/* Those that exactness rests on, and why. */
static const struct {
    const char *name;
    const char *allowed; /* values that change nothing, between bars */
    const char *why;
} FIXED[] = {
    {"enable.auto.commit", "|false|0|", "offsets come from PostgreSQL"},
    {"enable.auto.offset.store", "|false|0|", "offsets come from PostgreSQL"},
    {"auto.offset.reset", "|error|", "any other value skips messages silently"},
    {"enable.partition.eof", "|true|1|", "the end of a partition would not be known"},
    {"partitioner", "|murmur2|murmur2_random|", "sequence numbers depend on the partition"},
    {"enable.idempotence", "|true|1|", "a retry could store a message twice"},
    {"acks", "|all|-1|", "a message could be lost after it was counted"},
    {"request.required.acks", "|all|-1|", "a message could be lost after it was counted"},
    {"log.queue", "|true|1|", "the log is read from there"},
};

static bool is_listed(const char *list, const char *value)
{
    char wanted[40];
    if (strlen(value) > sizeof(wanted) - 3)
        return false;
    snprintf(wanted, sizeof(wanted), "|%s|", value);
    return strcasestr(list, wanted) != NULL;
}

static bool is_secret(const char *name)
{
    static const char *const PARTS[] = {"password", "secret", ".pem", "sasl.oauthbearer.config",
                                        "sasl.username"};
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++)
        if (strstr(name, PARTS[i]))
            return true;
    return false;
}

static enum outcome refuse(const char *name, struct error *err, const char *text, const char *why)
{
    error_set(err, OUT_FATAL, ERR_KAFKA_CONFIG, "%s: \"%s\"", text, name);
    if (why)
        error_cause(err, "%s", why);
    error_where(err, "kafka.conf.%s", name);
    return OUT_FATAL;
}

static enum outcome check_name(const struct known *known, const char *name, struct error *err)
{
    if (kind_of(known, name))
        return OUT_OK;
    refuse(name, err, "librdkafka has no such property", NULL);
    const char *nearest = text_nearest(name, known->names, known->count);
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    return OUT_FATAL;
}

static enum outcome check_fixed(const char *name, const char *value, struct error *err)
{
    for (size_t i = 0; i < sizeof(FIXED) / sizeof(FIXED[0]); i++)
        if (strcmp(FIXED[i].name, name) == 0 && !is_listed(FIXED[i].allowed, value)) {
            refuse(name, err, "this Kafka client property cannot be changed", FIXED[i].why);
            error_hint(err, "remove it");
            return OUT_FATAL;
        }
    return OUT_OK;
}

static enum outcome apply_one(const struct known *known, const char *name, const char *value,
                              bool producer, rd_kafka_conf_t *conf, struct error *err)
{
    if (check_name(known, name, err) != OUT_OK || check_fixed(name, value, err) != OUT_OK)
        return OUT_FATAL;
    if (*kind_of(known, name) == (producer ? 'C' : 'P'))
        return OUT_OK; /* librdkafka would only warn about it */
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, text, sizeof(text));
    if (result == RD_KAFKA_CONF_OK)
        return OUT_OK;
    return refuse(name, err, "the Kafka client does not accept this value of",
                  is_secret(name) ? NULL : text);
}

enum outcome kafka_properties_apply(const struct conf_map *properties, bool producer,
                                    rd_kafka_conf_t *conf, struct error *err)
{
    if (properties->count == 0)
        return OUT_OK;
    struct known *known = known_new();
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < properties->count && outcome == OUT_OK; i++)
        outcome = apply_one(known, properties->keys[i], properties->values[i], producer, conf, err);
    known_free(known);
    return outcome;
}
