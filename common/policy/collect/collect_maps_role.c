/* Whose records this reading gives. */
#include "common/policy/collect/collect_maps.h"

bool maps_is_wanted(const struct maps *maps, const struct maps_role *role)
{
    return maps->second || role->join_target;
}
