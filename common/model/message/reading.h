#ifndef DROVER_MODEL_READING_H
#define DROVER_MODEL_READING_H

/*
 * What a producer says when the reading of one source has ended: a JSON message of kind "reading"
 * in the results topic (schemas/wire.md); and when it begins, as one that is not complete. Its
 * records are the source's, whatever number of messages came of them: the latest complete reading
 * of a source is what its totals are made of, and the rejections of earlier ones are history. Which
 * source it is `uri` and `source` say together: a path is spelled alike in many folders.
 *
 * A reading that goes on after its process has ended keeps its run, and is told as a whole.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/hash.h"

#define READING_PLACES_MAX 100 /* rejections that are told with their places */
#define READING_CODES_MAX 256  /* of codes and entities; what is beyond is in the last one */

/* Rejected records of one code and entity. */
struct reading_code {
    const char *code;    /* "DRV-J001" */
    struct bytes entity; /* empty: not known */
    uint64_t count;
};

/* Where one was rejected. Lines and columns (in bytes) from 1, the byte from 0, all in the
 * decompressed source; record from 1, 0: not known. */
struct reading_place {
    const char *code;
    struct bytes entity;
    uint64_t line, column, byte, record;
};

struct reading {
    struct bytes run;     /* header drover-run of its messages */
    struct bytes uri;     /* as drover-origin spells it */
    bool has_source;      /* not of a stream */
    struct digest source; /* XXH3-128 of what it is besides `uri` (producer/passage.h) */
    bool stream;          /* standard input: each reading is another source */
    bool complete;        /* to the source's end, and it did not change meanwhile */
    uint64_t size;        /* bytes of the source, as it is stored; of a stream those that came */
    bool has_digest;
    struct digest digest; /* XXH3-128 of those bytes */
    uint64_t records;     /* = produced + rejected + withheld */
    uint64_t produced;    /* each once, however often it was sent */
    uint64_t rejected;
    uint64_t withheld;
    int64_t finished_ms;        /* Unix time; of the beginning: when that was */
    int64_t read_ms;            /* of one that is told again: when it had ended; else 0 */
    struct reading_code *codes; /* sum to `rejected` */
    size_t code_count;
    struct reading_place *places; /* the first READING_PLACES_MAX */
    size_t place_count;
};

void reading_append(struct buf *out, const struct reading *reading);

/* Whether the message is one: cheap, and right for what reading_append wrote. */
bool reading_is_one(struct bytes json);
/* All texts and lists are the reading's own: reading_free, also after a failure. Unknown members
 * are ignored. OUT_REJECT DRV-E001 when it is no such message, or its counts contradict each other.
 */
MUST_USE enum outcome reading_parse(struct bytes json, struct reading *reading, struct error *err);
void reading_free(struct reading *reading);

#endif
