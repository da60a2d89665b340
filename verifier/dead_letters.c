#include "verifier/dead_letters.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/io/kafka/kafka_reader.h"
#include "common/model/message/dead_letter.h"
#include "verifier/verify_limits.h"

static enum outcome take_letter(struct verify_run *run, const struct bus_message *message,
                                struct error *err)
{
    const struct dead_letter_origin origin = dead_letter_read(&message->envelope);
    if (!origin.has_place || !bytes_equal(origin.topic, bytes_text(run->source_topic))) {
        verify_report_warn(&run->report, "%s-%d@%" PRId64 " is no dead letter of this migration",
                           run->dlq_topic, message->partition, message->offset);
        return OUT_OK;
    }
    const struct dead_letter letter = {.offset = origin.offset,
                                       .partition = origin.partition,
                                       .code = origin.code,
                                       .tag = hash64(message->envelope.value)};
    if (diff_dead_add(&run->dead, &letter))
        return OUT_OK;
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                  "more than %zu dead letters do not fit the memory budget", run->dead.count);
    error_hint(err, "give --memory %zum", (size_t)(run->settings->verify_memory >> 19));
    return outcome;
}

/* Turns [low, high) into what was not read before; remembers the new ends. */
static void skip_read(struct verify_run *run, struct bus_range *ranges, size_t count)
{
    if (run->dead_partitions == 0) {
        run->dead_next = calloc(count, sizeof *run->dead_next);
        if (!run->dead_next)
            abort();
        run->dead_partitions = count;
        for (size_t i = 0; i < count; i++)
            if (ranges[i].from > 0)
                verify_report_warn(&run->report,
                                   "%" PRId64 " dead letters at the begin of %s-%zu "
                                   "are gone: their records are shown as unusable",
                                   ranges[i].from, run->dlq_topic, i);
    }
    for (size_t i = 0; i < count && i < run->dead_partitions; i++) {
        if (ranges[i].from < run->dead_next[i])
            ranges[i].from = run->dead_next[i];
        run->dead_next[i] = ranges[i].to;
    }
}

enum outcome dead_letters_read(struct verify_run *run, struct error *err)
{
    struct bus_range *ranges = NULL;
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    size_t count;
    enum outcome outcome =
        kafka_topic_ranges(run->settings, run->dlq_topic, VERIFY_KAFKA_MS, &ranges, &count, err);
    if (outcome != OUT_OK || count == 0)
        return outcome;
    skip_read(run, ranges, count);
    outcome = kafka_reader_open(run->settings, run->dlq_topic, ranges, count, VERIFY_KAFKA_MS,
                                &reader, err);
    while (outcome == OUT_OK) {
        outcome = bus_reader_next(reader, VERIFY_KAFKA_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        outcome = take_letter(run, message, err);
    }
    bus_reader_close(reader);
    free(ranges);
    return outcome;
}
