#ifndef DROVER_CONTROL_DEAD_LETTER_CACHE_H
#define DROVER_CONTROL_DEAD_LETTER_CACHE_H

/*
 * What was read of the topics so far, in a SQLite database of state_dir: how far each partition is
 * read, a row a dead letter, and the decisions. Nothing is true because it stands here: it may be
 * deleted at any time and is read again from the topics then, as it is when it is damaged, of
 * another format, or of topics that were made anew. Where state_dir cannot be written, or another
 * process holds the cache, it is a temporary file of this process.
 *
 * A row's number is its dead letter's in the index (policy/dlq).
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/io/sqlite.h"
#include "common/model/message/dead_letter_reading.h"
#include "common/model/message/topic.h"
#include "common/policy/dlq/dead_letter_index.h"

struct dead_letter_cache {
    struct sqlite_db db; /* first: its failures are the cache's */
    char *path;          /* NULL: a temporary one */
    bool is_busy;        /* another process holds it */
};

/* Besides those of enum topic_kind: dead letters of somebody else. */
#define CACHE_OTHER_TOPIC TOPIC_KINDS

/* Of a topic's partition. `last` is the last message that was read, whose hash tells when the topic
 * was made anew. */
struct cache_position {
    int64_t low;  /* where the topic began */
    int64_t next; /* to be read */
    int64_t last; /* -1: none was read */
    uint64_t hash;
};

/* Views; when read from the cache, until the next row. */
struct dead_letter_row {
    struct dead_letter_fact fact;
    uint32_t number, next;
    enum dead_letter_state state;
    enum dead_letter_family family;
    int at_topic;         /* the dead letter itself: TOPIC_DEAD_LETTERS, or CACHE_OTHER_TOPIC */
    int32_t at_partition; /* and its place there */
    int64_t at_offset;
    int64_t first_ms, last_ms; /* when it came, and came again; -1: nobody knows */
    int64_t size;              /* of the value; -1: a delete */
    struct bytes id, chain;
    struct bytes code, path;
    struct bytes tenant, entity, record;
    struct bytes uri, origin; /* of the source, and of the place in it */
    struct bytes topic;       /* where the record was, */
    int32_t partition;        /* or -1 */
    int64_t offset;
};

/* What a command is about. NULL, or negative: any. */
struct dead_letter_filter {
    const char *tenant, *entity;
    const char *codes; /* ",DRV-V001,DRV-V002," */
    const char *file;  /* a uri, the end of one behind a '/', or a pattern */
    const char *id;
    int64_t since_ms, until_ms; /* it came in [since, until) */
    int64_t partition;
    int64_t from, to; /* offsets [from, to) */
    int at_topic;
    bool takes_nameless; /* also those that name no tenant, or no entity: they are given these */
    int state;           /* of enum dead_letter_state */
    int64_t limit;
};
#define DEAD_LETTER_FILTER_ALL                                                                     \
    ((struct dead_letter_filter){.since_ms = INT64_MIN,                                            \
                                 .until_ms = INT64_MAX,                                            \
                                 .partition = -1,                                                  \
                                 .to = INT64_MAX,                                                  \
                                 .at_topic = -1,                                                   \
                                 .state = -1,                                                      \
                                 .limit = -1})

/* `name`: of the migration, and of the topic when it is not the migration's own. Never fails but
 * where not even a temporary file can be had (OUT_FATAL DRV-X004). */
MUST_USE enum outcome dead_letter_cache_open(struct dead_letter_cache *cache, const char *folder,
                                             const char *name, struct error *err);
void dead_letter_cache_close(struct dead_letter_cache *cache);
/* It could not be written where it was to be: each call reads all dead letters again. */
bool dead_letter_cache_is_lost(const struct dead_letter_cache *cache);
/* What a person is told then. */
#define DEAD_LETTER_CACHE_LOST                                                                     \
    "note: state_dir %.400s cannot be written: each call reads all dead letters again"
/* After DRV-X004: an empty one instead, kept if that can be, else temporary. */
MUST_USE enum outcome dead_letter_cache_replace(struct dead_letter_cache *cache, struct error *err);

