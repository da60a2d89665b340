/*
 * What kcat cannot do, for end-to-end tests (KAFKA_BROKERS says where):
 *
 *   kafka_tool create TOPIC PARTITIONS [NAME=VALUE…]   makes a topic with these settings
 *
 *   kafka_tool alter TOPIC NAME=VALUE…                 gives it these settings, and no others
 *
 *   kafka_tool remove TOPIC…                           deletes topics, and waits until they are
 * gone
 *
 *   kafka_tool trim TOPIC PARTITION OFFSET             deletes what lies below the offset
 *
 *   kafka_tool send TOPIC [commit|abort]               messages from standard input, one JSON
 * object a line: {"partition": 0, "key": "…", "value": "…", "timestamp": 1, "headers": [["n",
 * "v"]]}; all but the partition may be left out; "repeat": N sends it N times; with commit or abort
 *       all of them are one transaction
 */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yyjson.h>

#define WAIT_MS 30000

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "kafka_tool: %s: %s\n", what, why);
    exit(1);
}

static void check(rd_kafka_error_t *error, const char *what)
{
    if (error)
        fail(what, rd_kafka_error_string(error));
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[200];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        fail(name, text);
}

static void on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    if (message->err)
        fail("a message was not stored", rd_kafka_err2str(message->err));
}

static rd_kafka_t *open_client(bool transactional)
{
    char text[200], id[64];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *brokers = getenv("KAFKA_BROKERS");
    if (!brokers)
        fail("KAFKA_BROKERS", "not set");
    set(conf, "bootstrap.servers", brokers);
    set(conf, "message.max.bytes", "100000000");
    set(conf, "queue.buffering.max.messages", "200000");
    if (transactional) {
        snprintf(id, sizeof id, "kafka_tool_%ld", (long)getpid());
        set(conf, "transactional.id", id);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!client)
        fail("client", text);
    if (transactional) {
        check(rd_kafka_init_transactions(client, WAIT_MS), "init_transactions");
        check(rd_kafka_begin_transaction(client), "begin_transaction");
    }
    return client;
}

/* Of NAME=VALUE the value; the word is the name. */
static char *split(char *word)
{
    char *value = strchr(word, '=');
    if (!value)
        fail(word, "NAME=VALUE is expected");
    *value++ = '\0';
    return value;
}

