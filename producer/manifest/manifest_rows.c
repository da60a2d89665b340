/* The rows of a manifest, each with a digest over all its values: what comes back is what was
 * stored, or it is refused. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "producer/manifest/manifest_internal.h"

#define SELECT_SOURCES                                                                             \
    "SELECT uri, device, inode, size, modified, changed, looked, way, run, start, records, at,"    \
    " bytes, digest, next, complete, produced, rejected, withheld, finished, reading, sum"         \
    " FROM source"
static const char ALL[] = SELECT_SOURCES;
static const char FIND[] = SELECT_SOURCES " WHERE uri = ?1";
static const char STORE[] =
    "INSERT OR REPLACE INTO source VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
    " ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";
static const char TIPS[] = "SELECT run, tips, sum FROM tip";
static const char STORE_TIPS[] = "INSERT OR REPLACE INTO tip VALUES (?1, ?2, ?3)";

static const char SOURCE_DAMAGED[] = "a source's row is not what was stored";
static const char TIP_DAMAGED[] = "a run's row is not what was stored";

#define COLUMNS 22
#define TIP_COLUMNS 3

/* ---- a row's digest ---- */

static void pack_number(struct buf *out, int64_t number)
{
    buf_append_char(out, 'n');
    buf_append_be64(out, (uint64_t)number);
}

static void pack_bytes(struct buf *out, struct bytes bytes)
{
    buf_append_char(out, 'b');
    buf_append_be64(out, bytes.size);
    buf_append_bytes(out, bytes);
}

static struct digest sum_of_values(struct buf *out, const struct sqlite_value *values, size_t count)
{
    buf_reset(out);
    for (size_t i = 0; i < count; i++)
        if (values[i].kind == BIND_NUMBER)
            pack_number(out, values[i].number);
        else
            pack_bytes(out, values[i].bytes);
    return digest_of(buf_view(out));
}

/* Of all columns but the last, which is it. */
static bool row_is_sound(struct buf *out, sqlite3_stmt *row, int columns)
{
    buf_reset(out);
    for (int i = 0; i < columns - 1; i++)
        if (sqlite3_column_type(row, i) == SQLITE_INTEGER)
            pack_number(out, sqlite3_column_int64(row, i));
        else
            pack_bytes(out, sqlite_bytes(row, i));
    struct digest sum = digest_of(buf_view(out)), kept = sqlite_digest(row, columns - 1);
    return !out->failed && digest_equal(&sum, &kept);
}

/* ---- sources ---- */

void manifest_source_init(struct manifest_source *source, int32_t partitions)
{
    *source = (struct manifest_source){.partitions = partitions};
    source->start_sequences = mem_zeroed((size_t)partitions, sizeof(int64_t));
    source->place.sequences = mem_zeroed((size_t)partitions, sizeof(int64_t));
}

void manifest_source_free(struct manifest_source *source)
{
    free(source->start_sequences);
    free(source->place.sequences);
    free((void *)source->reading.data);
    *source = (struct manifest_source){0};
}

void manifest_place_copy(struct manifest_place *to, const struct manifest_place *from,
                         int32_t partitions)
{
    int64_t *sequences = to->sequences;
    *to = *from;
    to->sequences = sequences;
    memcpy(sequences, from->sequences, (size_t)partitions * sizeof(*sequences));
}

static void pack_sequences(struct buf *out, int64_t clock, const int64_t *sequences, int32_t count)
{
    buf_init(out, ((size_t)count + 1) * sizeof(int64_t) + 64);
    buf_append_be64(out, (uint64_t)clock);
    for (int32_t i = 0; i < count; i++)
        buf_append_be64(out, (uint64_t)sequences[i]);
}

static int64_t number_at(struct bytes packed, size_t at)
{
    uint64_t word;
    memcpy(&word, packed.data + at * sizeof(word), sizeof(word));
    return (int64_t)be64toh(word);
}

