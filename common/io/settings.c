#include "common/io/settings.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/model/json/json_stream.h"
#include "common/model/message/topic.h"
#include "common/policy/alert/alert.h"

#define AT(member) offsetof(struct settings, member)
#define CHOICE(name, word) "|" word
#define WORD(name, word) word,
#define COMPARE_OLD_WORDS (&(COMPARE_OLD(CHOICE))[1])

#define COMPARE_RATE_MAX 100000

enum {
    ON_KAFKA = CMD_PRODUCE | CMD_WORK | CMD_VERIFY | CMD_RUN | CMD_SHADOW | CMD_STATUS |
               CMD_DOCTOR | CMD_TOPICS | CMD_LOAD | CMD_DLQ | CMD_RESUME | CMD_REPLAY,
    ON_MAPPINGS = CMD_PRODUCE | CMD_WORK | CMD_VERIFY | CMD_RUN | CMD_SHADOW | CMD_DOCTOR |
                  CMD_CONFIG | CMD_SCHEMA | CMD_EXPORT | CMD_REBUILD | CMD_REHEARSE | CMD_SECRET |
                  CMD_LOAD | CMD_DLQ | CMD_REPLAY,
    ON_STORES = CMD_WORK | CMD_VERIFY | CMD_RUN | CMD_SHADOW | CMD_STATUS | CMD_DOCTOR |
                CMD_EXPORT | CMD_DLQ | CMD_RESUME | CMD_REPLAY,
    ON_KEYS = CMD_PRODUCE | CMD_VERIFY | CMD_RUN | CMD_SHADOW | CMD_EXPORT | CMD_SECRET |
              CMD_REHEARSE | CMD_DLQ,
    READS_SOURCES = CMD_PRODUCE | CMD_VERIFY | CMD_RUN | CMD_SHADOW | CMD_REHEARSE,
    ON_GROUP = CMD_WORK | CMD_VERIFY | CMD_RUN | CMD_SHADOW | CMD_STATUS | CMD_LOAD | CMD_DLQ |
               CMD_RESUME | CMD_REPLAY,
    ROLES = CMD_PRODUCE | CMD_WORK | CMD_VERIFY | CMD_RUN | CMD_SHADOW | CMD_REHEARSE |
            CMD_REBUILD | CMD_EXPORT | CMD_REPLAY,
    PRODUCES = CMD_PRODUCE | CMD_RUN | CMD_SHADOW | CMD_REHEARSE,
    WORKS = CMD_WORK | CMD_RUN | CMD_SHADOW | CMD_REPLAY,
    VERIFIES = CMD_VERIFY | CMD_RUN | CMD_SHADOW,
};

