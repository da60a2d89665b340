#ifndef DROVER_BASE_ERROR_CODES_H
#define DROVER_BASE_ERROR_CODES_H

/*
 * Every error code of the program: X(NAME, id, exit code, meaning, advice).
 * Ids are stable once released. The letter tells the part: C configuration and usage, M mapping,
 * J JSON, T tenant, S source, V value, E envelope, K Kafka, P PostgreSQL, R Redis, W worker,
 * Y verifier, X safety. docs/errors.md is printed from this list.
 */
/* clang-format off */
#define ERROR_CODES(X)                                                                             \
    X(ERR_NONE, "DRV-0000", 0, "no error", "")                                                     \
    X(ERR_USAGE, "DRV-C001", 2, "the command line is not understood", "run the command with --help") \
    X(ERR_CONF_FILE, "DRV-C002", 3, "the configuration file cannot be read", "check the path and its permissions") \
    X(ERR_CONF_SYNTAX, "DRV-C003", 3, "a YAML file is not well formed", "fix the line named; YAML indents with spaces, not tabs") \
    X(ERR_CONF_UNKNOWN, "DRV-C007", 3, "unknown key", "remove the key or use the one suggested") \
    X(ERR_CONF_VALUE, "DRV-C008", 3, "a value is not allowed here", "use a value in the range named") \
    X(ERR_CONF_MISSING, "DRV-C009", 3, "a required setting is missing", "set it in drover.yaml, the environment or by a flag") \
    X(ERR_CONF_SECRET, "DRV-C010", 3, "a secret file cannot be read", "check the file named by the *_FILE variable") \
    X(ERR_MAPPING, "DRV-M001", 3, "the mapping is not valid", "fix the mapping at the line named") \
    X(ERR_MAPPING_TYPE, "DRV-M002", 3, "unknown or unsuitable column type in the mapping", "see docs/mappings.md for the types") \
    X(ERR_MAPPING_KEY, "DRV-M003", 3, "the mapping's key is not usable", "name required columns, each once") \
    X(ERR_MAPPING_ENTITY, "DRV-M004", 3, "no mapping for this entity", "add a mapping file, drover schema apply, then drover dlq replay; or fix the drover-entity header") \
    X(ERR_MAPPING_GENERATION, "DRV-M005", 3, "the mapping is not the newest one of its table", "drover schema apply takes a changed mapping over; otherwise start with the newest one") \
    X(ERR_JSON_SYNTAX, "DRV-J001", 5, "the record is not valid JSON", "fix the source at the place named") \
    X(ERR_JSON_UNICODE, "DRV-J002", 5, "the record is not valid Unicode", "set on_invalid_unicode: replace in the mapping, or fix the source") \
    X(ERR_JSON_NUL, "DRV-J003", 5, "a string holds the NUL character, which PostgreSQL cannot store", "set on_invalid_unicode: replace in the mapping, or fix the source") \
    X(ERR_JSON_NUMBER, "DRV-J004", 5, "a number is outside what can be stored exactly", "at most 309 digits and exponents within 308 are kept") \
    X(ERR_JSON_DUPLICATE, "DRV-J005", 5, "an object has the same member twice", "decide which one is meant and remove the other") \
    X(ERR_JSON_DEPTH, "DRV-J006", 5, "the record is nested too deeply", "at most 256 levels are read") \
    X(ERR_JSON_SIZE, "DRV-J007", 5, "the record is larger than the limit", "raise max_record_bytes (and the broker's message.max.bytes), or split the record") \
    X(ERR_JSON_KIND, "DRV-J008", 5, "the record is not a JSON object", "only objects are migrated; use a mapping with $value for bare values") \
    X(ERR_JSON_TRUNCATED, "DRV-J009", 5, "the input ends in the middle of a record", "the file was cut: get the whole file") \
    X(ERR_VALUE_REQUIRED, "DRV-V001", 5, "a required member is missing", "add it in the source; or give the column a default, drover schema apply, then drover dlq replay") \
    X(ERR_VALUE_TYPE, "DRV-V002", 5, "a value has another type than the mapping says", "change the column's type, or add as: string / as: number, drover schema apply, then drover dlq replay") \
    X(ERR_VALUE_RANGE, "DRV-V003", 5, "a number does not fit the column", "fix the source; or widen the column's type, drover schema apply --allow widen, then drover dlq replay") \
    X(ERR_VALUE_LENGTH, "DRV-V004", 5, "a string is too long for the column", "fix the source; or widen the column or use type: text, drover schema apply --allow widen, then drover dlq replay") \
    X(ERR_VALUE_ALLOW, "DRV-V005", 5, "a value is not one of those allowed", "fix the source; or extend the column's allow list, drover schema apply, then drover dlq replay") \
    X(ERR_VALUE_LIMIT, "DRV-V006", 5, "a value is outside the column's min and max", "fix the source; or change min/max, drover schema apply, then drover dlq replay") \
    X(ERR_VALUE_FORM, "DRV-V007", 5, "a value does not have the form of its type", "fix the value in the source") \
    X(ERR_VALUE_INEXACT, "DRV-V008", 5, "the value could not be given back as it was", "add rest: <column> to the mapping, so that originals are kept, drover schema apply, then drover dlq replay") \
    X(ERR_VALUE_KEY, "DRV-V009", 5, "the key is too long", "keys may have 512 bytes") \
    X(ERR_VALUE_CONFLICT, "DRV-V010", 5, "two different records have the same version", "decide which is meant and give it a higher version") \
    X(ERR_VERSION_LAST, "DRV-V012", 5, "the record's version is the greatest there is, so nothing can be newer", "give the record a smaller version in the source; remove its row by hand if it is to go") \
    X(ERR_VALUE_ROUNDED, "DRV-V013", 5, "what names a record would be rounded, cut or replaced, and could become another record's name", "give the column a type that holds it all: numeric, int8 or text; with on_invalid_unicode: replace, fix the source; then drover schema apply and drover dlq replay") \
    X(ERR_TENANT_MISSING, "DRV-T001", 5, "the record names no tenant", "add the member to the record; --tenant ID says whose all the records are that name none, and touches no other") \
    X(ERR_TENANT_FORM, "DRV-T002", 5, "the tenant is not usable", "a tenant is a non-empty string or number, valid UTF-8 without NUL, of at most 64 KiB") \
    X(ERR_TENANT_UNEXPECTED, "DRV-T003", 5, "the storage key belongs to another tenant", "run once per tenant, with the tenant's own payload") \
    X(ERR_TENANT_OTHER, "DRV-T004", 5, "the record names another tenant than the one given", "leave the tenant given out (--tenant, tenant settings, --tenant-path), so that each record goes to the tenant it names; or fix the record") \
    X(ERR_SOURCE_OPEN, "DRV-S001", 4, "the source cannot be opened", "check the path and its permissions") \
    X(ERR_SOURCE_READ, "DRV-S002", 1, "the source cannot be read further", "check the disk; running again is safe") \
    X(ERR_SOURCE_EMPTY, "DRV-S003", 5, "the source holds no record", "check the path and the format") \
    X(ERR_SOURCE_FORMAT, "DRV-S004", 5, "the source is not in a form that can be read", "give --format, or fix the file") \
    X(ERR_SOURCE_COMPRESSION, "DRV-S005", 5, "the compressed source is damaged", "get the file again") \
    X(ERR_SOURCE_CHANGED, "DRV-S006", 5, "the source changed while it was read", "run again when nothing writes to it; running again is safe") \
    X(ERR_SOURCE_KIND, "DRV-S007", 2, "the source is not a regular file", "give files, folders, patterns or - for standard input") \
    X(ERR_SOURCE_LOCALSTORAGE, "DRV-S008", 5, "a localStorage value is not the JSON it should be", "fix the value under the key named, or remove the key") \
    X(ERR_SOURCE_JOIN, "DRV-S009", 5, "a record to be joined fits no record", "add the record it belongs to, or remove it from the dump") \
    X(ERR_SOURCE_JOIN_MEMORY, "DRV-S010", 3, "the records to be joined need more memory", "raise produce.join_memory") \
    X(ERR_SOURCE_COLLECTION, "DRV-S011", 5, "no mapping collects this part of the dump", "add collect.map_dump to a mapping") \
    X(ERR_SOURCE_PROFILE, "DRV-S012", 4, "the browser profile cannot be read", "close the browser, or give another folder") \
    X(ERR_SOURCE_MAP_KEY, "DRV-S013", 5, "the key of a map entry cannot be kept", "keys are strings, numbers or booleans; a joined record is keyed by its own id") \
    X(ERR_SOURCE_BODY, "DRV-S014", 5, "the payload is larger than the limit", "raise produce.body") \
    X(ERR_SOURCE_TAKEN, "DRV-S015", 6, "another producer reads the source", "wait until it has ended, or end it; running again is safe") \
    X(ERR_ENVELOPE, "DRV-E001", 5, "the message's headers or key are not usable", "see schemas/wire.md for what a producer must send") \
    X(ERR_SEQUENCE_GAP, "DRV-E002", 1, "messages are missing in the topic", "drover produce --again SOURCE… (it is safe); then drover resume PARTITION --accept-gap --reason TEXT goes on behind them: what is missing is named") \
    X(ERR_KAFKA_UNREACHABLE, "DRV-K001", 4, "Kafka cannot be reached", "check kafka.brokers and that the broker runs: drover doctor") \
    X(ERR_KAFKA_AUTH, "DRV-K002", 4, "Kafka refused the login or the right", "check the kafka.conf security settings and the ACLs") \
    X(ERR_KAFKA_TOPIC, "DRV-K003", 3, "a topic is missing", "drover topics apply") \
    X(ERR_KAFKA_PARTITIONS, "DRV-K004", 6, "a topic has another number of partitions than pinned", "recreate the topic with the pinned count, or start a new migration name") \
    X(ERR_KAFKA_OFFSET, "DRV-K005", 6, "messages the worker still needs are gone from the topic", "drover produce --again SOURCE… (it is safe); then drover resume PARTITION --accept-gap --reason TEXT goes on behind them; raise the topic's retention before that") \
    X(ERR_KAFKA_SIZE, "DRV-K006", 5, "the message is larger than the broker takes", "raise message.max.bytes on the topic and the broker") \
    X(ERR_KAFKA_CLIENT, "DRV-K007", 1, "the Kafka client failed", "running again is safe") \
    X(ERR_KAFKA_CONFIG, "DRV-K008", 3, "a Kafka client setting is not accepted", "check the name and value under kafka.conf or -X") \
    X(ERR_KAFKA_FENCED, "DRV-K009", 6, "another worker uses this group.instance.id", "give each worker its own id, or drop static membership") \
    X(ERR_DEAD_LETTER_SIZE, "DRV-K010", 3, "a dead letter is larger than its topic takes", "raise max.message.bytes of the dlq topic above the source topic's (drover doctor says by how much), then start the worker again: nothing was skipped") \
    X(ERR_DEAD_LETTER_UNKNOWN, "DRV-K011", 2, "there is no such dead letter", "drover dlq list shows the ids") \
    X(ERR_DEAD_LETTERS_MANY, "DRV-K012", 1, "there are more dead letters than can be told apart", "drover topics apply gave the dlq topic a retention: the oldest ones go by themselves; fix what fails, then produce the source again") \
    X(ERR_PG_UNREACHABLE, "DRV-P001", 4, "PostgreSQL cannot be reached", "check database.url and that the server runs: drover doctor") \
    X(ERR_PG_AUTH, "DRV-P002", 4, "PostgreSQL refused the login", "check the user and the password in DATABASE_URL") \
    X(ERR_PG_TRANSIENT, "DRV-P003", 1, "PostgreSQL asks to try again", "this is retried by itself") \
    X(ERR_PG_RESOURCE, "DRV-P004", 1, "PostgreSQL is out of a resource", "free disk space, memory or connections; work goes on by itself then") \
    X(ERR_PG_SCHEMA, "DRV-P005", 3, "a table, column, function or role is missing", "drover schema apply") \
    X(ERR_PG_PERMISSION, "DRV-P006", 6, "PostgreSQL denied a right", "drover schema apply grants what is needed; see drover doctor") \
    X(ERR_PG_DATA, "DRV-P110", 5, "PostgreSQL refused a record", "fix the record or widen the column, then drover dlq replay, or produce the source again") \
    X(ERR_PG_PARENT, "DRV-P111", 5, "the record's parent never came", "migrate the parent, then drover dlq replay") \
    X(ERR_PG_SKIPPED, "DRV-P112", 5, "the database skipped the record", "a trigger of the table returns NULL for its row, or changes its key or version: change the trigger, then drover dlq replay") \
    X(ERR_PG_PROTOCOL, "DRV-P008", 1, "PostgreSQL answered something unexpected", "running again is safe; report it with the server's log") \
    X(ERR_PG_LOADING, "DRV-P010", 5, "the table is still being loaded", "drover load finish ends the loading, drover load abort gives it up; drover run finishes by itself") \
    X(ERR_PG_SLOW_WAY, "DRV-P011", 1, "the table is not written the fast way", "nothing is lost; see the cause. A policy, trigger or check that came since: drover schema apply, then restart the workers; else report it with the server's log") \
    X(ERR_PG_LOAD_COUNTS, "DRV-P012", 6, "the load table does not hold what the workers appended", "somebody changed the load table, or it was restored: drover load abort drops it, and the workers read all of it again; when nobody did, report it with the server's log") \
    X(ERR_PG_TAKEN, "DRV-P013", 3, "something in the database has this name already", "rename it in the mapping, or drop what has the name; tables and indexes of a schema share their names") \
    X(ERR_PG_VERSION, "DRV-P009", 3, "this PostgreSQL is too old or not in UTF-8", "PostgreSQL 14 or newer with a UTF8 database is needed") \
    X(ERR_REDIS_UNREACHABLE, "DRV-R001", 4, "Redis cannot be reached", "check redis.url and that the server runs: drover doctor") \
    X(ERR_REDIS_AUTH, "DRV-R002", 4, "Redis refused the login or the right", "check the user and the password in REDIS_URL and the ACL") \
    X(ERR_REDIS_RESOURCE, "DRV-R003", 1, "Redis is out of a resource", "free memory, disk or connections; work goes on by itself then") \
    X(ERR_REDIS_CONFIG, "DRV-R004", 6, "this Redis cannot be used as it is set up", "see the message: eviction, cluster mode and missing rights are refused") \
    X(ERR_REDIS_UNOWNED, "DRV-R005", 5, "the Redis key is taken by something else", "change the mapping's redis.key and drover schema apply, or remove the key that is there; then drover dlq replay") \
    X(ERR_REDIS_PROTOCOL, "DRV-R006", 1, "Redis answered something unexpected", "running again is safe; report it with the server's log") \
    X(ERR_REDIS_TRANSIENT, "DRV-R007", 1, "Redis asks to try again", "this is retried by itself") \
    X(ERR_REDIS_TLS, "DRV-R008", 3, "this build's hiredis has no TLS", "use hiredis 1.0 or newer with TLS, or a local tunnel with redis://") \
    X(ERR_STORE_FILE, "DRV-F001", 1, "the file store cannot be read or written", "check store.dir, its permissions and free space") \
    X(ERR_STORE_LOCKED, "DRV-F002", 6, "another process uses the file store", "one worker at a time; stop the other one") \
    X(ERR_STORE_MEMORY, "DRV-F003", 1, "the data does not fit the memory storage", "raise store.memory, or use another storage") \
    X(ERR_STORE_EDITED, "DRV-F004", 5, "a file of the store is not as it was written: it was edited, or somebody else's lies in its place", "look at it; drover rebuild files --replace-edited writes the store's own again and keeps what lies there beside it") \
    X(ERR_STORE_UNWRITTEN, "DRV-F005", 1, "files of the store are not written yet", "make the places named usable (space, rights), then start the worker again, or drover rebuild files") \
    X(ERR_FENCED, "DRV-W001", 1, "another worker has taken this partition over", "nothing: this worker gives the partition up") \
    X(ERR_CHECKPOINT, "DRV-W002", 6, "the stored checkpoint does not fit the batch", "stop all workers of the group and look at drover.partition_progress") \
    X(ERR_BATCH, "DRV-W010", 1, "a batch does not add up: a record in it has no class, or no dead letter", "start the worker again: it reads the batch again, nothing of it was reported; report it with the lines before it") \
    X(ERR_SEQUENCES, "DRV-W011", 6, "the stored sequence numbers of a partition cannot be read", "look at sequences in the stored checkpoint; --accept-gap begins with none, and a gap there is not seen") \
    X(ERR_STORE_OTHER, "DRV-W012", 6, "the receipts tell of more than the store has: they do not belong together", "name the store that the workers of this migration write to (database.url, redis.url, store.dir, --group); a store restored from an older copy is caught up by the workers: start them, then ask again") \
    X(ERR_STORAGE_MIXED, "DRV-W013", 3, "the group's workers have another storage", "all workers of a group have one storage; drover schema apply takes another one over") \
    X(ERR_NOT_HALTED, "DRV-W014", 6, "the partition is not halted", "nothing: a worker reads it, or will when one is started; drover status shows how far it is") \
    X(ERR_GAP, "DRV-W015", 6, "going on would give up what is missing in the topic", "drover produce --again SOURCE… (it is safe); then --accept-gap --reason TEXT gives up what is named, in the topic") \
    X(ERR_MOVED, "DRV-W016", 1, "somebody else has moved the partition meanwhile", "look at drover status, then call it again") \
    X(ERR_REPLAYED, "DRV-W017", 6, "another call works on this replay", "wait for it, or stop it: the same command goes on where it was; other ranges are another replay") \
    X(ERR_NOT_AT_END, "DRV-W018", 1, "a partition that another worker has is not at its end", "drover status says who has it and whether it is halted; when that worker is gone, start this one again") \
    X(ERR_RLS, "DRV-X001", 6, "row level security would not protect the tenants", "use a role without SUPERUSER and BYPASSRLS; drover schema apply") \
    X(ERR_BREAKER, "DRV-X002", 6, "too many records fail in the same way", "this looks like a fault of the configuration, not of the data: drover dlq stats tells the codes; fix the mapping, drover schema apply, start the workers, then drover dlq replay") \
    X(ERR_TOO_MANY_DEAD, "DRV-X003", 5, "more records were dead-lettered than allowed", "drover dlq stats tells the codes; fix what they say, then drover dlq replay") \
    X(ERR_STATE_FILE, "DRV-X004", 1, "a state file cannot be read or written", "check the folder's permissions and free space") \
    X(ERR_SECRET_KEY, "DRV-X005", 6, "the secret key is missing, wrong, damaged or readable by others", "drover secret keygen makes one; its file must be readable by its owner alone (0600)") \
    X(ERR_SECRET_OPEN, "DRV-X006", 5, "a sealed value cannot be opened", "use the key file it was sealed with; a value moved to another place never opens") \
    X(ERR_SECRET_SPOOF, "DRV-X007", 5, "the record holds a $sealed or $withheld member of its own", "rename the member in the source") \
    X(ERR_SECRET_PLAIN, "DRV-X008", 5, "a value that must be sealed is not", "produce with drover, which seals; other producers must seal it too") \
    X(ERR_SECRET_SIZE, "DRV-X009", 5, "the secrets of a record are too large", "together they may have 256 KiB") \
    X(ERR_VERIFY_MEMORY, "DRV-Y001", 3, "the memory budget is too small", "give --memory at least 16 MiB") \
    X(ERR_VERIFY_NOTHING, "DRV-Y002", 5, "nothing was compared", "check the topic, the tenant and the rights of drover_verifier") \
    X(ERR_VERIFY_DIFFERENT, "DRV-Y003", 5, "source and stores differ", "see the report") \
    X(ERR_VERIFY_COUNTS, "DRV-Y004", 5, "the classes do not add up to the source count", "see the report's first line") \
    X(ERR_EXPORT, "DRV-Y005", 5, "something could not be exported", "see the list printed") \
    X(ERR_REPORT, "DRV-Y006", 3, "the report cannot be written", "give --report (verify.report) a folder that can be written, or an empty one for no file") \
    X(ERR_ALERT, "DRV-A001", 4, "an alert cannot be told", "see the cause; drover alert test tells one of each kind again") \
    X(ERR_READ_OLD, "DRV-Y007", 4, "the old store does not answer a read that is compared", "check compare.old, compare.url and compare.template") \
    X(ERR_INTERNAL, "DRV-X999", 1, "a rule inside the program was broken", "report it with the lines before it")
/* clang-format on */

enum error_code {
#define X(name, id, exit_code, meaning, advice) name,
    ERROR_CODES(X)
#undef X
};

#endif
