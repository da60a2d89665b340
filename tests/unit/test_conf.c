#include "common/base/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#include "tests/support/first_mistake.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { PRODUCE = 1u << 0, WORK = 1u << 1, VERIFY = 1u << 2, EVERY = 7 };
static const char *const COMMANDS[] = {"produce", "work", "verify"};

struct target {
    const char *name;
    const char *database_url;
    bool strict;
    bool json;
    bool quiet;
    uint64_t connections;
    uint64_t memory;
    uint64_t verify_memory;
    uint64_t drain_ms;
    const char *log_format;
    struct conf_list sources;
    struct conf_map kafka;
    const char *brokers;
};

#define AT(member) offsetof(struct target, member)

static const struct conf_field FIELDS[] = {
    {.path = "migration",
     .flag = "migration",
     .kind = CONF_TEXT,
     .offset = AT(name),
     .placeholder = "NAME",
     .help = "what is migrated",
     .commands = EVERY},
    {.path = "kafka.brokers",
     .flag = "brokers",
     .env = "KAFKA_BROKERS",
     .kind = CONF_TEXT,
     .offset = AT(brokers),
     .fallback = "localhost:9092",
     .placeholder = "HOST:PORT,…",
     .help = "where Kafka is",
     .commands = EVERY},
    {.path = "database.url",
     .flag = "database-url",
     .env = "DATABASE_URL",
     .kind = CONF_SECRET,
     .offset = AT(database_url),
     .help = "where PostgreSQL is",
     .commands = WORK | VERIFY},
    {.path = "kafka.conf",
     .letter = 'X',
     .kind = CONF_MAP,
     .offset = AT(kafka),
     .help = "any setting of librdkafka",
     .commands = EVERY,
     .fallback = "linger.ms=20"},
    {.path = "work.strict",
     .flag = "strict",
     .kind = CONF_BOOL,
     .offset = AT(strict),
     .fallback = "true",
     .help = "stop at the first surprise",
     .commands = WORK},
    {.path = "work.connections",
     .flag = "connections",
     .letter = 'l',
     .kind = CONF_COUNT,
     .offset = AT(connections),
     .fallback = "2",
     .min = 1,
     .max = 64,
     .help = "connections of one worker",
     .commands = WORK,
     .old_path = "work.lanes",
     .old_flag = "lanes"},
    {.path = "work.memory",
     .flag = "memory",
     .kind = CONF_SIZE,
     .offset = AT(memory),
     .fallback = "64MiB",
     .min = 1 << 20,
     .max = 0,
     .help = "bytes in flight",
     .commands = WORK},
    {.path = "verify.memory",
     .flag = "memory",
     .kind = CONF_SIZE,
     .offset = AT(verify_memory),
     .fallback = "256MiB",
     .help = "bytes of the compared table",
     .commands = VERIFY},
    {.path = "work.drain",
     .flag = "drain",
     .kind = CONF_MILLIS,
     .offset = AT(drain_ms),
     .fallback = "8s",
     .min = 100,
     .max = 60000,
     .help = "longest wait at the end",
     .commands = WORK},
    {.path = "log.format",
     .flag = "log-format",
     .kind = CONF_CHOICE,
     .offset = AT(log_format),
     .fallback = "auto",
     .choices = "auto|json|logfmt",
     .help = "how log lines look",
     .commands = EVERY},
    {.path = "produce.sources",
     .flag = "source",
     .kind = CONF_LIST,
     .offset = AT(sources),
     .placeholder = "FILE",
     .help = "files to read",
     .commands = PRODUCE},
    {.flag = "json",
     .letter = 'j',
     .kind = CONF_BOOL,
     .offset = AT(json),
     .help = "machine-readable output",
     .commands = VERIFY},
    {.flag = "quiet",
     .letter = 'q',
     .kind = CONF_BOOL,
     .offset = AT(quiet),
     .help = "only errors",
     .commands = EVERY},
};

static struct target target;
static struct conf conf;
static struct error err;
static struct conf_list positionals;

static void setup(void)
{
    memset(&target, 0xAA, sizeof(target)); /* conf_init must not rely on zeroes */
    memset(&err, 0, sizeof(err));
    conf_init(&conf, FIELDS, COUNT(FIELDS), &target);
}

static void teardown(void)
{
    conf_free(&conf);
}

static enum outcome load_yaml(const char *text)
{
    return conf_load_yaml(&conf, "drover.yaml", bytes_text(text), &err);
}

static enum outcome load_flags(uint32_t command, char *const *argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    return conf_load_flags(&conf, argc, argv, command, COMMANDS, &positionals, &err);
}

#define FLAGS(command, ...) load_flags(command, (char *[]){__VA_ARGS__, NULL})
#define ENVIRONMENT(...) conf_load_env(&conf, (char *[]){__VA_ARGS__, NULL}, NULL, &err)