/* Secrets have no flag: a command line is readable by every user of the machine. */
static const struct conf_field FIELDS[] = {
    /* path, flag, letter, env, kind, offset, default, least, most, choices, placeholder, help,
       commands, old_path, old_flag */
    {NULL, "config", 'c', "DROVER_CONFIG", CONF_TEXT, AT(config_file), NULL, 0, 0, NULL, "FILE",
     "settings file (default: drover.yaml, when it is there)", CMD_ALL},

    {"migration", "migration", 0, NULL, CONF_TEXT, AT(migration), "main", 0, 0, NULL, "NAME",
     "name of this migration, part of topic and group names",
     ON_KAFKA | CMD_CONFIG | CMD_SCHEMA | CMD_EXPORT | CMD_REBUILD | CMD_SECRET | CMD_REHEARSE},
    {"mappings", "mapping", 'm', NULL, CONF_LIST, AT(mappings), "schemas/mappings", 0, 0, NULL,
     "PATH", "mapping file, folder or pattern; may be repeated",
     ON_MAPPINGS | CMD_STATUS | CMD_TOPICS | CMD_RESUME},
    {"state_dir", "state-dir", 0, NULL, CONF_TEXT, AT(state_dir), ".drover", 0, 0, NULL, "DIR",
     "folder for what must survive a restart of the producer, and for caches",
     PRODUCES | CMD_DLQ | CMD_STATUS | CMD_REPLAY},

    {"tenant.id", "tenant", 't', NULL, CONF_TEXT, AT(tenant), NULL, 0, 0, NULL, "ID",
     "tenant of the records that name none", READS_SOURCES | CMD_EXPORT | CMD_SECRET},
    {"tenant.organization_id", "organization", 0, NULL, CONF_TEXT, AT(organization_id), NULL, 0, 0,
     NULL, "ID", "organizationId of the tenant context", READS_SOURCES | CMD_EXPORT},
    {"tenant.server_id", "server", 0, NULL, CONF_TEXT, AT(server_id), NULL, 0, 0, NULL, "ID",
     "serverId of the tenant context", READS_SOURCES | CMD_EXPORT},
    {"tenant.project_id", "project", 0, NULL, CONF_TEXT, AT(project_id), NULL, 0, 0, NULL, "ID",
     "projectId of the tenant context", READS_SOURCES | CMD_EXPORT},
    {"tenant.codebase_hash", "codebase-hash", 0, NULL, CONF_TEXT, AT(codebase_hash), NULL, 0, 0,
     NULL, "HASH", "codebaseHash of the tenant context", READS_SOURCES | CMD_EXPORT},
    {"tenant.environment", "environment", 0, NULL, CONF_TEXT, AT(environment), NULL, 0, 0, NULL,
     "NAME", "environment of the tenant context", READS_SOURCES | CMD_EXPORT},
    {"tenant.from_env", NULL, 0, NULL, CONF_MAP, AT(tenant_from_env), NULL, 0, 0,
     "id|organization_id|server_id|project_id|codebase_hash|environment", "NAME",
     "variables of the environment to take the tenant (id) or parts of its context from",
     READS_SOURCES | CMD_EXPORT},

    {"kafka.brokers", "brokers", 'b', "KAFKA_BROKERS", CONF_TEXT, AT(brokers), "localhost:9092", 0,
     0, NULL, "HOST:PORT,…", "Kafka brokers to begin with", ON_KAFKA},
    {"kafka.prefix", "prefix", 0, NULL, CONF_TEXT, AT(prefix), "drover", 0, 0, NULL, "NAME",
     "first part of topic names", ON_KAFKA},
    {"kafka.partitions", "partitions", 0, NULL, CONF_COUNT, AT(partitions), "0", 0, 10000, NULL,
     "N", "partitions the topics must have; 0 = any, and 12 for new ones", ON_KAFKA},
    {"kafka.replication", "replication", 0, NULL, CONF_COUNT, AT(replication), "0", 0, 100, NULL,
     "N", "copies of each partition; 0 = the cluster's default", CMD_TOPICS | CMD_RUN | CMD_SHADOW},
    {"kafka.group", "group", 0, NULL, CONF_TEXT, AT(group), NULL, 0, 0, NULL, "NAME",
     "consumer group of the workers (default PREFIX.MIGRATION.worker)", ON_GROUP},
    {"kafka.instance_id", "instance-id", 0, NULL, CONF_TEXT, AT(instance_id), NULL, 0, 0, NULL,
     "NAME", "static membership: a name that is this worker's alone", CMD_WORK},
    {"kafka.conf", "kafka-conf", 'X', NULL, CONF_MAP, AT(kafka), NULL, 0, 0, NULL, "KEY=VALUE",
     "any librdkafka property; may be repeated", ON_KAFKA},

    {"storage", "storage", 0, "AI_STORAGE_TYPE", CONF_CHOICE, AT(storage_name), "database", 0, 0,
     "auto" STORAGES(CHOICE), "TYPE",
     "where records go; auto: hybrid when NODE_ENV is production, memory when CI is true, else "
     "file",
     ON_STORES | CMD_SCHEMA | CMD_LOAD | CMD_REBUILD},
    {"store.dir", "store-dir", 0, NULL, CONF_TEXT, AT(store_dir), "drover-store", 0, 0, NULL, "DIR",
     "storage file: the folder of the tenants' files", ON_STORES | CMD_REBUILD},
    {"store.memory", "store-memory", 0, NULL, CONF_SIZE, AT(store_memory), "1GiB", 1u << 20,
     (uint64_t)64 << 30, NULL, "SIZE", "storage memory: most it may hold", CMD_RUN | CMD_REHEARSE},
    {"database.url", NULL, 0, "DATABASE_URL", CONF_SECRET, AT(database_url), NULL, 0, 0, NULL,
     "URL", "PostgreSQL, as a URL or libpq keywords",
     ON_STORES | CMD_SCHEMA | CMD_LOAD | CMD_SECRET | CMD_REBUILD},
    {"database.worker_role", "worker-role", 0, NULL, CONF_TEXT, AT(worker_role), "drover_worker", 0,
     0, NULL, "ROLE", "role a worker takes after login; empty = stay the login user",
     WORKS | CMD_DOCTOR | CMD_SCHEMA | CMD_LOAD | CMD_STATUS | CMD_SECRET | CMD_DLQ | CMD_RESUME},
    {"database.verifier_role", "verifier-role", 0, NULL, CONF_TEXT, AT(verifier_role),
     "drover_verifier", 0, 0, NULL, "ROLE",
     "role the verifier takes after login; empty = stay the login user",
     VERIFIES | CMD_DOCTOR | CMD_SCHEMA | CMD_LOAD | CMD_STATUS | CMD_SECRET | CMD_EXPORT |
         CMD_REBUILD | CMD_DLQ},
    {"database.connections", "connections", 0, NULL, CONF_COUNT, AT(connections), "4", 1, 64, NULL,
     "N", "PostgreSQL connections of one worker", WORKS, "database.lanes", "lanes"},
    {"redis.url", NULL, 0, "REDIS_URL", CONF_SECRET, AT(redis_url), NULL, 0, 0, NULL, "URL",
     "Redis, redis://[user[:password]@]host[:port][/db] or unix:///path", ON_STORES | CMD_REBUILD},
    {"redis.lag_records", "redis-lag", 0, NULL, CONF_COUNT, AT(redis_lag_records), "100000", 1, 0,
     NULL, "N", "storage hybrid: records Redis may be behind before workers wait", WORKS},
    {"redis.lag_bytes", NULL, 0, NULL, CONF_SIZE, AT(redis_lag_bytes), "40MiB", 1u << 20,
     (uint64_t)16 << 30, NULL, "SIZE", "the same, in bytes", WORKS},
    {"redis.tombstone_ttl", "redis-tombstone-ttl", 0, NULL, CONF_MILLIS, AT(redis_tombstone_ms),
     "24h", 3600000, 0, NULL, "TIME", "how long Redis remembers a delete, at least 1h",
     WORKS | CMD_REBUILD},

    {"secrets.key_file", "key-file", 0, "DROVER_KEY_FILE", CONF_TEXT, AT(key_file), NULL, 0, 0,
     NULL, "FILE", "key that seals secrets (drover secret keygen)", ON_KEYS},
    {"secrets.identity", "key-identity", 0, NULL, CONF_TEXT, AT(key_identity), NULL, 0, 0, NULL,
     "ID", "identity the key file must have", ON_KEYS},
    {"secrets.detect", "detect", 0, NULL, CONF_CHOICE, AT(detect), "auto", 0, 0, "auto|on|off",
     "WHEN",
     "look for tokens and secrets in every member; auto: localStorage, dumps, mappings that seal",
     READS_SOURCES},

    {"produce.sources", NULL, 0, NULL, CONF_LIST, AT(sources), NULL, 0, 0, NULL, "PATH",
     "files, folders or patterns to read when the command names none", PRODUCES},
    {"produce.format", "format", 'f', NULL, CONF_CHOICE, AT(format), "auto", 0, 0,
     "auto" JSON_SHAPES(CHOICE) "|local_storage|map_dump", "FORM", "form of the source files",
     READS_SOURCES | CMD_EXPORT},
    {"produce.entity", "entity", 'e', NULL, CONF_TEXT, AT(entity), NULL, 0, 0, NULL, "NAME",
     "mapping to use when several could apply", READS_SOURCES | CMD_EXPORT},
    {"produce.tenant_path", "tenant-path", 0, NULL, CONF_TEXT, AT(tenant_path), NULL, 0, 0, NULL,
     "PATTERN", "take the tenant from the path: exports/{tenant}/*.json",
     READS_SOURCES | CMD_EXPORT},
    {"max_record_bytes", "max-record-bytes", 0, NULL, CONF_SIZE, AT(record_bytes), "16MiB", 1024,
     256u << 20, NULL, "SIZE", "largest record taken", ROLES | CMD_TOPICS},
    {"produce.rejects", "rejects", 0, NULL, CONF_TEXT, AT(rejects_file), NULL, 0, 0, NULL, "FILE",
     "write the places of rejected records as JSON lines", PRODUCES},
    {"produce.rejects_shown", "rejects-shown", 0, NULL, CONF_COUNT, AT(rejects_shown), "10", 0,
     1000000, NULL, "N",
     "rejected records listed before they are only counted; with --follow: a minute", PRODUCES},
    {"produce.queue", "queue", 0, NULL, CONF_SIZE, AT(queue_bytes), "32MiB", 1u << 20, 1u << 30,
     NULL, "SIZE", "memory for records on their way to Kafka", PRODUCES},
    {"produce.body", "body", 0, NULL, CONF_SIZE, AT(body_bytes), "64MiB", 1024, 1u << 30, NULL,
     "SIZE", "largest localStorage payload, and dump taken from standard input", READS_SOURCES},
    {"produce.join_memory", "join-memory", 0, NULL, CONF_SIZE, AT(join_bytes), "32MiB", 1024,
     (uint64_t)16 << 30, NULL, "SIZE", "memory for records that are joined to others",
     READS_SOURCES},
    {"produce.user", "user", 'u', NULL, CONF_TEXT, AT(user), NULL, 0, 0, NULL, "ID",
     "user whose localStorage it is", READS_SOURCES | CMD_EXPORT},
    {"produce.origin", "origin", 0, NULL, CONF_TEXT, AT(web_origin), NULL, 0, 0, NULL, "URL",
     "take only this web origin of a browser's storage", READS_SOURCES | CMD_EXPORT},
    {"produce.again", "again", 0, NULL, CONF_BOOL, AT(again), NULL, 0, 0, NULL, NULL,
     "send all of the sources, also what was sent before", CMD_PRODUCE | CMD_RUN},
    {"produce.follow", "follow", 0, NULL, CONF_BOOL, AT(follow), NULL, 0, 0, NULL, NULL,
     "stay, and produce what is added, changed and deleted", CMD_PRODUCE},
    {"produce.scan", "scan", 0, NULL, CONF_MILLIS, AT(scan_ms), "10s", 100, 86400000, NULL, "TIME",
     "with --follow: look at every source at least this often", CMD_PRODUCE | CMD_SHADOW},
    {"produce.forget", "forget", 0, NULL, CONF_LIST, AT(forget), NULL, 0, 0, NULL, "PATH",
     "with --follow: this file or folder, which is not there, is gone for good", CMD_PRODUCE},

    {"work.batch_records", "batch-records", 0, NULL, CONF_COUNT, AT(batch_records), "2000", 1,
     100000, NULL, "N", "most records of one transaction", WORKS},
    {"work.batch_bytes", "batch-bytes", 0, NULL, CONF_SIZE, AT(batch_bytes), "1MiB", 1024,
     256u << 20, NULL, "SIZE", "most bytes of one transaction", WORKS},
    {"work.memory", "work-memory", 0, NULL, CONF_SIZE, AT(work_memory), "40MiB", 1u << 20,
     (uint64_t)16 << 30, NULL, "SIZE", "memory for records in flight of one worker", WORKS},
    {"work.outbox", "outbox", 0, NULL, CONF_SIZE, AT(outbox_bytes), "16MiB", 64u << 10,
     (uint64_t)1 << 30, NULL, "SIZE",
     "pause above so many bytes of dead letters, or receipts, that Kafka has not acknowledged",
     WORKS},
    {"work.drain", "drain", 0, NULL, CONF_MILLIS, AT(drain_ms), "8s", 0, 600000, NULL, "TIME",
     "longest wait for work in flight when stopping", WORKS},
    {"work.stall_after", "stall-after", 0, NULL, CONF_MILLIS, AT(stall_ms), "30s", 1000, 3600000,
     NULL, "TIME", "claim a partition again that has not moved for so long", WORKS},
    {"work.dead_limit", "dead-limit", 0, NULL, CONF_COUNT, AT(dead_max), "0", 0, 0, NULL, "N",
     "stop when more records were dead-lettered; 0 = no limit", WORKS},
    {"work.breaker", "breaker", 0, NULL, CONF_COUNT, AT(breaker), "1000", 0, 0, NULL, "N",
     "stop when so many records in a row were dead-lettered; 0 = never", WORKS},
    {"work.parent_wait", "parent-wait", 0, NULL, CONF_MILLIS, AT(parent_wait_ms), "60s", 0,
     604800000, NULL, "TIME", "how long a record waits for the one it refers to", WORKS},
    {"work.tombstone_life", "tombstone-life", 0, NULL, CONF_MILLIS, AT(tombstone_life_ms), "24h", 0,
     0, NULL, "TIME", "on_delete hard: how long the tombstone stays", WORKS},
    {NULL, "accept-gap", 0, NULL, CONF_BOOL, AT(accept_gap), NULL, 0, 0, NULL, NULL,
     "go on behind messages that are missing in the topic",
     CMD_WORK | CMD_RUN | CMD_RESUME | CMD_REPLAY},
    {NULL, "reason", 0, NULL, CONF_TEXT, AT(reason), NULL, 0, 0, NULL, "TEXT",
     "why it is given up; kept in the control topic", CMD_RESUME},
    {NULL, "reason", 0, NULL, CONF_TEXT, AT(reason), NULL, 0, 0, NULL, "TEXT",
     "discard: why; kept in the control topic", CMD_DLQ},
    {NULL, "all", 0, NULL, CONF_BOOL, AT(all), NULL, 0, 0, NULL, NULL,
     "every partition that is halted", CMD_RESUME},
    {NULL, "source", 0, NULL, CONF_TEXT, AT(dead_letters.source), NULL, 0, 0, NULL, "URI",
     "discard: what was rejected or not read of this source, which never comes again", CMD_DLQ},
    {NULL, "all", 0, NULL, CONF_BOOL, AT(all), NULL, 0, 0, NULL, NULL,
     "discard --source: every source of that name", CMD_DLQ},
    {NULL, "partition", 'p', NULL, CONF_LIST, AT(replay_partitions), NULL, 0, 0, NULL, "N",
     "partition of the source topic; may be repeated (default: all)", CMD_REPLAY},
    {NULL, "from", 0, NULL, CONF_TEXT, AT(replay_from), NULL, 0, 0, NULL, "OFFSET|TIME",
     "where to begin; a time as 2026-01-31T10:00:00Z, 2026-01-31, or 2h for two hours ago "
     "(default: earliest, where the topic does)",
     CMD_REPLAY},
    {NULL, "to", 0, NULL, CONF_TEXT, AT(replay_to), NULL, 0, 0, NULL, "OFFSET|TIME",
     "where to end, itself left out (default: how far the workers are)", CMD_REPLAY},
    {NULL, "tenant", 't', NULL, CONF_TEXT, AT(replay_tenant), NULL, 0, 0, NULL, "KEY",
     "only this tenant's records", CMD_REPLAY},
    {NULL, "entity", 'e', NULL, CONF_TEXT, AT(replay_entity), NULL, 0, 0, NULL, "NAME",
     "only records of this mapping", CMD_REPLAY},
    {NULL, "rewrite", 0, NULL, CONF_BOOL, AT(replay_rewrite), NULL, 0, 0, NULL, NULL,
     "all of the topic, under the mappings of now", CMD_REPLAY},
    {NULL, "resume", 0, NULL, CONF_TEXT, AT(replay_id), NULL, 0, 0, NULL, "ID",
     "go on with a replay that was interrupted, by its name", CMD_REPLAY},
    {NULL, "until-end", 0, NULL, CONF_BOOL, AT(until_end), NULL, 0, 0, NULL, NULL,
     "stop when all that the topic held at the start is written", CMD_WORK},

    {"verify.sources", "source", 's', NULL, CONF_LIST, AT(verify_sources), NULL, 0, 0, NULL, "PATH",
     "original files to compare with; may be repeated", CMD_VERIFY},
    {"verify.memory", "memory", 0, NULL, CONF_SIZE, AT(verify_memory), "256MiB", 16u << 20,
     (uint64_t)64 << 30, NULL, "SIZE", "memory for the comparison", VERIFIES},
    {"verify.show_values", "show-values", 0, NULL, CONF_BOOL, AT(show_values), NULL, 0, 0, NULL,
     NULL, "show values in the report instead of masking them", VERIFIES | CMD_DLQ},
    {"verify.report", "report", 0, NULL, CONF_TEXT, AT(report_dir), "drover-report", 0, 0, NULL,
     "DIR",
     "folder for reports, each in one of its own: report.html for people, report.json for machines",
     VERIFIES},
    {"verify.reports", NULL, 0, NULL, CONF_COUNT, AT(report_keep), "20", 0, 100000, NULL, "N",
     "reports of a migration that are kept, the latest ones; 0 = all", VERIFIES},
    {"verify.samples", "samples", 0, NULL, CONF_COUNT, AT(samples), "20", 0, 100000, NULL, "N",
     "records listed for each verdict", VERIFIES},
    {"verify.report_tenants", "report-tenants", 0, NULL, CONF_COUNT, AT(report_tenants), "1000", 0,
     100000, NULL, "N", "tenants with problems listed in the report; the others are summed up",
     VERIFIES},
    {NULL, "follow", 0, NULL, CONF_BOOL, AT(verify_follow), NULL, 0, 0, NULL, NULL,
     "stay, and compare what the workers commit from now on", CMD_VERIFY},
    {"verify.id", "id", 0, NULL, CONF_TEXT, AT(verify_id), NULL, 0, 0, NULL, "NAME",
     "with --follow: names this verifier among several (default: the host's name)",
     CMD_VERIFY | CMD_SHADOW},
    {"verify.follow_backlog", "backlog", 0, NULL, CONF_COUNT, AT(follow_backlog), "50000", 1000, 0,
     NULL, "N", "with --follow: when it is further behind, it compares a share of the keys",
     CMD_VERIFY | CMD_SHADOW},
    {"verify.suspect_for", "suspect-for", 0, NULL, CONF_MILLIS, AT(suspect_ms), "3s", 100, 600000,
     NULL, "TIME", "with --follow: what is wrong is looked at again for so long before it counts",
     CMD_VERIFY | CMD_SHADOW},
    {"verify.full_every", "full-every", 0, NULL, CONF_MILLIS, AT(full_every_ms), "6h", 0,
     (uint64_t)30 * 86400000, NULL, "TIME",
     "with --follow: how often everything is verified beside it; 0 = never",
     CMD_VERIFY | CMD_SHADOW},
    {"verify.rows_per_second", "rows-per-second", 0, NULL, CONF_COUNT, AT(rows_per_second), "0", 0,
     0, NULL, "N", "reads so many rows a second of the store at most; 0 = no limit",
     CMD_VERIFY | CMD_SHADOW},
    {"verify.only_tenant", "only-tenant", 0, NULL, CONF_TEXT, AT(only_tenant), NULL, 0, 0, NULL,
     "KEY", "this tenant alone", VERIFIES | CMD_REBUILD},
    {"verify.follow_cells", NULL, 0, NULL, CONF_COUNT, AT(follow_cells), "200000", 1000, 10000000,
     NULL, "N", "follow: rows of counts by minute; what needs more is counted as (others)",
     CMD_VERIFY},

    {"alerts", NULL, 0, NULL, CONF_ROWS, AT(alerts), NULL, 0, ALERTS_MAX, ALERT_KEYS, NULL,
     "whom to tell when discrepancies, lag or dead letters pass a limit", CMD_VERIFY | CMD_ALERT},
    {"alerts_timeout", NULL, 0, NULL, CONF_MILLIS, AT(alerts_timeout_ms), "10s", 100, 600000, NULL,
     "TIME", "alerts: longest that a program or a webhook may take", CMD_VERIFY | CMD_ALERT},
    {"alerts_attempts", NULL, 0, NULL, CONF_COUNT, AT(alerts_attempts), "5", 1, 100, NULL, "N",
     "alerts: how often a webhook that does not take it is called", CMD_VERIFY | CMD_ALERT},

    {"compare.reads", "compare-reads", 0, NULL, CONF_TEXT, AT(compare_reads), NULL, 0, 0, NULL,
     "N/s",
     "read so many records a second from the old store and the new one, and compare how long",
     VERIFIES},
    {"compare.for", "compare-for", 0, NULL, CONF_MILLIS, AT(compare_for_ms), "10s", 100, 86400000,
     NULL, "TIME", "how long reads are compared; with --follow: until it ends", VERIFIES},
    {"compare.old", "compare-old", 0, NULL, CONF_CHOICE, AT(compare_old_name), "file", 0, 0,
     COMPARE_OLD_WORDS, "STORE", "what the old store is", VERIFIES},
    {"compare.template", "compare-template", 0, NULL, CONF_TEXT, AT(compare_template), "{file}", 0,
     0, NULL, "TEXT", "path or key of a record in the old store; {tenant} {entity} {id} {file}",
     VERIFIES},
    {"compare.url", NULL, 0, NULL, CONF_SECRET, AT(compare_url), NULL, 0, 0, NULL, "URL",
     "the old store: its Redis, or the URL of a record with {tenant} {entity} {id}", VERIFIES},
    {"compare.header", NULL, 0, NULL, CONF_SECRET, AT(compare_header), NULL, 0, 0, NULL, "LINE",
     "header that goes with each request to the old store", VERIFIES},
    {"compare.connections", "compare-connections", 0, NULL, CONF_COUNT, AT(compare_connections),
     "4", 1, 64, NULL, "N", "connections to each store that is read", VERIFIES},
    {"compare.timeout", "compare-timeout", 0, NULL, CONF_MILLIS, AT(compare_timeout_ms), "2s", 10,
     60000, NULL, "TIME", "longest wait for one read", VERIFIES},
    {"compare.limit", "compare-limit", 0, NULL, CONF_TEXT, AT(compare_limit_text), "1.1", 0, 0,
     NULL, "TIMES", "how much of the old store's time the new one may take at p50, p95 and p99",
     VERIFIES},
    {"compare.enforce", "compare-enforce", 0, NULL, CONF_BOOL, AT(compare_enforce), NULL, 0, 0,
     NULL, NULL, "reads that are not within compare.limit are a discrepancy", VERIFIES},

    {"export.as", "as", 0, NULL, CONF_CHOICE, AT(export_as), "file", 0, 0,
     "file|local_storage|map_dump", "FORM", "form to write", CMD_EXPORT},
    {"export.to", "to", 'o', NULL, CONF_TEXT, AT(export_to), "drover-export", 0, 0, NULL, "DIR",
     "folder to write to; - = standard output", CMD_EXPORT},

    {NULL, "tenant", 't', NULL, CONF_TEXT, AT(dead_letters.tenant), NULL, 0, 0, NULL, "KEY",
     "those of this tenant; with --topic, replay: whose those are that name none", CMD_DLQ},
    {NULL, "entity", 'e', NULL, CONF_TEXT, AT(dead_letters.entity), NULL, 0, 0, NULL, "NAME",
     "those of this entity; with --topic, replay: what those are that name none", CMD_DLQ},
    {NULL, "code", 0, NULL, CONF_LIST, AT(dead_letters.codes), NULL, 0, 0, NULL, "CODE",
     "those of this error code, or class of exception; may be repeated", CMD_DLQ},
    {NULL, "since", 0, NULL, CONF_TEXT, AT(dead_letters.since), NULL, 0, 0, NULL, "TIME",
     "those that came then or later: 2026-01-31T10:00:00Z, 2026-01-31, or 2h for two hours ago",
     CMD_DLQ},
    {NULL, "until", 0, NULL, CONF_TEXT, AT(dead_letters.until), NULL, 0, 0, NULL, "TIME",
     "those that came before", CMD_DLQ},
    {NULL, "file", 0, NULL, CONF_TEXT, AT(dead_letters.file), NULL, 0, 0, NULL, "PATH",
     "those of this source file: its path, the end of it, or a pattern", CMD_DLQ},
    {NULL, "partition", 'p', NULL, CONF_TEXT, AT(dead_letters.partition), NULL, 0, 0, NULL, "N",
     "those whose record was in this partition", CMD_DLQ},
    {NULL, "offset", 0, NULL, CONF_TEXT, AT(dead_letters.offsets), NULL, 0, 0, NULL, "N[-M]",
     "those whose record was at this offset, or from N to M", CMD_DLQ},
    {NULL, "state", 0, NULL, CONF_CHOICE, AT(dead_letters.state), "open", 0, 0,
     "open|resolved|discarded|superseded|all", "STATE", "what has become of them", CMD_DLQ},
    {NULL, "limit", 0, NULL, CONF_COUNT, AT(dead_letters.limit), "0", 0, 0, NULL, "N",
     "at most so many; 0 = list 100, all others every one", CMD_DLQ},
    {NULL, "topic", 0, NULL, CONF_TEXT, AT(dead_letters.topic), NULL, 0, 0, NULL, "NAME",
     "dead letters of Kafka Connect or Spring in this topic, instead of the migration's", CMD_DLQ},
    {NULL, "to", 'o', NULL, CONF_TEXT, AT(dead_letters.to), "-", 0, 0, NULL, "DIR",
     "export: a folder, a file each; - = NDJSON on standard output", CMD_DLQ},
    {NULL, "wait", 0, NULL, CONF_MILLIS, AT(dead_letters.wait_ms), "0", 0, 0, NULL, "TIME",
     "replay: longest wait for the workers; 0 = as long as it takes", CMD_DLQ},
    {NULL, "raw", 0, NULL, CONF_BOOL, AT(dead_letters.raw), NULL, 0, 0, NULL, NULL,
     "show: the value's bytes alone, as they are", CMD_DLQ},
    {NULL, "yes", 'y', NULL, CONF_BOOL, AT(dead_letters.yes), NULL, 0, 0, NULL, NULL,
     "discard: do not ask", CMD_DLQ},

    {"run.workers", "workers", 0, NULL, CONF_COUNT, AT(workers), "2", 1, 64, NULL, "N",
     "workers on this host", CMD_RUN},
    {"shadow.workers", "workers", 0, NULL, CONF_COUNT, AT(shadow_workers), "2", 0, 64, NULL, "N",
     "workers on this host; 0 = they run elsewhere", CMD_SHADOW},
    {"shadow.produce", "produce", 0, NULL, CONF_BOOL, AT(shadow_produce), "true", 0, 0, NULL, NULL,
     "another host follows the sources", CMD_SHADOW},
    {"shadow.verify", "verify", 0, NULL, CONF_BOOL, AT(shadow_verify), "true", 0, 0, NULL, NULL,
     "another host verifies what is committed", CMD_SHADOW},
    {"load", "load", 0, NULL, CONF_CHOICE, AT(load), "upsert", 0, 0, "upsert|bulk|auto", "WAY",
     "how empty tables are filled; auto: bulk those that this run makes", CMD_RUN},

    {"log.level", "log-level", 0, NULL, CONF_CHOICE, AT(log_level), "info", 0, 0,
     "error|warn|info|debug", "LEVEL", "least level that is logged", ROLES},
    {"log.format", "log-format", 0, NULL, CONF_CHOICE, AT(log_format), "auto", 0, 0,
     "auto|pretty|json|logfmt", "FORM", "form of log lines", ROLES},
    {NULL, "json", 0, NULL, CONF_BOOL, AT(json), NULL, 0, 0, NULL, NULL,
     "answer in JSON on standard output (docs/json.md)", CMD_ALL},
    {NULL, "plain", 0, NULL, CONF_BOOL, AT(plain), NULL, 0, 0, NULL, NULL,
     "plain lines: no colour, no live view",
     ROLES | CMD_STATUS | CMD_DOCTOR | CMD_CONFIG | CMD_DLQ},
    {NULL, "watch", 'w', NULL, CONF_BOOL, AT(watch), NULL, 0, 0, NULL, NULL,
     "show again each second until Ctrl-C", CMD_STATUS},
    {NULL, "origins", 0, NULL, CONF_BOOL, AT(origins), NULL, 0, 0, NULL, NULL,
     "say where each value comes from", CMD_CONFIG},
    {NULL, "quiet", 'q', NULL, CONF_BOOL, AT(quiet), NULL, 0, 0, NULL, NULL,
     "only errors and the result", ROLES},
    {NULL, "allow", 0, NULL, CONF_CHOICE, AT(allow), "none", 0, 0, "none|widen", "WHAT",
     "let columns get a wider type where the mapping says so; large tables are written anew",
     CMD_SCHEMA},
    {NULL, "dry-run", 'n', NULL, CONF_BOOL, AT(dry_run), NULL, 0, 0, NULL, NULL,
     "say what would be done, change nothing",
     CMD_SCHEMA | CMD_LOAD | CMD_TOPICS | CMD_REBUILD | CMD_DLQ | CMD_RESUME | CMD_REPLAY},
    {NULL, "early", 0, NULL, CONF_BOOL, AT(early), NULL, 0, 0, NULL, NULL,
     "load finish: also when records are left to be taken; they are written by upserts", CMD_LOAD},
    {NULL, "replace-edited", 0, NULL, CONF_BOOL, AT(replace_edited), NULL, 0, 0, NULL, NULL,
     "rebuild files: also what somebody edited or put in a file's place; that is kept beside",
     CMD_REBUILD},
};

