/* See the header. */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/pending_children.h"

static const char ITEM[] = "entity: item\ntable: item\nkey: [id]\ncolumns:\n"
                           "  - { name: id, from: /id, type: text }\n"
                           "  - { name: n, from: /n, type: int4 }\n";
static const char PARENT[] = "entity: parent\ntable: parent\nkey: [id]\ncolumns:\n"
                             "  - { name: id, from: /id, type: text }\n"
                             "  - { name: n, from: /n, type: int4 }\n";
static const char CHILD[] = "entity: child\ntable: child\nkey: [id]\ncolumns:\n"
                            "  - { name: id, from: /id, type: text }\n"
                            "  - { name: n, from: /n, type: int4 }\n"
                            "  - { name: parent, from: /parent, type: text }\n"
                            "references:\n"
                            "  - { columns: [parent], entity: parent }\n";

/* ---- time and chance --------------------------------------------------------------------- */

static struct world *world_of(const struct clock *clock)
{
    return (struct world *)(uintptr_t)clock; /* its first member */
}

static uint64_t now_ms(const struct clock *clock)
{
    return world_of(clock)->now_ms;
}

static int64_t wall_ms(const struct clock *clock)
{
    return 1700000000000 + (int64_t)world_of(clock)->now_ms;
}

static uint32_t next_random(const struct clock *clock)
{
    struct world *world = world_of(clock);
    world->random = world->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(world->random >> 33);
}

/* ---- the world --------------------------------------------------------------------------- */

/* They are the same in every world. */
static struct mapping *SHARED[3];
static struct mapping_set SET = {SHARED, 3};

static struct mapping *parse(const char *text)
{
    struct error err;
    struct mapping *mapping = NULL;
    if (mapping_parse("sim.yaml", bytes_text(text), &mapping, &err) != OUT_OK) {
        fprintf(stderr, "%s: %s (%s)\n", text, err.text, err.where);
        abort();
    }
    return mapping;
}

static void on_produced(void *owner, void *item, enum outcome outcome, int32_t partition,
                        int64_t offset, const struct error *err)
{
    (void)owner;
    (void)partition;
    (void)err;
    if (outcome != OUT_OK)
        abort();
    *(int64_t *)item = offset;
}

void world_open(struct world *world, int32_t partitions, bool by_hand)
{
    struct error err;
    memset(world, 0, sizeof *world);
    world->clock = (struct clock){now_ms, wall_ms, next_random};
    world->now_ms = 1000;
    world->partitions = partitions;
    world->by_hand = by_hand;
    if (!SHARED[0]) {
        SHARED[0] = parse(CHILD);
        SHARED[1] = parse(ITEM);
        SHARED[2] = parse(PARENT);
    }
    world->set = &SET;
    world->settings = (struct settings){.migration = "m",
                                        .prefix = "sim",
                                        .group = "sim.m.worker",
                                        .partitions = (uint64_t)partitions,
                                        .storage_name = "memory",
                                        .storage = STORAGE_MEMORY,
                                        .record_bytes = 4096,
                                        .batch_records = 4,
                                        .batch_bytes = 65536,
                                        .work_memory = 16384,
                                        .outbox_bytes = 65536,
                                        .drain_ms = 2000,
                                        .stall_ms = 5000,
                                        .parent_wait_ms = 3000,
                                        .tombstone_life_ms = 1u << 30,
                                        .progress_fd = -1};
    world->bus = bus_memory_new(64u << 20);
    bus_memory_use_clock(world->bus, &world->clock);
    bus_memory_make_topic(world->bus, WORLD_SOURCE, partitions);
    bus_memory_make_topic(world->bus, WORLD_RESULTS, partitions);
    bus_memory_make_topic(world->bus, WORLD_DEAD_LETTERS, partitions);
    world->store = memory_store_new(MEMORY_KEEPS_VERSIONS, 64u << 20);
    memory_store_use_mappings(world->store, world->set);
    if (bus_open_sender(bus_memory_bus(world->bus), WORLD_SOURCE, partitions, 0, on_produced, world,
                        &world->producer, &err) != OUT_OK)
        abort();
    if (by_hand)
        bus_memory_by_hand(world->bus);
    for (int i = 0; i < WORLD_WORKERS; i++)
        world->workers[i].world = world;
}