static size_t field_of(const char *path)
{
    size_t i = 0;
    while (!FIELDS[i].path || strcmp(FIELDS[i].path, path) != 0)
        i++;
    return i;
}

static const char *map_value(const char *key)
{
    for (size_t i = 0; i < target.kafka.count; i++) {
        if (strcmp(target.kafka.keys[i], key) == 0)
            return target.kafka.values[i];
    }
    return NULL;
}

START_TEST(defaults)
{
    ck_assert_ptr_null(target.name);
    ck_assert_ptr_null(target.database_url);
    ck_assert_str_eq(target.brokers, "localhost:9092");
    ck_assert(target.strict && !target.json && !target.quiet);
    ck_assert_uint_eq(target.connections, 2);
    ck_assert_uint_eq(target.memory, 64 << 20);
    ck_assert_uint_eq(target.drain_ms, 8000);
    ck_assert_str_eq(target.log_format, "auto");
    ck_assert_uint_eq(target.sources.count, 0);
    ck_assert_str_eq(map_value("linger.ms"), "20");
    ck_assert_ptr_null(conf.places[field_of("work.connections")]);
    ck_assert_int_eq(conf.origins[field_of("work.connections")], CONF_FROM_DEFAULT);
}
END_TEST

static const char FILE_TEXT[] = "migration: shop\n"
                                "kafka:\n"
                                "  brokers: a:1,b:2\n"
                                "  conf:\n"
                                "    linger.ms: 5\n"
                                "    sasl.password: 'p,w=1'\n"
                                "    empty:\n"
                                "work:\n"
                                "  strict: false\n"
                                "  connections: 4\n"
                                "  memory: 16MiB\n"
                                "  drain: 2s\n"
                                "log.format: json\n"
                                "verify:\n"
                                "produce:\n"
                                "  sources:\n"
                                "    - a.json\n"
                                "    - b,c.json\n"
                                "database: {url: ~}\n";

START_TEST(the_file_sets_every_kind)
{
    ck_assert_msg(load_yaml(FILE_TEXT) == OUT_OK, "%s", err.text);
    ck_assert_str_eq(target.name, "shop");
    ck_assert_str_eq(target.brokers, "a:1,b:2");
    ck_assert_uint_eq(target.kafka.count, 3);
    ck_assert_str_eq(map_value("linger.ms"), "5");
    ck_assert_str_eq(map_value("sasl.password"), "p,w=1");
    ck_assert_str_eq(map_value("empty"), "");
    ck_assert(!target.strict);
    ck_assert_uint_eq(target.connections, 4);
    ck_assert_uint_eq(target.memory, 16 << 20);
    ck_assert_uint_eq(target.verify_memory, 256 << 20);
    ck_assert_uint_eq(target.drain_ms, 2000);
    ck_assert_str_eq(target.log_format, "json");
    ck_assert_uint_eq(target.sources.count, 2);
    ck_assert_str_eq(target.sources.items[1], "b,c.json");
    ck_assert_ptr_null(target.database_url);
    ck_assert_str_eq(conf.places[field_of("work.connections")], "drover.yaml:10:16");
    ck_assert_int_eq(conf.origins[field_of("work.connections")], CONF_FROM_FILE);
}
END_TEST

START_TEST(one_scalar_is_a_list)
{
    ck_assert_int_eq(load_yaml("produce: {sources: 'a, b.json'}"), OUT_OK);
    ck_assert_uint_eq(target.sources.count, 1);
    ck_assert_str_eq(target.sources.items[0], "a, b.json");
    ck_assert_int_eq(load_yaml("produce: {sources: []}"), OUT_OK);
    ck_assert_uint_eq(target.sources.count, 0);
}
END_TEST