const struct conf_field *settings_fields(size_t *count)
{
    *count = sizeof(FIELDS) / sizeof(FIELDS[0]);
    return FIELDS;
}

const char *settings_log_level(const struct settings *settings)
{
    bool is_child = settings->progress_fd >= 0 || settings->is_held;
    return settings->quiet && !is_child ? "error" : settings->log_level;
}

static enum outcome too_large(struct error *err)
{
    return error_set(err, OUT_FATAL, ERR_CONF_VALUE, "the settings need too much memory");
}

/* Standard input, absolute paths and URIs mean the same wherever the file is. */
static bool is_relative(const char *path)
{
    return path[0] != '/' && strcmp(path, "-") != 0 && !strstr(path, "://");
}

static const char *join(struct arena *arena, struct bytes folder, const char *path)
{
    size_t size = folder.size + 1 + strlen(path);
    char *joined = arena_alloc(arena, size + 1);
    if (joined)
        snprintf(joined, size + 1, "%.*s/%s", BYTES_ARGS(folder), path);
    return joined;
}

static bool rebase(struct arena *arena, struct bytes folder, const char **path)
{
    if (!*path || !is_relative(*path))
        return true;
    *path = join(arena, folder, *path);
    return *path != NULL;
}

static bool rebase_list(struct arena *arena, struct bytes folder, struct conf_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!rebase(arena, folder, &list->items[i]))
            return false;
    return true;
}

