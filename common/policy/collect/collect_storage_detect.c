/*
 * Is this a localStorage payload? Only what can hardly be anything else is said to be one: the
 * envelope's member names with the kinds they have, or an object of strings alone with a key that
 * a mapping knows by its form. Records of other kinds have members that are no strings, or names
 * that no pattern fits.
 */
#include "common/policy/collect/collect_storage_parts.h"

struct look {
    struct mapping *const *mappings;
    size_t mapping_count;
    size_t keys;
    size_t named; /* keys that are a mapping's by their whole name */
    bool known;   /* a key whose form is a mapping's */
    bool other;   /* a value that is no string */
    bool sure;    /* an envelope */
    bool origins; /* an envelope's, when it has both or what is inside looks so */
    bool cookies;
    bool in_cookies;
};

static void look_at_key(struct look *look, const struct json_walk_step *step)
{
    bool part;
    look->keys++;
    if (bytes_equal(step->name, BYTES_LITERAL(STORAGE_TENANT_KEY)))
        look->known = true;
    else if (storage_key_fits(look->mappings, look->mapping_count, step->name, &part)) {
        look->named += !part;
        look->known |= part;
    }
    look->other |= step->kind != '"';
}

/* True when the walk goes into the value. */
static bool look_at_member(struct look *look, const struct json_walk_step *step)
{
    if (step->kind == '{' && bytes_equal(step->name, BYTES_LITERAL("localStorage_data")))
        look->sure = true;
    else if (step->kind == '[' && bytes_equal(step->name, BYTES_LITERAL("origins")))
        look->origins = true;
    else if (step->kind == '[' && bytes_equal(step->name, BYTES_LITERAL("cookies")))
        look->cookies = look->in_cookies = true;
    else
        look_at_key(look, step);
    look->sure |= look->origins && look->cookies;
    return step->kind == '[' && (look->origins || look->cookies);
}

/* Inside cookies or origins: what the first element's members are called. */
static void look_inside(struct look *look, const struct json_walk_step *step)
{
    if (step->kind == '"' &&
        (bytes_equal(step->name, BYTES_LITERAL("origin")) ||
         (look->in_cookies && bytes_equal(step->name, BYTES_LITERAL("domain")))))
        look->sure = true;
    if (step->kind == '[' && bytes_equal(step->name, BYTES_LITERAL("localStorage")))
        look->sure = true;
}

static void on_value(struct look *look, struct json_walk *walk, const struct json_walk_step *step,
                     size_t *depth)
{
    bool go_in = false;
    if (*depth == 0)
        go_in = step->kind == '{';
    else if (*depth == 1)
        go_in = look_at_member(look, step);
    else if (*depth == 2)
        go_in = step->kind == '{';
    else
        look_inside(look, step);
    *depth += go_in;
    if (go_in)
        json_walk_enter(walk);
    else
        json_walk_skip(walk);
}

bool collect_storage_detect(struct bytes first, bool whole, struct mapping *const *mappings,
                            size_t mapping_count)
{
    struct look look = {.mappings = mappings, .mapping_count = mapping_count};
    struct json_walk *walk = json_walk_new(0);
    struct json_walk_step step;
    struct error err;
    size_t depth = 0;
    bool fed = false;
    bool over = false;
    while (!over && !look.sure) {
        switch (json_walk_next(walk, &step, &err)) {
        case JSON_WALK_VALUE:
            on_value(&look, walk, &step, &depth);
            break;
        case JSON_WALK_LEFT:
            look.in_cookies &= --depth != 1;
            break;
        case JSON_WALK_MORE:
            over = fed && !whole;
            if (fed)
                json_walk_finish(walk);
            else
                json_walk_feed(walk, first);
            fed = true;
            break;
        default:
            over = true;
            break;
        }
    }
    json_walk_free(walk);
    bool plain = look.keys && !look.other && (look.known || look.named == look.keys);
    return look.sure || plain;
}
