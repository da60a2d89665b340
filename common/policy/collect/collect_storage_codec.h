#ifndef DROVER_POLICY_COLLECT_STORAGE_CODEC_H
#define DROVER_POLICY_COLLECT_STORAGE_CODEC_H

/*
 * The localStorage codec's own state, shared by the walk over the payload (collect_storage.c), the
 * first reading (collect_storage_learn.c) and the second one (collect_storage_find.c).
 */

#include "common/policy/collect/collect_storage_parts.h"

/* Where the walk is; each is inside the one before. */
enum storage_place {
    PLACE_ROOT,
    PLACE_TOP,   /* the payload's object: keys, or the members around them */
    PLACE_ITEMS, /* localStorage_data */
    PLACE_ORIGINS,
    PLACE_ORIGIN,
    PLACE_ENTRIES, /* localStorage of an origin */
    PLACE_ENTRY,   /* {"name": …, "value": …} */
    PLACE_COOKIES,
    PLACE_COOKIE,
};

/* What the string that is read just now is. */
enum storage_reading {
    READ_NOTHING,
    READ_PAST,   /* nobody needs its rest */
    READ_ORIGIN, /* a slot's web origin */
    READ_NAME,   /* an entry's or a cookie's */
    READ_LEARN,
    READ_FIND,
};

/* One localStorage: the payload's own members, those of localStorage_data, then each origin. */
struct storage_slot {
    struct bytes origin; /* owned */
    struct bytes tenant; /* owned: current_tenant_id */
    bool repeated;       /* an origin that was there before */
    bool left_out;       /* not the one that is asked for */
};

enum { SLOT_TOP, SLOT_BODY, SLOT_ORIGINS };

struct storage_slots {
    struct storage_slot *items;
    size_t count;
    size_t now;
};

/* What comes without another byte being read. */
enum storage_due {
    DUE_NOTHING,
    DUE_CONTAINER, /* the record of a list, before its elements */
    DUE_MERGES,    /* the records made of several keys: the slot has ended */
    DUE_BROKEN,    /* the payload has ended too early */
    DUE_END,
};

/* The storage key that is looked at. */
struct storage_item {
    struct buf key;
    bool has_key;   /* of an entry: its name was read */
    bool has_value; /* of an entry: its value was seen */
    unsigned levels;
    struct storage_choice choice;
    uint64_t line, column, byte;
};

struct collect_storage {
    struct collect base;
    struct collect_config config;
    struct json_walk *walk;
    bool second;
    bool envelope; /* the keys are not the payload's own members */
    enum storage_place places[JSON_WALK_DEPTH_MOST];
    size_t depth;
    enum storage_reading reading;
    struct storage_slots slots;
    struct storage_keys keys;
    struct storage_keys tenants;
    struct storage_judge *judge;
    struct storage_item item;
    struct storage_value value;
    struct storage_merge **merges; /* by mapping, NULL where it merges nothing */
    size_t merge_at;
    bool merge_made;
    enum storage_due due;
    struct error broken;
    struct buf name, payload, scratch; /* of the last find; scratch also holds what is read */
    uint64_t ordinal;
};

/* ---- collect_storage_learn.c ---- */

struct storage_slot *storage_slot_at(struct collect_storage *storage, size_t index);
void storage_slots_free(struct storage_slots *slots);
/* After the first reading: which origins are wanted, and once. */
void storage_slots_settle(struct collect_storage *storage);
struct bytes storage_tenant(const struct collect_storage *storage);
uint64_t storage_item_hash(const struct collect_storage *storage);
/* The slot's web origin is what `scratch` holds. */
void storage_learn_origin(struct collect_storage *storage);
void storage_learn_begin(struct collect_storage *storage);
void storage_learn_piece(struct collect_storage *storage, struct bytes text, bool last);
/* The value is a string that cannot be decoded. */
void storage_learn_unreadable(struct collect_storage *storage);

/* ---- collect_storage_find.c: true when there is a find; *found and *err are it ---- */

bool storage_find_item(struct collect_storage *storage, const struct json_walk_step *step,
                       struct found *found, struct error *err);
bool storage_find_more(struct collect_storage *storage, struct found *found, struct error *err);
bool storage_find_due(struct collect_storage *storage, struct found *found, struct error *err);
/* *err is set. `name` for people. */
bool storage_give(struct collect_storage *storage, struct found *found, enum found_kind kind,
                  struct bytes name);

#endif