void world_close(struct world *world)
{
    for (int i = 0; i < WORLD_WORKERS; i++)
        world_worker_end(world, i);
    bus_sender_close(world->producer);
    bus_memory_free(world->bus);
    memory_store_free(world->store);
}

static void put_header(struct envelope *envelope, const char *name, const char *value)
{
    envelope->headers[envelope->header_count++] =
        (struct header){bytes_text(name), bytes_text(value)};
}

int64_t world_produce(struct world *world, const struct world_message *message)
{
    char key[64], id[16], version[24], sequence[24], value[120];
    struct envelope envelope;
    struct error err;
    int64_t offset = -1;
    envelope.header_count = 0;
    snprintf(id, sizeof id, "k%d", message->key);
    snprintf(key, sizeof key, "t/%s/%s", message->entity, id);
    snprintf(version, sizeof version, "%lld", (long long)message->version);
    snprintf(sequence, sizeof sequence, "%llu",
             (unsigned long long)world->sequences[message->partition]++);
    if (message->broken)
        snprintf(value, sizeof value, "{\"id\":\"%s\",\"n\":\"none\"}", id);
    else if (strcmp(message->entity, "child") == 0)
        snprintf(value, sizeof value, "{\"id\":\"%s\",\"n\":%d,\"parent\":\"k%d\"}", id, message->n,
                 message->parent);
    else
        snprintf(value, sizeof value, "{\"id\":\"%s\",\"n\":%d}", id, message->n);
    envelope.key = bytes_text(key);
    envelope.null_value = message->deleted;
    envelope.value = message->deleted ? (struct bytes){0} : bytes_text(value);
    put_header(&envelope, HEADER_TENANT, "t");
    put_header(&envelope, HEADER_ENTITY, message->entity);
    put_header(&envelope, HEADER_ID, id);
    put_header(&envelope, HEADER_RUN, "run");
    put_header(&envelope, HEADER_SEQUENCE, sequence);
    if (message->version >= 0)
        put_header(&envelope, HEADER_VERSION, version);
    if (bus_sender_send(world->producer, message->partition, &envelope, &offset, &err) != OUT_OK)
        abort();
    if (world->by_hand)
        bus_memory_store_one(world->bus, 0); /* the oldest sender is the producer's */
    bus_sender_poll(world->producer, 0);
    if (offset < 0)
        abort();
    return offset;
}

/* ---- workers ----------------------------------------------------------------------------- */

static struct world_worker *place_of(const struct worker *worker)
{
    return worker->world.owner;
}

