#include "control/command.h"

#include <stdio.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <libpq-fe.h>

#include "common/base/text.h"
#include "common/policy/text_line.h"
#include "producer/produce.h"
#include "verifier/verify.h"
#include "worker/work.h"

enum {
    BITS = 32,
    EXPLAIN_WIDTH = 80,
};

/* Sources on the command line stand in for those of the file. */
static struct settings with_sources(const struct invocation *invocation)
{
    struct settings settings = invocation->settings;
    if (invocation->words.count)
        settings.sources = invocation->words;
    return settings;
}

static enum exit_code produce_command(const struct invocation *invocation, struct error *err)
{
    struct settings settings = with_sources(invocation);
    return produce_main(&settings, err);
}

static enum exit_code work_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err))
        return EXIT_USAGE;
    return work_main(&invocation->settings, err);
}

static enum exit_code verify_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err))
        return EXIT_USAGE;
    return verify_main(&invocation->settings, err);
}

static const char *const *code_ids(size_t *count)
{
    static const char *ids[] = {
#define X(name, id, exit_code, meaning, advice) id,
        ERROR_CODES(X)
#undef X
    };
    *count = sizeof(ids) / sizeof(ids[0]);
    return ids;
}

static void append_code(struct json_out *out, enum error_code code)
{
    const char *advice = error_code_advice(code);
    json_out_object(out, NULL);
    json_out_text(out, "code", error_code_id(code));
    json_out_text(out, "meaning", error_code_meaning(code));
    json_out_text(out, "try", advice[0] ? advice : NULL);
    json_out_int(out, "exit_code", error_code_exit(code));
    json_out_end(out);
}

static void print_row(const char *id, const char *meaning)
{
    struct buf text;
    buf_init(&text, 4096);
    struct text_line line = text_line_begin(&text, 10, EXPLAIN_WIDTH);
    text_line_format(&line, "%-9s ", id);
    text_line_words(&line, bytes_text(meaning));
    text_line_end(&line);
    fputs(buf_text(&text), stdout);
    buf_free(&text);
}

static void explain_all(struct answer *answer, const char *const *ids, size_t count)
{
    enum error_code code;
    if (answer->wanted)
        json_out_list(answer_body(answer), "codes");
    for (size_t i = 0; i < count; i++) {
        if (!error_code_find(ids[i], &code) || code == ERR_NONE)
            continue;
        if (answer->wanted)
            append_code(answer_body(answer), code);
        else
            print_row(ids[i], error_code_meaning(code));
    }
    if (answer->wanted)
        json_out_end(answer_body(answer));
}

static enum exit_code explain_command(const struct invocation *invocation, struct error *err)
{
    enum error_code code;
    size_t count;
    const char *const *ids = code_ids(&count);
    size_t asked = invocation->words.count;
    const char *const *words = invocation->words.items;
    if (asked == 0) {
        explain_all(invocation->answer, ids, count);
        return EXIT_OK;
    }
    for (size_t i = 0; i < asked; i++) {
        if (error_code_find(words[i], &code))
            continue;
        const char *nearest = text_nearest(words[i], ids, count);
        error_set(err, OUT_FATAL, ERR_USAGE, "there is no such error code");
        error_where(err, "%s", words[i]);
        error_hint(err, nearest ? "did you mean %s?" : "drover explain lists them all%s",
                   nearest ? nearest : "");
        return EXIT_USAGE;
    }
    if (invocation->answer->wanted) {
        explain_all(invocation->answer, words, asked);
        return EXIT_OK;
    }
    for (size_t i = 0; i < asked; i++) {
        (void)error_code_find(words[i], &code);
        printf("%s%s  %s\n", i ? "\n" : "", error_code_id(code), error_code_meaning(code));
        if (error_code_advice(code)[0])
            printf("try:  %s\n", error_code_advice(code));
        printf("exit: %d\n", (int)error_code_exit(code));
    }
    return EXIT_OK;
}

static enum exit_code version_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err))
        return EXIT_USAGE;
    if (invocation->answer->wanted) {
        struct json_out *out = answer_body(invocation->answer);
        json_out_object(out, "libraries");
        json_out_text(out, "librdkafka", rd_kafka_version_str());
        json_out_int(out, "libpq", PQlibVersion() / 10000);
        json_out_end(out);
        return EXIT_OK;
    }
    printf("drover %s (librdkafka %s, libpq %d)\n", DROVER_VERSION, rd_kafka_version_str(),
           PQlibVersion() / 10000);
    return EXIT_OK;
}

