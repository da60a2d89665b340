#include "worker/ending.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/log.h"

#define ENDS_MS 15000
#define HOLE_MS 2000
#define LOOK_MS 1000
#define BUSY_MS 1000

enum outcome ending_open(struct ending *ending, struct error *err)
{
    const struct worker_config *config = ending->partitions->config;
    ending->ends = mem_zeroed((size_t)config->partition_total, sizeof *ending->ends);
    ending->seen = -1;
    if (bus_ends(config->bus, config->source, ending->ends, config->partition_total, ENDS_MS))
        return OUT_OK;
    return error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE,
                     "Kafka does not say where the partitions of %s end", config->source);
}

void ending_free(struct ending *ending)
{
    free(ending->ends);
    ending->ends = NULL;
}

/* No message is in [from, to): offsets that are none. */
static bool is_hole(const struct ending *ending, int64_t from, int64_t to)
{
    const struct worker_config *config = ending->partitions->config;
    const struct bus_range range = {ending->at, from, to};
    const struct bus_message *message = NULL;
    struct bus_reader *reader = NULL;
    bool hole =
        bus_open_reader(config->bus, config->source, &range, 1, HOLE_MS, &reader, NULL) == OUT_OK &&
        bus_reader_next(reader, HOLE_MS, &message, NULL) == OUT_OK && !message;
    bus_reader_close(reader);
    return hole;
}

static void look(struct ending *ending, uint64_t now_ms)
{
    ending->looking = true;
    ending->looked_ms = now_ms;
    checkpoint_look(ending->ports->checkpoint, ending->at);
}

static void move_on(struct ending *ending)
{
    ending->at++;
    ending->seen = -1;
}

static void skip(struct ending *ending)
{
    const struct partitions *all = ending->partitions;
    while (ending->at < all->config->partition_total &&
           (ending->ends[ending->at] == 0 || partitions_find(all, ending->at)))
        move_on(ending);
}

static void give_up(struct ending *ending)
{
    struct error err;
    error_set(&err, OUT_FATAL, ERR_NOT_AT_END,
              "partition %d is not at its end, and nobody has moved it for %d s", ending->at,
              ENDING_WAIT_MS / 1000);
    error_cause(&err, "it is written up to offset %" PRId64 " of %" PRId64, ending->seen,
                ending->ends[ending->at]);
    state_fail(ending->partitions->state, &err);
}

bool ending_is_reached(struct ending *ending, uint64_t now_ms)
{
    int32_t was = ending->at;
    if (!ending->ends)
        return true;
    skip(ending);
    if (ending->at == ending->partitions->config->partition_total)
        return true;
    bool was_busy = now_ms - ending->called_ms > BUSY_MS; /* with what came to this worker */
    if (ending->at != was || was_busy)
        ending->moved_ms = now_ms;
    ending->called_ms = now_ms;
    if (now_ms - ending->moved_ms >= ENDING_WAIT_MS)
        give_up(ending);
    else if (!ending->looking && now_ms - ending->looked_ms >= LOOK_MS)
        look(ending, now_ms);
    return false;
}

void ending_on_seen(struct ending *ending, int32_t partition, const struct checkpoint_seen *seen)
{
    uint64_t now_ms = clock_now_ms(ending->partitions->config->clock);
    if (!ending->looking || partition != ending->at)
        return;
    ending->looking = false;
    if (seen->next_offset != ending->seen)
        ending->moved_ms = now_ms;
    if (ending->seen < 0 && seen->next_offset < ending->ends[partition])
        log_line(LOG_INFO, "end.waits", "partition=%d next=%" PRId64 " end=%" PRId64, partition,
                 seen->next_offset, ending->ends[partition]);
    ending->seen = seen->next_offset;
    if (seen->next_offset < ending->ends[partition] &&
        !is_hole(ending, seen->next_offset, ending->ends[partition]))
        return;
    move_on(ending);
    ending->looked_ms = 0; /* the next one at once */
}
