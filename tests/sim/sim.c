/*
 * A deterministic simulation: real workers over memory, and a seeded scheduler that lets everything
 * happen in every order: messages come, answers come or are lost, writes fail, dead letters are
 * refused, workers crash, freeze and stop, partitions go from one to another, time passes. After
 * each step what model.h lists must hold; in the end one worker that nothing happens to must bring
 * all of it to its end.
 *
 *   sim [--schedules N] [--seed S] [--steps N] [--verbose]
 *
 * A schedule is a seed: `sim --seed S --schedules 1` repeats it. Exit 1: a schedule failed, and is
 * printed with its last steps.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/io/log.h"
#include "tests/sim/model.h"

enum { KEYS = 5, MESSAGES_MAX = 60, STEPS = 160, TRAIL = 40, END_TICKS = 4000, REST_TICKS = 1000 };

struct sim {
    uint64_t state, seed;
    struct world world;
    struct model *model;
    int produced, wanted;
    bool frozen[WORLD_WORKERS];
    /* The group's coordinator: who has which partition, and whether it is being changed. */
    enum {
        OUT,
        HAS,
        GIVES_UP
    } share[WORLD_WORKERS]; /* also of one that was put out and does not
                               know */
    bool rebalancing;
    int batch_trouble; /* how often writes fail, of 100 */
    bool verbose;
    char trail[TRAIL][80];
    int trail_count;
    char why[800];
};

static uint64_t below(struct sim *sim, uint64_t bound)
{
    sim->state = sim->state * 6364136223846793005u + 1442695040888963407u;
    uint64_t word = sim->state;
    word ^= word >> 33;
    word *= 0xff51afd7ed558ccdu;
    word ^= word >> 29;
    return word % bound;
}

static bool chance(struct sim *sim, unsigned of_100)
{
    return below(sim, 100) < of_100;
}

static void say(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = sim->trail[sim->trail_count++ % TRAIL];
    vsnprintf(line, sizeof sim->trail[0], format, arguments);
    va_end(arguments);
    if (sim->verbose)
        fprintf(stderr, "%6" PRIu64 " %s\n", sim->world.now_ms, line);
}

/* ---- messages ---------------------------------------------------------------------------- */

/* A key lives in one partition, and a child's parent in any. */
static void produce(struct sim *sim)
{
    struct world_message message = {.n = (int)below(sim, 3), .version = -1};
    uint64_t kind = below(sim, 10);
    message.entity = kind < 6 ? "item" : kind < 8 ? "child" : "parent";
    message.key = (int)below(sim, KEYS);
    message.partition = (int32_t)((unsigned)message.key % (unsigned)sim->world.partitions);
    message.parent = (message.key * 3 + 1) % (KEYS + 2); /* some never come */
    bool versioned = strcmp(message.entity, "item") == 0 ? message.key % 2 == 0 : true;
    if (versioned) /* of one key all messages bring one, or none */
        message.version = 10 + (int64_t)below(sim, 6) + sim->produced / 6;
    message.broken = chance(sim, 5);
    if (!message.broken && versioned && chance(sim, 12)) {
        message.n = WORLD_POISON; /* greater than what can be written, so that it is always tried */
        message.version = 1000 + sim->produced;
    }
    message.deleted = kind < 6 && !message.broken && message.n >= 0 && chance(sim, 10);
    int64_t offset = world_produce(&sim->world, &message);
    model_note(sim->model, &message, offset);
    sim->produced++;
    say(sim, "produce %d@%" PRId64 " %s k%d v%" PRId64 " n=%d%s%s", message.partition, offset,
        message.entity, message.key, message.version, message.n, message.deleted ? " deleted" : "",
        message.broken ? " broken" : "");
}

/* ---- the group --------------------------------------------------------------------------- */

static bool is_there(const struct sim *sim, int place)
{
    const struct memory_worker *over = sim->world.workers[place].over;
    return over && memory_worker_is_member(over);
}

