/* Whether a child of the run is there. */

#include "control/run/run.h"

bool run_child_is_running(const struct run_child *child)
{
    return child->started && !child->ended;
}
