/*
 * The table of settings and what is completed after loading. settings.c stands in the I/O layer
 * with what it describes, but touches nothing outside: it is included, so that this test stays one
 * of those that need no server's library.
 */
#include "common/io/settings.c"

#include <stdlib.h>
#include <unistd.h>

#include "tests/support/suite.h"

#include "tests/support/first_mistake.h"

static struct settings settings;
static struct conf conf;

static const char *const *names(void)
{
    static const char *list[32] = {"produce", "work",   "verify", "run",     "status", "doctor",
                                   "config",  "schema", "topics", "explain", "version"};
    return list;
}

static void set_up(void)
{
    conf_init(&conf, FIELDS, sizeof(FIELDS) / sizeof(FIELDS[0]), &settings);
}

static void tear_down(void)
{
    conf_free(&conf);
}

START_TEST(defaults_are_those_promised)
{
    ck_assert_str_eq(settings.migration, "main");
    ck_assert_str_eq(settings.prefix, "drover");
    ck_assert_str_eq(settings.worker_role, "drover_worker");
    ck_assert_str_eq(settings.verifier_role, "drover_verifier");
    ck_assert_str_eq(settings.state_dir, ".drover");
    ck_assert_str_eq(settings.format, "auto");
    ck_assert_uint_eq(settings.record_bytes, 16u << 20);
    ck_assert_uint_eq(settings.queue_bytes, 32u << 20);
    ck_assert_uint_eq(settings.batch_records, 2000);
    ck_assert_uint_eq(settings.batch_bytes, 1u << 20);
    ck_assert_uint_eq(settings.work_memory, 40u << 20);
    ck_assert_uint_eq(settings.drain_ms, 8000);
    ck_assert_uint_eq(settings.verify_memory, 256u << 20);
    ck_assert_uint_eq(settings.samples, 20);
    ck_assert_uint_eq(settings.workers, 2);
    ck_assert_ptr_null(settings.database_url);
    ck_assert(!settings.json && !settings.accept_gap && !settings.dry_run);
}
END_TEST

/* What stands between the page's first bars, without its back quotes. */
static void take_cell(const char **at, char *cell, size_t size)
{
    size_t length = strcspn(*at, "|\n"), begin = 0;
    const char *text = *at;
    *at += length + ((*at)[length] == '|');
    while (begin < length && strchr(" `", text[begin]))
        begin++;
    while (length > begin && strchr(" `", text[length - 1]))
        length--;
    snprintf(cell, size, "%.*s", (int)(length - begin), text + begin);
}

static const struct conf_field *field_of(const char *path)
{
    for (size_t i = 0; i < conf.field_count; i++)
        if (FIELDS[i].path && strcmp(FIELDS[i].path, path) == 0)
            return &FIELDS[i];
    return NULL;
}

/* docs/configuration.md: `| key | flag | variable | default | meaning |`, a row for each setting.
 */
START_TEST(the_page_tells_the_defaults_of_the_table)
{
    enum { KEY, DEFAULT = 3, CELLS };
    char path[4096], line[4096], cells[CELLS][512];
    size_t rows = 0, settings_count = 0;
    snprintf(path, sizeof(path), "%s/docs/configuration.md", getenv("DROVER_SOURCE_DIR"));
    FILE *page = fopen(path, "r");
    ck_assert_msg(page != NULL, "%s", path);
    while (fgets(line, sizeof(line), page)) {
        const char *at = line + 1;
        if (strncmp(line, "| `", 3) != 0 || line[3] == '-')
            continue;
        for (int i = 0; i < CELLS; i++)
            take_cell(&at, cells[i], sizeof(cells[i]));
        const struct conf_field *field = field_of(cells[KEY]);
        ck_assert_msg(field != NULL, "%s is no setting", cells[KEY]);
        const char *known = field->fallback            ? field->fallback
                            : field->kind == CONF_BOOL ? "false"
                                                       : "";
        ck_assert_msg(strcmp(cells[DEFAULT], known) == 0, "%s: the page says '%s', it is '%s'",
                      field->path, cells[DEFAULT], known);
        rows++;
    }
    fclose(page);
    for (size_t i = 0; i < conf.field_count; i++)
        settings_count += FIELDS[i].path != NULL;
    ck_assert_uint_eq(rows, settings_count);
}
END_TEST

/* "40MiB" as a table of architecture.md tells it, "40 MiB"; "100000" is "100,000" there. */
static void spell(const char *value, char *text, size_t size)
{
    size_t digits = strspn(value, "0123456789");
    const char *unit = value + digits;
    int comma = digits > 3 ? (int)digits - 3 : 0;
    snprintf(text, size, "%.*s%s%.*s%s%s", comma, value, comma ? "," : "", (int)digits - comma,
             value + comma, *unit ? " " : "", unit);
}

