#ifndef DROVER_IO_SETTINGS_H
#define DROVER_IO_SETTINGS_H

/*
 * Every setting of the program, filled from settings.c's one table (conf.h): drover.yaml,
 * environment, flags. Plain data; strings belong to the conf it was loaded by.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/conf.h"
#include "common/io/commands.h"
#include "common/model/message/tenant.h"

/* The store of settings->storage, after `auto` was decided; each with its word. */
#define STORAGES(X)                                                                                \
    X(DATABASE, "database")                                                                        \
    X(REDIS, "redis")                                                                              \
    X(HYBRID, "hybrid")                                                                            \
    X(MEMORY, "memory")                                                                            \
    X(FILE, "file")

enum storage {
#define X(store, word) STORE_##store,
    STORAGES(X)
#undef X
};

/* What an old store is, whose reads are compared with the new one's (verifier/reads/reader.h). */
#define COMPARE_OLD(X)                                                                             \
    X(FILE, "file")                                                                                \
    X(REDIS, "redis")                                                                              \
    X(HTTP, "http")

enum compare_old {
#define X(old, word) COMPARE_##old,
    COMPARE_OLD(X)
#undef X
};

/* The tenant given from outside, for the records that name none: the one of the highest origin
 * (flag, environment, file) among tenant.id, the parts of a context and produce.tenant_path. */
struct given_tenant {
    struct tenant parts; /* all empty: none */
    const char *path;    /* produce.tenant_path, where it is what is given; else NULL */
    const char *from;    /* "--tenant", "$PROJECT_ID (drover.yaml:7)"; NULL: none is given */
    const char *unset;   /* a variable that tenant.from_env names and that is not set; else NULL */
};

struct answer; /* io/answer.h */

struct settings {
    const char *config_file; /* --config, DROVER_CONFIG; NULL = ./drover.yaml when it is there */

    /* what is migrated */
    const char *migration;     /* migration: name, part of topics and group */
    struct conf_list mappings; /* mappings: files, folders or patterns of YAML mappings, relative to
                                  drover.yaml's folder when from the file */
    const char *state_dir;     /* state_dir: producer clock and the like, default .drover */

    /* who */
    const char *tenant; /* tenant.id / --tenant: a plain tenantId */
    const char *organization_id, *server_id, *project_id, *codebase_hash,
        *environment;                /* tenant.* */
    struct conf_map tenant_from_env; /* tenant.from_env: part -> name of a variable */
    struct given_tenant given;       /* what these and tenant_path come to: use this */

    /* kafka */
    const char *brokers;
    const char *prefix;
    uint64_t partitions;     /* 0 = any, and 12 for new topics */
    uint64_t replication;    /* 0 = the cluster's default */
    const char *group;       /* default <prefix>.<migration>.worker */
    const char *instance_id; /* static membership, NULL = none */
    struct conf_map kafka;   /* kafka.conf and -X: any librdkafka property */

    /* stores */
    const char *storage_name; /* auto, or a word of STORAGES */
    enum storage storage;     /* what it comes to */
    const char *store_dir;    /* file: where tenants' files are */
    uint64_t store_memory;    /* memory: bytes of rows and messages */
    const char *database_url; /* secret: its password */
    const char *worker_role;  /* SET ROLE after login; "" = stay */
    const char *verifier_role;
    uint64_t connections; /* PostgreSQL connections of one worker */
    const char *redis_url;
    uint64_t redis_lag_records; /* hybrid: how far Redis may be behind before workers wait */
    uint64_t redis_lag_bytes;
    uint64_t redis_tombstone_ms; /* how long Redis remembers a delete */

    /* secrets */
    const char *key_file;     /* made by drover secret keygen */
    const char *key_identity; /* the identity it must have; NULL = any */
    const char *detect;       /* auto|on|off: look for tokens and secrets everywhere */

    /* produce */
    struct conf_list sources; /* produce.sources or the positionals */
    const char *format;       /* auto, a word of JSON_SHAPES, local_storage or map_dump */
    const char *entity;       /* when several mappings could apply */
    const char *tenant_path;  /* pattern with {tenant}: exports/{tenant}/x.json */
    uint64_t record_bytes;    /* max_record_bytes, default 16 MiB */
    const char *rejects_file; /* JSON lines of rejected records; NULL = standard error only */
    uint64_t rejects_shown;   /* listed on standard error, then counted */
    uint64_t queue_bytes;     /* local Kafka queue, default 32 MiB */
    uint64_t body_bytes;      /* largest payload taken from standard input to be read twice */
    uint64_t join_bytes;      /* memory for records to be joined to others */
    const char *user;         /* $user of localStorage records */
    const char *web_origin;   /* the only origin to take from a browser's storage */
    bool again;               /* sends what was sent before, too */
    bool follow;              /* goes on with what is added, changed and deleted */
    uint64_t scan_ms;         /* follow: looks at every source this often at least */
    struct conf_list forget;  /* follow: what is not there and will not come back */

    /* work */
    uint64_t batch_records; /* default 2000 */
    uint64_t batch_bytes;   /* default 1 MiB */
    uint64_t work_memory;   /* bytes of records in flight, default 64 MiB */
    uint64_t outbox_bytes;  /* dead letters, receipts, each: not acknowledged; default 16 MiB */
    uint64_t drain_ms;      /* default 8 s */
    uint64_t stall_ms;      /* a partition that does not move for so long is claimed again */
    uint64_t dead_max;      /* stop when more records than this were dead-lettered; 0 = no limit */
    uint64_t breaker; /* stop when so many in a row were dead-lettered; 0 = off, default 1000 */
    uint64_t parent_wait_ms;    /* how long a record waits for the one it refers to */
    uint64_t tombstone_life_ms; /* on_delete: hard: how long its tombstone stays */
    bool accept_gap;            /* go on behind missing messages */
    const char *reason;         /* --reason of a decision */
    bool all;                   /* resume: every halted partition */

