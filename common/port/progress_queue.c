/* See the header. */
#include "common/port/progress_queue.h"

#include <stdlib.h>

static struct progress_queue *of(struct progress *base)
{
    return (struct progress_queue *)base;
}

void progress_queue_push(struct progress_queue *queue, struct progress_request value)
{
    struct progress_request *request = malloc(sizeof *request);
    if (!request)
        abort();
    *request = value;
    request->next = NULL;
    if (queue->last)
        queue->last->next = request;
    else
        queue->first = request;
    queue->last = request;
    queue->pump(queue);
}

struct progress_request progress_queue_pop(struct progress_queue *queue)
{
    struct progress_request *request = queue->first;
    struct progress_request value = *request;
    queue->first = request->next;
    if (!queue->first)
        queue->last = NULL;
    free(request);
    queue->in_flight = false;
    return value;
}

void progress_queue_clear(struct progress_queue *queue)
{
    while (queue->first)
        progress_queue_pop(queue);
}

void progress_queue_claim(struct progress *base, int32_t partition)
{
    progress_queue_push(of(base),
                        (struct progress_request){.kind = REQUEST_CLAIM, .partition = partition});
}

void progress_queue_stages(struct progress *base, int32_t partition, int64_t epoch,
                           int64_t redis_next, int64_t results_next)
{
    progress_queue_push(of(base), (struct progress_request){.kind = REQUEST_STAGES,
                                                            .partition = partition,
                                                            .epoch = epoch,
                                                            .redis_next = redis_next,
                                                            .results_next = results_next});
}

void progress_queue_release(struct progress *base, int32_t partition, int64_t epoch,
                            int64_t redis_next, int64_t results_next)
{
    progress_queue_push(of(base), (struct progress_request){.kind = REQUEST_RELEASE,
                                                            .partition = partition,
                                                            .epoch = epoch,
                                                            .redis_next = redis_next,
                                                            .results_next = results_next});
}

void progress_queue_forget_claims(struct progress *base)
{
    struct progress_queue *queue = of(base);
    struct progress_request **at = &queue->first;
    bool sent = queue->in_flight && *at;
    queue->forgotten = sent && (*at)->kind == REQUEST_CLAIM;
    if (sent)
        at = &(*at)->next;
    while (*at) {
        struct progress_request *request = *at;
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

bool progress_queue_is_idle(const struct progress *base)
{
    return ((const struct progress_queue *)base)->first == NULL;
}
