#ifndef DROVER_MODEL_ENVELOPE_H
#define DROVER_MODEL_ENVELOPE_H

/*
 * A record as a Kafka message and back: the key, the headers. schemas/wire.md is the documented
 * form; this is its only implementation. The value is the payload, untouched; a null value is a
 * delete.
 *
 * Key: isolation_key/entity/id, each percent-encoded as it is ('/' never stays inside a part).
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/model/message/record.h"

#define HEADER_PACKED "drover" /* "version run sequence", '-' for none: what the producer sends */
#define HEADER_TENANT "drover-tenant"
#define HEADER_ENTITY "drover-entity"
#define HEADER_ID "drover-id"
#define HEADER_VERSION "drover-version"
#define HEADER_RUN "drover-run"
#define HEADER_SEQUENCE "drover-seq"
#define HEADER_ORIGIN "drover-origin"                      /* uri:line:column@byte */
#define HEADER_SOURCE_KEY "drover-source-key"              /* $key, when there is one */
#define HEADER_INDEX "drover-index"                        /* $index, when there is one */
#define HEADER_USER "drover-user"                          /* $user, when there is one */
#define HEADER_LOCALSTORAGE_ORIGIN "drover-storage-origin" /* $origin, when there is one */
#define HEADER_SEALED "drover-sealed" /* sealed secrets the payload refers to */
#define HEADER_CONTENT_TYPE "content-type"

#define ENVELOPE_HEADERS_MAX 64 /* dead letters keep a message's headers and add theirs */

struct header {
    struct bytes name; /* NUL-terminated literals when made here */
    struct bytes value;
};

/* A message's parts: what a producer hands to Kafka and a consumer gets. */
struct envelope {
    struct bytes key;
    struct bytes value;
    bool null_value;
    struct header headers[ENVELOPE_HEADERS_MAX];
    size_t header_count;
};

/* Fills `out` with views of `record` and of `text` (reset first), where key and numbers are built.
 * OUT_REJECT DRV-E001 without tenant, entity and id, or when they do not fit. */
MUST_USE enum outcome envelope_encode(const struct record *record, struct buf *text,
                                      struct envelope *out, struct error *err);
/* The same, when `text` holds the record's key (envelope_append_key) and nothing else: a sender
 * asks it for the partition first. */
MUST_USE enum outcome envelope_encode_keyed(const struct record *record, struct buf *text,
                                            struct envelope *out, struct error *err);

/* Views into `envelope`. Only drover-tenant and drover-entity are required (the key's parts are
 * taken when they are absent); a value that is no number where one is needed, a tenant that is
 * not valid, or a key that says another tenant or entity than the headers is OUT_REJECT DRV-E001.
 */
MUST_USE enum outcome envelope_decode(const struct envelope *envelope, struct record *record,
                                      struct error *err);

/* Whose message it is in a run and which number it has, whatever else is wrong with it: views; the
 * first header of each name counts. -1: it has no number; -2: it has one that cannot be read. */
int64_t envelope_sequence(const struct envelope *envelope, struct bytes *run);

/* Whether the message brings its version: what it says may still be refused. */
bool envelope_has_version(const struct envelope *envelope);

/* Whether a header of this name has a meaning for Drover: it goes with a dead letter, however
 * large.
 */
bool envelope_is_ours(struct bytes name);

/* How drover-origin spells the name of a source. File names may hold any byte: those that would
 * break a line or a decoder, and '%', are percent-encoded. */
void envelope_append_uri(struct buf *out, struct bytes uri);

/* isolation_key/entity/id */
void envelope_append_key(struct buf *out, struct bytes tenant, struct bytes entity,
                         struct bytes id);

#endif
