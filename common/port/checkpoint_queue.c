/* See the header. */
#include "common/base/mem.h"
#include "common/port/checkpoint_queue.h"

#include <stdlib.h>

static struct checkpoint_queue *of(struct checkpoint *base)
{
    return (struct checkpoint_queue *)base;
}

void checkpoint_queue_push(struct checkpoint_queue *queue, struct checkpoint_request value)
{
    struct checkpoint_request *request = mem_alloc(sizeof *request);
    *request = value;
    request->next = NULL;
    if (queue->last)
        queue->last->next = request;
    else
        queue->first = request;
    queue->last = request;
    queue->pump(queue);
}

struct checkpoint_request checkpoint_queue_pop(struct checkpoint_queue *queue)
{
    struct checkpoint_request *request = queue->first;
    struct checkpoint_request value = *request;
    queue->first = request->next;
    if (!queue->first)
        queue->last = NULL;
    free(request);
    queue->in_flight = false;
    return value;
}

void checkpoint_queue_clear(struct checkpoint_queue *queue)
{
    while (queue->first)
        checkpoint_queue_pop(queue);
}

void checkpoint_queue_claim(struct checkpoint *base, int32_t partition)
{
    checkpoint_queue_push(
        of(base), (struct checkpoint_request){.kind = REQUEST_CLAIM, .partition = partition});
}

void checkpoint_queue_advance(struct checkpoint *base, int32_t partition, int64_t epoch,
                              int64_t redis_next, int64_t results_next)
{
    checkpoint_queue_push(of(base), (struct checkpoint_request){.kind = REQUEST_ADVANCE,
                                                                .partition = partition,
                                                                .epoch = epoch,
                                                                .redis_next = redis_next,
                                                                .results_next = results_next});
}

void checkpoint_queue_release(struct checkpoint *base, int32_t partition, int64_t epoch,
                              int64_t redis_next, int64_t results_next)
{
    checkpoint_queue_push(of(base), (struct checkpoint_request){.kind = REQUEST_RELEASE,
                                                                .partition = partition,
                                                                .epoch = epoch,
                                                                .redis_next = redis_next,
                                                                .results_next = results_next});
}

void checkpoint_queue_look(struct checkpoint *base, int32_t partition)
{
    checkpoint_queue_push(
        of(base), (struct checkpoint_request){.kind = REQUEST_LOOK, .partition = partition});
}

void checkpoint_queue_forget_claims(struct checkpoint *base)
{
    struct checkpoint_queue *queue = of(base);
    struct checkpoint_request **at = &queue->first;
    bool sent = queue->in_flight && *at;
    queue->forgotten = sent && (*at)->kind == REQUEST_CLAIM;
    if (sent)
        at = &(*at)->next;
    while (*at) {
        struct checkpoint_request *request = *at;
        if (request->kind != REQUEST_CLAIM) {
            at = &request->next;
            continue;
        }
        *at = request->next;
        free(request);
    }
    queue->last = queue->first;
    while (queue->last && queue->last->next)
        queue->last = queue->last->next;
}

bool checkpoint_queue_is_idle(const struct checkpoint *base)
{
    return ((const struct checkpoint_queue *)base)->first == NULL;
}
