/* Settings from the environment: a field's own variable, then DROVER_ and its path. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/conf_mistakes.h"
#include "common/base/conf_put.h"
#include "common/base/text.h"

static const char PREFIX[] = "DROVER_";

/* The value of a variable; NULL when it is unset or empty. */
static const char *find_variable(char *const *environment, const char *name)
{
    size_t size = strlen(name);
    for (; *environment; environment++) {
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
            return (*environment)[size + 1] ? *environment + size + 1 : NULL;
    }
    return NULL;
}

struct loading {
    struct conf *conf;
    char *const *environment;
    conf_read_secret read_secret;
    struct error *err;
};

static enum outcome put_secret_file(const struct loading *loading, size_t index, const char *path,
                                    const char *variable)
{
    struct error *err = loading->err;
    if (!loading->read_secret) {
        error_set(err, OUT_FATAL, ERR_CONF_SECRET, "secret files are not read by this command");
        error_where(err, "%s", variable);
        return OUT_FATAL;
    }
    char *secret = loading->read_secret(path, err);
    if (!secret) {
        if (err && !err->where[0])
            error_where(err, "%s", variable);
        return OUT_FATAL;
    }
    struct bytes text = bytes_text(secret);
    enum outcome outcome = conf_put_text(
        loading->conf, index, text, (struct conf_source){CONF_FROM_ENVIRONMENT, variable}, err);
    explicit_bzero(secret, text.size);
    free(secret);
    return outcome;
}

static enum outcome load_variable(const struct loading *loading, size_t index, const char *name)
{
    const char *value = find_variable(loading->environment, name);
    char file_name[96];
    snprintf(file_name, sizeof(file_name), "%s_FILE", name);
    bool secret = loading->conf->fields[index].kind == CONF_SECRET;
    const char *path = secret ? find_variable(loading->environment, file_name) : NULL;
    if (value && path) {
        error_set(loading->err, OUT_FATAL, ERR_CONF_VALUE, "both %s and %s are set", name,
                  file_name);
        error_where(loading->err, "the environment");
        error_hint(loading->err, "unset one of the two");
        return OUT_FATAL;
    }
    if (path)
        return put_secret_file(loading, index, path, file_name);
    if (!value)
        return OUT_OK;
    return conf_put_text(loading->conf, index, bytes_text(value),
                         (struct conf_source){CONF_FROM_ENVIRONMENT, name}, loading->err);
}

/* Other programs' variables that begin alike. A service named "drover-x" makes Kubernetes set
 * DROVER_X_SERVICE_HOST, DROVER_X_PORT and so on in every pod of its namespace. */
static bool is_foreign(struct bytes name, const char *value)
{
    static const char *const FOREIGN[] = {
        "DROVER_STACK_*",       "DROVER_KEEP_*",         "DROVER_TEST_*",
        "DROVER_ADMIN_*",       "DROVER_SOURCE_DIR",     "DROVER_BINARY_DIR",
        "DROVER_PROGRESS_FD",   "DROVER_ARGS_FD",        "DROVER_SPAWNED",
        "DROVER_*SERVICE_HOST", "DROVER_*SERVICE_PORT*", "DROVER_*PORT_*_TCP*",
        "DROVER_*PORT_*_UDP*",
    };
    for (size_t i = 0; i < sizeof(FOREIGN) / sizeof(FOREIGN[0]); i++) {
        if (text_glob(FOREIGN[i], name))
            return true;
    }
    return text_glob("DROVER_*PORT", name) &&
           (strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0);
}

static bool is_variable_of(const struct conf_field *field, struct bytes name)
{
    char variable[96];
    for (int own = 0; own < 3; own++) {
        if (own == 2 && field->env)
            snprintf(variable, sizeof(variable), "%s", field->env);
        else if (own == 2 || !conf_variable(own ? field->old_path : field->path, variable))
            continue;
        if (bytes_equal(name, bytes_text(variable)))
            return true;
        strncat(variable, "_FILE", sizeof(variable) - strlen(variable) - 1);
        if (field->kind == CONF_SECRET && bytes_equal(name, bytes_text(variable)))
            return true;
    }
    return false;
}

/* Compared without the prefix, which would make every name look alike. */
static void suggest(const struct conf *conf, const char *word, struct error *err)
{
    char(*names)[80] = calloc(conf->field_count + 1, sizeof(*names));
    const char **views = calloc(conf->field_count + 1, sizeof(const char *));
    if (!names || !views)
        abort();
    for (size_t i = 0; i < conf->field_count; i++) {
        if (conf_variable(conf->fields[i].path, names[i]))
            views[i] = names[i] + sizeof(PREFIX) - 1;
    }
    const char *nearest = text_nearest(word, views, conf->field_count);
    if (nearest)
        error_hint(err, "did you mean \"%s%s\"?", PREFIX, nearest);
    else
        error_hint(err, "unset %s%s: it is no setting", PREFIX, word);
    free(views);
    free(names);
}

static enum outcome check_variable(const struct conf *conf, const char *variable, struct error *err)
{
    size_t size = strcspn(variable, "=");
    struct bytes name = bytes_of(variable, size);
    if (strncmp(variable, PREFIX, sizeof(PREFIX) - 1) != 0 || variable[size] == '\0' ||
        is_foreign(name, variable + size + 1))
        return OUT_OK;
    for (size_t i = 0; i < conf->field_count; i++) {
        if (is_variable_of(&conf->fields[i], name))
            return OUT_OK;
    }
    char word[96];
    snprintf(word, sizeof(word), "%.*s", BYTES_ARGS(name));
    error_set(err, OUT_FATAL, ERR_CONF_UNKNOWN, "unknown variable %s", word);
    error_where(err, "the environment");
    suggest(conf, word + sizeof(PREFIX) - 1, err);
    return OUT_FATAL;
}

enum outcome conf_load_env_all(struct conf *conf, char *const *environment,
                               conf_read_secret read_secret, struct error_list *mistakes)
{
    struct error err;
    const struct loading loading = {conf, environment, read_secret, &err};
    size_t before = mistakes->count;
    for (char *const *variable = environment; *variable; variable++)
        if (check_variable(conf, *variable, &err) != OUT_OK)
            error_list_add(mistakes, &err);
    for (size_t i = 0; i < conf->field_count; i++) {
        const struct conf_field *field = &conf->fields[i];
        char name[80], old[80];
        if (field->env && load_variable(&loading, i, field->env) != OUT_OK)
            error_list_add(mistakes, &err);
        if (conf_variable(field->old_path, old) && find_variable(environment, old)) {
            if (load_variable(&loading, i, old) != OUT_OK)
                error_list_add(mistakes, &err);
            else if (conf_variable(field->path, name))
                conf_note_old(conf, i, old, name, NULL);
        }
        if (conf_variable(field->path, name) && load_variable(&loading, i, name) != OUT_OK)
            error_list_add(mistakes, &err);
    }
    return mistakes->count == before && !mistakes->dropped ? OUT_OK : OUT_FATAL;
}

enum outcome conf_load_env(struct conf *conf, char *const *environment,
                           conf_read_secret read_secret, struct error *err)
{
    struct error_list mistakes;
    error_list_init(&mistakes);
    enum outcome outcome = conf_load_env_all(conf, environment, read_secret, &mistakes);
    if (mistakes.count && err)
        *err = mistakes.items[0];
    error_list_free(&mistakes);
    return outcome;
}
