/* See the header. A program without a folder is looked for where execvp(3) will. */
#include "common/io/alert/alert_target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/policy/alert/alert_url.h"

/* 0, or why it cannot be started. */
static int test_program(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    return access(path, X_OK) == 0 ? 0 : errno;
}

/* The same of a name that is in a folder of $PATH; what is there but may not be started tells more
 * than that it is in no other. */
static int find_program(const char *name)
{
    const char *folders = getenv("PATH");
    int found = ENOENT;
    for (const char *at = folders ? folders : "/bin:/usr/bin"; at;) {
        size_t size = strcspn(at, ":");
        char *path = mem_format("%.*s%s%s", (int)size, at, size ? "/" : "./", name);
        int failed = test_program(path);
        free(path);
        if (failed == 0)
            return 0;
        found = failed == EACCES ? EACCES : found;
        at = at[size] ? at + size + 1 : NULL;
    }
    return found;
}

static enum outcome check_program(const struct alert *alert, struct error *err)
{
    const char *name = alert->exec->items[0];
    bool has_folder = strchr(name, '/') != NULL;
    int failed = has_folder ? test_program(name) : find_program(name);
    if (failed == 0)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_CONF_VALUE, "the program of an alert cannot be started: %s",
              name);
    error_where(err, "%s", alert->place);
    if (has_folder)
        error_cause(err, "%s", strerror(failed));
    else
        error_cause(err, failed == EACCES ? "in the folders of $PATH it may not be executed"
                                          : "it is in no folder of $PATH");
    if (failed == EACCES)
        error_hint(err, "make it executable for the user that runs drover: chmod +x");
    else
        error_hint(err, "write in exec the path of a program that is there; one with a folder is "
                        "relative to drover.yaml");
    return OUT_FATAL;
}

static enum outcome check_variable(const struct alert *alert, const char **url, struct error *err)
{
    *url = getenv(alert->webhook_env);
    bool is_set = *url && **url;
    const char *fault = is_set ? alert_url_fault(*url) : "is not there";
    if (!fault)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_CONF_VALUE, "the webhook of $%.60s %s", alert->webhook_env,
              fault);
    error_where(err, "%s", alert->place);
    if (is_set)
        error_hint(err, "set it to such as https://hooks.example.com/…");
    else
        error_hint(err, "set the variable, or take the alert out of the settings");
    return OUT_FATAL;
}

enum outcome alert_target_check(const struct alert *alert, const char **url, struct error *err)
{
    *url = alert->webhook; /* alert_parse_all has seen it */
    if (alert->exec)
        return check_program(alert, err);
    return alert->webhook_env ? check_variable(alert, url, err) : OUT_OK;
}

enum outcome alert_target_check_all(const struct settings *settings, struct error *err)
{
    struct alert alerts[ALERTS_MAX];
    size_t count;
    const char *url;
    enum outcome outcome = alert_parse_all(&settings->alerts, alerts, &count, err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = alert_target_check(&alerts[i], &url, err);
    return outcome;
}
