/* See the header. */
#include "verifier/follow/start.h"

static struct start_place first_start(const struct start_known *known)
{
    if (known->checkpoint > known->source_low) /* receipts before this end are of what it covers */
        return (struct start_place){known->results_end, known->checkpoint, 0};
    return (struct start_place){known->results_low, known->source_low, 0};
}

struct start_place start_choose(const struct start_known *known)
{
    struct start_place place;
    if (known->book_results >= 0 && known->book_results >= known->committed)
        place = (struct start_place){known->book_results, known->book_position, 0};
    else if (known->committed >= 0)
        place = (struct start_place){known->committed, -1, 0};
    else
        place = first_start(known);
    if (place.results < known->results_low || place.results > known->results_end)
        place.results = known->results_low;
    if (place.position >= 0 && place.position < known->source_low) {
        place.lost = (uint64_t)(known->source_low - place.position);
        place.position = known->source_low;
    }
    return place;
}