/* What is written in between holds as a whole. */
MUST_USE enum outcome dead_letter_cache_begin(struct dead_letter_cache *cache, struct error *err);
MUST_USE enum outcome dead_letter_cache_commit(struct dead_letter_cache *cache, struct error *err);
/* Nothing of it holds. */
void dead_letter_cache_forget(struct dead_letter_cache *cache);
/* Begins again with nothing. */
MUST_USE enum outcome dead_letter_cache_clear(struct dead_letter_cache *cache, struct error *err);

/* `topic`: as at_topic. Zeroes, and last -1, where nothing was read. */
MUST_USE enum outcome dead_letter_cache_position(struct dead_letter_cache *cache, int topic,
                                                 int32_t partition, struct cache_position *position,
                                                 struct error *err);
MUST_USE enum outcome dead_letter_cache_set_position(struct dead_letter_cache *cache, int topic,
                                                     int32_t partition,
                                                     const struct cache_position *position,
                                                     struct error *err);

MUST_USE enum outcome dead_letter_cache_add(struct dead_letter_cache *cache,
                                            const struct dead_letter_row *row, struct error *err);
/* The same dead letter lies there again: its place, time, size, and why it is one now. */
MUST_USE enum outcome dead_letter_cache_again(struct dead_letter_cache *cache,
                                              const struct dead_letter_row *row, struct error *err);
MUST_USE enum outcome dead_letter_cache_update(struct dead_letter_cache *cache, uint32_t number,
                                               const struct dead_letter_item *item,
                                               enum dead_letter_state state, struct error *err);
/* A decision about a dead letter: the last one holds. */
MUST_USE enum outcome dead_letter_cache_decide(struct dead_letter_cache *cache, struct bytes id,
                                               const struct decision *decision, struct error *err);

/* Each in turn; what a callback answers other than OUT_OK ends it, and is given. */
typedef enum outcome (*cache_on_row)(void *owner, const struct dead_letter_row *row,
                                     struct error *err);
/* By the time they were last seen, then by id: the same whatever was read first. */
MUST_USE enum outcome dead_letter_cache_each(struct dead_letter_cache *cache,
                                             const struct dead_letter_filter *filter,
                                             cache_on_row on_row, void *owner, struct error *err);
/* All there are, by number: for who goes by the index. */
MUST_USE enum outcome dead_letter_cache_all(struct dead_letter_cache *cache, cache_on_row on_row,
                                            void *owner, struct error *err);
/* All attempts at a chain, the first one first. */
MUST_USE enum outcome dead_letter_cache_attempts(struct dead_letter_cache *cache,
                                                 struct bytes chain, cache_on_row on_row,
                                                 void *owner, struct error *err);
struct cache_decision {
    struct bytes id, who, why;
    enum decision_kind kind;
    bool was_sent; /* by this decision, or one before it */
    int64_t at_ms;
};
typedef enum outcome (*cache_on_decision)(void *owner, const struct cache_decision *decision,
                                          struct error *err);
/* Of the dead letter, or of all: `id` NULL. */
MUST_USE enum outcome dead_letter_cache_decisions(struct dead_letter_cache *cache, const char *id,
                                                  cache_on_decision on_decision, void *owner,
                                                  struct error *err);

struct cache_group {
    struct bytes name; /* a code, a tenant, an entity; of states empty */
    enum dead_letter_state state;
    int64_t count;
    int64_t first_ms, last_ms;
    struct bytes sample; /* an id */
};
enum cache_dimension { CACHE_BY_CODE, CACHE_BY_ENTITY, CACHE_BY_TENANT, CACHE_BY_STATE };
typedef enum outcome (*cache_on_group)(void *owner, const struct cache_group *group,
                                       struct error *err);
/* Those of the most dead letters first, `filter->limit` of them. */
MUST_USE enum outcome dead_letter_cache_groups(struct dead_letter_cache *cache,
                                               enum cache_dimension dimension,
                                               const struct dead_letter_filter *filter,
                                               cache_on_group on_group, void *owner,
                                               struct error *err);

#endif