/* docs/architecture.md: `| what | bound | settings |`. A row that names settings has their
 * defaults. */
START_TEST(the_limits_named_are_the_defaults)
{
    char path[4096], line[4096], name[128], value[64];
    size_t rows = 0;
    snprintf(path, sizeof(path), "%s/docs/architecture.md", getenv("DROVER_SOURCE_DIR"));
    FILE *page = fopen(path, "r");
    bool is_limits = false;
    ck_assert_msg(page != NULL, "%s", path);
    while (fgets(line, sizeof(line), page)) {
        if (line[0] == '#')
            is_limits = strcmp(line, "## Limits\n") == 0;
        for (size_t i = 0; is_limits && line[0] == '|' && i < conf.field_count; i++) {
            snprintf(name, sizeof(name), "`%s`", FIELDS[i].path ? FIELDS[i].path : "");
            if (!strstr(line, name) || !FIELDS[i].fallback)
                continue;
            spell(FIELDS[i].fallback, value, sizeof(value));
            ck_assert_msg(strstr(line, value) != NULL, "%s is %s: %s", name, value, line);
            rows++;
        }
    }
    fclose(page);
    ck_assert_uint_ge(rows, 10);
}
END_TEST

/* Two fields of one name must not both answer to one command. */
START_TEST(no_command_has_a_flag_twice)
{
    for (size_t i = 0; i < conf.field_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct conf_field *a = &FIELDS[i], *b = &FIELDS[j];
            if (!(a->commands & b->commands))
                continue;
            bool same = a->flag && b->flag && strcmp(a->flag, b->flag) == 0;
            ck_assert_msg(!same, "--%s", a->flag);
            ck_assert_msg(!a->letter || a->letter != b->letter, "-%c: --%s and --%s", a->letter,
                          a->flag, b->flag);
            ck_assert_msg(!a->path || !b->path || strcmp(a->path, b->path) != 0, "%s", a->path);
        }
        ck_assert_msg(FIELDS[i].letter != 'h', "-h is help: --%s", FIELDS[i].flag);
    }
}
END_TEST

START_TEST(secrets_have_no_flag)
{
    for (size_t i = 0; i < conf.field_count; i++)
        ck_assert_msg(FIELDS[i].kind != CONF_SECRET || (!FIELDS[i].flag && !FIELDS[i].letter), "%s",
                      FIELDS[i].path);
}
END_TEST

START_TEST(every_flag_says_what_it_does)
{
    for (size_t i = 0; i < conf.field_count; i++) {
        const struct conf_field *field = &FIELDS[i];
        const char *name = field->flag ? field->flag : field->path;
        ck_assert_msg(field->help && field->help[0] && field->help[strlen(field->help) - 1] != '.',
                      "%s", name);
        ck_assert_msg(field->kind == CONF_BOOL || field->kind == CONF_ROWS || field->placeholder,
                      "%s", name);
        ck_assert_msg(!field->flag || field->commands, "--%s belongs to no command", name);
    }
}
END_TEST

static const struct {
    const char *variable;
    size_t offset;
} VARIABLES[] = {
    {"KAFKA_BROKERS=x", AT(brokers)},
    {"DROVER_KAFKA_BROKERS=x", AT(brokers)},
    {"DATABASE_URL=x", AT(database_url)},
    {"REDIS_URL=x", AT(redis_url)},
    {"DROVER_CONFIG=x", AT(config_file)},
    {"DROVER_TENANT_ID=x", AT(tenant)},
    {"DROVER_TENANT_PROJECT_ID=x", AT(project_id)},
};

START_TEST(the_environment_is_read)
{
    char variable[64];
    snprintf(variable, sizeof(variable), "%s", VARIABLES[_i].variable);
    char *environment[] = {variable, NULL};
    struct error err = {0};
    ck_assert_msg(conf_load_env(&conf, environment, NULL, &err) == OUT_OK, "%s", err.text);
    const char *const *member = (const void *)((char *)&settings + VARIABLES[_i].offset);
    ck_assert_ptr_nonnull(*member);
    ck_assert_str_eq(*member, "x");
}
END_TEST

static void complete(const char *file, const char *yaml)
{
    struct error err = {0};
    ck_assert_msg(conf_load_yaml(&conf, file, bytes_text(yaml), &err) == OUT_OK, "%s", err.text);
    settings.config_file = file;
    ck_assert_msg(settings_complete(&conf, &err) == OUT_OK, "%s", err.text);
}

