#ifndef DROVER_POLICY_EXPORT_RECORD_TEXT_H
#define DROVER_POLICY_EXPORT_RECORD_TEXT_H

/*
 * Export, first half: a stored record becomes texts of the form it came in. A text says
 * which file it belongs to and where in it; texts sorted by place are what export_writer.h puts
 * together again. So an export of any size needs one record's memory and somebody who sorts.
 *
 *   stored record ─ export_make ─► texts ─ sort by export_record_text_compare ─► export_writer
 *
 *   form           file                group        key
 *   file           collect.files'name  -            $key of the record
 *   local_storage  user and origin     -            localStorage key
 *   map_dump       one                 collection   map key
 */

#include <stdbool.h>
#include <stdint.h>

#include <yyjson.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping.h"

enum export_form { EXPORT_FILE, EXPORT_LOCALSTORAGE, EXPORT_MAP_DUMP };

/* In the order in which texts of one key and index stand. */
enum export_kind {
    EXPORT_TEXT,    /* a localStorage value as it is */
    EXPORT_JSON,    /* a value's JSON text */
    EXPORT_ARRAY,   /* says that the value is an array, whose elements are texts of their own */
    EXPORT_ELEMENT, /* one of them */
};

/* How a file is written. */
enum export_layout {
    EXPORT_LAYOUT_LOCALSTORAGE, /* {"key":"string",…} */
    EXPORT_LAYOUT_MAPS,         /* {"collection":{"key":…},…} */
    EXPORT_LAYOUT_KEYED,        /* {"key":…} */
    EXPORT_LAYOUT_LIST,         /* […] */
    EXPORT_LAYOUT_LINES,        /* one record a line */
};

struct export_record_text {
    struct bytes file; /* its name within the tenant's folder */
    enum export_layout layout;
    struct bytes group, key;
    int64_t index; /* -1: before all others */
    enum export_kind kind;
    struct bytes id; /* of the record: the order where nothing else tells one */
    struct bytes text;
};

/* Byte order of file, group, key, then index, kind, id. */
int export_record_text_compare(const struct export_record_text *a,
                               const struct export_record_text *b);

/* A record that was read back, secrets opened or not. */
struct export_record {
    const struct mapping *mapping;
    struct bytes id;
    const struct cell *cells; /* as of struct stored; NULL: only the id tells what is outside */
    yyjson_val *root;
};

struct export_maker;
typedef void (*export_take)(void *owner, const struct export_record_text *record_text);

struct export_maker {
    enum export_form form;
    struct bytes tenant;    /* plain tenant id that {tenant} in keys stands for; empty: unknown */
    const char *user;       /* only this one's; NULL: all */
    const char *web_origin; /* only this one; NULL: all */
    export_take take;
    void *owner;
    /* of the record at work */
    struct buf file, key, text, user_text, origin_text, part;
    bool has_key, has_suffix;
    int64_t index;
    uint64_t elsewhere; /* records that came in another form: no texts */
};

void export_maker_init(struct export_maker *maker, enum export_form form, struct bytes tenant,
                       export_take take, void *owner);
void export_maker_free(struct export_maker *maker);
/* Whether records of the mapping can have come in that form. */
bool export_has_form(const struct mapping *mapping, enum export_form form);
/* Whether the record is of maker's user and origin: of others not even the secrets are opened. */
bool export_wants(struct export_maker *maker, const struct export_record *record);
/* OUT_REJECT DRV-Y005: the record does not tell where it was. */
MUST_USE enum outcome export_make(struct export_maker *maker, const struct export_record *record,
                                  struct error *err);

#endif
