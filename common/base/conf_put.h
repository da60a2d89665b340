#ifndef DROVER_BASE_CONF_PUT_H
#define DROVER_BASE_CONF_PUT_H

/* What the parts of conf share; nobody else includes it. */

#include "common/base/conf.h"

struct conf_source {
    enum conf_origin origin;
    const char *place; /* borrowed; kept by copy */
};

/* What a source says about one field. One item without key is a scalar. */
struct conf_input {
    const struct bytes *keys; /* of a map, else NULL */
    const struct bytes *items;
    size_t count;
};

struct conf_entry {
    enum conf_origin origin;
    const char *place;
};

/* Checks the input, and stores it unless the field has a value of a higher origin. Maps are
 * merged; lists of the same origin CONF_FROM_FLAG add up; everything else is replaced. */
MUST_USE enum outcome conf_put(struct conf *conf, size_t field, struct conf_input input,
                               struct conf_source source, struct error *err);
/* The same for text that may hold several: LIST and MAP are split at commas. */
MUST_USE enum outcome conf_put_text(struct conf *conf, size_t field, struct bytes text,
                                    struct conf_source source, struct error *err);

/* Refuses a value: "<field> <sentence>", the place, the code that fits the origin. */
enum outcome conf_refuse(const struct conf_field *field, struct conf_source source,
                         struct error *err, const char *format, ...) PRINTF_LIKE(4, 5);

/* The value in the target. */
void *conf_member(const struct conf *conf, size_t field);
/* DROVER_KAFKA_BROKERS of "kafka.brokers"; false when the path is NULL. */
bool conf_variable(const char *path, char out[80]);
/* Notes that the field was given by an old name, at `place` (may be NULL); the first time only. */
void conf_note_old(struct conf *conf, size_t field, const char *old, const char *now,
                   const char *place);
/* Whether values under this name are to be hidden ("sasl.password"). */
bool conf_is_secret_name(struct bytes name);
/* The `index`-th of choices "a|b|c"; size 0 when there are no more. */
struct bytes conf_choice(const char *choices, size_t index);

#endif