static bool refuses(const struct batch_item *item)
{
    int32_t n;
    if (item->row.deleted || item->row.cells[1].size != 4)
        return false;
    const unsigned char *data = (const unsigned char *)item->row.cells[1].data;
    n = (int32_t)((uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 |
                  data[3]);
    return n == WORLD_POISON;
}

static enum outcome check_stores(struct worker *worker, struct error *err)
{
    (void)worker;
    (void)err;
    return OUT_OK;
}

static enum outcome open_stores(struct worker *worker, struct error *err)
{
    (void)err;
    struct world_worker *place = place_of(worker);
    struct world *world = place->world;
    const struct memory_pending_config config = {
        .store = world->store,
        .bus = worker->bus,
        .topic = worker->source,
        .partitions = worker->partition_total,
        .wait_ms = worker->settings->parent_wait_ms,
        .clock = worker->clock,
    };
    worker->progress = place->progress =
        memory_checkpoint_new(world->store, &worker->events->progress, worker);
    worker->sink = place->sink =
        memory_sink_new(world->store, WORLD_CONNECTIONS, refuses, &worker->events->sink, worker);
    worker->pending = pending_children_new(worker);
    place->pending = memory_pending_new(&config, &PENDING_CHILDREN_EVENTS, worker->pending);
    pending_children_use(worker->pending, place->pending);
    return OUT_OK;
}

static void free_stores(struct worker *worker)
{
    (void)worker;
}

/* What was left behind is ended as by a crash: the process is gone. */
static void on_ended(void *owner, const char *left)
{
    struct world_worker *place = owner;
    place->ended = true;
    place->left = left;
}

void world_worker_start(struct world *world, int number)
{
    static const struct worker_stores STORES = {check_stores, open_stores, free_stores};
    struct world_worker *place = &world->workers[number];
    struct error err;
    place->settings = world->settings;
    const struct worker_world around = {.bus = bus_memory_bus(world->bus),
                                        .clock = &world->clock,
                                        .stores = &STORES,
                                        .mappings = world->set,
                                        .owner = place,
                                        .on_ended = on_ended};
    place->worker = worker_new(&place->settings, &around);
    snprintf(place->worker->name, sizeof place->worker->name, "sim-%d", number);
    if (worker_open(place->worker, &err) != OUT_OK) {
        fprintf(stderr, "%s %s\n", err.text, err.where);
        abort();
    }
    worker_start(place->worker);
}

bool world_worker_is_member(const struct world *world, int number)
{
    const struct worker *worker = world->workers[number].worker;
    return worker && worker->consumer && worker->phase == WORKER_RUNNING;
}

bool world_worker_consume(struct world *world, int number, size_t messages_max)
{
    struct worker *worker = world->workers[number].worker;
    return worker && worker->consumer && bus_memory_turn(worker->consumer, messages_max);
}

/* A part is gone when it has told that it is closed, which a turn of it does. */
struct turn {
    const struct worker *worker;
    int open_parts;
    enum worker_phase phase;
};

static struct turn begin_turn(const struct world_worker *place)
{
    return (struct turn){place->worker, place->worker->open_parts, place->worker->phase};
}

static bool has_closed(const struct turn *turn)
{
    return turn->phase == WORKER_CLOSING &&
           (turn->worker->phase != WORKER_CLOSING || turn->worker->open_parts < turn->open_parts);
}

bool world_worker_checkpoint(struct world *world, int number)
{
    struct world_worker *place = &world->workers[number];
    if (!place->worker || !place->progress)
        return false;
    struct turn turn = begin_turn(place);
    bool any = memory_checkpoint_turn(place->progress);
    if (has_closed(&turn))
        place->progress = NULL;
    return any;
}

bool world_worker_pending(struct world *world, int number)
{
    struct world_worker *place = &world->workers[number];
    if (!place->worker || !place->pending)
        return false;
    struct turn turn = begin_turn(place);
    bool any = memory_pending_turn(place->pending);
    if (has_closed(&turn))
        place->pending = NULL;
    return any;
}

bool world_worker_write(struct world *world, int number, size_t which, enum memory_fate fate)
{
    struct world_worker *place = &world->workers[number];
    if (!place->worker || !place->sink)
        return false;
    struct turn turn = begin_turn(place);
    size_t steps = memory_sink_steps(place->sink);
    if (steps)
        memory_sink_step(place->sink, which % steps, fate);
    else if (turn.phase == WORKER_CLOSING)
        memory_sink_turn(place->sink);
    if (has_closed(&turn))
        place->sink = NULL;
    return steps || !place->sink;
}

void world_worker_turn(struct world *world, int number)
{
    if (world->workers[number].worker)
        worker_turn(world->workers[number].worker);
}

void world_worker_tick(struct world *world, int number)
{
    if (!world->workers[number].worker)
        return;
    bus_poll(bus_memory_bus(world->bus));
    worker_tick(world->workers[number].worker);
}

void world_worker_settle(struct world *world, int number)
{
    bool more = true;
    struct world_worker *place = &world->workers[number];
    while (more && place->worker && !place->ended) {
        more = world_worker_checkpoint(world, number);
        more = world_worker_consume(world, number, 100) || more;
        world_worker_turn(world, number);
        more = world_worker_write(world, number, 0, FATE_DONE) || more;
        more = world_worker_pending(world, number) || more;
        while (world->by_hand && bus_memory_unstored_senders(world->bus)) {
            bus_memory_store_one(world->bus, 0);
            more = true;
        }
        world_worker_turn(world, number);
    }
}

void world_worker_end(struct world *world, int number)
{
    struct world_worker *place = &world->workers[number];
    struct worker *worker = place->worker;
    if (!worker)
        return;
    bus_poll(bus_memory_bus(world->bus)); /* no question of its own is left */
    if (place->sink)
        memory_sink_abandon(place->sink);
    if (place->progress)
        memory_checkpoint_abandon(place->progress);
    if (place->pending)
        memory_pending_abandon(place->pending);
    if (worker->consumer)
        bus_memory_abandon(worker->consumer);
    worker_free(worker);
    *place = (struct world_worker){.world = world};
}
