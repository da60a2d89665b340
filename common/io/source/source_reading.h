#ifndef DROVER_IO_SOURCE_READING_H
#define DROVER_IO_SOURCE_READING_H

/*
 * One source, read as records, whatever its form: a file of one entity, a localStorage payload or a
 * browser's profile, a dump of maps. The same answer for everybody who reads it (the producer
 * first, the verifier again): form, mapping, tenant, key, place.
 *
 * The form: --format; else a file that some mapping's collect.files takes (or --entity) is a file
 * of that entity; else what its first bytes look like (policy/collect/collect.h). A localStorage is
 * held in memory, bounded by produce.body. A dump that must be read twice is: a file from the file
 * again, standard input from a copy in memory (memfd, bounded by produce.body), so that nothing of
 * it touches a disk.
 */

#include "common/io/source/byte_source.h"
#include "common/io/settings.h"
#include "common/io/source/source_files.h"
#include "common/io/source/source_rules.h"
#include "common/model/json/json_stream.h"
#include "common/model/message/record.h"
#include "common/policy/collect/collect.h"

struct source_reading;

enum source_result {
    SOURCE_RECORD,
    SOURCE_REJECTED, /* this record: err */
    SOURCE_WITHHELD, /* a token: record.name says which */
    SOURCE_NOTE,     /* not a record: err is a text for people */
    SOURCE_TURN,     /* a chunk was read, or nothing came: look around, call again */
    SOURCE_BROKEN,   /* the source as a whole: err; what was read stays read; END comes next */
    SOURCE_END,
    SOURCE_FATAL, /* the disk, or the settings: err; the run cannot go on */
};

/* Views valid until the next call. */
struct source_record {
    const struct mapping *mapping;
    struct bytes payload;
    struct bytes
        tenant; /* isolation key; empty: the record names its own (tenant: of the mapping) */
    struct bytes source_key;
    struct bytes user;
    struct bytes localstorage_origin;
    struct bytes name;    /* for people, of records in a storage or dump; else empty */
    int64_t index;        /* -1: none */
    struct origin origin; /* where it stands as it was read */
};

/* OUT_FATAL: no mapping or tenant rule fits (DRV-M004, DRV-C009); OUT_REJECT: the source cannot be
 * opened or is of no form (DRV-S…, DRV-T001). `file` must outlive the reading. */
MUST_USE enum outcome source_reading_open(const struct source_rules *rules,
                                          const struct source_file *file,
                                          struct source_reading **reading, struct error *err);
void source_reading_close(struct source_reading *reading);
enum source_result source_reading_next(struct source_reading *reading, struct source_record *record,
                                       struct error *err);

/* What a source was found to be. */
struct source_kind {
    bool is_known; /* standard input of an undeclared form is looked at only when it is read */
    enum collect_form form;
    const struct mapping *mapping; /* of COLLECT_FILES */
};

/* Before anything is produced: whether the source has a mapping and a tenant rule. Outcomes as of
 * open; only OUT_FATAL matters before the reading. */
MUST_USE enum outcome source_reading_check(const struct source_rules *rules,
                                           const struct source_file *file, struct source_kind *kind,
                                           struct error *err);

enum collect_form source_reading_form(const struct source_reading *reading);
/* The bytes behind it, for progress and times. */
const struct byte_source *source_reading_bytes(const struct source_reading *reading);
/* After END of a whole file that is NDJSON, stored as it is: where what is appended will begin.
 * False: another form, or its last line has no end. */
bool source_reading_ended_at(const struct source_reading *reading, struct json_line_start *start);
/* True for a source that is an empty list rather than nothing: no record is no mistake then. */
bool source_reading_may_be_empty(const struct source_reading *reading);

#endif
