/*
 * The ceiling of storage redis: the same calls of the same script, made before and sent pipelined
 * from memory over one connection. What the worker does besides shows in the ratio.
 *
 *   redis_ceiling MAPPING.yaml FILE.ndjson PARTITIONS   (REDIS_URL of the environment)
 *
 * Calls are those of a worker: 2,000 records of one partition, with its fence. Prints one JSON
 * line.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/io/clock.h"
#include "common/io/files.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/redis/redis_session.h"
#include "common/model/message/envelope.h"
#include "common/policy/apply/batch.h"

#define BATCH_RECORDS 2000
#define FILE_MAX ((size_t)2 << 30)
#define PARTITIONS_MAX 256
#define AHEAD 8 /* calls without an answer: about the 4 MiB a worker has in flight */

struct call {
    char *bytes;
    size_t size, words;
};

static struct mapping *mapping;
static struct redis_rows rows;
static struct redis_session session;
static struct call *calls;
static size_t call_count;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "redis_ceiling: %s: %s\n", what, why);
    exit(1);
}

static void claim(int32_t partition)
{
    char tail[256], key[64];
    struct error err;
    redisReply *reply;
    int size = snprintf(key, sizeof key, "drover:progress:bench:ceiling:%d", partition);
    int used = snprintf(tail, sizeof tail, "$1\r\n1\r\n$%d\r\n%s\r\n$5\r\nclaim\r\n$5\r\nbench\r\n",
                        size, key);
    redis_session_call(&session, SCRIPT_CHECKPOINT, bytes_of(tail, (size_t)used), 6);
    if (redis_session_take(&session, &reply, &err) != OUT_OK)
        die(err.text, err.cause);
    freeReplyObject(reply);
}

static void make_call(struct batch *batch, int32_t partition, int64_t start)
{
    struct error err;
    size_t words;
    struct buf out;
    struct redis_fence fence = {&batch->fence, false};
    batch->fence = (struct batch_fence){.group = "bench",
                                        .topic = "ceiling",
                                        .partition = partition,
                                        .epoch = 1,
                                        .start = start,
                                        .end = start + (int64_t)batch->count};
    batch_close(batch);
    redis_rows_reset(&rows);
    for (size_t i = 0; i < batch->order_count; i++) {
        const struct batch_item *item = &batch->items[batch->order[i]];
        if (redis_rows_add(&rows, mapping, &item->row, (struct bytes){0}, &err) != OUT_OK)
            die(err.text, err.cause);
    }
    buf_init(&out, 64u << 20);
    if (!redis_rows_append_call(&rows, REDIS_MODE_WRITE, &fence, &out, &words))
        die("a call", "too large");
    calls = realloc(calls, (call_count + 1) * sizeof *calls);
    if (!calls)
        abort();
    calls[call_count++] = (struct call){out.data, out.size, words}; /* kept to the end */
    batch_reset(batch);
}

static uint64_t make_calls(struct bytes text, int32_t partitions)
{
    static struct batch *open[PARTITIONS_MAX];
    static int64_t starts[PARTITIONS_MAX];
    struct mapping_work work;
    struct buf key, tenant, id;
    uint64_t records = 0;
    mapping_work_init(&work);
    buf_init(&key, 4096);
    buf_init(&tenant, 4096);
    buf_init(&id, 4096);
    for (int32_t i = 0; i < partitions; i++)
        open[i] = batch_new(BATCH_RECORDS, 256u << 20);
    for (const char *at = text.data, *end = text.data + text.size; at < end; records++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        struct record record = {.index = -1, .payload = bytes_of(at, (size_t)(stop - at))};
        struct error err;
        buf_reset(&key);
        buf_reset(&tenant);
        buf_reset(&id);
        if (mapping_identify(mapping, &record, &work, &tenant, &id, &record.version,
                             &record.has_version, &err) != OUT_OK)
            die(err.text, err.path);
        envelope_append_key(&key, buf_view(&tenant), bytes_text(mapping->entity), buf_view(&id));
        int32_t partition = hash_partition(buf_view(&key), partitions);
        struct batch *batch = open[partition];
        struct batch_item *item = batch_add(batch, starts[partition] + (int64_t)batch->count);
        record.tenant = arena_copy(&batch->arena, buf_view(&tenant));
        record.has_version = true;
        item->mapping = mapping;
        if (mapping_forward(mapping, &record, &work, &batch->arena, &item->row, &err) != OUT_OK)
            die(err.text, err.path);
        if (batch->count == BATCH_RECORDS) {
            make_call(batch, partition, starts[partition]);
            starts[partition] += BATCH_RECORDS;
        }
        at = stop + 1;
    }
    for (int32_t i = 0; i < partitions; i++)
        if (open[i]->count)
            make_call(open[i], i, starts[i]);
    return records;
}

static void take_answer(void)
{
    struct error err;
    redisReply *reply;
    if (redis_session_take(&session, &reply, &err) != OUT_OK)
        die(err.text, err.cause);
    if (reply->type != REDIS_REPLY_STRING || reply->str[0] != 'k')
        die("an answer", "not the one expected");
    freeReplyObject(reply);
}

static void send_calls(void)
{
    size_t answered = 0;
    for (size_t i = 0; i < call_count; i++) {
        redis_session_call(&session, SCRIPT_APPLY, bytes_of(calls[i].bytes, calls[i].size),
                           calls[i].words);
        for (; i - answered >= AHEAD; answered++)
            take_answer();
    }
    for (; answered < call_count; answered++)
        take_answer();
}

int main(int argc, char **argv)
{
    struct error err;
    struct buf yaml, text;
    if (argc != 4)
        die("usage", "redis_ceiling MAPPING.yaml FILE.ndjson PARTITIONS");
    int32_t partitions = (int32_t)strtol(argv[3], NULL, 10);
    if (files_read(argv[1], 1u << 20, &yaml, &err) != OUT_OK ||
        files_read(argv[2], FILE_MAX, &text, &err) != OUT_OK ||
        mapping_parse(argv[1], buf_view(&yaml), &mapping, &err) != OUT_OK ||
        redis_session_open(getenv("REDIS_URL"), 30000, true, &session, &err) != OUT_OK)
        die(err.text, err.where);
    redis_rows_init(&rows, true, 86400000);
    for (int32_t i = 0; i < partitions; i++)
        claim(i);
    uint64_t records = make_calls(buf_view(&text), partitions);
    uint64_t begin = clock_monotonic_ns();
    send_calls();
    uint64_t spent = clock_monotonic_ns() - begin;
    printf("{\"records\":%" PRIu64 ",\"rate\":%" PRIu64 "}\n", records,
           (uint64_t)((double)records * 1e9 / (double)spent));
    redis_session_close(&session);
    return 0;
}
