/* See the header. */
#include "verifier/follow/notes.h"

#include <stdio.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/held_file.h"
#include "verifier/follow/suspects.h"

static void make_id(struct notes *notes, const struct settings *settings)
{
    char host[NOTES_ID_SIZE] = "host";
    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "host");
    snprintf(notes->id, sizeof notes->id, "%s", settings->verify_id ? settings->verify_id : host);
}

enum outcome notes_open(struct notes *notes, const struct settings *settings, struct error *err)
{
    *notes = (struct notes){0};
    make_id(notes, settings);
    const struct book_conf conf = {
        .folder = settings->state_dir,
        .migration = settings->migration,
        .id = notes->id,
        .tenants_max = settings->report_tenants,
        .cells_max = settings->follow_cells,
        .samples_max = settings->samples,
        .suspects_max = SUSPECTS_MAX,
    };
    struct held_wait wait = {0};
    enum outcome outcome;
    do
        outcome = book_open(&conf, clock_unix_ms(), &notes->book, err);
    while (outcome == OUT_RETRY && held_wait_turn(&wait, err));
    return outcome == OUT_OK ? OUT_OK : OUT_FATAL;
}

void notes_close(struct notes *notes)
{
    book_close(notes->book);
    notes->book = NULL;
}
