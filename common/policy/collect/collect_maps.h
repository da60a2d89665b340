#ifndef DROVER_POLICY_COLLECT_MAPS_H
#define DROVER_POLICY_COLLECT_MAPS_H

/*
 * The map-dump codec's own state, shared by its files: collect_maps.c (readings, feeding, NDJSON),
 * collect_maps_tree.c (one tree of collections), collect_maps_record.c (one record, and what is
 * joined to it).
 */

#include "common/model/json/json_stream.h"
#include "common/policy/collect/collect_maps_parts.h"

#define MAPS_FRAMES_MOST 8   /* wrapper, list, pair of the top and of a collection, and two spare */
#define MAPS_UNKNOWN_MOST 64 /* names of lines' entities told once; further ones are told again */

enum maps_frame_kind {
    FRAME_TOP,        /* an object of collections, or a wrapper of them: its first member tells */
    FRAME_TOP_WRAP,   /* {"dataType": …, "value": …} of collections */
    FRAME_TOP_PAIRS,  /* [[name, collection], …] */
    FRAME_TOP_PAIR,   /* [name, collection] */
    FRAME_KEYED,      /* an object of records, or a wrapper of them */
    FRAME_KEYED_WRAP, /* {"dataType": …, "value": …} of records */
    FRAME_LIST,       /* records or pairs: the first element tells */
    FRAME_RECORDS,    /* [record, …] */
    FRAME_PAIRS,      /* [[key, record], …] */
};

struct maps_frame {
    enum maps_frame_kind kind;
    enum maps_frame_kind inside; /* of a wrapper: what its value is */
    bool plain;                  /* an object that is no wrapper, whatever its first member is */
    bool ended;                  /* nothing more is taken of it */
};

enum maps_wait {
    MAPS_WAIT_NOTHING,
    MAPS_WAIT_TYPE,   /* the text of dataType */
    MAPS_WAIT_NAME,   /* a pair's first */
    MAPS_WAIT_RECORD, /* a record, or a pair with one */
};

struct maps {
    struct collect base;
    struct collect_config config;
    size_t capture_most; /* a record with its key around it */

    bool second;  /* reading */
    bool over;    /* this reading */
    bool pending; /* joined records that fit no record are still to be told */
    enum maps_form form;
    struct buf head; /* bytes read until the form was known */
    bool head_given;
    struct bytes chunk; /* not yet handed to the reader */
    bool finished, finish_given;
    struct maps_probe *probe;
    struct json_walk *walk;    /* of a tree */
    struct json_stream *lines; /* of NDJSON */
    struct json_walk *peek;

    struct maps_frame frames[MAPS_FRAMES_MOST];
    size_t depth;
    enum maps_wait wait;
    struct buf collection; /* its name */
    struct maps_role role; /* of the collection being read */

    struct maps_joins joins;
    const struct maps_joined *unmatched; /* next one to look at, at the end */
    struct buf key;                      /* of a pair or line */
    struct buf id;
    struct buf joined; /* a record with what was joined to it */
    struct buf name;   /* for people */
    uint64_t unknown[MAPS_UNKNOWN_MOST];
    size_t unknown_count;
    uint64_t ordinal;
};

/* A record where it was found. */
struct maps_record {
    struct bytes collection;
    struct maps_role role;
    bool keyed;
    bool key_sound;
    struct bytes key;
    int64_t index; /* -1: none */
    struct bytes payload;
    uint64_t line, column, byte;
};

/* Takes the entry's value, which stands in the text that begins at the record's place. */
void maps_record_place(struct maps_record *record, const struct maps_entry *entry);

/* True when there is something to tell: *found (and *err). */
bool maps_record_take(struct maps *maps, const struct maps_record *record, struct found *found,
                      struct error *err);
/* Rejects it for what is in `err`. */
bool maps_record_reject(struct maps *maps, const struct maps_record *record, struct found *found);
/* A joined record that fitted none; false: there is no further one. */
bool maps_record_unmatched(struct maps *maps, struct found *found, struct error *err);

/* The same, for what is no record: the source, or a collection. */
bool maps_reject(struct maps *maps, struct bytes name, const struct json_walk_step *step,
                 struct found *found);
/* Whether anything is to be had of a collection in this reading. */
bool maps_is_wanted(const struct maps *maps, const struct maps_role *role);
/* Sets *err: no mapping takes it. */
void maps_unknown(struct bytes name, struct error *err);

/* One answer of the walk. True when there is something to tell. */
bool maps_tree_on(struct maps *maps, enum json_walk_result result,
                  const struct json_walk_step *step, struct found *found, struct error *err);

#endif