static const size_t PATHS[] = {AT(mappings),  AT(sources),    AT(verify_sources),
                               AT(state_dir), AT(report_dir), AT(rejects_file),
                               AT(store_dir), AT(key_file),   AT(export_to)};

static bool is_path(size_t offset)
{
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++)
        if (PATHS[i] == offset)
            return true;
    return false;
}

/* {file} is where it was for the producer. */
static bool is_path_template(const struct settings *settings)
{
    return settings->compare_old == COMPARE_FILE && settings->compare_template[0] != '{';
}

static enum outcome rebase_paths(struct conf *conf, struct error *err)
{
    const struct settings *settings = conf->target;
    const char *file = settings->config_file;
    const char *slash = file ? strrchr(file, '/') : NULL;
    if (!slash)
        return OUT_OK;
    struct bytes folder = bytes_of(file, (size_t)(slash - file));
    for (size_t i = 0; i < conf->field_count; i++) {
        const struct conf_field *field = &conf->fields[i];
        bool path = is_path(field->offset) ||
                    (field->offset == AT(compare_template) && is_path_template(settings));
        if (conf->origins[i] != CONF_FROM_FILE || !path)
            continue;
        void *member = (char *)conf->target + field->offset;
        bool ok = field->kind == CONF_LIST ? rebase_list(&conf->arena, folder, member)
                                           : rebase(&conf->arena, folder, member);
        if (!ok)
            return too_large(err);
    }
    return OUT_OK;
}

