/*
 * What `drover status` counts, against librdkafka's own mock cluster: two brokers, so that one can
 * fail while the other has already answered.
 */

#include "control/status/status.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "common/model/message/dead_letter.h"
#include "common/model/message/envelope.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

enum {
    PARTITIONS = 2,
    WAIT_MS = 10000,
    QUESTION_MS = 2000,
    FETCH = 1,          /* the protocol's number of that request */
    FAILED_FETCHES = 6, /* each is tried again after fetch.error.backoff.ms, 500 ms */
};

#define NO_LEADER RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 0

static rd_kafka_t *producer;
static rd_kafka_mock_cluster_t *cluster;
static struct settings settings;

static void make_topic(const char *name)
{
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, name, PARTITIONS, 1), 0);
    for (int32_t i = 0; i < PARTITIONS; i++)
        ck_assert_int_eq(rd_kafka_mock_partition_set_leader(cluster, name, i, i + 1), 0);
}

static void setup(void)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    ck_assert_int_eq(rd_kafka_conf_set(conf, "test.mock.num.brokers", "2", text, sizeof text),
                     RD_KAFKA_CONF_OK);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    ck_assert_msg(producer != NULL, "%s", text);
    cluster = rd_kafka_handle_mock_cluster(producer);
    make_topic("drover.m.source");
    make_topic("drover.m.results");
    make_topic("drover.m.dlq");
    settings = (struct settings){
        .brokers = rd_kafka_mock_cluster_bootstraps(cluster),
        .prefix = "drover",
        .migration = "m",
        .group = "drover.m.worker",
        .record_bytes = 16u << 20,
        .queue_bytes = 32u << 20,
        .work_memory = 64u << 20,
        .batch_bytes = 1u << 20,
        .progress_fd = -1,
        .state_dir = "/dev/null/there", /* can never be made */
    };
}

static void teardown(void)
{
    rd_kafka_destroy(producer);
}

