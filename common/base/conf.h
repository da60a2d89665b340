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
#include "common/base/error_list.h"
#include "common/base/json_out.h"

enum conf_kind {
    CONF_TEXT,   /* const char *, NULL when unset and without default */
    CONF_SECRET, /* the same; shown as *** (of a URL the password only); NAME_FILE in the
                    environment names a file holding it */
    CONF_BOOL,   /* bool; true/false; as a flag without a value, --no-x turns it off */
    CONF_COUNT,  /* uint64_t within min..max */
    CONF_SIZE,   /* uint64_t bytes, text_parse_size */
    CONF_MILLIS, /* uint64_t milliseconds, text_parse_millis */
    CONF_CHOICE, /* const char *, one of `choices` ("auto|json|logfmt") */
    CONF_LIST,   /* struct conf_list; in YAML a list or one scalar; the flag repeats; in the
                    environment separated by commas */
    CONF_MAP,    /* struct conf_map; in YAML a map of scalars; the flag KEY=VALUE repeats (later
                    wins); in the environment KEY=VALUE separated by commas. With `choices` only
                    these keys are taken, and a single value is the first one's */
    CONF_ROWS,   /* struct conf_rows of at most `max`; in YAML a list of maps, each with some of the
                    keys of `choices`, whose values are scalars or lists of them. In the file alone;
                    shown without what may be a secret in them (conf_append_open) */
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

struct conf_row {
    const char *place;
    const char **keys;
    struct conf_list *values; /* by key */
    size_t count;
};

struct conf_rows {
    struct conf_row *rows;
    size_t count;
};

/* Values of a row's key; NULL when it is not there. */
const struct conf_list *conf_row_find(const struct conf_row *row, const char *key);

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
    const char *env;  /* further variable, as "KAFKA_BROKERS"; DROVER_ and the path always works */
    enum conf_kind kind;
    size_t offset;
    const char *fallback; /* default as text, NULL = unset/empty/false */
    uint64_t min, max;    /* of COUNT, SIZE, MILLIS; max 0 = no limit */
    const char *choices;
    const char *placeholder; /* "HOST:PORT,…" in help */
    const char *help;        /* one line, lower case, no full stop */
    uint32_t commands;       /* bit mask: which commands take the flag, or heed the setting */
    const char *old_path;    /* their names in earlier versions: still read, and noted; or NULL */
    const char *old_flag;
};

/* Where one key of a CONF_MAP is from. */
struct conf_entry {
    enum conf_origin origin;
    const char *place;
};

struct conf {
    const struct conf_field *fields;
    size_t field_count;
    void *target;
    struct arena arena;
    enum conf_origin *origins;   /* by field */
    const char **places;         /* "drover.yaml:14:5", "DATABASE_URL", "--brokers", or NULL */
    struct conf_entry **entries; /* by field, then by key of its map */
    const char **renamed;        /* by field: what to say of an old name it was given by, or NULL */
};

/* A field's value in the target. */
static inline void *conf_member(const struct conf *conf, size_t field)
{
    return (char *)conf->target + conf->fields[field].offset;
}

/* Fills the target with the defaults. `fields` must outlive the conf. A default that does not
 * parse is our bug (assert). */
void conf_init(struct conf *conf, const struct conf_field *fields, size_t field_count,
               void *target);
/* Wipes the secrets. */
void conf_free(struct conf *conf);

/* The loads may come in any order: precedence is by origin, not by time. A map is merged key by
 * key, a list is replaced as a whole (the flags of one command line add up). What a higher origin
 * overrides is checked all the same.
 * They go on behind a mistake: all are added to the list, and what is right is loaded. OUT_FATAL
 * when there was one. Each has a place; in the file and the environment it is DRV-C003 (syntax),
 * DRV-C007 (unknown key), DRV-C008 (value), DRV-C010 (secret file), on the command line always
 * DRV-C001. */

/* *is_yaml false: nothing of the file could be read. */
MUST_USE enum outcome conf_load_yaml_all(struct conf *conf, const char *file, struct bytes text,
                                         bool *is_yaml, struct error_list *mistakes);
/* Reads a *_FILE: malloc'ed text without its final newline, or NULL after filling err. */
typedef char *(*conf_read_secret)(const char *path, struct error *err);
/* `environment` as in environ(7); an empty variable counts as unset. read_secret may be NULL:
 * *_FILE variables are then errors. Unknown DROVER_ variables are errors with a suggestion, but
 * for those of the stack, the tests and the program itself (STACK_*, KEEP_*, TEST_*, ADMIN_*,
 * ALERT_*, SOURCE_DIR, BINARY_DIR, PROGRESS_FD, PARENT_PID) and those Kubernetes sets for services
 * named drover-x. */
MUST_USE enum outcome conf_load_env_all(struct conf *conf, char *const *environment,
                                        conf_read_secret read_secret, struct error_list *mistakes);
/* argv without program and command names. --flag value, --flag=value, -X value, -Xvalue; "--" ends
 * flags; "-" is positional. Abbreviations are refused. A flag of another command is an error that
 * says which commands take it (`command_names[bit]`). *positionals views argv. */
MUST_USE enum outcome conf_load_flags_all(struct conf *conf, int argc, char *const *argv,
                                          uint32_t command, const char *const *command_names,
                                          struct conf_list *positionals,
                                          struct error_list *mistakes);

/* Aligned option lines of one command, for --help: those that `is_wanted` (NULL: all) takes, in the
 * same two columns whichever they are. */
void conf_append_help(const struct conf *conf, uint32_t command,
                      bool (*is_wanted)(const struct conf_field *field, void *owner), void *owner,
                      struct buf *out);
/* A line of two columns as these are; `right` is wrapped. */
void conf_append_help_row(struct buf *out, const char *left, size_t column, const char *right);
/* The effective settings as YAML (secrets masked), each with "# from <place>" when asked; without
 * that only the conf's fields and target are used. */
void conf_append_yaml(const struct conf *conf, bool origins, struct buf *out);
/* The same for machines: a list of objects {setting, value, unit, from, where}; the entries of a
 * map one by one, with `key`. */
void conf_append_json(const struct conf *conf, struct json_out *out, const char *name);
/* Shows a URL or keyword string with its password as ***; anything else as *** alone. */
void conf_append_masked(struct buf *out, const char *secret);
/* What of a value may be shown where a secret may be anywhere in it: of a URL its scheme and host
 * ("https://hooks.example.com/…"), of "--token=abc" what is before '='. `before`: the value before
 * it in its list, or NULL: what follows "--token" is "***". */
void conf_append_open(struct buf *out, const char *value, const char *before);

#endif