static const struct {
    const char *yaml;
    enum error_code code;
    const char *text, *where, *hint;
} BAD_FILES[] = {
    {"kafka:\n  borkers: x\n", ERR_CONF_UNKNOWN, "unknown key \"borkers\" under kafka",
     "drover.yaml:2:3", "did you mean \"brokers\"?"},
    {"migratoin: x\n", ERR_CONF_UNKNOWN, "unknown key \"migratoin\"", "drover.yaml:1:1",
     "did you mean \"migration\"?"},
    {"wrok:\n  connections: 2\n", ERR_CONF_UNKNOWN, "unknown key \"wrok\"", "drover.yaml:1:1",
     "did you mean \"work\"?"},
    {"brokers: x\n", ERR_CONF_UNKNOWN, "unknown key \"brokers\"", "drover.yaml:1:1",
     "did you mean \"kafka.brokers\"?"},
    {"colour: red\n", ERR_CONF_UNKNOWN, "unknown key \"colour\"", "drover.yaml:1:1", ""},
    {"work:\n  connections:\n    deep: 1\n", ERR_CONF_VALUE,
     "work.connections must be a single value, not a map", "drover.yaml:3:5", ""},
    {"migration: [a]\n", ERR_CONF_VALUE, "migration must be a single value, not a list",
     "drover.yaml:1:12", ""},
    {"work: 4\n", ERR_CONF_VALUE, "work must hold settings, one \"key: value\" a line",
     "drover.yaml:1:7", ""},
    {"- a\n", ERR_CONF_VALUE, "the file must hold settings, one \"key: value\" a line",
     "drover.yaml:1:1", ""},
    {"work: {connections: many}\n", ERR_CONF_VALUE,
     "work.connections must be a whole number, not \"many\"", "drover.yaml:1:21", ""},
    {"work: {connections: -1}\n", ERR_CONF_VALUE,
     "work.connections must be a whole number, not \"-1\"", "drover.yaml:1:21", ""},
    {"work: {connections: 0}\n", ERR_CONF_VALUE, "work.connections must be from 1 to 64, not \"0\"",
     "drover.yaml:1:21", ""},
    {"work: {connections: 65}\n", ERR_CONF_VALUE,
     "work.connections must be from 1 to 64, not \"65\"", "drover.yaml:1:21", ""},
    {"work: {memory: 1.5GB}\n", ERR_CONF_VALUE,
     "work.memory must be a size such as 64k or 16MiB, not \"1.5GB\"", "drover.yaml:1:16", ""},
    {"work: {memory: 64k}\n", ERR_CONF_VALUE, "work.memory must be at least 1.0 MiB, not \"64k\"",
     "drover.yaml:1:16", ""},
    {"work: {drain: soon}\n", ERR_CONF_VALUE,
     "work.drain must be a time such as 250ms, 10s, 5m or 24h, not \"soon\"", "drover.yaml:1:15",
     ""},
    {"work: {drain: 1h}\n", ERR_CONF_VALUE,
     "work.drain must be from 100 ms to 60 000 ms, not \"1h\"", "drover.yaml:1:15", ""},
    {"work: {strict: yes}\n", ERR_CONF_VALUE, "work.strict must be true or false, not \"yes\"",
     "drover.yaml:1:16", ""},
    {"log: {format: jsno}\n", ERR_CONF_VALUE,
     "log.format must be one of auto, json, logfmt, not \"jsno\"", "drover.yaml:1:15",
     "did you mean \"json\"?"},
    {"log: {format: \"\\e[31m\"}\n", ERR_CONF_VALUE,
     "log.format must be one of auto, json, logfmt, not \"\\x1B[31m\"", "drover.yaml:1:15", ""},
    {"kafka: {conf: [a]}\n", ERR_CONF_VALUE, "kafka.conf must be a map of key: value",
     "drover.yaml:1:15", ""},
    {"kafka: {conf: {a: [b]}}\n", ERR_CONF_VALUE, "kafka.conf must be a single value, not a list",
     "drover.yaml:1:19", ""},
    {"kafka: {conf: {'': b}}\n", ERR_CONF_VALUE, "kafka.conf has a value without a key",
     "drover.yaml:1:15", ""},
    {"produce: {sources: [[a]]}\n", ERR_CONF_VALUE,
     "produce.sources must be a single value, not a list", "drover.yaml:1:21", ""},
    {"work: {connections: 2, lanes: 3}\n", ERR_CONF_VALUE,
     "work.lanes and work.connections are one setting, written twice", "drover.yaml:1:31",
     "remove work.lanes"},
    {"work: {lanes: 3, connections: 2}\n", ERR_CONF_VALUE,
     "work.lanes and work.connections are one setting, written twice", "drover.yaml:1:31",
     "remove work.lanes"},
    {"a: 1\na: 2\n", ERR_CONF_SYNTAX, "key \"a\" is written twice", "drover.yaml:2:1",
     "remove one of the two"},
};

START_TEST(files_are_refused_with_the_place)
{
    ck_assert_int_eq(load_yaml(BAD_FILES[_i].yaml), OUT_FATAL);
    ck_assert_str_eq(err.text, BAD_FILES[_i].text);
    ck_assert_str_eq(err.where, BAD_FILES[_i].where);
    ck_assert_str_eq(err.hint, BAD_FILES[_i].hint);
    ck_assert_int_eq(err.code, BAD_FILES[_i].code);
    ck_assert_int_eq(conf_load_yaml(&conf, "drover.yaml", bytes_text(BAD_FILES[_i].yaml), NULL),
                     OUT_FATAL);
}
END_TEST