static void put_receipt(int32_t partition, uint64_t rejected, uint64_t withheld)
{
    struct buf value;
    const struct produce_receipt receipt = {.run = BYTES_LITERAL("r"),
                                            .read = rejected + withheld + 5,
                                            .produced = 5,
                                            .rejected = rejected,
                                            .withheld = withheld};
    buf_init(&value, 4096);
    receipt_append_produce(&value, &receipt);
    ck_assert_int_eq(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("drover.m.results"),
                                       RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_VALUE(value.data, value.size),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    buf_free(&value);
}

/* A look that fails half-way has taken some receipts; the next one does not take them again. */
START_TEST(counts_each_receipt_once)
{
    struct status status;
    struct error err = {0};
    uint64_t rejected = 0, withheld = 0;
    int failed = 0;
    random_begin((uint64_t)_i + 1);
    for (int i = 0; i < 60; i++) {
        uint64_t more[2] = {random_below(9), random_below(9)};
        put_receipt((int32_t)random_below(PARTITIONS), more[0], more[1]);
        rejected += more[0];
        withheld += more[1];
    }
    ck_assert_int_eq(rd_kafka_flush(producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    ck_assert_int_eq(status_open(&settings, QUESTION_MS, 0, &status, &err), OUT_OK);
    rd_kafka_mock_broker_push_request_error_rtts(cluster, 2, FETCH, FAILED_FETCHES, NO_LEADER,
                                                 NO_LEADER, NO_LEADER, NO_LEADER, NO_LEADER,
                                                 NO_LEADER);
    while (status_read_receipts(&status, &err) != OUT_OK) {
        ck_assert_msg(err.outcome == OUT_RETRY && failed < FAILED_FETCHES, "%s", err.text);
        failed++;
    }
    ck_assert_msg(failed > 0, "no look failed");
    ck_assert_int_eq(status_read_receipts(&status, &err), OUT_OK); /* nothing is new */
    ck_assert_msg(status.run_rejected == rejected && status.run_withheld == withheld,
                  "seed %lu, %d looks failed: %lu of %lu rejected, %lu of %lu withheld",
                  (unsigned long)random_seed, failed, (unsigned long)status.run_rejected,
                  (unsigned long)rejected, (unsigned long)status.run_withheld,
                  (unsigned long)withheld);
    status_close(&status);
}
END_TEST

/* ---- dead letters ---- */

/* Of partition 0: a message of the source topic; or, `offset` not negative, the dead letter of the
 * one there. */
static void put_record(const char *id, const char *version, int offset, const char *code)
{
    char place[64], number[16];
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    const char *topic = offset < 0 ? "drover.m.source" : "drover.m.dlq";
    snprintf(place, sizeof place, "drover.m.source-0-%d", offset);
    snprintf(number, sizeof number, "%d", offset);
    const char *const all[][2] = {{HEADER_TENANT, "t"},
                                  {HEADER_ENTITY, "e"},
                                  {HEADER_ID, id},
                                  {HEADER_VERSION, version},
                                  {HEADER_ORIGIN, "in/a.json:7:1@99"},
                                  {DEAD_LETTER_ID, place},
                                  {DEAD_LETTER_CODE, code},
                                  {DEAD_LETTER_PREFIX "topic", "drover.m.source"},
                                  {DEAD_LETTER_PREFIX "partition", "0"},
                                  {DEAD_LETTER_PREFIX "offset", number}};
    for (size_t i = 0; i < (offset < 0 ? 5 : sizeof all / sizeof all[0]); i++)
        ck_assert_int_eq(rd_kafka_header_add(headers, all[i][0], -1, all[i][1], -1),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    ck_assert_int_eq(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                       RD_KAFKA_V_VALUE("{}", 2),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                       RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    ck_assert_int_eq(rd_kafka_flush(producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void look(struct status *status, int64_t committed, const uint64_t expected[3])
{
    struct error err = {0};
    const struct status_dead_letters *dead = &status->dead;
    status->dead.due_ms = 0;
    ck_assert_int_eq(status_read_ends(status, &err), OUT_OK);
    status->partitions[0].next_offset = committed;
    ck_assert_msg(status_read_dead_letters(status, &err) == OUT_OK, "%s", err.text);
    ck_assert_msg(dead->why.code == ERR_NONE, "%s", dead->why.text);
    const uint64_t found[] = {dead->open, dead->resolved, dead->discarded};
    ck_assert_mem_eq(found, expected, sizeof found);
}

/* By key, not by source; where nothing can be kept; the second and third look read what is new;
 * there is no control topic, as in migrations of before there was one. */
START_TEST(dead_letters_are_those_of_the_register)
{
    struct status status;
    struct error err = {0};
    put_record("x", "1", -1, NULL);
    put_record("x", "1", -1, NULL);
    put_record("x", "1", 0, "DRV-V001");
    put_record("x", "1", 1, "DRV-V001");
    ck_assert_int_eq(status_open(&settings, QUESTION_MS, 0, &status, &err), OUT_OK);
    look(&status, 2, (uint64_t[]){1, 0, 0});
    ck_assert(status_dead_letters_are_not_kept(&status.dead));
    ck_assert_int_eq(status.dead.code_count, 1);
    const struct status_code *code = &status.dead.codes[0];
    ck_assert_str_eq(code->code, "DRV-V001");
    ck_assert_str_eq(code->example.id, "drover.m.source-0-1");
    ck_assert_str_eq(code->example.place, "in/a.json:7:1");

    put_record("y", "1", -1, NULL);
    put_record("y", "1", 2, "DRV-E001");
    look(&status, 3, (uint64_t[]){2, 0, 0});
    ck_assert_str_eq(status.dead.codes[0].code, "DRV-E001");
    ck_assert_int_eq(status.dead.codes[1].count, 1);

    put_record("x", "2", -1, NULL);
    look(&status, 3, (uint64_t[]){2, 0, 0}); /* not taken yet */
    look(&status, 4, (uint64_t[]){1, 1, 0});
    ck_assert_int_eq(status.dead.code_count, 1);
    status_close(&status);
}
END_TEST

static Suite *status_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *tcase = tcase_create("receipts");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, counts_each_receipt_once, 0, 1);
    tcase_add_test(tcase, dead_letters_are_those_of_the_register);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(status_suite)
