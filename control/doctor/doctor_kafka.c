/* TCP first, on its own: "cannot connect" and "does not speak Kafka with us" need different cures.
 */
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/model/message/dead_letter.h"
#include "control/doctor/doctor_kafka.h"

enum {
    TCP_MS = 3000,
    METADATA_MS = 8000,
};

struct host_port {
    char host[256];
    char port[8];
};

/* The first broker of "host:port,…"; a scheme in front and brackets around IPv6 are allowed. */
static bool parse_first_broker(const char *brokers, struct host_port *out)
{
    const char *start = strstr(brokers, "://");
    start = start ? start + 3 : brokers;
    size_t size = strcspn(start, ",");
    const char *colon = NULL;
    for (size_t i = 0; i < size; i++)
        if (start[i] == ':')
            colon = start + i;
    bool bracket = start[0] == '[';
    if (bracket && colon && colon[-1] != ']')
        colon = NULL;
    size_t host = colon ? (size_t)(colon - start) : size;
    if (bracket && host >= 2) {
        start++;
        host -= 2;
        size -= 2;
    }
    if (host == 0 || host >= sizeof(out->host))
        return false;
    snprintf(out->host, sizeof(out->host), "%.*s", (int)host, start);
    snprintf(out->port, sizeof(out->port), "%s", "9092");
    if (colon)
        snprintf(out->port, sizeof(out->port), "%.*s", (int)strcspn(colon + 1, ","), colon + 1);
    return true;
}

static bool connects(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int failure = 0;
    socklen_t size = sizeof(failure);
    bool ok = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ||
              (poll(&ready, 1, TCP_MS) == 1 &&
               getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure == 0);
    close(fd);
    return ok;
}

/* Milliseconds until connected; a negative number after saying what failed. */
static double check_tcp(struct findings *findings)
{
    struct host_port broker;
    const char *brokers = findings->settings->brokers;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct error err;
    if (!parse_first_broker(brokers, &broker)) {
        error_set(&err, OUT_FATAL, ERR_CONF_VALUE, "kafka.brokers names no host");
        findings->say_error(findings, FINDING_PROBLEM, "kafka", &err);
        return -1;
    }
    uint64_t began_ns = clock_monotonic_ns();
    int failed = getaddrinfo(broker.host, broker.port, &hints, &found);
    bool ok = false;
    for (struct addrinfo *at = found; at && !ok; at = at->ai_next)
        ok = connects(at);
    if (found)
        freeaddrinfo(found);
    if (ok)
        return (double)(clock_monotonic_ns() - began_ns) / 1e6;
    error_set(&err, OUT_RETRY, ERR_KAFKA_UNREACHABLE,
              failed ? "the name cannot be resolved" : "the port does not answer");
    error_where(&err, "%s:%s", broker.host, broker.port);
    if (failed)
        error_cause(&err, "%s", gai_strerror(failed));
    error_hint(&err, "start Kafka, or set kafka.brokers (KAFKA_BROKERS, --brokers)");
    findings->say_error(findings, FINDING_PROBLEM, "kafka", &err);
    return -1;
}

static const char *protocol_of(const struct settings *settings)
{
    for (size_t i = 0; i < settings->kafka.count; i++)
        if (strcmp(settings->kafka.keys[i], "security.protocol") == 0)
            return settings->kafka.values[i];
    return "plaintext";
}

static bool check_metadata(struct findings *findings, double tcp_ms)
{
    const struct settings *settings = findings->settings;
    struct error err = {0};
    int brokers = 0;
    uint64_t began_ns = clock_monotonic_ns();
    if (kafka_topics_count_brokers(settings, METADATA_MS, &brokers, &err) != OUT_OK) {
        if (err.code != ERR_KAFKA_CONFIG)
            error_hint(&err,
                       "the port answers, but not as Kafka does with security.protocol=%s: "
                       "check the kafka.conf security settings",
                       protocol_of(settings));
        findings->say_error(findings, FINDING_PROBLEM, "kafka", &err);
        return false;
    }
    double metadata_ms = (double)(clock_monotonic_ns() - began_ns) / 1e6;
    findings->say(findings, FINDING_OK, "kafka", NULL,
                  "%s · %d broker%s · %s  (tcp %.1f ms, metadata %.0f ms)", settings->brokers,
                  brokers, brokers == 1 ? "" : "s", protocol_of(settings), tcp_ms, metadata_ms);
    return true;
}

static void append_name(struct buf *out, const char *name)
{
    buf_append_format(out, "%s%s", out->size ? " " : "", name);
}

/* A dead letter is its message and what is said of it: the dlq topic must take more. */
static void check_room(struct findings *findings, const struct topic_plan *source,
                       const struct topic_plan *dead_letters)
{
    char fix[600];
    if (source->message_limit < 0 || dead_letters->message_limit < 0 ||
        dead_letters->message_limit >= source->message_limit + DEAD_LETTER_ADDED_BYTES)
        return;
    snprintf(fix, sizeof fix,
             "kafka-configs.sh --bootstrap-server %.100s --alter --topic %s --add-config "
             "max.message.bytes=%lld",
             findings->settings->brokers, dead_letters->name,
             (long long)source->message_limit + DEAD_LETTER_ROOM_BYTES);
    findings->say(
        findings, FINDING_WARNING, "kafka", fix,
        "a dead letter may be too large: max.message.bytes of %s is %lld, that of the source "
        "topic %lld",
        dead_letters->name, (long long)dead_letters->message_limit,
        (long long)source->message_limit);
}

static void check_topics(struct findings *findings)
{
    struct topic_plan plan[TOPIC_KINDS];
    struct error err = {0};
    if (kafka_topics_plan(findings->settings, METADATA_MS, plan, &err) != OUT_OK) {
        findings->say_error(findings, FINDING_PROBLEM, "kafka", &err);
        return;
    }
    struct buf missing, exists;
    buf_init(&missing, 1024);
    buf_init(&exists, 1024);
    for (int i = 0; i < TOPIC_KINDS; i++) {
        if (plan[i].state == TOPIC_MISSING)
            append_name(&missing, plan[i].name);
        else if (plan[i].state == TOPIC_AS_PLANNED)
            append_name(&exists, plan[i].name);
        else {
            error_set(&err, OUT_FATAL, ERR_KAFKA_PARTITIONS, "%s has %d partitions, %d are wanted",
                      plan[i].name, plan[i].partitions_now, plan[i].partitions);
            findings->say_error(findings, FINDING_PROBLEM, "kafka", &err);
        }
    }
    if (missing.size)
        findings->say(findings, FINDING_WARNING, "kafka", "drover topics apply",
                      "topics missing: %s", buf_text(&missing));
    if (exists.size)
        findings->say(findings, FINDING_OK, "kafka", NULL, "topics %s · %d partitions",
                      buf_text(&exists), plan[TOPIC_SOURCE].partitions);
    check_room(findings, &plan[TOPIC_SOURCE], &plan[TOPIC_DEAD_LETTERS]);
    buf_free(&missing);
    buf_free(&exists);
}

void doctor_check_kafka(struct findings *findings)
{
    double tcp_ms = check_tcp(findings);
    if (tcp_ms >= 0 && check_metadata(findings, tcp_ms))
        check_topics(findings);
}
