/* A group is pinned to the mappings and the storage its workers started with; applying new ones
 * lets it go on. */

#include "control/schema/schema_apply.h"

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
                         " AND fingerprint <> $2::text RETURNING split_part(fingerprint, ' ', 1)"
                         " <> split_part($2::text, ' ', 1) AS others) SELECT CASE WHEN count(*) = 0"
                         " THEN '' WHEN bool_or(others) THEN 'mappings' ELSE 'storage' END FROM"
                         " gone",
                         params, 2, &answer, err);
    if (outcome == OUT_OK && answer.size > 0) {
        buf_append_format(&apply->changes,
                          "take the new %s over for group %s (restart its workers)\n",
                          buf_text(&answer), group);
        apply->count++;
    }
    buf_free(&answer);
    return outcome;
}