static struct bus_consumer *consumer_of(struct sim *sim, int place)
{
    return sim->world.workers[place].over->worker->partitions.consumer;
}

/* Everybody who hears it gives up what he has; a frozen one does not, and is put out of the group.
 */
static void begin_rebalance(struct sim *sim)
{
    say(sim, "rebalance");
    sim->rebalancing = true;
    for (int i = 0; i < WORLD_WORKERS; i++) {
        if (sim->share[i] != HAS || sim->frozen[i] || !is_there(sim, i))
            continue;
        bus_memory_revoke(consumer_of(sim, i));
        memory_worker_consume(sim->world.workers[i].over, 0); /* it hears of it */
        sim->share[i] = GIVES_UP;
    }
}

/* Hands out, when all that are awake have given up. */
static void end_rebalance(struct sim *sim)
{
    int awake[WORLD_WORKERS], count = 0;
    for (int i = 0; i < WORLD_WORKERS; i++) {
        if (!is_there(sim, i) || sim->frozen[i])
            continue;
        if (sim->share[i] == HAS) /* it came back meanwhile */
            begin_rebalance(sim);
        if (bus_memory_is_revoking(consumer_of(sim, i)))
            return;
        sim->share[i] = OUT;
        awake[count++] = i;
    }
    sim->rebalancing = false;
    if (!count)
        return;
    int32_t lists[WORLD_WORKERS][WORLD_PARTITIONS_MAX];
    size_t sizes[WORLD_WORKERS] = {0};
    for (int32_t p = 0; p < sim->world.partitions; p++) {
        int one = awake[below(sim, (uint64_t)count)];
        lists[one][sizes[one]++] = p;
    }
    for (int i = 0; i < count; i++) {
        int one = awake[i];
        say(sim, "assign %zu to %d", sizes[one], one);
        sim->share[one] = HAS;
        bus_memory_assign(consumer_of(sim, one), lists[one], sizes[one]);
    }
}

static void thaw(struct sim *sim, int place)
{
    say(sim, "thaw %d", place);
    sim->frozen[place] = false;
    begin_rebalance(sim); /* it was put out, hears of it, and comes back */
}

/* ---- steps ------------------------------------------------------------------------------- */

static void start(struct sim *sim, int place)
{
    sim->world.generation = (int)below(sim, (uint64_t)sim->world.generations);
    say(sim, "start %d, generation %d", place, sim->world.generation);
    world_worker_start(&sim->world, place);
    sim->share[place] = OUT;
    sim->frozen[place] = false;
}

static void gone(struct sim *sim, int place)
{
    sim->share[place] = OUT;
    sim->frozen[place] = false;
    begin_rebalance(sim); /* the others hear of it */
}

static void crash(struct sim *sim, int place)
{
    say(sim, "crash %d", place);
    for (uint64_t sent = below(sim, 4); sent-- && bus_memory_unstored_senders(sim->world.bus);)
        bus_memory_store_one(sim->world.bus,
                             below(sim, bus_memory_unstored_senders(sim->world.bus)));
    world_worker_end(&sim->world, place);
    gone(sim, place);
}

static void store_some(struct sim *sim)
{
    size_t senders = bus_memory_unstored_senders(sim->world.bus);
    static const struct error TOO_LARGE = {.outcome = OUT_REJECT, .code = ERR_KAFKA_SIZE};
    if (!senders)
        return;
    size_t which = below(sim, senders);
    bool refuses = chance(sim, 2);
    say(sim, "%s %zu", refuses ? "refuse" : "store", which);
    if (refuses)
        bus_memory_refuse_one(sim->world.bus, which, &TOO_LARGE);
    else
        bus_memory_store_one(sim->world.bus, which);
}

static enum memory_fate fate_of(struct sim *sim)
{
    if (!chance(sim, (unsigned)sim->batch_trouble))
        return FATE_DONE;
    return chance(sim, 50) ? FATE_ANSWER_LOST : FATE_FAILED;
}

