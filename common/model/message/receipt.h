#ifndef DROVER_MODEL_RECEIPT_H
#define DROVER_MODEL_RECEIPT_H

/*
 * What a worker says of one committed batch, and of records that waited in an earlier one once it
 * is settled what becomes of them; and a producer of one finished source: JSON messages in the
 * results topic. Counts by class; per tenant and entity the applied count and digest sum. The
 * verifier reads them as hints and to test the worker, never as proof.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/hash.h"

/* P1: the classes a record can end in. */
enum record_class {
    CLASS_APPLIED,
    CLASS_SUPERSEDED, /* a greater version was there, or in the same batch */
    CLASS_UNCHANGED,  /* the same version and digest was there */
    CLASS_CONFLICT,   /* the same version, another digest: first one kept */
    CLASS_DEAD,       /* dead-lettered */
    CLASS_REJECTED,   /* rejected at the source (producer receipts) */
    CLASS_WITHHELD,   /* tokens (producer receipts) */
    CLASS_WAITING,    /* pending until its parent comes (drover.waiting); applied or dead later */
    CLASS_RECOVERED,  /* in a receipt made after a crash or a lost answer: stored, but whether as
                         applied, superseded or unchanged is not known any more */
    CLASS_COUNT
};

const char *record_class_name(enum record_class record_class);

/* A receipt of more groups than RECEIPT_GROUPS_MAX sums them by entity and share of the tenants
 * instead: of a tenant for every record it would be as large as the records. */
#define RECEIPT_GROUPS_MAX 64
#define RECEIPT_SHARES 32

struct receipt_group {
    struct bytes tenant; /* empty: all tenants of a share */
    int share;           /* hash64 (XXH3) of the tenant modulo RECEIPT_SHARES */
    struct bytes entity;
    uint64_t applied;
    struct digest sum; /* digest_add over applied records */
};

struct receipt_reject {
    int64_t offset;
    const char *code;            /* "DRV-V001" */
    enum record_class the_class; /* CLASS_DEAD or CLASS_CONFLICT */
};

/* Records [offset, offset + count) of one class. */
struct receipt_run {
    int64_t offset;
    uint32_t count;
    enum record_class the_class;
};

struct receipt {
    struct bytes worker; /* owner id */
    struct bytes group;  /* of consumers: whose checkpoint the batch moved */
    struct bytes topic;
    int32_t partition;
    int64_t first, next; /* offsets [first, next) */
    int64_t epoch;
    uint64_t counts[CLASS_COUNT];
    struct receipt_group *groups;
    size_t group_count;
    struct receipt_reject *rejects;
    size_t reject_count;
    int64_t committed_ms;     /* Unix time of the commit */
    int64_t lag;              /* messages behind the partition's end */
    bool recovered;           /* written after a crash or a lost answer: what was stored is
                                 CLASS_RECOVERED */
    struct receipt_run *runs; /* recovered, or some wait: each record's class, as it may tell again
                                 of some that were told of; all in the first message */
    size_t run_count;
};

/* One finished `drover produce`. */
struct produce_receipt {
    struct bytes run;
    uint64_t read; /* records seen in the source = produced + rejected + withheld */
    uint64_t produced;
    uint64_t rejected;
    uint64_t withheld;
    int64_t finished_ms;
};

/* What became of some that were counted as waiting in the receipts of their batches: they leave
 * CLASS_WAITING there. */
struct settled_item {
    int32_t partition;
    int64_t offset;
    enum record_class the_class;
};

struct settled_receipt {
    struct bytes worker, topic, group;
    int64_t round; /* grows in a topic; the same receipt may come twice, with the same round */
    struct settled_item *items;
    size_t count;
};

void receipt_append_settled(struct buf *out, const struct settled_receipt *receipt);
/* Round and items; frees nothing of `receipt`: receipt_free_settled. OUT_REJECT DRV-E001 when it is
 * no such receipt. */
