#ifndef DROVER_IO_COMMANDS_H
#define DROVER_IO_COMMANDS_H

/*
 * The commands of the program, in the order of help: X(bit, NAME, name, words, summary, examples).
 * The bits say which commands a setting belongs to (CMD_NAME), and are the order in which those
 * are named; `name` is also that of its function, name_command (control/command.h). `words`:
 * "print|apply", "[SOURCE…]", or "".
 */
/* clang-format off */
#define COMMANDS(X) \
    X(3, RUN, run, "[SOURCE…]", "everything on this host: produce, work, verify", \
      "  drover run exports/*.json\n" \
      "  drover run --tenant acme carts.ndjson      all records belong to one tenant\n" \
      "  drover run --workers 4                     sources from drover.yaml\n") \
    X(19, SHADOW, shadow, "[SOURCE…]", "follow, work and verify on this host, until it is told to end", \
      "  drover shadow exports/\n" \
      "  drover shadow --workers 4                  sources from drover.yaml\n" \
      "  drover shadow --no-produce                 another host follows the sources\n" \
      "  drover shadow --workers 0 --no-verify      only the sources are here\n") \
    X(14, REHEARSE, rehearse, "[SOURCE…]", "what a run would do, without any server", \
      "  drover rehearse exports/*.json\n" \
      "  drover rehearse --json --tenant acme storage.json\n") \
    X(0, PRODUCE, produce, "[SOURCE…]", "read the sources into the source topic", \
      "  drover produce exports/*.json\n" \
      "  drover produce --tenant-path 'exports/{tenant}/*.json'\n" \
      "  drover produce --again exports/            also what was sent before\n" \
      "  drover produce --follow exports/           stay, and follow what changes\n" \
      "  zcat dump.gz | drover produce --format ndjson --entity cart -\n") \
    X(1, WORK, work, "", "apply the source topic to the stores (start as many as you like)", \
      "  drover work\n" \
      "  drover work --until-end                    stop when all there is is applied\n") \
    X(2, VERIFY, verify, "", "compare sources and stores, write the report", \
      "  drover verify --source 'exports/*.json'\n" \
      "  drover verify                              against the source topic\n" \
      "  drover verify --follow                     stay, compare what is committed\n") \
    X(4, STATUS, status, "", "where each partition stands, also when other hosts work", \
      "  drover status\n" \
      "  drover status --watch\n" \
      "  drover status --json\n") \
    X(17, RESUME, resume, "PARTITION…", "let a halted partition go on", \
      "  drover resume 3                            its cause was put right\n" \
      "  drover resume 3 --dry-run                  what it waits for, what is missing\n" \
      "  drover resume 3 --accept-gap --reason 'lost with the old cluster'\n" \
      "  drover resume --all                        every halted one\n") \
    X(16, DLQ, dlq, "list|show|stats|export|replay|discard", "the dead letters: see them, send them again, give them up", \
      "  drover dlq stats                           how many, by code, entity, tenant\n" \
      "  drover dlq list --code DRV-V004            each of them\n" \
      "  drover dlq show drover.main.source-3-88121 one in full\n" \
      "  drover dlq replay --code DRV-V004 --dry-run    which would pass now\n" \
      "  drover dlq replay --code DRV-V004          send them again, and wait\n" \
      "  drover dlq discard --tenant acme --reason 'a test tenant'\n" \
      "  drover dlq discard --source old.ndjson --reason 'the file is gone'\n" \
      "  drover dlq export --to dead                the original bytes\n") \
    X(18, REPLAY, replay, "", "read ranges of the source topic once more, beside the workers", \
      "  drover replay --partition 3 --from 120000 --dry-run\n" \
      "  drover replay --partition 3 --partition 4 --from 2026-11-28T09:00:00Z\n" \
      "  drover replay --tenant acme                one tenant, of all partitions\n" \
      "  drover replay --rewrite                    all of it, by the mappings of now\n") \
    X(21, ALERT, alert, "test", "whom the settings' alerts tell: try it", \
      "  drover alert test                          one message of each kind to each\n") \
    X(5, DOCTOR, doctor, "", "check settings, mappings and servers, and say how to fix them", \
      "  drover doctor\n" \
      "  drover doctor -X security.protocol=ssl\n") \
    X(6, CONFIG, config, "show|check", "show the settings in effect, or check them and the mappings", \
      "  drover config show --origins\n" \
      "  drover config check\n") \
    X(7, SCHEMA, schema, "print|apply", "the tables, policies and functions in PostgreSQL", \
      "  drover schema print                        the SQL for an empty database\n" \
      "  drover schema apply --dry-run\n" \
      "  drover schema apply\n") \
    X(15, LOAD, load, "begin|finish|abort", "fill empty tables in bulk, with drover work in between", \
      "  drover load begin                          then drover work, on any host\n" \
      "  drover load finish                         one row a key, indexes, policies\n" \
      "  drover load abort                          back to upserts; all is read again\n") \
    X(8, TOPICS, topics, "print|apply", "the topics in Kafka", \
      "  drover topics print\n" \
      "  drover topics apply --partitions 24 --replication 3\n") \
    X(11, EXPORT, export, "", "write a tenant's records back in the form they came in", \
      "  drover export --tenant acme --as local_storage --to exports\n" \
      "  drover export --tenant acme --as map_dump --to -\n" \
      "  drover export --tenant acme --as file --key-file drover.key\n") \
    X(13, SECRET, secret, "keygen|list|open|rotate|check|sweep", "the key that seals secrets, and the vault they are kept in", \
      "  drover secret keygen drover.key            a new key file; none is overwritten\n" \
      "  drover secret list --tenant acme           what is sealed, never the values\n" \
      "  drover secret open sec_… --tenant acme     one value, on standard output\n" \
      "  drover secret rotate                       a new key seals everything anew\n" \
      "  drover secret check                        every value opens, none is missing\n" \
      "  drover secret sweep                        removes what no row refers to\n") \
    X(12, REBUILD, rebuild, "redis|files", "fill Redis from PostgreSQL, or the files from their database", \
      "  drover rebuild redis\n" \
      "  drover rebuild redis --only-tenant acme    the others stay as they are\n" \
      "  drover rebuild files --dry-run             what is missing or different\n" \
      "  drover rebuild files --replace-edited      also what was edited\n") \
    X(9, EXPLAIN, explain, "[CODE…]", "what error codes mean", \
      "  drover explain DRV-J002\n" \
      "  drover explain                             all of them\n") \
    X(10, VERSION, version, "", "the versions of the program and its libraries", \
      "  drover version\n")
/* clang-format on */

enum command_bit {
#define X(bit, upper, name, words, summary, examples) CMD_##upper = 1u << (bit),
    COMMANDS(X)
#undef X
#define X(bit, upper, name, words, summary, examples) | CMD_##upper
        CMD_ALL = 0 COMMANDS(X)
#undef X
};

#endif
