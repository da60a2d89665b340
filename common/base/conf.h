#ifndef DROVER_BASE_CONF_H
#define DROVER_BASE_CONF_H

/*
 * Settings from one table. A field names its place in drover.yaml, its flag, its environment
 * variable, its kind, default, range and one line of help; parsing, validation, help, man page
 * and completion all come from it. Precedence: default < file < environment < flag.
 * Unknown keys and flags are errors with the place and the nearest known one.
 *
 * Pure: the caller reads the file and hands over the environment. The target struct is plain
 * data whose members the fields point at by offset; all memory belongs to the conf's arena.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

enum conf_kind {
    CONF_TEXT,   /* const char *, NULL when unset and without default */
    CONF_SECRET, /* the same; shown as ***; NAME_FILE in the environment names a file holding it;
                    for URLs only the password part is hidden when shown */
    CONF_BOOL,   /* bool; flag takes no value, --no-x is accepted too; YAML true/false */
    CONF_COUNT,  /* uint64_t within least..most */
    CONF_SIZE,   /* uint64_t bytes, text_parse_size */
    CONF_MILLIS, /* uint64_t milliseconds, text_parse_millis */
    CONF_CHOICE, /* const char *, one of `choices` ("auto|json|logfmt") */
    CONF_LIST,   /* struct conf_list; a YAML list or one scalar; flag repeatable; environment: comma separated */
    CONF_MAP,    /* struct conf_map; a YAML map of scalars; flag "key=value" repeatable (later wins) */
};

struct conf_list {
    const char **items;
    size_t count;
};

struct conf_map {
    const char **keys;
    const char **values;
    size_t count;
};

enum conf_origin {
    CONF_FROM_DEFAULT,
    CONF_FROM_FILE,
    CONF_FROM_ENVIRONMENT,
    CONF_FROM_FLAG,
};

struct conf_field {
    const char *path; /* "kafka.brokers"; NULL: not in the file */
    const char *flag; /* "brokers" for --brokers; NULL: none */
    char letter;      /* 'X' for -X; 0: none */
    const char *env;  /* further variable, as "KAFKA_BROKERS"; DROVER_KAFKA_BROKERS (from the path) always works */
    enum conf_kind kind;
    size_t offset;
    const char *fallback; /* default as text, NULL = unset/empty/false */
    uint64_t least, most; /* of COUNT, SIZE, MILLIS; most 0 = no limit */
    const char *choices;
    const char *placeholder; /* "HOST:PORT,…" in help */
    const char *help;        /* one line, lower case, no full stop */
    uint32_t commands;       /* bit mask: which commands take the flag */
};

struct conf {
    const struct conf_field *fields;
    size_t field_count;
    void *target;
    struct arena arena;
    enum conf_origin *origins; /* by field */
    const char **places;       /* "drover.yaml:14:5", "DATABASE_URL", "--brokers"; NULL for defaults */
};

/* Fills the target with the defaults. `fields` must outlive the conf. A default that does not parse is our bug (assert). */
void conf_init(struct conf *conf, const struct conf_field *fields, size_t field_count,
               void *target);
void conf_free(struct conf *conf);

/* Each returns OUT_OK or OUT_FATAL with DRV-C003/C007/C008 and file:line:column where there is one. */
MUST_USE enum outcome conf_load_yaml(struct conf *conf, const char *file, struct bytes text,
                                     struct error *err);
/* `environment` as in environ(7). read_secret reads a *_FILE (may be NULL: such variables are then an error);
 * it returns malloc'ed text without its final newline, or NULL after filling err.
 * Unknown DROVER_… variables are errors with a suggestion, except DROVER_STACK_*, DROVER_KEEP_*, DROVER_TEST_*, DROVER_ADMIN_*. */
typedef char *(*conf_read_secret)(const char *path, struct error *err);
MUST_USE enum outcome conf_load_env(struct conf *conf, char *const *environment,
                                    conf_read_secret read_secret, struct error *err);
/* argv without program and command names. --flag value, --flag=value, -X value, -Xvalue; "--" ends flags; "-" is positional.
 * Abbreviations are refused. *positionals views argv. A flag of another command is an error that says which commands take it
 * (`command_names[bit]`). */
MUST_USE enum outcome conf_load_flags(struct conf *conf, int argc, char *const *argv,
                                      uint32_t command, const char *const *command_names,
                                      struct conf_list *positionals, struct error *err);

/* Aligned option lines of one command, for --help. */
void conf_append_help(const struct conf *conf, uint32_t command, struct buf *out);
/* The effective settings as YAML (secrets masked), each line with "# from <place>" when origins is set. */
void conf_append_yaml(const struct conf *conf, bool origins, struct buf *out);
/* Shows a URL or keyword string with its password as ***. */
void conf_append_masked(struct buf *out, const char *secret);


#endif