static enum outcome name_group(struct conf *conf, struct error *err)
{
    struct settings *settings = conf->target;
    if (settings->group && settings->group[0])
        return OUT_OK;
    size_t size = strlen(settings->prefix) + strlen(settings->migration) + sizeof("..worker");
    char *group = arena_alloc(&conf->arena, size);
    if (!group)
        return too_large(err);
    snprintf(group, size, "%s.%s.worker", settings->prefix, settings->migration);
    settings->group = group;
    return OUT_OK;
}

/* Role names stand in SQL, between quotes and dollar quotes: only harmless ones are taken. */
static bool is_role_name(const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("_-.@ ", name[i]))
            return false;
    return size <= 63; /* PostgreSQL would cut it */
}

static size_t field_at(const struct conf *conf, size_t offset)
{
    size_t i = 0;
    while (conf->fields[i].offset != offset)
        i++;
    return i;
}

/* Where the setting is from, for people: "drover.yaml:7:3", or its name when it is the default. */
static void blame_setting(const struct conf *conf, size_t offset, struct error *err)
{
    size_t at = field_at(conf, offset);
    error_where(err, "%s", conf->places[at] ? conf->places[at] : conf->fields[at].path);
}

static enum outcome check_roles(const struct conf *conf, struct error *err)
{
    const struct settings *settings = conf->target;
    const char *const roles[] = {settings->worker_role, settings->verifier_role};
    for (size_t i = 0; i < 2; i++) {
        if (!roles[i] || is_role_name(roles[i]))
            continue;
        enum outcome outcome =
            error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                      "a role name has other characters than letters, digits and "
                      "_ - . @, or more than 63");
        blame_setting(conf, i ? AT(verifier_role) : AT(worker_role), err);
        error_hint(err, "give %s another name",
                   i ? "database.verifier_role" : "database.worker_role");
        return outcome;
    }
    return OUT_OK;
}

