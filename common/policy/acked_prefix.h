#ifndef DROVER_POLICY_ACKED_PREFIX_H
#define DROVER_POLICY_ACKED_PREFIX_H

/*
 * Of messages that are sent in order and acknowledged in any, how far all are: the contiguous
 * acknowledged prefix. Places in the order are marked with a note each, and a note comes out when
 * everything sent before its mark is acknowledged, in the order of the marks.
 *
 *   sent sent │mark a│ sent │mark b│ sent …      one counter a span between marks, none a message
 *
 * What is never acknowledged holds back every mark behind it; so what the bus refuses is
 * acknowledged too, and the caller knows what its marks are worth.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acked_span; /* between two marks */

struct acked_prefix {
    struct acked_span *spans; /* a ring; the last one is open */
    size_t capacity, first, count;
    uint64_t number; /* of the first */
};

void acked_prefix_init(struct acked_prefix *prefix);
/* The notes that did not come out are the caller's: take them with acked_prefix_drop before. */
void acked_prefix_free(struct acked_prefix *prefix);

/* A message is on its way; the span it belongs to, to be given back with its acknowledgement. */
uint64_t acked_prefix_send(struct acked_prefix *prefix);
/* Also of a message that was not sent after all. */
void acked_prefix_acknowledge(struct acked_prefix *prefix, uint64_t span);

/* Marks this place; `note` (not NULL) comes out of acked_prefix_take. */
void acked_prefix_mark(struct acked_prefix *prefix, void *note);
/* Marks that have not come out. */
size_t acked_prefix_marks(const struct acked_prefix *prefix);
/* Whether the next note's place is. */
bool acked_prefix_is_reached(const struct acked_prefix *prefix);
/* The next note whose place is reached, or NULL. */
void *acked_prefix_take(struct acked_prefix *prefix);
/* The next note, whether it is reached or not, or NULL. */
void *acked_prefix_drop(struct acked_prefix *prefix);

#endif