static void unpack_sequences(struct bytes packed, int64_t *clock, int64_t *sequences, int32_t count)
{
    *clock = number_at(packed, 0);
    for (int32_t i = 0; i < count; i++)
        sequences[i] = number_at(packed, (size_t)i + 1);
}

static void read_row(sqlite3_stmt *row, struct manifest_source *source)
{
    struct bytes start = sqlite_bytes(row, 9), next = sqlite_bytes(row, 14);
    manifest_source_init(source, (int32_t)(start.size / sizeof(int64_t) - 1));
    source->identity = (struct scan_identity){.device = (uint64_t)sqlite3_column_int64(row, 1),
                                              .inode = (uint64_t)sqlite3_column_int64(row, 2),
                                              .size = (uint64_t)sqlite3_column_int64(row, 3),
                                              .modified_ns = sqlite3_column_int64(row, 4),
                                              .changed_ns = sqlite3_column_int64(row, 5)};
    source->looked_ns = sqlite3_column_int64(row, 6);
    source->way = sqlite_digest(row, 7);
    snprintf(source->run, sizeof(source->run), "%s", (const char *)sqlite3_column_text(row, 8));
    unpack_sequences(start, &source->start_clock, source->start_sequences, source->partitions);
    source->place.records = (uint64_t)sqlite3_column_int64(row, 10);
    source->place.at = (uint64_t)sqlite3_column_int64(row, 11);
    source->place.bytes = (uint64_t)sqlite3_column_int64(row, 12);
    source->place.digest = sqlite_digest(row, 13);
    unpack_sequences(next, &source->place.clock, source->place.sequences, source->partitions);
    source->complete = sqlite3_column_int(row, 15);
    source->produced = (uint64_t)sqlite3_column_int64(row, 16);
    source->rejected = (uint64_t)sqlite3_column_int64(row, 17);
    source->withheld = (uint64_t)sqlite3_column_int64(row, 18);
    source->finished_ms = sqlite3_column_int64(row, 19);
    struct bytes reading = sqlite_bytes(row, 20);
    if (reading.size)
        source->reading = bytes_of(mem_text_part(reading.data, reading.size), reading.size);
}

enum outcome manifest_find(struct manifest *manifest, const char *path, bool *known,
                           struct manifest_source *source, struct error *err)
{
    sqlite3_stmt *row;
    *known = false;
    enum outcome outcome =
        sqlite_get(&manifest->db, FIND, VALUES(BLOB(bytes_text(path))), &row, err);
    if (!row)
        return outcome;
    struct bytes start = sqlite_bytes(row, 9), next = sqlite_bytes(row, 14);
    *known = row_is_sound(&manifest->scratch, row, COLUMNS) && start.size == next.size &&
             start.size >= 2 * sizeof(int64_t);
    if (*known)
        read_row(row, source);
    sqlite3_reset(row);
    return *known ? OUT_OK : manifest_damaged(manifest, SOURCE_DAMAGED, err);
}

enum outcome manifest_store(struct manifest *manifest, const char *path,
                            const struct manifest_source *source, struct error *err)
{
    const struct scan_identity *identity = &source->identity;
    const struct manifest_place *place = &source->place;
    struct buf start, next;
    pack_sequences(&start, source->start_clock, source->start_sequences, source->partitions);
    pack_sequences(&next, place->clock, place->sequences, source->partitions);
    struct sqlite_value values[COLUMNS] = {
        BLOB(bytes_text(path)),    NUMBER(identity->device),      NUMBER(identity->inode),
        NUMBER(identity->size),    NUMBER(identity->modified_ns), NUMBER(identity->changed_ns),
        NUMBER(source->looked_ns), DIGEST(&source->way),          NAME(source->run),
        BLOB(buf_view(&start)),    NUMBER(place->records),        NUMBER(place->at),
        NUMBER(place->bytes),      DIGEST(&place->digest),        BLOB(buf_view(&next)),
        NUMBER(source->complete),  NUMBER(source->produced),      NUMBER(source->rejected),
        NUMBER(source->withheld),  NUMBER(source->finished_ms),   BLOB(source->reading)};
    struct digest sum = sum_of_values(&manifest->scratch, values, COLUMNS - 1);
    values[COLUMNS - 1] = DIGEST(&sum);
    enum outcome outcome = sqlite_run(&manifest->db, STORE, values, COLUMNS, err);
    buf_free(&start);
    buf_free(&next);
    return outcome;
}