static void create(int count, char **words)
{
    char text[200];
    rd_kafka_t *client = open_client(false);
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(words[0], (int)strtol(words[1], NULL, 10), -1, text, sizeof text);
    if (!topic)
        fail(words[0], text);
    for (int i = 2; i < count; i++) {
        char *value = split(words[i]);
        rd_kafka_NewTopic_set_config(topic, words[i], value);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    size_t results;
    const rd_kafka_CreateTopics_result_t *result =
        event ? rd_kafka_event_CreateTopics_result(event) : NULL;
    if (!result)
        fail(words[0], "no answer");
    const rd_kafka_topic_result_t **list = rd_kafka_CreateTopics_result_topics(result, &results);
    if (results != 1 || rd_kafka_topic_result_error(list[0]))
        fail(words[0], results ? rd_kafka_topic_result_error_string(list[0]) : "no result");
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_destroy(client);
}

/* Settings that are not named go back to what the broker gives. */
static void alter(int count, char **words)
{
    rd_kafka_t *client = open_client(false);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_ConfigResource_t *topic =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, words[0]);
    for (int i = 1; i < count; i++) {
        char *value = split(words[i]);
        rd_kafka_ConfigResource_set_config(topic, words[i], value);
    }
    rd_kafka_AlterConfigs(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    const rd_kafka_AlterConfigs_result_t *result =
        event ? rd_kafka_event_AlterConfigs_result(event) : NULL;
    if (!result)
        fail(words[0], "no answer");
    size_t results;
    const rd_kafka_ConfigResource_t **list =
        rd_kafka_AlterConfigs_result_resources(result, &results);
    if (results != 1 || rd_kafka_ConfigResource_error(list[0]))
        fail(words[0], results ? rd_kafka_ConfigResource_error_string(list[0]) : "no result");
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(topic);
    rd_kafka_destroy(client);
}

/* The broker deletes behind its answer: a topic of the same name could still meet the old one. */
static bool is_there(rd_kafka_t *client, const char *name)
{
    const struct rd_kafka_metadata *metadata;
    bool found = false;
    if (rd_kafka_metadata(client, 1, NULL, &metadata, WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(name, "no metadata");
    for (int i = 0; i < metadata->topic_cnt; i++)
        found = found || strcmp(metadata->topics[i].topic, name) == 0;
    rd_kafka_metadata_destroy(metadata);
    return found;
}

static void remove_topics(int count, char **words)
{
    rd_kafka_t *client = open_client(false);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    for (int i = 0; i < count; i++) {
        rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(words[i]);
        rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
        if (!event || rd_kafka_event_error(event))
            fail(words[i], "not deleted");
        rd_kafka_event_destroy(event);
        rd_kafka_DeleteTopic_destroy(topic);
        for (int tries = 0; is_there(client, words[i]); tries++) {
            if (tries > 300)
                fail(words[i], "it is still there");
            usleep(100000);
        }
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
}

static void trim(char **words)
{
    rd_kafka_t *client = open_client(false);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, words[0], (int32_t)strtol(words[1], NULL, 10))->offset =
        strtoll(words[2], NULL, 10);
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteRecords(client, &records, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    const rd_kafka_DeleteRecords_result_t *result =
        event ? rd_kafka_event_DeleteRecords_result(event) : NULL;
    if (!result)
        fail(words[0], "no answer");
    if (rd_kafka_DeleteRecords_result_offsets(result)->elems[0].err)
        fail(words[0],
             rd_kafka_err2str(rd_kafka_DeleteRecords_result_offsets(result)->elems[0].err));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
}

static rd_kafka_headers_t *headers_of(yyjson_val *list)
{
    size_t at, count;
    yyjson_val *pair;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(yyjson_arr_size(list));
    yyjson_arr_foreach(list, at, count, pair)
    {
        yyjson_val *name = yyjson_arr_get(pair, 0), *value = yyjson_arr_get(pair, 1);
        rd_kafka_header_add(headers, yyjson_get_str(name), (ssize_t)yyjson_get_len(name),
                            yyjson_get_str(value), (ssize_t)yyjson_get_len(value));
    }
    return headers;
}

static void send_one(rd_kafka_t *client, const char *topic, yyjson_val *message)
{
    yyjson_val *key = yyjson_obj_get(message, "key"), *value = yyjson_obj_get(message, "value");
    rd_kafka_resp_err_t code;
    do {
        rd_kafka_headers_t *headers = headers_of(yyjson_obj_get(message, "headers"));
        code = rd_kafka_producev(
            client, RD_KAFKA_V_TOPIC(topic),
            RD_KAFKA_V_PARTITION((int32_t)yyjson_get_int(yyjson_obj_get(message, "partition"))),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(yyjson_get_str(key), yyjson_get_len(key)),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)yyjson_get_str(value), yyjson_get_len(value)),
            RD_KAFKA_V_TIMESTAMP(yyjson_get_sint(yyjson_obj_get(message, "timestamp"))),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (code)
            rd_kafka_headers_destroy(headers);
        rd_kafka_poll(client, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 100 : 0);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (code)
        fail("send", rd_kafka_err2str(code));
}

static void send_all(const char *topic, const char *end)
{
    char *line = NULL;
    size_t room = 0;
    rd_kafka_t *client = open_client(end != NULL);
    for (ssize_t size; (size = getline(&line, &room, stdin)) > 0;) {
        yyjson_doc *doc = yyjson_read(line, (size_t)size, 0);
        yyjson_val *message = yyjson_doc_get_root(doc);
        if (!message)
            fail("not JSON", line);
        int64_t times = yyjson_get_sint(yyjson_obj_get(message, "repeat"));
        for (int64_t i = 0; i < (times ? times : 1); i++)
            send_one(client, topic, message);
        yyjson_doc_free(doc);
    }
    free(line);
    if (end && rd_kafka_flush(client, WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("flush", "timed out");
    if (end && strcmp(end, "abort") == 0)
        check(rd_kafka_abort_transaction(client, WAIT_MS), "abort_transaction");
    else if (end)
        check(rd_kafka_commit_transaction(client, WAIT_MS), "commit_transaction");
    else if (rd_kafka_flush(client, WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("flush", "timed out");
    rd_kafka_destroy(client);
}

int main(int count, char **words)
{
    if (count >= 4 && strcmp(words[1], "create") == 0)
        create(count - 2, words + 2);
    else if (count >= 4 && strcmp(words[1], "alter") == 0)
        alter(count - 2, words + 2);
    else if (count >= 3 && strcmp(words[1], "remove") == 0)
        remove_topics(count - 2, words + 2);
    else if (count == 5 && strcmp(words[1], "trim") == 0)
        trim(words + 2);
    else if (count >= 3 && strcmp(words[1], "send") == 0)
        send_all(words[2], count > 3 ? words[3] : NULL);
    else
        fail("usage",
             "create TOPIC PARTITIONS [NAME=VALUE…] | alter TOPIC NAME=VALUE… | remove TOPIC… | "
             "trim TOPIC PARTITION OFFSET | send TOPIC [commit|abort]");
    return 0;
}