/* The environment rules of the product this began with: AI_STORAGE_TYPE is the setting's own
 * variable and has won by now; production is hybrid, a CI run memory, all else a file. */
static void choose_storage(struct settings *settings)
{
    static const char *const NAMES[] = {STORAGES(WORD)};
    const char *mode = getenv("NODE_ENV");
    const char *ci = getenv("CI");
    settings->storage = STORE_FILE;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (strcmp(settings->storage_name, NAMES[i]) == 0)
            settings->storage = (enum storage)i;
    if (strcmp(settings->storage_name, "auto") != 0)
        return;
    if (mode && strcmp(mode, "production") == 0)
        settings->storage = STORE_HYBRID;
    else if (ci && strcmp(ci, "true") == 0)
        settings->storage = STORE_MEMORY;
}

/* ---- reads compared ---- */

static void choose_old(struct settings *settings)
{
    static const char *const NAMES[] = {COMPARE_OLD(WORD)};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (strcmp(settings->compare_old_name, NAMES[i]) == 0)
            settings->compare_old = (enum compare_old)i;
}

static enum outcome refuse_compare(const struct conf *conf, size_t offset, const char *what,
                                   const char *hint, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_CONF_VALUE, "%s", what);
    blame_setting(conf, offset, err);
    error_hint(err, "%s", hint);
    return OUT_FATAL;
}