START_TEST(paths_of_the_file_are_relative_to_it)
{
    complete("etc/shop/drover.yaml", "mappings: [maps, /abs/maps]\n"
                                     "state_dir: state\n"
                                     "produce: { sources: ['-', 'in/*.json', 's3://x/y'] }\n"
                                     "verify: { sources: orig.json }\n");
    ck_assert_str_eq(settings.mappings.items[0], "etc/shop/maps");
    ck_assert_str_eq(settings.mappings.items[1], "/abs/maps");
    ck_assert_str_eq(settings.state_dir, "etc/shop/state");
    ck_assert_str_eq(settings.sources.items[0], "-");
    ck_assert_str_eq(settings.sources.items[1], "etc/shop/in/*.json");
    ck_assert_str_eq(settings.sources.items[2], "s3://x/y");
    ck_assert_str_eq(settings.verify_sources.items[0], "etc/shop/orig.json");
    ck_assert_str_eq(settings.report_dir, "drover-report"); /* a default stays where the user is */
}
END_TEST

START_TEST(paths_of_flags_are_relative_to_the_caller)
{
    char mapping[] = "--mapping=maps", state[] = "--state-dir=state";
    char *argv[] = {mapping, state, NULL};
    struct conf_list words;
    struct error err = {0};
    ck_assert_int_eq(conf_load_flags(&conf, 2, argv, CMD_PRODUCE, names(), &words, &err), OUT_OK);
    complete("etc/drover.yaml", "kafka: { prefix: p }\n");
    ck_assert_str_eq(settings.mappings.items[0], "maps");
    ck_assert_str_eq(settings.state_dir, "state");
}
END_TEST

START_TEST(the_group_is_named_after_the_migration)
{
    complete("drover.yaml", "migration: shop\nkafka: { prefix: acme }\n");
    ck_assert_str_eq(settings.group, "acme.shop.worker");
    ck_assert_int_eq(settings.progress_fd, -1);
}
END_TEST

START_TEST(a_group_given_is_kept)
{
    complete("drover.yaml", "kafka: { group: mine }\n");
    ck_assert_str_eq(settings.group, "mine");
}
END_TEST

/* ---- the tenant given ---- */

static const struct {
    const char *yaml, *flag, *variable;
    const char *key; /* NULL: refused; "": none is given */
    const char *from;
} GIVEN[] = {
    {"", NULL, "PROJECT_ID=leaks", "", NULL},
    {"", "--tenant=acme", NULL, "acme", "--tenant"},
    {"tenant: { id: acme }\n", NULL, NULL, "acme", "drover.yaml:1"},
    {"tenant: { id: acme }\n", "--tenant=globex", NULL, "globex", "--tenant"},
    {"tenant: { id: acme }\n", "--project=p", NULL, "::p::", "--project"},
    {"tenant: { from_env: PROJECT_ID }\n", NULL, "PROJECT_ID=p1", "p1",
     "$PROJECT_ID (drover.yaml:1)"},
    {"tenant:\n  organization_id: o\n  from_env: { project_id: PROJECT_ID }\n", NULL,
     "PROJECT_ID=p1", "o::p1::", "drover.yaml:2, $PROJECT_ID (drover.yaml:3)"},
    {"tenant: { from_env: PROJECT_ID }\n", "--tenant=acme", "PROJECT_ID=p1", "acme", "--tenant"},
    {"tenant: { from_env: PROJECT_ID }\n", NULL, NULL, NULL, NULL},
    {"tenant: { id: acme, from_env: PROJECT_ID }\n", NULL, "PROJECT_ID=p1", NULL, NULL},
    {"tenant: { id: acme, project_id: p }\n", NULL, NULL, NULL, NULL},
    {"tenant: { id: acme }\nproduce: { tenant_path: '{tenant}/*' }\n", NULL, NULL, NULL, NULL},
    {"tenant: { id: '' }\n", NULL, NULL, NULL, NULL},
    {"", "--tenant=", NULL, NULL, NULL},
    {"tenant: { from_env: { tenant: X } }\n", NULL, NULL, NULL, NULL},
};

START_TEST(the_tenant_given_has_one_origin)
{
    char flag[64] = "", *argv[] = {flag, NULL};
    struct conf_list words;
    struct error err = {0};
    struct buf key;
    buf_init(&key, 1024);
    unsetenv("PROJECT_ID");
    if (GIVEN[_i].variable)
        putenv((char *)(uintptr_t)GIVEN[_i].variable);
    enum outcome outcome = conf_load_yaml(&conf, "drover.yaml", bytes_text(GIVEN[_i].yaml), &err);
    if (GIVEN[_i].flag)
        snprintf(flag, sizeof(flag), "%s", GIVEN[_i].flag);
    if (outcome == OUT_OK && GIVEN[_i].flag)
        outcome = conf_load_flags(&conf, 1, argv, CMD_PRODUCE, names(), &words, &err);
    if (outcome == OUT_OK)
        outcome = settings_complete(&conf, &err);
    if (outcome == OUT_OK)
        outcome = settings_append_tenant(&settings, &key, &err);
    ck_assert_msg((outcome == OUT_OK) == (GIVEN[_i].key != NULL), "%s: %s", GIVEN[_i].yaml,
                  err.text);
    if (GIVEN[_i].key)
        ck_assert_str_eq(buf_text(&key), GIVEN[_i].key);
    if (GIVEN[_i].from)
        ck_assert_str_eq(settings.given.from, GIVEN[_i].from);
    buf_free(&key);
}
END_TEST

