/* drover rehearse: what a run would do with all of the data, before any server is touched. */
#include "control/command.h"
#include "control/rehearse/rehearse.h"

enum exit_code rehearse_command(const struct invocation *invocation, struct error *err)
{
    struct settings settings = invocation->settings;
    if (invocation->words.count)
        settings.sources = invocation->words;
    return rehearse_main(&settings, MEMORY_KEEPS_CHECKS, err);
}