static void write_step(struct sim *sim, int place)
{
    static const char *const FATES[] = {"done", "answer lost", "failed"};
    size_t which = below(sim, WORLD_CONNECTIONS);
    enum memory_fate fate = fate_of(sim);
    if (memory_worker_write(sim->world.workers[place].over, which, fate))
        say(sim, "write %d.%zu %s", place, which, FATES[fate]);
}

/* Makes room where a worker has ended; false when it ended by a fault of its own. A dead letter
 * that is refused halts a partition by design. */
static bool see_ended(struct sim *sim, int place)
{
    const struct worker *worker = sim->world.workers[place].over->worker;
    bool ok =
        worker->state.exit_code == EXIT_OK || worker->state.failure.code == ERR_DEAD_LETTER_SIZE;
    say(sim, "ended %d: %d", place, (int)worker->state.exit_code);
    if (!ok)
        snprintf(sim->why, sizeof sim->why, "a worker ends with %d: %s %s", worker->state.exit_code,
                 worker->state.failure.text, worker->state.failure.where);
    world_worker_end(&sim->world, place);
    gone(sim, place);
    return ok;
}

/* A worker's own steps; a frozen one has none, but what it sent may still be written. */
static bool work_step(struct sim *sim, int place)
{
    struct world *world = &sim->world;
    if (world->workers[place].over->ended)
        return see_ended(sim, place);
    if (sim->frozen[place]) {
        if (chance(sim, 4)) /* much later than the others go on */
            write_step(sim, place);
        return true;
    }
    switch (below(sim, 8)) {
    case 0:
    case 1:
        say(sim, "consume %d", place);
        memory_worker_consume(sim->world.workers[place].over, 1 + below(sim, 5));
        worker_turn(world->workers[place].over->worker); /* as at the end of each turn of a loop */
        break;
    case 2:
        memory_worker_checkpoint(world->workers[place].over);
        break;
    case 3:
        memory_worker_pending(world->workers[place].over, fate_of(sim));
        break;
    case 4:
    case 5:
        write_step(sim, place);
        break;
    case 6:
        worker_turn(world->workers[place].over->worker);
        break;
    default:
        say(sim, "tick %d", place);
        memory_worker_tick(world->workers[place].over);
    }
    return true;
}

static void rare_step(struct sim *sim, int place)
{
    struct world *world = &sim->world;
    bool alive = world->workers[place].over && !world->workers[place].over->ended;
    uint64_t which = below(sim, 10);
    if (!alive) {
        if (!world->workers[place].over)
            start(sim, place);
    } else if (which < 3) {
        crash(sim, place);
    } else if (which < 5) {
        begin_rebalance(sim);
    } else if (which < 7) {
        if (!sim->frozen[place]) {
            say(sim, "freeze %d", place);
            sim->frozen[place] = true;
            if (chance(sim, 70)) /* the group notices */
                begin_rebalance(sim);
        } else {
            thaw(sim, place);
        }
    } else if (which < 8 && !sim->frozen[place]) {
        say(sim, "stop %d", place);
        state_stop(&world->workers[place].over->worker->state);
    } else {
        uint64_t ms = 1 + below(sim, chance(sim, 10) ? 20000 : 400);
        say(sim, "time %" PRIu64, ms);
        world->now_ms += ms;
    }
}

static bool step(struct sim *sim)
{
    bool ok = true;
    int place = (int)below(sim, WORLD_WORKERS);
    if (sim->rebalancing)
        end_rebalance(sim);
    else if (is_there(sim, place) && sim->share[place] == OUT && !sim->frozen[place])
        begin_rebalance(sim);
    if (sim->produced < sim->wanted && chance(sim, 25))
        produce(sim);
    if (chance(sim, 30))
        store_some(sim);
    if (chance(sim, 6))
        rare_step(sim, place);
    else if (sim->world.workers[place].over)
        ok = work_step(sim, place);
    if (chance(sim, 20))
        sim->world.now_ms += below(sim, 60);
    return ok;
}

