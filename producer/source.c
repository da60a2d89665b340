/* One source from its first byte to its last. What is wrong with it is listed, and the run goes on
 * with the next; only the disk, Kafka and signals end the run. */
#include <errno.h>
#include <string.h>

#include "common/io/clock.h"
#include "producer/producer.h"

/* A source that yields nothing and is not an empty list was probably not meant to. */
static void check_not_empty(struct producer *producer, const struct json_stream *stream,
                            uint64_t pieces)
{
    struct error err;
    enum json_shape shape = json_stream_shape(stream);
    bool is_list = shape == JSON_SHAPE_ARRAY || shape == JSON_SHAPE_KEYED;
    if (pieces > 0 || (is_list && byte_source_done(producer->reading.bytes) > 0))
        return;
    error_set(&err, OUT_REJECT, ERR_SOURCE_EMPTY, "the source is empty");
    producer_reject_source(producer, producer->reading.path, &err);
}

/* Feeds or finishes the stream. False when no more is to be read. */
static bool feed(struct producer *producer, struct json_stream *stream)
{
    struct error err;
    struct bytes chunk;
    for (;;) {
        if (producer_must_stop(producer))
            return false;
        enum outcome outcome = byte_source_next(producer->reading.bytes, &chunk, &err);
        producer_breathe(producer, 0);
        switch (outcome) {
        case OUT_RETRY:
            continue;
        case OUT_OK:
            if (chunk.size)
                json_stream_feed(stream, chunk);
            else
                json_stream_finish(stream);
            return true;
        case OUT_REJECT:
            producer_reject_source(producer, producer->reading.path, &err);
            if (err.code == ERR_SOURCE_CHANGED) { /* said at the end: what was read stays read */
                json_stream_finish(stream);
                return true;
            }
            return false;
        case OUT_FATAL:
            error_where(&err, "%s", producer->reading.path);
            producer_fail(producer, &err);
            return false;
        }
    }
}

static void read_pieces(struct producer *producer, struct json_stream *stream)
{
    struct json_piece piece;
    struct error err;
    uint64_t pieces = 0;
    for (;;) {
        switch (json_stream_next(stream, &piece, &err)) {
        case JSON_STREAM_PIECE:
            pieces++;
            if (!producer_take_piece(producer, &piece))
                return;
            break;
        case JSON_STREAM_REJECTED: {
            struct reject_place place = {producer->reading.path, piece.line, piece.column,
                                         piece.byte, piece.ordinal};
            pieces++;
            producer_reject_record(producer, &place, &err);
            break;
        }
        case JSON_STREAM_MORE:
            if (!feed(producer, stream))
                return;
            break;
        case JSON_STREAM_END:
            check_not_empty(producer, stream, pieces);
            return;
        }
    }
}

static bool uses_index(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].source == FROM_INDEX || mapping->columns[i].source == FROM_INDEX1)
            return true;
    return false;
}

static enum outcome open_reading(struct producer *producer, const struct source_file *file,
                                 struct error *err)
{
    struct reading *reading = &producer->reading;
    reading->path = file->path;
    reading->bytes = NULL;
    buf_reset(&reading->tenant);
    if (file->problem) {
        error_set(err, OUT_REJECT, ERR_SOURCE_OPEN, "the source cannot be opened");
        error_cause(err, "%s", strerrordesc_np(file->problem));
        return OUT_REJECT;
    }
    enum outcome outcome =
        source_rules_mapping(&producer->rules, file->path, &reading->mapping, err);
    if (outcome == OUT_OK)
        outcome = source_rules_tenant(&producer->rules, reading->mapping, file->path,
                                      &reading->tenant, err);
    if (outcome == OUT_OK)
        outcome = byte_source_open(file->path, &reading->bytes, err);
    if (outcome != OUT_OK)
        return outcome;
    reading->stream = byte_source_is_stream(reading->bytes);
    reading->uses_index = uses_index(reading->mapping);
    int64_t now_ms = clock_unix_ms();
    reading->modified_ms = byte_source_modified_ms(reading->bytes);
    if (reading->modified_ms >
        now_ms) /* a clock that was wrong must not make versions of the future */
        reading->modified_ms = now_ms;
    if (reading->modified_ms < 0)
        reading->modified_ms = 0;
    if (reading->stream && !producer->clock_file.path &&
        reading->mapping->version_source == VERSION_STAMPED)
        return clock_file_open(&producer->clock_file, producer->settings->state_dir,
                               producer->settings->migration, &producer->stream_clock, err);
    return OUT_OK;
}

void producer_read_source(struct producer *producer, const struct source_file *file)
{
    struct error err;
    struct reading *reading = &producer->reading;
    enum outcome outcome = open_reading(producer, file, &err);
    producer->ledger.sources++;
    if (outcome == OUT_OK) {
        struct json_stream *stream =
            json_stream_new(source_rules_shape(&producer->rules), producer->settings->record_bytes);
        read_pieces(producer, stream);
        json_stream_free(stream);
    } else if (outcome == OUT_REJECT) {
        producer_reject_source(producer, file->path, &err);
    } else {
        producer_fail(producer, &err);
    }
    if (reading->bytes)
        producer->source_bytes += byte_source_done(reading->bytes);
    byte_source_close(reading->bytes);
    reading->bytes = NULL;
}
