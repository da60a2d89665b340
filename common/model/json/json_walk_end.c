/* Where a walk cannot go on: broken text, or text that has not come yet. */

#include "common/model/json/json_walk_parts.h"

enum json_walk_verdict json_walk_broken(struct json_walk *walk, struct json_walk_step *step,
                                        size_t at, struct error *err, const char *why)
{
    struct json_place place = json_window_place(&walk->window, at);
    json_walk_locate(step, &place);
    error_set(err, OUT_REJECT, ERR_JSON_SYNTAX, "broken JSON: %s", why);
    walk->state = STATE_DONE;
    return SAY_BROKEN;
}

enum json_walk_verdict json_walk_need(struct json_walk *walk, struct json_walk_step *step,
                                      struct error *err)
{
    if (!is_last(walk))
        return NEED_TEXT;
    struct json_place place = json_window_place(&walk->window, view(walk).size);
    json_walk_locate(step, &place);
    error_set(err, OUT_REJECT, ERR_JSON_TRUNCATED, "the input ends in the middle of the document");
    walk->state = STATE_DONE;
    return SAY_BROKEN;
}