/* Memory is bounded: what is taken and not written, and what is not told. */
static bool check_memory(struct sim *sim)
{
    for (int i = 0; i < WORLD_WORKERS; i++) {
        const struct memory_worker *over = sim->world.workers[i].over;
        const struct worker *worker = over ? over->worker : NULL;
        const struct settings *settings = &sim->world.settings;
        if (!worker || worker->state.phase >= WORKER_CLOSING)
            continue;
        /* above the budget nothing is fetched; what a turn had been given comes on top */
        if (worker->state.in_flight_bytes > settings->work_memory + 6 * 2048u) {
            snprintf(sim->why, sizeof sim->why, "I8: worker %d holds %zu bytes of %" PRIu64, i,
                     worker->state.in_flight_bytes, settings->work_memory);
            return false;
        }
    }
    return true;
}

/* ---- the end ----------------------------------------------------------------------------- */

static bool all_is_written(struct sim *sim)
{
    int64_t ends[WORLD_PARTITIONS_MAX];
    struct world *world = &sim->world;
    if (!bus_ends(bus_memory_bus(world->bus), WORLD_SOURCE, ends, world->partitions, 0))
        return false;
    for (int32_t p = 0; p < world->partitions; p++) {
        const struct memory_checkpoint *checkpoint = memory_store_checkpoint(world->store, p);
        if (ends[p] && (!checkpoint || checkpoint->next_offset < ends[p]))
            return false;
    }
    return true;
}

/* A partition that is halted, for a dead letter that was refused, is not read by design. */
static bool somebody_is_halted(const struct sim *sim)
{
    for (int i = 0; i < WORLD_WORKERS; i++) {
        const struct memory_worker *over = sim->world.workers[i].over;
        const struct worker *worker = over ? over->worker : NULL;
        if (worker && worker->state.failure.code == ERR_DEAD_LETTER_SIZE)
            return true;
    }
    return false;
}

/* Nothing happens any more: those who are there write all there is. */
static bool come_to_rest(struct sim *sim)
{
    struct world *world = &sim->world;
    say(sim, "rest");
    while (sim->produced < sim->wanted)
        produce(sim);
    for (int i = 0; i < WORLD_WORKERS; i++)
        if (sim->frozen[i])
            thaw(sim, i);
    for (int tick = 0; tick < REST_TICKS && !all_is_written(sim); tick++) {
        for (int i = 0; i < WORLD_WORKERS; i++) {
            if (!world->workers[i].over)
                continue;
            if (world->workers[i].over->ended) {
                if (!see_ended(sim, i))
                    return false;
                continue;
            }
            if (is_there(sim, i) && sim->share[i] == OUT && !sim->rebalancing) {
                begin_rebalance(sim);
            }
            world_worker_settle(world, i);
            memory_worker_tick(world->workers[i].over);
        }
        if (sim->rebalancing)
            end_rebalance(sim);
        if (!world->workers[0].over)
            start(sim, 0);
        world->now_ms += WORKER_TICK_MS;
        if (somebody_is_halted(sim))
            return true;
        if (!model_check(sim->model, sim->why, sizeof sim->why))
            return false;
    }
    if (all_is_written(sim))
        return true;
    snprintf(sim->why, sizeof sim->why, "I9: nothing stands in the way, and not all is written");
    return false;
}

