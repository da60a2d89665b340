#ifndef DROVER_TESTS_FIRST_MISTAKE_H
#define DROVER_TESTS_FIRST_MISTAKE_H

/* Settings and YAML read for one answer: the first mistake is `err` (may be NULL), and all of them
 * are OUT_FATAL. */

#include "common/base/conf.h"
#include "common/base/yaml.h"

static inline enum outcome first_mistake(struct error_list *mistakes, struct error *err)
{
    enum outcome outcome = mistakes->count ? mistakes->items[0].outcome : OUT_OK;
    if (mistakes->count && err)
        *err = mistakes->items[0];
    error_list_free(mistakes);
    return outcome;
}

static inline enum outcome conf_load_yaml(struct conf *conf, const char *file, struct bytes text,
                                          struct error *err)
{
    struct error_list mistakes = {0};
    bool is_yaml;
    enum outcome outcome = conf_load_yaml_all(conf, file, text, &is_yaml, &mistakes);
    ck_assert_int_eq(outcome, mistakes.count ? OUT_FATAL : OUT_OK);
    return first_mistake(&mistakes, err);
}

static inline enum outcome conf_load_env(struct conf *conf, char *const *environment,
                                         conf_read_secret read_secret, struct error *err)
{
    struct error_list mistakes = {0};
    enum outcome outcome = conf_load_env_all(conf, environment, read_secret, &mistakes);
    ck_assert_int_eq(outcome, mistakes.count ? OUT_FATAL : OUT_OK);
    return first_mistake(&mistakes, err);
}

static inline enum outcome conf_load_flags(struct conf *conf, int argc, char *const *argv,
                                           uint32_t command, const char *const *command_names,
                                           struct conf_list *positionals, struct error *err)
{
    struct error_list mistakes = {0};
    enum outcome outcome =
        conf_load_flags_all(conf, argc, argv, command, command_names, positionals, &mistakes);
    ck_assert_int_eq(outcome, mistakes.count ? OUT_FATAL : OUT_OK);
    return first_mistake(&mistakes, err);
}

static inline enum outcome yaml_parse(const char *name, struct bytes text, struct yaml_file **file,
                                      struct error *err)
{
    struct error_list mistakes = {0};
    enum outcome outcome = yaml_parse_all(name, text, file, &mistakes);
    ck_assert(outcome == OUT_OK ? *file != NULL : *file == NULL);
    if (mistakes.count) { /* keys that are written twice leave a tree */
        yaml_file_free(*file);
        *file = NULL;
    }
    return first_mistake(&mistakes, err);
}

#endif
