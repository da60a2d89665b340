/* What the parts of a rehearsal share: its memory, and its end. */
#include "control/rehearse/rehearse.h"

#include "common/base/text.h"

size_t rehearse_bytes(const struct rehearsal *rehearsal)
{
    return memory_store_bytes(rehearsal->store) +
           rehearsal->table.capacity * sizeof(struct diff_entry) +
           rehearse_parents_bytes(rehearsal->parents) + memory_unique_bytes(rehearsal->unique);
}

void rehearse_fail(struct rehearsal *rehearsal, const struct error *err)
{
    if (rehearsal->failure.code != ERR_NONE)
        return;
    rehearsal->failure = *err;
    if (err->code == ERR_STORE_MEMORY) {
        char size[16];
        error_hint(&rehearsal->failure,
                   "it may hold %s: raise store.memory (--store-memory), or rehearse fewer sources",
                   text_format_size(rehearsal->settings->store_memory, size));
    }
}