    /* replay */
    struct conf_list replay_partitions;        /* empty: all */
    const char *replay_from, *replay_to;       /* an offset or a time; NULL: the topic's begin, the
                                                  workers' checkpoint */
    const char *replay_tenant, *replay_entity; /* NULL: any */
    bool replay_rewrite;
    const char *replay_id; /* --resume; NULL: made of the others */
    bool until_end;        /* stop when the ends of all partitions seen at the start are reached */

    /* verify */
    struct conf_list verify_sources; /* --source: original files, read again */
    uint64_t verify_memory;          /* default 256 MiB */
    bool show_values;
    const char *report_dir;   /* reports go there, a folder each */
    uint64_t report_keep;     /* of a migration; 0: all */
    uint64_t samples;         /* per verdict, default 20 */
    uint64_t report_tenants;  /* with problems, listed in report.json */
    const char *only_tenant;  /* --only-tenant: the report's scope */
    bool verify_follow;       /* goes on with what the workers commit */
    const char *verify_id;    /* names this one among several; NULL: the host's name */
    uint64_t follow_backlog;  /* messages behind, above which a share is compared */
    uint64_t full_every_ms;   /* between two verifications of everything; 0: none */
    uint64_t rows_per_second; /* read of the store; 0: no limit */
    uint64_t suspect_ms;      /* what is wrong is looked at again for so long */
    uint64_t
        follow_cells; /* follow: rows of counts by minute in the book (verifier/follow/book.h) */

    /* alerts */
    struct conf_rows alerts; /* when it is to be told to whom (common/policy/alert/alert.h) */
    uint64_t alerts_timeout_ms;
    uint64_t alerts_attempts;

    /* reads compared */
    const char *compare_reads;      /* "200/s"; NULL: none are */
    uint64_t compare_per_second;    /* what it comes to; 0: none */
    uint64_t compare_for_ms;        /* default 10 s */
    const char *compare_old_name;   /* a word of COMPARE_OLD */
    enum compare_old compare_old;   /* what it comes to */
    const char *compare_template;   /* file: a path, redis: a key */
    const char *compare_url;        /* secret: http: a template; redis: the old server, unset: as
                                       redis.url */
    const char *compare_header;     /* secret: goes with each request over HTTP */
    uint64_t compare_connections;   /* to each store */
    uint64_t compare_timeout_ms;    /* of a read */
    const char *compare_limit_text; /* "1.1" */
    double compare_limit;           /* what it comes to */
    bool compare_enforce;           /* reads above the limit are a discrepancy */

    /* export */
    const char *export_as; /* file|local_storage|map_dump */
    const char *export_to; /* folder, or "-" */

    /* dead letters: which of them, and what of them */
    struct dead_letter_choice {
        const char *tenant, *entity;
        struct conf_list codes;
        const char *since, *until; /* a moment, or how long ago */
        const char *file;          /* origin uri, or its end, or a pattern */
        const char *partition;     /* of the source topic; NULL: all */
        const char *offsets;       /* "5", "5-9", "5-" */
        const char *state;         /* open, resolved, discarded, superseded or all */
        uint64_t limit;            /* 0: none */
        const char *topic;         /* of somebody else's; NULL: the migration's own */
        const char *to;            /* export: folder, or "-" */
        uint64_t wait_ms;          /* replay: for the workers; 0: as long as it takes */
        const char *source;        /* discard: of its readings; NULL: of dead letters */
        bool raw, yes;
    } dead_letters;

    /* schema apply */
    const char *allow; /* none|widen: changes of the tables that are made only when allowed */

    /* run */
    uint64_t workers;                   /* default 2 */
    uint64_t shadow_workers;            /* default 2; 0: none on this host */
    bool shadow_produce, shadow_verify; /* on this host */
    const char *load; /* upsert|bulk|auto: how empty tables are filled (pg_load.h) */

    /* output */
    const char *log_level;  /* error|warn|info|debug */
    const char *log_format; /* auto|pretty|json|logfmt */
    bool json, plain, watch, origins, quiet, dry_run, replace_edited, early;
    struct answer *answer; /* --json; borrowed, set by the command line */
    int progress_fd;       /* machine-readable progress lines for the parent; -1 = none (set by
                              DROVER_PROGRESS_FD, not a setting) */
    bool is_held;          /* verify: the store is asked when standard input has ended (set by
                              DROVER_HELD, not a setting) */
};

/* The table behind it; *count of fields. */
const struct conf_field *settings_fields(size_t *count);

/* Least level that is logged. --quiet leaves the errors; of a process that `drover run` started it
 * says how much. */
const char *settings_log_level(const struct settings *settings);

/* After file, environment and flags are loaded into a conf of these fields: paths written in the
 * file become relative to the file's folder, the group gets its name, names are checked, and
 * settings->given is made.
 * OUT_FATAL DRV-C008 (also: two of one origin say the tenant). */
MUST_USE enum outcome settings_complete(struct conf *conf, struct error *err);

/* Appends the isolation key of the tenant given; nothing when there is none (or only a path).
 * OUT_FATAL DRV-C009 (a variable that is to name it is not set), DRV-T001/T002 (not usable). */
MUST_USE enum outcome settings_append_tenant(const struct settings *settings, struct buf *key,
                                             struct error *err);

#endif