/* 64 characters, one more than PostgreSQL keeps */
#define LONG_ROLE                                                                                  \
    "database: { worker_role: "                                                                    \
    "x234567890123456789012345678901234567890123456789012345678901234 }\n"

static const char *const REFUSED[] = {
    "migration: 'a b'\n",
    "migration: 'a/b'\n",
    "kafka: { prefix: 'ä' }\n",
    "database: { worker_role: 'a$drover$b' }\n",
    "database: { verifier_role: 'a\"b' }\n",
    LONG_ROLE,
};

START_TEST(names_that_would_break_something_are_refused)
{
    struct error err = {0};
    ck_assert_int_eq(conf_load_yaml(&conf, "drover.yaml", bytes_text(REFUSED[_i]), &err), OUT_OK);
    ck_assert_msg(settings_complete(&conf, &err) == OUT_FATAL, "%s", REFUSED[_i]);
    ck_assert_int_eq(err.code, ERR_CONF_VALUE);
    ck_assert_msg(strncmp(err.where, "drover.yaml:1:", 14) == 0, "%s: at %s", REFUSED[_i],
                  err.where);
}
END_TEST

/* The rules of the product this began with. NULL: not set. */
static const struct {
    const char *type, *mode, *ci;
    enum storage storage;
} STORE_NAMES[] = {
    {NULL, NULL, NULL, STORE_DATABASE}, /* the default is no guess */
    {NULL, "production", "true", STORE_DATABASE},
    {"auto", NULL, NULL, STORE_FILE},
    {"auto", "development", "false", STORE_FILE},
    {"auto", NULL, "true", STORE_MEMORY},
    {"auto", "production", NULL, STORE_HYBRID},
    {"auto", "production", "true", STORE_HYBRID},
    {"database", "production", "true", STORE_DATABASE},
    {"redis", NULL, "true", STORE_REDIS},
    {"hybrid", NULL, "true", STORE_HYBRID},
    {"memory", "production", NULL, STORE_MEMORY},
    {"file", "production", "true", STORE_FILE},
};

static void set_or_not(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

START_TEST(storage_is_chosen_by_the_environment)
{
    struct error err = {0};
    set_or_not("AI_STORAGE_TYPE", STORE_NAMES[_i].type);
    set_or_not("NODE_ENV", STORE_NAMES[_i].mode);
    set_or_not("CI", STORE_NAMES[_i].ci);
    ck_assert_int_eq(conf_load_env(&conf, environ, NULL, &err), OUT_OK);
    ck_assert_int_eq(settings_complete(&conf, &err), OUT_OK);
    ck_assert_int_eq(settings.storage, STORE_NAMES[_i].storage);
}
END_TEST

static Suite *settings_table_suite(void)
{
    Suite *suite = suite_create("settings_table");
    TCase *tcase = tcase_create("settings");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, defaults_are_those_promised);
    tcase_add_test(tcase, the_page_tells_the_defaults_of_the_table);
    tcase_add_test(tcase, the_limits_named_are_the_defaults);
    tcase_add_test(tcase, no_command_has_a_flag_twice);
    tcase_add_test(tcase, secrets_have_no_flag);
    tcase_add_test(tcase, every_flag_says_what_it_does);
    tcase_add_loop_test(tcase, the_environment_is_read, 0,
                        sizeof(VARIABLES) / sizeof(VARIABLES[0]));
    tcase_add_test(tcase, paths_of_the_file_are_relative_to_it);
    tcase_add_test(tcase, paths_of_flags_are_relative_to_the_caller);
    tcase_add_test(tcase, the_group_is_named_after_the_migration);
    tcase_add_test(tcase, a_group_given_is_kept);
    tcase_add_loop_test(tcase, the_tenant_given_has_one_origin, 0,
                        sizeof(GIVEN) / sizeof(GIVEN[0]));
    tcase_add_loop_test(tcase, names_that_would_break_something_are_refused, 0,
                        sizeof(REFUSED) / sizeof(REFUSED[0]));
    tcase_add_loop_test(tcase, storage_is_chosen_by_the_environment, 0,
                        sizeof(STORE_NAMES) / sizeof(STORE_NAMES[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(settings_table_suite)