/* "200/s", or "200" */
static enum outcome read_compare(struct conf *conf, struct error *err)
{
    struct settings *settings = conf->target;
    struct bytes rate = bytes_text(settings->compare_reads);
    int64_t per_second = 0;
    char *end;
    if (rate.size > 2 && memcmp(rate.data + rate.size - 2, "/s", 2) == 0)
        rate.size -= 2;
    if (settings->compare_reads &&
        (!text_parse_int64(rate, &per_second) || per_second < 0 || per_second > COMPARE_RATE_MAX))
        return refuse_compare(conf, AT(compare_reads), "this is no number of reads a second",
                              "give 1/s to 100000/s, or 0 for none", err);
    settings->compare_per_second = (uint64_t)per_second;
    settings->compare_limit = strtod(settings->compare_limit_text, &end);
    if (*end || !(settings->compare_limit > 0 && settings->compare_limit <= 1000))
        return refuse_compare(conf, AT(compare_limit_text), "this is no limit of times",
                              "give a number above 0, as 1.1 for a tenth more", err);
    return OUT_OK;
}

/* ---- the tenant given from outside ---- */

#define TENANT_PARTS 6 /* the plain id, and five of a context */

/* What says a part of the tenant. */
struct part {
    enum conf_origin origin; /* CONF_FROM_DEFAULT: nothing does */
    const char *value;       /* NULL: a variable that is not set */
    const char *variable;    /* of tenant.from_env, or NULL */
    const char *place;
    const char *flag; /* its setting's */
};

static const struct {
    const char *key; /* of tenant.from_env; tenant.KEY is its setting */
    size_t setting;
    size_t member;
} PARTS[TENANT_PARTS] = {
    {"id", AT(tenant), offsetof(struct tenant, tenant_id)},
    {"organization_id", AT(organization_id), offsetof(struct tenant, organization_id)},
    {"server_id", AT(server_id), offsetof(struct tenant, server_id)},
    {"project_id", AT(project_id), offsetof(struct tenant, project_id)},
    {"codebase_hash", AT(codebase_hash), offsetof(struct tenant, codebase_hash)},
    {"environment", AT(environment), offsetof(struct tenant, environment)},
};

static enum outcome both_say(const char *a, const char *b, const char *place, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_CONF_VALUE, "%s and %s both say the tenant", a, b);
    error_where(err, "%s", place ? place : "");
    error_hint(err, "give one of the two; a flag goes before the file by itself");
    return OUT_FATAL;
}

static enum outcome find_part(const struct conf *conf, size_t i, struct part *part,
                              struct error *err)
{
    const struct settings *settings = conf->target;
    size_t own = field_at(conf, PARTS[i].setting);
    size_t env = field_at(conf, AT(tenant_from_env));
    const char *text = *(const char *const *)((const char *)settings + PARTS[i].setting);
    *part = (struct part){.flag = conf->fields[own].flag};
    if (text && !text[0]) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE, "tenant.%s is empty", PARTS[i].key);
        error_where(err, "%s", conf->places[own] ? conf->places[own] : "");
        error_hint(err, "give the tenant, or leave it out");
        return OUT_FATAL;
    }
    if (text)
        *part = (struct part){conf->origins[own], text, NULL, conf->places[own], part->flag};
    for (size_t k = 0; k < settings->tenant_from_env.count; k++) {
        if (strcmp(settings->tenant_from_env.keys[k], PARTS[i].key) != 0)
            continue;
        char name[80];
        snprintf(name, sizeof(name), "tenant.%s", PARTS[i].key);
        if (part->origin == conf->origins[env])
            return both_say(name, "tenant.from_env", conf->places[env], err);
        if (part->origin > conf->origins[env])
            continue;
        const char *variable = settings->tenant_from_env.values[k];
        const char *value = getenv(variable);
        *part = (struct part){conf->origins[env], value && value[0] ? value : NULL, variable,
                              conf->places[env], part->flag};
    }
    return OUT_OK;
}