/* A new worker alone, to which nothing happens, ends by itself with everything done. */
static bool finish(struct sim *sim)
{
    struct world *world = &sim->world;
    int32_t all[WORLD_PARTITIONS_MAX];
    bool assigned = false;
    say(sim, "finish");
    for (int i = 0; i < WORLD_WORKERS; i++)
        world_worker_end(world, i);
    world->settings.until_end = true;
    for (int32_t p = 0; p < world->partitions; p++)
        all[p] = p;
    world_worker_start(world, 0);
    for (int tick = 0; tick < END_TICKS && !world->workers[0].over->ended; tick++) {
        if (!assigned && is_there(sim, 0)) {
            bus_memory_assign(consumer_of(sim, 0), all, (size_t)world->partitions);
            assigned = true;
        }
        world_worker_settle(world, 0);
        world->now_ms += WORKER_TICK_MS;
        memory_worker_tick(world->workers[0].over);
        if (!model_check(sim->model, sim->why, sizeof sim->why))
            return false;
    }
    const struct worker *worker = world->workers[0].over->worker;
    if (!world->workers[0].over->ended) {
        snprintf(sim->why, sizeof sim->why, "the last worker does not end: phase %d, held %zu",
                 worker->state.phase, worker->partitions.held_count);
        return false;
    }
    if (worker->state.exit_code != EXIT_OK) {
        snprintf(sim->why, sizeof sim->why, "the last worker ends with %d: %s %s",
                 worker->state.exit_code, worker->state.failure.text, worker->state.failure.where);
        return false;
    }
    return model_check_end(sim->model, sim->why, sizeof sim->why);
}

static bool run_schedule(struct sim *sim, uint64_t seed, int steps)
{
    sim->seed = seed;
    sim->state = seed * 2862933555777941757u + 3037000493u;
    world_open(&sim->world, 1 + (int32_t)below(sim, 3), true);
    sim->world.random = seed;
    sim->world.generations = chance(sim, 50) ? 1 : WORLD_GENERATIONS;
    sim->model = model_new(&sim->world);
    sim->wanted = (int)below(sim, MESSAGES_MAX);
    sim->batch_trouble = (int)below(sim, 40);
    sim->world.settings.work_memory = 4096 + below(sim, 16384);
    sim->world.settings.batch_records = 1 + below(sim, 6);
    start(sim, 0);
    bool ok = true;
    for (int i = 0; i < steps && ok; i++) {
        ok = step(sim) && model_check(sim->model, sim->why, sizeof sim->why) && check_memory(sim);
    }
    ok = ok && come_to_rest(sim) && finish(sim);
    world_close(&sim->world);
    model_free(sim->model);
    return ok;
}

static void print_failure(const struct sim *sim)
{
    printf("seed %" PRIu64 ": %s\n", sim->seed, sim->why);
    int from = sim->trail_count > TRAIL ? sim->trail_count - TRAIL : 0;
    for (int i = from; i < sim->trail_count; i++)
        printf("  %s\n", sim->trail[i % TRAIL]);
}

static void say_nothing(void *owner, struct bytes line)
{
    (void)owner;
    (void)line;
}

int main(int argc, char **argv)
{
    uint64_t schedules = 1000, seed = 1;
    int steps = STEPS;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else if (i + 1 < argc && strcmp(argv[i], "--schedules") == 0)
            schedules = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--steps") == 0)
            steps = atoi(argv[++i]);
    }
    log_setup_names("sim", verbose ? "debug" : "error", "logfmt");
    if (!verbose)
        log_print_through(say_nothing, NULL);
    time_t began = time(NULL);
    uint64_t messages = 0;
    printf("sim: %" PRIu64 " schedules from seed %" PRIu64 "\n", schedules, seed);
    fflush(stdout);
    for (uint64_t i = 0; i < schedules; i++) {
        struct sim sim = {.verbose = verbose};
        if (!run_schedule(&sim, seed + i, steps)) {
            print_failure(&sim);
            printf("after %" PRIu64 " schedules: repeat it with --seed %" PRIu64
                   " --schedules 1 --verbose\n",
                   i + 1, seed + i);
            return 1;
        }
        messages += (uint64_t)sim.produced;
    }
    printf("%" PRIu64 " schedules, %" PRIu64 " messages, 0 wrong, %ld s\n", schedules, messages,
           (long)(time(NULL) - began));
    return 0;
}