MUST_USE enum outcome receipt_parse_settled(struct bytes json, struct settled_receipt *receipt,
                                            struct error *err);
void receipt_free_settled(struct settled_receipt *receipt);

/* What finishing the bulk load of a table found of a partition's records: they were told as applied
 * (or recovered) in the receipts of their batches, and are in these classes. */
struct loaded_item {
    int32_t partition;
    enum record_class the_class;
    uint64_t count;
};

struct loaded_receipt {
    struct bytes group, topic;
    int64_t number; /* of the load: grows; the same receipt may come twice */
    struct loaded_item *items;
    size_t count;
};

void receipt_append_loaded(struct buf *out, const struct loaded_receipt *receipt);
/* Number and items, to be freed by the caller (items), and whether it is of this group. OUT_REJECT
 * DRV-E001 when it is no such receipt, or of another one. */
MUST_USE enum outcome receipt_parse_loaded(struct bytes json, struct bytes group,
                                           struct loaded_receipt *receipt, struct error *err);

/* Where a receipt that is cut into several messages goes on; zeroed at first. */
struct receipt_cursor {
    size_t group, reject;
    uint32_t part;
    bool more; /* another message follows the one just written */
};

/* The next message of a receipt whose messages have at most `max` bytes. The first one says all
 * counts; groups and rejected offsets go as far as there is room, the rest follows in messages of
 * kind "batch_part" (schemas/wire.md). A message has at least one entry of a list, however small
 * `max` is, so this ends. */
void receipt_append_part(struct buf *out, const struct receipt *receipt, size_t max,
                         struct receipt_cursor *cursor);
void receipt_append_produce(struct buf *out, const struct produce_receipt *receipt);

/* What a reader needs of either kind. */
struct receipt_summary {
    bool is_produce;
    bool is_settled; /* nothing else is known of it here: receipt_parse_settled, */
    bool is_loaded;  /* receipt_parse_loaded */
    int32_t partition;
    int64_t first, next;
    int64_t epoch;                /* batch only: of the claim that wrote it */
    uint64_t counts[CLASS_COUNT]; /* produce: CLASS_REJECTED, CLASS_WITHHELD */
    uint64_t read, produced;      /* produce only */
    int64_t committed_ms;
    int64_t lag;
    char run[64];    /* produce only */
    char group[256]; /* of consumers; empty: a producer's, or from before receipts named it */
};

/* What a receipt with runs tells of records at or above `from`, added to counts. False when it has
 * none, or is none. */
MUST_USE bool receipt_count_from(struct bytes json, int64_t from, uint64_t counts[CLASS_COUNT]);
/* Which records a message of a batch's receipt, its first or a further part, lists as
 * dead-lettered.
 */
struct receipt_dead {
    int32_t partition;
    int64_t *offsets;
    size_t count;
};

/* False when it lists none, or is no such message of this group (one that names none is
 * everyone's). Caller frees the offsets. */
MUST_USE bool receipt_parse_dead(struct bytes json, struct bytes group, struct receipt_dead *dead);
/* What a message of a batch's receipt, its first or a further part, says of records one by one:
 * which are dead-lettered or in conflict, and, in the first, which wait. */
struct receipt_told {
    struct settled_item *items;
    size_t count;
    bool tells_waiting; /* it has runs: those that wait are all in the list */
};

/* False when it is no such message of this group (one that names none is everyone's). Caller frees
 * the items. */
MUST_USE bool receipt_parse_told(struct bytes json, struct bytes group, struct receipt_told *told);
/* Runs of a batch's records, for struct receipt: the records come in the order of their offsets;
 * `runs` has room for one each. */
void receipt_add_run(struct receipt *receipt, int64_t offset, enum record_class the_class);

/* Tolerant of unknown members; OUT_REJECT DRV-E001 when it is no receipt, or only a further part
 * of one: the first part says all counts. */
MUST_USE enum outcome receipt_parse(struct bytes json, struct receipt_summary *summary,
                                    struct error *err);

#endif
