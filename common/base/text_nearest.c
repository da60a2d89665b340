/* "Did you mean ...?": the distance between two words and the nearest of several. */

#include <string.h>

#include "common/base/text.h"

enum {
    LONGEST_WORD = 64, /* of keys and flags; longer input is no typing mistake */
    NOT_NEAR = 255,
};

static unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment (Damerau-Levenshtein without overlapping swaps), three rows at a time.
 */
unsigned text_distance(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size > LONGEST_WORD || b_size > LONGEST_WORD)
        return NOT_NEAR;
    unsigned char rows[3][LONGEST_WORD + 1];
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= a_size; i++) {
        unsigned char *row = rows[i % 3];
        const unsigned char *above = rows[(i - 1) % 3];
        const unsigned char *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = min(best, min(above[j], row[j - 1]) + 1u);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = min(best, two_above[j - 2] + 1u);
            row[j] = (unsigned char)best;
        }
    }
    return rows[a_size % 3][b_size];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
    unsigned best = 1 + (unsigned)(strlen(word) / 4);
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!candidates[i])
            continue;
        unsigned distance = text_distance(word, candidates[i]);
        if (distance < best || (distance == best && !nearest)) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
