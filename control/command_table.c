/* The commands in words: names, arguments, examples. What they do is commands.c's. */
#include <string.h>

#include "control/command.h"

enum { BITS = 32 };

static const struct command COMMANDS[] = {
    {"run", CMD_RUN, "[SOURCE…]", "everything on this host: produce, work, verify",
     "  drover run exports/*.json\n"
     "  drover run --tenant acme carts.ndjson      all records belong to one tenant\n"
     "  drover run --workers 4                     sources from drover.yaml\n"},
    {"rehearse", CMD_REHEARSE, "[SOURCE…]", "what a run would do, without any server",
     "  drover rehearse exports/*.json\n"
     "  drover rehearse --json --tenant acme storage.json\n"},
    {"produce", CMD_PRODUCE, "[SOURCE…]", "read the sources into the source topic",
     "  drover produce exports/*.json\n"
     "  drover produce --tenant-path 'exports/{tenant}/*.json'\n"
     "  drover produce --follow exports/           stay, and follow what changes\n"
     "  zcat dump.gz | drover produce --format ndjson --entity cart -\n"},
    {"work", CMD_WORK, "", "apply the source topic to the stores (start as many as you like)",
     "  drover work\n"
     "  drover work --until-end                    stop when all there is is applied\n"},
    {"verify", CMD_VERIFY, "", "compare sources and stores, write the report",
     "  drover verify --source 'exports/*.json'\n"
     "  drover verify                              against the source topic\n"},
    {"status", CMD_STATUS, "", "where each partition stands, also when other hosts work",
     "  drover status\n"
     "  drover status --watch\n"
     "  drover status --json\n"},
    {"doctor", CMD_DOCTOR, "", "check settings, mappings and servers, and say how to fix them",
     "  drover doctor\n"
     "  drover doctor -X security.protocol=ssl\n"},
    {"config", CMD_CONFIG, "show|check",
     "show the settings in effect, or check them and the mappings",
     "  drover config show --origins\n"
     "  drover config check\n"},
    {"schema", CMD_SCHEMA, "print|apply", "the tables, policies and functions in PostgreSQL",
     "  drover schema print                        the SQL for an empty database\n"
     "  drover schema apply --dry-run\n"
     "  drover schema apply\n"},
    {"topics", CMD_TOPICS, "print|apply", "the three topics in Kafka",
     "  drover topics print\n"
     "  drover topics apply --partitions 24 --replication 3\n"},
    {"export", CMD_EXPORT, "", "write a tenant's records back in the form they came in",
     "  drover export --tenant acme --as local_storage --to exports\n"
     "  drover export --tenant acme --as map_dump --to -\n"
     "  drover export --tenant acme --as file --key-file drover.key\n"},
    {"secret", CMD_SECRET, "keygen|list|open|rotate|check|sweep",
     "the key that seals secrets, and the vault they are kept in",
     "  drover secret keygen drover.key            a new key file; none is overwritten\n"
     "  drover secret list --tenant acme           what is sealed, never the values\n"
     "  drover secret open sec_… --tenant acme     one value, on standard output\n"
     "  drover secret rotate                       a new key seals everything anew\n"
     "  drover secret check                        every value opens, none is missing\n"
     "  drover secret sweep                        removes what no row refers to\n"},
    {"rebuild", CMD_REBUILD, "redis|files",
     "fill Redis from PostgreSQL, or the files from their database",
     "  drover rebuild redis\n"
     "  drover rebuild redis --only-tenant acme    the others stay as they are\n"
     "  drover rebuild files --dry-run             what is missing or different\n"
     "  drover rebuild files --replace-edited      also what was edited\n"},
    {"explain", CMD_EXPLAIN, "[CODE…]", "what error codes mean",
     "  drover explain DRV-J002\n"
     "  drover explain                             all of them\n"},
    {"version", CMD_VERSION, "", "the versions of the program and its libraries",
     "  drover version\n"},
};

const struct command *command_table(size_t *count)
{
    *count = sizeof(COMMANDS) / sizeof(COMMANDS[0]);
    return COMMANDS;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return &COMMANDS[i];
    return NULL;
}

const char *const *command_names(void)
{
    static const char *names[BITS];
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
        for (unsigned bit = 0; bit < BITS; bit++)
            if ((unsigned)COMMANDS[i].bit == 1u << bit)
                names[bit] = COMMANDS[i].name;
    return names;
}
