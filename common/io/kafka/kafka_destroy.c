#include "common/io/kafka/kafka_destroy.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/stop.h"

/* Whoever comes last frees it. */
struct ending {
    rd_kafka_t *client;
    int flags;
    void (*release)(void *held);
    void *held;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool is_ended, is_left;
};

static void free_ending(struct ending *ending)
{
    pthread_mutex_destroy(&ending->mutex);
    pthread_cond_destroy(&ending->ended);
    free(ending);
}

static void end_client(const struct ending *ending)
{
    if (ending->release)
        ending->release(ending->held);
    rd_kafka_destroy_flags(ending->client, ending->flags);
}

static void *destroy(void *argument)
{
    struct ending *ending = argument;
    end_client(ending);
    pthread_mutex_lock(&ending->mutex);
    ending->is_ended = true;
    bool left = ending->is_left;
    pthread_cond_signal(&ending->ended);
    pthread_mutex_unlock(&ending->mutex);
    if (left)
        free_ending(ending);
    return NULL;
}

static struct ending *make_ending(rd_kafka_t *client, int flags, void (*release)(void *),
                                  void *held)
{
    pthread_condattr_t attributes;
    struct ending *ending = mem_new(sizeof *ending);
    ending->client = client;
    ending->flags = flags;
    ending->release = release;
    ending->held = held;
    pthread_mutex_init(&ending->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ending->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    return ending;
}

/* Signals stay with the thread that answers them. */
static bool start(struct ending *ending, pthread_t *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, NULL, destroy, ending) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* One client that was left has had the time of all. */
static bool wait_for(struct ending *ending)
{
    uint64_t wait_ms = stop_has_left_behind() ? KAFKA_DESTROY_MS / 10 : KAFKA_DESTROY_MS;
    uint64_t until_ms = clock_monotonic_ms() + wait_ms;
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    pthread_mutex_lock(&ending->mutex);
    int failed = 0;
    while (!ending->is_ended && failed == 0)
        failed = pthread_cond_timedwait(&ending->ended, &ending->mutex, &until);
    bool ended = ending->is_ended;
    ending->is_left = !ended;
    pthread_mutex_unlock(&ending->mutex);
    return ended;
}

void kafka_destroy(rd_kafka_t *client, int flags)
{
    if (client)
        kafka_destroy_held(client, flags, NULL, NULL);
}

void kafka_destroy_held(rd_kafka_t *client, int flags, void (*release)(void *held), void *held)
{
    pthread_t thread;
    struct ending *ending = make_ending(client, flags, release, held);
    if (!start(ending, &thread)) { /* no thread to be had: then without one */
        end_client(ending);
        free_ending(ending);
        return;
    }
    if (wait_for(ending)) {
        pthread_join(thread, NULL);
        free_ending(ending);
    } else {
        stop_leave_behind();
        pthread_detach(thread);
    }
}
