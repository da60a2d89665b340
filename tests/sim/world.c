/* See the header. */
#include "tests/sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* They are the same in every world, one set a generation. */
static struct mapping *SHARED[WORLD_GENERATIONS][3];
static struct mapping_set SETS[WORLD_GENERATIONS];

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
    for (int g = 0; g < WORLD_GENERATIONS && !SETS[g].items; g++) {
        SHARED[g][0] = parse(CHILD);
        SHARED[g][1] = parse(ITEM);
        SHARED[g][2] = parse(PARENT);
        SHARED[g][0]->rank = 1; /* as mapping_set_load gives it: behind its parent */
        SETS[g] = (struct mapping_set){SHARED[g], 3};
        for (size_t i = 0; i < SETS[g].count; i++)
            SHARED[g][i]->generation = g;
    }
    world->set = &SETS[0];
    world->settings = (struct settings){.migration = "m",
                                        .prefix = "sim",
                                        .group = "sim.m.worker",
                                        .partitions = (uint64_t)partitions,
                                        .storage_name = "memory",
                                        .storage = STORE_MEMORY,
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
    memory_store_use_mappings(world->store, world->set, true);
    if (bus_open_sender(bus_memory_bus(world->bus), WORLD_SOURCE, partitions, 0, on_produced, world,
                        &world->producer, &err) != OUT_OK)
        abort();
    if (by_hand)
        bus_memory_by_hand(world->bus);
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

void world_worker_start(struct world *world, int number)
{
    struct world_worker *place = &world->workers[number];
    struct error err;
    char name[16];
    snprintf(name, sizeof name, "sim-%d", number);
    place->settings = world->settings;
    const struct memory_worker_config config = {.bus = world->bus,
                                                .store = world->store,
                                                .clock = &world->clock,
                                                .mappings = &SETS[world->generation],
                                                .replay = world->replay,
                                                .connections = WORLD_CONNECTIONS,
                                                .refuses = refuses,
                                                .name = name};
    if (memory_worker_start(&place->settings, &config, &place->over, &err) != OUT_OK) {
        fprintf(stderr, "%s %s\n", err.text, err.where);
        abort();
    }
}

static void claim(struct memory_worker *over)
{
    while (memory_worker_checkpoint(over))
        ;
}

void world_worker_start_with_all(struct world *world, int place)
{
    int32_t all[WORLD_PARTITIONS_MAX];
    for (int32_t p = 0; p < world->partitions; p++)
        all[p] = p;
    world_worker_start(world, place);
    struct memory_worker *over = world->workers[place].over;
    claim(over);
    assert(memory_worker_is_member(over));
    bus_memory_assign(over->worker->partitions.consumer, all, (size_t)world->partitions);
    memory_worker_consume(over, 0);
    claim(over);
}

void world_worker_settle(struct world *world, int number)
{
    struct memory_worker *over = world->workers[number].over;
    while (over) {
        memory_worker_settle(over);
        if (!world->by_hand || !bus_memory_unstored_senders(world->bus))
            return;
        while (bus_memory_unstored_senders(world->bus))
            bus_memory_store_one(world->bus, 0);
    }
}

void world_worker_end(struct world *world, int number)
{
    memory_worker_free(world->workers[number].over);
    world->workers[number].over = NULL;
}