static const struct command COMMANDS[] = {
    {"run", CMD_RUN, "[SOURCE…]", "everything on this host: produce, work, verify",
     "  drover run exports/*.json\n"
     "  drover run --tenant acme carts.ndjson      all records belong to one tenant\n"
     "  drover run --workers 4                     sources from drover.yaml\n",
     run_command},
    {"rehearse", CMD_REHEARSE, "[SOURCE…]", "what a run would do, without any server",
     "  drover rehearse exports/*.json\n"
     "  drover rehearse --json --tenant acme storage.json\n",
     rehearse_command},
    {"produce", CMD_PRODUCE, "[SOURCE…]", "read the sources into the source topic",
     "  drover produce exports/*.json\n"
     "  drover produce --tenant-path 'exports/{tenant}/*.json'\n"
     "  drover produce --follow exports/           stay, and follow what changes\n"
     "  zcat dump.gz | drover produce --format ndjson --entity cart -\n",
     produce_command},
    {"work", CMD_WORK, "", "apply the source topic to the stores (start as many as you like)",
     "  drover work\n"
     "  drover work --until-end                    stop when all there is is applied\n",
     work_command},
    {"verify", CMD_VERIFY, "", "compare sources and stores, write the report",
     "  drover verify --source 'exports/*.json'\n"
     "  drover verify                              against the source topic\n",
     verify_command},
    {"status", CMD_STATUS, "", "where each partition stands, also when other hosts work",
     "  drover status\n"
     "  drover status --watch\n"
     "  drover status --json\n",
     status_command},
    {"doctor", CMD_DOCTOR, "", "check settings, mappings and servers, and say how to fix them",
     "  drover doctor\n"
     "  drover doctor -X security.protocol=ssl\n",
     doctor_command},
    {"config", CMD_CONFIG, "show|check",
     "show the settings in effect, or check them and the mappings",
     "  drover config show --origins\n"
     "  drover config check\n",
     config_command},
    {"schema", CMD_SCHEMA, "print|apply", "the tables, policies and functions in PostgreSQL",
     "  drover schema print                        the SQL for an empty database\n"
     "  drover schema apply --dry-run\n"
     "  drover schema apply\n",
     schema_command},
    {"topics", CMD_TOPICS, "print|apply", "the three topics in Kafka",
     "  drover topics print\n"
     "  drover topics apply --partitions 24 --replication 3\n",
     topics_command},
    {"export", CMD_EXPORT, "", "write a tenant's records back in the form they came in",
     "  drover export --tenant acme --as local_storage --to exports\n"
     "  drover export --tenant acme --as map_dump --to -\n"
     "  drover export --tenant acme --as file --key-file drover.key\n",
     export_command},
    {"secret", CMD_SECRET, "keygen|list|open|rotate|check|sweep",
     "the key that seals secrets, and the vault they are kept in",
     "  drover secret keygen drover.key            a new key file; none is overwritten\n"
     "  drover secret list --tenant acme           what is sealed, never the values\n"
     "  drover secret open sec_… --tenant acme     one value, on standard output\n"
     "  drover secret rotate                       a new key seals everything anew\n"
     "  drover secret check                        every value opens, none is missing\n"
     "  drover secret sweep                        removes what no row refers to\n",
     secret_command},
    {"rebuild", CMD_REBUILD, "redis|files",
     "fill Redis from PostgreSQL, or the files from their database",
     "  drover rebuild redis\n"
     "  drover rebuild redis --only-tenant acme    the others stay as they are\n"
     "  drover rebuild files --dry-run             what is missing or different\n"
     "  drover rebuild files --replace-edited      also what was edited\n",
     rebuild_command},
    {"explain", CMD_EXPLAIN, "[CODE…]", "what error codes mean",
     "  drover explain DRV-J002\n"
     "  drover explain                             all of them\n",
     explain_command},
    {"version", CMD_VERSION, "", "the versions of the program and its libraries",
     "  drover version\n", version_command},
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

enum exit_code command_fail(const struct error *err)
{
    return error_code_exit(err->code);
}

int command_choose(const struct invocation *invocation, const char *const *choices,
                   struct error *err)
{
    const char *word = invocation->words.count == 1 ? invocation->words.items[0] : "";
    size_t count = 0;
    for (; choices[count]; count++)
        if (strcmp(choices[count], word) == 0)
            return (int)count;
    error_set(err, OUT_FATAL, ERR_USAGE, "drover %s takes one word: %s", invocation->command->name,
              invocation->command->words);
    const char *nearest = word[0] ? text_nearest(word, choices, count) : NULL;
    if (nearest)
        error_hint(err, "did you mean drover %s %s?", invocation->command->name, nearest);
    return -1;
}

int command_takes_no_words(const struct invocation *invocation, struct error *err)
{
    if (invocation->words.count == 0)
        return 1;
    error_set(err, OUT_FATAL, ERR_USAGE, "drover %s takes flags only", invocation->command->name);
    return 0;
}
