/* What the form of a source asks for. */
#include "common/policy/collect/collect.h"

bool collect_wants_first_reading(enum collect_form form, struct mapping *const *mappings,
                                 size_t mapping_count)
{
    for (size_t i = 0; form == COLLECT_MAP_DUMP && i < mapping_count; i++)
        if (mappings[i]->join)
            return true;
    return false;
}
