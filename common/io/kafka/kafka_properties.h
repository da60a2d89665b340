#ifndef DROVER_IO_KAFKA_PROPERTIES_H
#define DROVER_IO_KAFKA_PROPERTIES_H

/*
 * The user's own librdkafka properties (kafka.conf, -X): checked by name against what the library
 * knows, so that a misspelt one stops the start with a suggestion instead of doing nothing.
 */

#include <librdkafka/rdkafka.h>

#include "common/base/attributes.h"
#include "common/base/conf.h"
#include "common/base/error.h"

/* Sets them all. Properties of the other kind of client (producer, consumer) are checked and left
 * out. OUT_FATAL DRV-K008; values of secret properties never get into the error. */
MUST_USE enum outcome kafka_properties_apply(const struct conf_map *properties, bool producer,
                                             rd_kafka_conf_t *conf, struct error *err);

#endif