/* "$NAME (drover.yaml:7)", "--tenant", "drover.yaml:7"; each place once. */
static void append_from(struct buf *out, const struct part *part)
{
    struct buf one;
    buf_init(&one, 1024);
    const char *place = part->place ? part->place : "";
    const char *last = strrchr(place, ':'); /* of file:line:column the column says little */
    int size = part->origin == CONF_FROM_FILE && last ? (int)(last - place) : (int)strlen(place);
    if (part->variable)
        buf_append_format(&one, "$%.80s (%.*s)", part->variable, size, place);
    else if (part->origin == CONF_FROM_FLAG)
        buf_append_format(&one, "--%s", part->flag);
    else
        buf_append_format(&one, "%.*s", size, place);
    if (!strstr(buf_text(out), buf_text(&one)))
        buf_append_format(out, "%s%s", out->size ? ", " : "", buf_text(&one));
    buf_free(&one);
}

static enum outcome take_parts(struct conf *conf, const struct part parts[TENANT_PARTS],
                               size_t first, size_t end, struct error *err)
{
    struct given_tenant *given = &((struct settings *)conf->target)->given;
    struct buf from;
    buf_init(&from, 4096);
    for (size_t i = first; i < end; i++) {
        if (parts[i].origin == CONF_FROM_DEFAULT)
            continue;
        append_from(&from, &parts[i]);
        if (!parts[i].value && !given->unset)
            given->unset = parts[i].variable;
        struct bytes text = bytes_text(parts[i].value);
        *(struct bytes *)((char *)&given->parts + PARTS[i].member) = arena_copy(&conf->arena, text);
    }
    given->from = from.size ? arena_copy(&conf->arena, buf_view(&from)).data : NULL;
    bool failed = from.failed || (from.size && !given->from);
    buf_free(&from);
    return failed ? too_large(err) : OUT_OK;
}

/* Of the plain id, the context and the path the one of the highest origin counts: a flag is meant
 * to win over the file. Two of one origin contradict each other. */
static enum outcome find_given(struct conf *conf, struct error *err)
{
    struct settings *settings = conf->target;
    struct part parts[TENANT_PARTS];
    size_t path_at = field_at(conf, AT(tenant_path));
    enum conf_origin path = settings->tenant_path ? conf->origins[path_at] : CONF_FROM_DEFAULT;
    enum conf_origin context = CONF_FROM_DEFAULT;
    size_t named = 0; /* the part that says so */
    settings->given = (struct given_tenant){0};
    for (size_t i = 0; i < TENANT_PARTS; i++) {
        if (find_part(conf, i, &parts[i], err) != OUT_OK)
            return OUT_FATAL;
        if (i > 0 && parts[i].origin > context) {
            context = parts[i].origin;
            named = i;
        }
    }
    enum conf_origin plain = parts[0].origin;
    enum conf_origin tenant = plain > context ? plain : context;
    char name[80];
    snprintf(name, sizeof(name), "tenant.%s", PARTS[named].key);
    if (plain != CONF_FROM_DEFAULT && plain == context)
        return both_say("tenant.id", name, parts[0].place, err);
    if (tenant != CONF_FROM_DEFAULT && tenant == path)
        return both_say("produce.tenant_path", plain > context ? "tenant.id" : name,
                        conf->places[path_at], err);
    if (path > tenant)
        settings->given =
            (struct given_tenant){.path = settings->tenant_path, .from = conf->places[path_at]};
    else if (tenant != CONF_FROM_DEFAULT)
        return take_parts(conf, parts, plain > context ? 0 : 1, plain > context ? 1 : TENANT_PARTS,
                          err);
    return OUT_OK;
}

enum outcome settings_append_tenant(const struct settings *settings, struct buf *key,
                                    struct error *err)
{
    const struct given_tenant *given = &settings->given;
    if (given->unset) {
        error_set(err, OUT_FATAL, ERR_CONF_MISSING, "$%s is to name the tenant and is not set",
                  given->unset);
        error_where(err, "%s", given->from);
        error_hint(err, "set it, or take it out of tenant.from_env");
        return OUT_FATAL;
    }
    if (!given->from || given->path || tenant_append_key(&given->parts, key, err) == OUT_OK)
        return OUT_OK;
    error_where(err, "%s", given->from);
    if (err)
        err->outcome = OUT_FATAL;
    return OUT_FATAL;
}

/* Prefix and migration make the names of topics. */
static enum outcome name_topics(const struct conf *conf, struct error *err)
{
    const struct settings *settings = conf->target;
    char name[TOPIC_NAME_SIZE];
    if (topic_format(settings->prefix, settings->migration, TOPIC_RESULTS, name, err) == OUT_OK)
        return OUT_OK;
    bool prefix = topic_format(settings->prefix, "m", TOPIC_RESULTS, name, NULL) != OUT_OK;
    blame_setting(conf, prefix ? AT(prefix) : AT(migration), err);
    return OUT_FATAL;
}

/* A program that is named with its folder; another one is looked for in $PATH. */
static enum outcome complete_alerts(struct conf *conf, struct error *err)
{
    const struct settings *settings = conf->target;
    struct alert alerts[ALERTS_MAX];
    size_t count;
    const char *slash = settings->config_file ? strrchr(settings->config_file, '/') : NULL;
    struct bytes folder =
        bytes_of(settings->config_file, slash ? (size_t)(slash - settings->config_file) : 0);
    if (alert_parse_all(&settings->alerts, alerts, &count, err) != OUT_OK)
        return OUT_FATAL;
    for (size_t i = 0; i < count && slash; i++)
        if (alerts[i].exec && strchr(alerts[i].exec->items[0], '/') &&
            !rebase(&conf->arena, folder, &alerts[i].exec->items[0]))
            return too_large(err);
    return OUT_OK;
}

enum outcome settings_complete(struct conf *conf, struct error *err)
{
    struct settings *settings = conf->target;
    settings->progress_fd = -1;
    choose_storage(settings);
    choose_old(settings);
    enum outcome outcome = rebase_paths(conf, err);
    if (outcome == OUT_OK)
        outcome = name_group(conf, err);
    if (outcome == OUT_OK)
        outcome = check_roles(conf, err);
    if (outcome == OUT_OK)
        outcome = find_given(conf, err);
    if (outcome == OUT_OK)
        outcome = name_topics(conf, err);
    if (outcome == OUT_OK)
        outcome = complete_alerts(conf, err);
    if (outcome == OUT_OK)
        outcome = read_compare(conf, err);
    return outcome;
}
