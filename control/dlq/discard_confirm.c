#include "control/dlq/discard_confirm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/io/terminal.h"

enum { LINE_MAX_BYTES = 300 };

enum outcome discard_confirm(const struct settings *settings, const char *what, struct error *err)
{
    char typed[LINE_MAX_BYTES] = "";
    if (settings->dead_letters.yes)
        return OUT_OK;
    if (settings->json || !terminal_is(STDIN_FILENO)) {
        error_set(err, OUT_FATAL, ERR_USAGE, "%s would be discarded, and nobody is asked", what);
        error_hint(err, "with --yes it is done, with --dry-run it is only told");
        return OUT_FATAL;
    }
    fprintf(stderr, "They are not migrated then. Type the migration's name (%s) to discard them: ",
            settings->migration);
    if (!fgets(typed, sizeof typed, stdin))
        typed[0] = '\0';
    typed[strcspn(typed, "\n")] = '\0';
    if (strcmp(typed, settings->migration) == 0)
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_USAGE, "nothing was discarded");
}
