/* A group is pinned to the mappings and the storage its workers started with; applying new ones
 * lets it go on. */

#include <string.h>

#include "control/schema_apply.h"

enum outcome schema_pins_release(struct schema_apply *apply, const struct mapping_set *mappings,
                                 const char *group, bool hybrid, struct error *err)
{
    char pin[MAPPING_PIN_SIZE];
    struct buf answer;
    mapping_set_pin(mappings, hybrid, pin);
    const struct bytes params[] = {bytes_text(group), bytes_text(pin)};
    buf_init(&answer, 4096);
    enum outcome outcome =
        schema_apply_ask(apply,
                         "WITH gone AS (DELETE FROM drover.pinned_group WHERE \"group\" = $1::text"
                         " AND fingerprint <> $2::text RETURNING 1) SELECT count(*) FROM gone",
                         params, 2, &answer, err);
    if (outcome == OUT_OK && strcmp(buf_text(&answer), "0") != 0) {
        buf_append_text(&apply->changes, "take the new mappings or storage over for group ");
        buf_append_format(&apply->changes, "%s (restart its workers)\n", group);
        apply->count++;
    }
    buf_free(&answer);
    return outcome;
}
