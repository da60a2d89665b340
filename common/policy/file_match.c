#include "common/base/mem.h"
#include "common/policy/file_match.h"

#include <stdlib.h>
#include <string.h>

/* A row by its digest; of several with one digest the first is taken first. */
struct place {
    struct digest digest;
    uint32_t row;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = memcmp(a->digest.bytes, b->digest.bytes, sizeof a->digest.bytes);
    return order ? order : (a->row > b->row) - (a->row < b->row);
}

static size_t lower_bound(const struct place *places, size_t count, const struct digest *digest)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(places[middle].digest.bytes, digest->bytes, sizeof digest->bytes) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void pair(struct file_match *match, uint32_t row, uint32_t element)
{
    match->element_of[row] = element;
    match->row_of[element] = row;
}

void file_match_same(struct file_match *match)
{
    struct place *places = mem_zeroed(match->row_count + 1, sizeof *places);
    /* of the digest that begins here */
    size_t *used = mem_zeroed(match->row_count + 1, sizeof *used);
    for (size_t i = 0; i < match->row_count; i++) {
        places[i] = (struct place){match->rows[i], (uint32_t)i};
        match->element_of[i] = FILE_MATCH_NONE;
    }
    qsort(places, match->row_count, sizeof *places, compare_places);
    for (size_t i = 0; i < match->element_count; i++) {
        size_t first = lower_bound(places, match->row_count, &match->elements[i]);
        size_t at = first + used[first];
        match->row_of[i] = FILE_MATCH_NONE;
        if (at >= match->row_count || !digest_equal(&places[at].digest, &match->elements[i]))
            continue;
        pair(match, places[at].row, (uint32_t)i);
        used[first]++;
    }
    free(places);
    free(used);
}

void file_match_rest(struct file_match *match, const uint32_t *hints)
{
    uint32_t after = 0; /* the row behind the last one that has a partner */
    for (uint32_t i = 0; i < match->element_count; i++)
        if (match->row_of[i] == FILE_MATCH_NONE && hints[i] < match->row_count &&
            match->element_of[hints[i]] == FILE_MATCH_NONE)
            pair(match, hints[i], i);
    for (uint32_t i = 0; i < match->element_count; i++) {
        if (match->row_of[i] == FILE_MATCH_NONE && hints[i] == FILE_MATCH_NONE &&
            after < match->row_count && match->element_of[after] == FILE_MATCH_NONE)
            pair(match, after, i);
        if (match->row_of[i] != FILE_MATCH_NONE)
            after = match->row_of[i] + 1;
    }
}