/* ---- tips ---- */

enum outcome manifest_store_tips(struct manifest *manifest, const char *run,
                                 const struct manifest_tip *tips, int32_t partitions,
                                 struct error *err)
{
    struct buf packed;
    buf_init(&packed, 2 * (size_t)partitions * sizeof(int64_t) + 64);
    for (int32_t i = 0; i < partitions; i++) {
        buf_append_be64(&packed, (uint64_t)tips[i].offset);
        buf_append_be64(&packed, (uint64_t)tips[i].sequence);
    }
    struct sqlite_value values[TIP_COLUMNS] = {NAME(run), BLOB(buf_view(&packed))};
    struct digest sum = sum_of_values(&manifest->scratch, values, TIP_COLUMNS - 1);
    values[TIP_COLUMNS - 1] = DIGEST(&sum);
    enum outcome outcome = sqlite_run(&manifest->db, STORE_TIPS, values, TIP_COLUMNS, err);
    buf_free(&packed);
    return outcome;
}

static void take_greater(sqlite3_stmt *row, struct manifest_last *last, int32_t partitions)
{
    struct bytes packed = sqlite_bytes(row, 1);
    for (int32_t i = 0; i < partitions && (size_t)i < packed.size / (2 * sizeof(int64_t)); i++) {
        struct manifest_tip tip = {number_at(packed, 2 * (size_t)i),
                                   number_at(packed, 2 * (size_t)i + 1)};
        if (tip.offset <= last[i].tip.offset)
            continue;
        last[i].tip = tip;
        snprintf(last[i].run, sizeof(last[i].run), "%s", (const char *)sqlite3_column_text(row, 0));
    }
}

enum outcome manifest_find_last(struct manifest *manifest, struct manifest_last *last,
                                int32_t partitions, struct error *err)
{
    sqlite3_stmt *row;
    for (int32_t i = 0; i < partitions; i++)
        last[i] = (struct manifest_last){.tip = {.offset = -1, .sequence = -1}};
    enum outcome outcome = sqlite_get(&manifest->db, TIPS, NO_VALUES, &row, err);
    while (outcome == OUT_OK && row) {
        if (!row_is_sound(&manifest->scratch, row, TIP_COLUMNS)) {
            sqlite3_reset(row);
            return manifest_damaged(manifest, TIP_DAMAGED, err);
        }
        take_greater(row, last, partitions);
        outcome = sqlite_next(&manifest->db, &row, err);
    }
    return outcome;
}

/* ---- all of them ---- */

static enum outcome check_rows(struct manifest *manifest, const char *sql, int columns,
                               const char *why, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(&manifest->db, sql, NO_VALUES, &row, err);
    while (outcome == OUT_OK && row) {
        if (!row_is_sound(&manifest->scratch, row, columns)) {
            sqlite3_reset(row);
            return manifest_damaged(manifest, why, err);
        }
        outcome = sqlite_next(&manifest->db, &row, err);
    }
    return outcome;
}

enum outcome manifest_check_rows(struct manifest *manifest, struct error *err)
{
    enum outcome outcome = check_rows(manifest, ALL, COLUMNS, SOURCE_DAMAGED, err);
    return outcome == OUT_OK ? check_rows(manifest, TIPS, TIP_COLUMNS, TIP_DAMAGED, err) : outcome;
}

enum outcome manifest_forget(struct manifest *manifest, struct error *err)
{
    return sqlite_exec(&manifest->db, "DELETE FROM tip; DELETE FROM source", err);
}