/* The same four settings in every order of loading: the origin decides, not the time. */
static void load_origin(int origin)
{
    enum outcome outcome = OUT_OK;
    if (origin == CONF_FROM_FILE)
        outcome =
            load_yaml("work: {connections: 10}\nkafka: {brokers: file:1, conf: {a: file, b: file, "
                      "c: file}}\nmigration: file\nproduce: {sources: [file]}\n");
    else if (origin == CONF_FROM_ENVIRONMENT)
        outcome = ENVIRONMENT("KAFKA_BROKERS=env:1", "DROVER_WORK_LANES=20",
                              "DROVER_KAFKA_CONF=b=env, c=env", "DROVER_PRODUCE_SOURCES=env, env2");
    else
        outcome = FLAGS(EVERY, "--connections", "30", "-X", "c=flag");
    ck_assert_msg(outcome == OUT_OK, "%s", err.text);
}

START_TEST(precedence_does_not_depend_on_the_order)
{
    static const int ORDERS[][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
                                    {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
    for (int i = 0; i < 3; i++)
        load_origin(ORDERS[_i][i]);
    ck_assert_uint_eq(target.connections, 30);
    ck_assert_str_eq(target.brokers, "env:1");
    ck_assert_str_eq(target.name, "file");
    ck_assert_uint_eq(target.sources.count, 2);
    ck_assert_str_eq(target.sources.items[1], "env2");
    ck_assert_str_eq(map_value("a"), "file");
    ck_assert_str_eq(map_value("b"), "env");
    ck_assert_str_eq(map_value("c"), "flag");
    ck_assert_str_eq(map_value("linger.ms"), "20");
    ck_assert_str_eq(conf.places[field_of("work.connections")], "--connections");
    ck_assert_str_eq(conf.places[field_of("kafka.brokers")], "KAFKA_BROKERS");
}
END_TEST

START_TEST(a_mistake_does_not_hide_behind_a_flag)
{
    ck_assert_int_eq(FLAGS(WORK, "--connections=3"), OUT_OK);
    ck_assert_int_eq(load_yaml("work: {connections: none}"), OUT_FATAL);
    ck_assert_uint_eq(target.connections, 3);
}
END_TEST

static char *read_secret(const char *path, struct error *error)
{
    if (strcmp(path, "/run/secret") == 0)
        return strdup("postgres://u:pw@h/d");
    error_set(error, OUT_FATAL, ERR_CONF_SECRET, "%s cannot be read", path);
    return NULL;
}

START_TEST(secrets_may_be_in_files)
{
    char *by_alias[] = {"DATABASE_URL_FILE=/run/secret", NULL};
    ck_assert_int_eq(conf_load_env(&conf, by_alias, read_secret, &err), OUT_OK);
    ck_assert_str_eq(target.database_url, "postgres://u:pw@h/d");
    ck_assert_str_eq(conf.places[field_of("database.url")], "DATABASE_URL_FILE");

    char *missing[] = {"DROVER_DATABASE_URL_FILE=/no", NULL};
    ck_assert_int_eq(conf_load_env(&conf, missing, read_secret, &err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_CONF_SECRET);
    ck_assert_str_eq(err.where, "DROVER_DATABASE_URL_FILE");
    ck_assert_int_eq(conf_load_env(&conf, missing, NULL, &err), OUT_FATAL);
    ck_assert_int_eq(conf_load_env(&conf, missing, NULL, NULL), OUT_FATAL);

    char *both[] = {"DATABASE_URL=x", "DATABASE_URL_FILE=/run/secret", NULL};
    ck_assert_int_eq(conf_load_env(&conf, both, read_secret, &err), OUT_FATAL);
    ck_assert_str_eq(err.text, "both DATABASE_URL and DATABASE_URL_FILE are set");
}
END_TEST

START_TEST(the_environment_sets)
{
    ck_assert_int_eq(ENVIRONMENT("HOME=/x", "DROVER=./drover", "DROVER_WORK_STRICT=false",
                                 "DROVER_LOG_FORMAT=", "DATABASE_URL=postgres://h/d",
                                 "DROVER_DATABASE_URL=postgres://other/d", "odd"),
                     OUT_OK);
    ck_assert(!target.strict);
    ck_assert_str_eq(target.log_format, "auto");                 /* empty is unset */
    ck_assert_str_eq(target.database_url, "postgres://other/d"); /* our own name wins */
}
END_TEST

static const struct {
    const char *variable;
    const char *text; /* NULL: taken */
    const char *hint;
} VARIABLES[] = {
    {"DROVER_KAFKA_BROKER=x", "unknown variable DROVER_KAFKA_BROKER",
     "did you mean \"DROVER_KAFKA_BROKERS\"?"},
    {"DROVER_COLOUR=secret", "unknown variable DROVER_COLOUR",
     "unset DROVER_COLOUR: it is no setting"},
    {"DROVER_KAFKA_BROKERS_FILE=x", "unknown variable DROVER_KAFKA_BROKERS_FILE",
     "did you mean \"DROVER_KAFKA_BROKERS\"?"},
    {"DROVER_WORK_CONNECTIONS=x", "work.connections must be a whole number, not \"x\"", ""},
    {"DROVER_KAFKA_CONF=sasl.password", "kafka.conf wants KEY=VALUE", ""},
    {"DROVER_KAFKA_CONF==x", "kafka.conf wants KEY=VALUE", ""},
    {"DROVER_STACK_DIR=x", NULL, ""},
    {"DROVER_KEEP_STACK=1", NULL, ""},
    {"DROVER_TEST_X=1", NULL, ""},
    {"DROVER_ADMIN_URL=1", NULL, ""},
    {"DROVER_PROGRESS_FD=3", NULL, ""},
    {"DROVER_PARENT_PID=1", NULL, ""},
    {"DROVER_SOURCE_DIR=x", NULL, ""},
    {"DROVER_SERVICE_HOST=10.0.0.1", NULL, ""},
    {"DROVER_HTTP_SERVICE_PORT_METRICS=80", NULL, ""},
    {"DROVER_HTTP_PORT=tcp://10.0.0.1:80", NULL, ""},
    {"DROVER_PORT=tcp://10.0.0.1:80", NULL, ""},
    {"DROVER_HTTP_PORT_80_TCP_ADDR=10.0.0.1", NULL, ""},
    {"DROVER_HTTP_PORT=80", "unknown variable DROVER_HTTP_PORT",
     "unset DROVER_HTTP_PORT: it is no setting"},
    {"DROVERX=1", NULL, ""},
};

START_TEST(variables_are_known_or_refused)
{
    char variable[100];
    snprintf(variable, sizeof(variable), "%s", VARIABLES[_i].variable);
    ck_assert_msg(ENVIRONMENT(variable) == (VARIABLES[_i].text ? OUT_FATAL : OUT_OK), "%s: %s",
                  variable, err.text);
    ck_assert_str_eq(err.text, VARIABLES[_i].text ? VARIABLES[_i].text : "");
    ck_assert_str_eq(err.hint, VARIABLES[_i].hint);
    ck_assert_ptr_null(strstr(err.where, "secret"));
}
END_TEST

START_TEST(too_many_items_for_a_variable)
{
    char variable[400] = "DROVER_PRODUCE_SOURCES=";
    for (int i = 0; i < 64; i++)
        strcat(variable, "a,");
    ck_assert_int_eq(ENVIRONMENT(variable), OUT_OK);
    ck_assert_uint_eq(target.sources.count, 64);
    strcat(variable, "a");
    ck_assert_int_eq(ENVIRONMENT(variable), OUT_FATAL);
}
END_TEST

START_TEST(flags_in_every_form)
{
    ck_assert_msg(FLAGS(WORK, "one", "--connections", "3", "--memory=2m", "-Xa=b=c", "-X",
                        "d=", "-q", "--no-strict", "-", "--brokers=", "--", "--connections",
                        "-x") == OUT_OK,
                  "%s", err.text);
    ck_assert_uint_eq(target.connections, 3);
    ck_assert_uint_eq(target.memory, 2 << 20);
    ck_assert_uint_eq(target.verify_memory, 256 << 20);
    ck_assert_str_eq(map_value("a"), "b=c");
    ck_assert_str_eq(map_value("d"), "");
    ck_assert(target.quiet && !target.strict);
    ck_assert_str_eq(target.brokers, "");
    ck_assert_uint_eq(positionals.count, 4);
    static const char *const REST[] = {"one", "-", "--connections", "-x"};
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(positionals.items[i], REST[i]);
}
END_TEST

START_TEST(flags_repeat)
{
    ck_assert_int_eq(load_yaml("produce: {sources: [file]}"), OUT_OK);
    ck_assert_int_eq(FLAGS(PRODUCE, "--source", "a,b", "--source=c", "-Xk=1", "-Xk=2"), OUT_OK);
    ck_assert_uint_eq(target.sources.count, 2);
    ck_assert_str_eq(target.sources.items[0], "a,b");
    ck_assert_str_eq(target.sources.items[1], "c");
    ck_assert_str_eq(map_value("k"), "2");
    ck_assert_int_eq(FLAGS(WORK, "--strict=false", "-l3", "-ql4"), OUT_OK);
    ck_assert(!target.strict);
    ck_assert_uint_eq(target.connections, 4);
}
END_TEST

START_TEST(many_repeated_flags_are_cheap)
{
    enum { MANY = 20000 };
    char **argv = calloc(MANY + 1, sizeof(*argv));
    for (int i = 0; i < MANY; i++)
        argv[i] = "--source=some/file/in/a/folder.json";
    ck_assert_int_eq(load_flags(PRODUCE, argv), OUT_OK);
    ck_assert_uint_eq(target.sources.count, MANY);
    free(argv);
}
END_TEST

START_TEST(settings_have_a_memory_limit)
{
    char *text = malloc(1000000);
    memset(text, 'x', 999999);
    text[999999] = '\0';
    memcpy(text, "--migration=", 12);
    enum outcome outcome = OUT_OK;
    for (int i = 0; i < 70 && outcome == OUT_OK; i++)
        outcome = FLAGS(WORK, text);
    ck_assert_int_eq(outcome, OUT_FATAL);
    ck_assert_str_eq(err.text, "migration does not fit: the settings take more than 64 MiB");
    free(text);
}
END_TEST

static const struct {
    uint32_t command;
    const char *first, *second;
    const char *text, *hint;
} BAD_FLAGS[] = {
    {WORK, "--connection", NULL, "unknown flag --connection", "did you mean --connections?"},
    {WORK, "--mem=1", NULL, "unknown flag --mem", "did you mean --memory?"},
    {WORK, "--zzz", NULL, "unknown flag --zzz", "drover work --help lists the flags"},
    {WORK, "-z", NULL, "unknown flag -z", "drover work --help lists the flags"},
    {WORK, "--no-connections", NULL, "unknown flag --no-connections",
     "did you mean --connections?"},
    {WORK, "--json", NULL, "--json is not a flag of drover work", "it belongs to: verify"},
    {WORK, "-j", NULL, "-j is not a flag of drover work", "it belongs to: verify"},
    {PRODUCE, "--memory", "1g", "--memory is not a flag of drover produce",
     "it belongs to: work, verify"},
    {WORK, "--connections", NULL, "--connections needs a value",
     "--connections: connections of one worker"},
    {WORK, "--connections", "--quiet", "--connections needs a value",
     "--connections: connections of one worker"},
    {WORK, "--connections", "-q", "--connections needs a value",
     "--connections: connections of one worker"},
    {WORK, "--connections", "-1", "work.connections must be a whole number, not \"-1\"", ""},
    {WORK, "--connections=", NULL, "work.connections must be a whole number, not \"\"", ""},
    {WORK, "--no-quiet=true", NULL, "--no-quiet takes no value", ""},
    {WORK, "--quiet=1", NULL, "--quiet must be true or false, not \"1\"", ""},
    {WORK, "-X", "secret", "kafka.conf wants KEY=VALUE", ""},
    {WORK, "--\x1b[31m", NULL, "unknown flag --\\x1B[31m", "drover work --help lists the flags"},
    {EVERY, "--zzz", NULL, "unknown flag --zzz", "drover --help lists the flags"},
};

START_TEST(flags_are_refused_with_advice)
{
    char first[40], second[40];
    snprintf(first, sizeof(first), "%s", BAD_FLAGS[_i].first);
    snprintf(second, sizeof(second), "%s", BAD_FLAGS[_i].second ? BAD_FLAGS[_i].second : "");
    ck_assert_int_eq(FLAGS(BAD_FLAGS[_i].command, first, BAD_FLAGS[_i].second ? second : NULL),
                     OUT_FATAL);
    ck_assert_str_eq(err.text, BAD_FLAGS[_i].text);
    ck_assert_str_eq(err.hint, BAD_FLAGS[_i].hint);
    ck_assert_int_eq(err.code, ERR_USAGE);
}
END_TEST

START_TEST(help_is_aligned_and_wrapped)
{
    struct buf out;
    buf_init(&out, 10000);
    conf_append_help(&conf, WORK, NULL, NULL, &out);
    ck_assert_str_eq(
        buf_text(&out),
        "      --migration NAME       what is migrated\n"
        "      --brokers HOST:PORT,…  where Kafka is [default: localhost:9092; or\n"
        "                             $KAFKA_BROKERS]\n"
        "      --database-url SECRET  where PostgreSQL is [or $DATABASE_URL]\n"
        "  -X KEY=VALUE               any setting of librdkafka [default: linger.ms=20;\n"
        "                             repeatable]\n"
        "      --no-strict            stop at the first surprise\n"
        "  -l, --connections N        connections of one worker [default: 2]\n"
        "      --memory SIZE          bytes in flight [default: 64MiB]\n"
        "      --drain TIME           longest wait at the end [default: 8s]\n"
        "      --log-format auto|json|logfmt\n"
        "                             how log lines look [default: auto]\n"
        "  -q, --quiet                only errors\n");
    buf_free(&out);
}
END_TEST

START_TEST(shows_the_settings_in_effect)
{
    ck_assert_int_eq(load_yaml(FILE_TEXT), OUT_OK);
    ck_assert_int_eq(ENVIRONMENT("DATABASE_URL=postgres://app:geheim@h:5432/d"), OUT_OK);
    ck_assert_int_eq(FLAGS(WORK, "-Xclient.id=a b"), OUT_OK);
    struct buf out;
    buf_init(&out, 10000);
    conf_append_yaml(&conf, true, &out);
    ck_assert_str_eq(buf_text(&out),
                     "migration: shop  # from drover.yaml:1:12\n"
                     "kafka:\n"
                     "  brokers: \"a:1,b:2\"  # from drover.yaml:3:12\n"
                     "  conf:\n"
                     "    linger.ms: 5  # from drover.yaml:5:5\n"
                     "    sasl.password: \"***\"  # from drover.yaml:5:5\n"
                     "    empty: \"\"  # from drover.yaml:5:5\n"
                     "    client.id: \"a b\"  # from -X\n"
                     "database:\n"
                     "  url: postgres://app:***@h:5432/d  # from DATABASE_URL\n"
                     "work:\n"
                     "  strict: false  # from drover.yaml:9:11\n"
                     "  connections: 4  # from drover.yaml:10:16\n"
                     "  memory: 16MiB  # from drover.yaml:11:11\n"
                     "  drain: 2s  # from drover.yaml:12:10\n"
                     "verify:\n"
                     "  memory: 256MiB  # from default\n"
                     "log:\n"
                     "  format: json  # from drover.yaml:13:13\n"
                     "produce:\n"
                     "  sources: [a.json, \"b,c.json\"]  # from drover.yaml:17:5\n");
    buf_free(&out);
}
END_TEST

START_TEST(what_is_shown_loads_again)
{
    static const char *const NAMES[] = {
        "plain",     "a: b", "a #b",
        "- x",       "",     "null",
        "~",         "'",    "\"q\"",
        "tab\there", "é",    "a:",
        "*a",        "&a",   "!a",
        "%a",        "@a",   "`a",
        "{a}",       "[a]",  "a,b",
        "?",         ":",    "-",
        "--- ",      "...",  "true",
        "0x1F",      "x\ny", "a=b",
        "<<",        "#",    "http://h:1/p?q=1#f",
        ".",         "=",
    };
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s", NAMES[i]);
        teardown();
        setup();
        ck_assert_int_eq(FLAGS(EVERY, "--migration", name[0] == '-' && name[1] ? "x" : name,
                               "--source", "x", "-X", "k=v", "--drain=1500", "--memory=3145729"),
                         OUT_OK);
        struct buf out;
        buf_init(&out, 10000);
        conf_append_yaml(&conf, false, &out);
        struct target first = target;
        struct target again;
        struct conf second;
        conf_init(&second, FIELDS, COUNT(FIELDS), &again);
        ck_assert_msg(conf_load_yaml(&second, "again", buf_view(&out), &err) == OUT_OK, "%s %s\n%s",
                      err.where, err.text, buf_text(&out));
        ck_assert_str_eq(again.name, first.name);
        ck_assert_uint_eq(again.drain_ms, 1500);
        ck_assert_uint_eq(again.memory, 3145729);
        ck_assert_uint_eq(again.kafka.count, first.kafka.count);
        ck_assert_str_eq(again.kafka.values[1], "v");
        ck_assert_str_eq(again.sources.items[0], "x");
        conf_free(&second);
        buf_free(&out);
    }
}
END_TEST

static const struct {
    const char *secret, *shown;
} MASKS[] = {
    {"postgres://app:pw@h:5432/d", "postgres://app:***@h:5432/d"},
    {"postgresql://app@h/d", "postgresql://app@h/d"},
    {"postgres://h/d", "postgres://h/d"},
    {"postgres://app:p@w/x?y@h/d", "postgres://app:***@h/d"},
    {"postgres://h/d?user=a&password=pw&sslmode=require",
     "postgres://h/d?user=a&password=***&sslmode=require"},
    {"postgres://a:pw@h/d?sslpassword=pw&x", "postgres://a:***@h/d?sslpassword=***&x"},
    {"redis://:pw@h:6379/0", "redis://:***@h:6379/0"},
    {"redis://pw@h:6379", "redis://***@h:6379"},
    {"rediss://u:pw@h", "rediss://u:***@h"},
    {"redis://h:6379", "redis://h:6379"},
    {"host=h user=u password=pw dbname=d", "host=h user=u password=*** dbname=d"},
    {"host=h password='a \\' b' user=u", "host=h password=*** user=u"},
    {"password = pw\\ x host = h", "password=*** host=h"},
    {"  host=h password=", "host=h password=***"},
    {"host=h passwort=pw", "host=h passwort=***"},
    {"host='h password=pw", "***"},
    {"password=pw", "***"},
    {"c2VjcmV0==", "***"},
    {"plain", "***"},
    {"", "***"},
    {"pw://", "pw://"},
    {"12://a:b@c", "***"},
    {"postgres://h\x1b[2J/d", "postgres://h\\x1B[2J/d"},
};

START_TEST(masks_passwords)
{
    struct buf out;
    buf_init(&out, 1000);
    conf_append_masked(&out, MASKS[_i].secret);
    ck_assert_str_eq(buf_text(&out), MASKS[_i].shown);
    buf_free(&out);
}
END_TEST

START_TEST(all_mistakes_of_the_environment_are_told)
{
    struct error_list mistakes;
    char *wrong[] = {"DROVER_COLOUR=red", "DROVER_KAFKA_BROKRS=a", "DROVER_LAMP=on", NULL};
    char *right[] = {NULL};
    error_list_init(&mistakes);
    ck_assert_int_eq(conf_load_env_all(&conf, right, NULL, &mistakes), OUT_OK);
    ck_assert_int_eq(conf_load_env_all(&conf, wrong, NULL, &mistakes), OUT_FATAL);
    ck_assert_uint_eq(mistakes.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const char *name = strrchr(mistakes.items[i].text, ' ') + 1;
        ck_assert_int_eq(strncmp(wrong[i], name, strlen(name)), 0);
    }
    error_list_free(&mistakes);
}
END_TEST

/* A name of an earlier version means the same wherever it stands, and is noted once. */
START_TEST(an_old_name_is_read_and_noted)
{
    static const char *const NOTES[] = {
        "work.lanes is called work.connections now (drover.yaml:1:15)",
        "DROVER_WORK_LANES is called DROVER_WORK_CONNECTIONS now",
        "--lanes is called --connections now",
    };
    size_t field = field_of("work.connections");
    char *environment[] = {"DROVER_WORK_LANES=7", NULL};
    ck_assert_ptr_null(conf.renamed[field]);
    ck_assert_int_eq(_i == 0   ? load_yaml("work: {lanes: 7}\n")
                     : _i == 1 ? conf_load_env(&conf, environment, NULL, &err)
                               : FLAGS(WORK, "--lanes", "7"),
                     OUT_OK);
    ck_assert_uint_eq(target.connections, 7);
    ck_assert_str_eq(conf.renamed[field], NOTES[_i]);
    ck_assert_int_eq(FLAGS(WORK, "--lanes=8", "--connections=9"), OUT_OK);
    ck_assert_uint_eq(target.connections, 9);
    ck_assert_str_eq(conf.renamed[field], NOTES[_i]);
}
END_TEST

/* A mistake in its value is told, by the name of today; no other command has the flag. */
START_TEST(an_old_name_is_checked_as_the_new_one)
{
    char *environment[] = {"DROVER_WORK_LANES=many", NULL};
    ck_assert_int_eq(conf_load_env(&conf, environment, NULL, &err), OUT_FATAL);
    ck_assert_str_eq(err.text, "work.connections must be a whole number, not \"many\"");
    ck_assert_int_eq(FLAGS(VERIFY, "--lanes=3"), OUT_FATAL);
    ck_assert_str_eq(err.text, "--lanes is not a flag of drover verify");
    ck_assert_ptr_null(conf.renamed[field_of("work.connections")]);
}
END_TEST

static Suite *conf_suite(void)
{
    Suite *suite = suite_create("conf");
    TCase *tcase = tcase_create("conf");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, the_file_sets_every_kind);
    tcase_add_test(tcase, one_scalar_is_a_list);
    tcase_add_loop_test(tcase, files_are_refused_with_the_place, 0, COUNT(BAD_FILES));
    tcase_add_loop_test(tcase, precedence_does_not_depend_on_the_order, 0, 6);
    tcase_add_test(tcase, a_mistake_does_not_hide_behind_a_flag);
    tcase_add_test(tcase, secrets_may_be_in_files);
    tcase_add_test(tcase, the_environment_sets);
    tcase_add_test(tcase, all_mistakes_of_the_environment_are_told);
    tcase_add_loop_test(tcase, variables_are_known_or_refused, 0, COUNT(VARIABLES));
    tcase_add_test(tcase, too_many_items_for_a_variable);
    tcase_add_test(tcase, flags_in_every_form);
    tcase_add_test(tcase, flags_repeat);
    tcase_add_test(tcase, many_repeated_flags_are_cheap);
    tcase_add_test(tcase, settings_have_a_memory_limit);
    tcase_add_loop_test(tcase, flags_are_refused_with_advice, 0, COUNT(BAD_FLAGS));
    tcase_add_test(tcase, help_is_aligned_and_wrapped);
    tcase_add_test(tcase, shows_the_settings_in_effect);
    tcase_add_test(tcase, what_is_shown_loads_again);
    tcase_add_loop_test(tcase, an_old_name_is_read_and_noted, 0, 3);
    tcase_add_test(tcase, an_old_name_is_checked_as_the_new_one);
    tcase_add_loop_test(tcase, masks_passwords, 0, COUNT(MASKS));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(conf_suite)
