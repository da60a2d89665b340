/* See the header. */
#include "common/policy/apply/repeats.h"

/* Older records count half each time so many are together: two or three large batches. */
#define WINDOW 4096

void repeats_note(struct repeats *repeats, size_t sent, size_t left)
{
    repeats->sent += sent;
    repeats->left += left;
    if (repeats->left * 2 >= repeats->sent && repeats->left > 0)
        repeats->expected = true;
    else if (repeats->left * 3 < repeats->sent)
        repeats->expected = false;
    while (repeats->sent > WINDOW) {
        repeats->sent /= 2;
        repeats->left /= 2;
    }
}
