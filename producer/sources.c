/*
 * The sources one after the other: which of them are read, from where, and in whose run. What is
 * known of them is the manifest's; without one (a rehearsal) each is read from its beginning.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/source/source_identity.h"
#include "common/model/value/timestamp.h"
#include "producer/manifest/resume.h"
#include "producer/producer.h"

#define SMALL_BYTES 4096
#define TENANT_BYTES ((size_t)64 << 10)
#define WAY_BYTES ((size_t)1 << 20)
#define NS_PER_MS 1000000
#define READING_BYTES ((size_t)1 << 20)

/* ---- how a source is read ---- */

static void append_text(struct buf *out, const char *text)
{
    buf_append_text(out, text ? text : "-");
    buf_append_char(out, '\0');
}

/* Everything but its bytes that decides on its messages and rejections. */
static struct digest way_of(const struct producer *producer, const struct source_file *file)
{
    const struct source_kind *kind = &producer->kinds[file - producer->files.items];
    const struct settings *settings = producer->settings;
    const struct mapping_set *mappings = &producer->mappings;
    struct buf way;
    buf_init(&way, WAY_BYTES);
    const char *const texts[] = {settings->format,     settings->entity, settings->user,
                                 settings->web_origin, settings->detect, settings->given.path};
    const uint64_t limits[] = {settings->record_bytes, settings->body_bytes, settings->join_bytes,
                               producer->has_ring};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        append_text(&way, texts[i]);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        buf_append_be64(&way, limits[i]);
    buf_append_bytes(&way, buf_view(&producer->rules.fixed));
    buf_append_char(&way, '\0');
    source_rules_append_way(&producer->rules, file->path, &way);
    buf_append_be64(&way, kind->is_known ? (uint64_t)kind->form : UINT64_MAX);
    for (size_t i = 0; i < mappings->count; i++)
        if (!kind->is_known || kind->form != COLLECT_FILES || kind->mapping == mappings->items[i])
            mapping_append_intake(mappings->items[i], &way);
    struct digest digest = digest_of(buf_view(&way));
    buf_free(&way);
    return digest;
}

/* ---- runs ---- */

struct producer_run *producer_add_run(struct producer *producer, const char *name)
{
    size_t partitions = (size_t)bus_sender_partitions(producer->sender);
    struct producer_run *run = mem_new(sizeof *run);
    snprintf(run->name, sizeof(run->name), "%s", name);
    run->sequences = mem_zeroed(partitions, sizeof(*run->sequences));
    run->tips = mem_zeroed(partitions, sizeof(*run->tips));
    for (size_t i = 0; i < partitions; i++)
        run->tips[i] = (struct manifest_tip){.offset = -1, .sequence = -1};
    producer->runs =
        mem_grown(producer->runs, &producer->run_room, producer->run_count + 1, sizeof(run));
    producer->runs[producer->run_count++] = run;
    return run;
}

void producer_free_runs(struct producer *producer)
{
    for (size_t i = 0; i < producer->run_count; i++) {
        free(producer->runs[i]->sequences);
        free(producer->runs[i]->tips);
        free(producer->runs[i]);
    }
    free(producer->runs);
}

/* ---- what is said ---- */

static void say(struct producer *producer, enum note_kind kind, const char *path, const char *text)
{
    struct origin place = {.uri = bytes_text(path)};
    struct error err;
    error_set(&err, OUT_OK, ERR_NONE, "%s", text);
    progress_clear(&producer->progress);
    rejects_note(&producer->rejects, kind, &place, &err);
}

static void say_skipped(struct producer *producer, const char *path,
                        const struct manifest_source *row)
{
    char text[200], counts[4][28];
    struct buf when;
    uint64_t records = row->produced + row->rejected + row->withheld;
    buf_init(&when, 64);
    timestamp_append_ms(&when, row->finished_ms);
    int size =
        snprintf(text, sizeof(text), "skipped: sent on %s and unchanged, %s record%s",
                 buf_text(&when), text_format_count(records, counts[0]), records == 1 ? "" : "s");
    if (row->rejected)
        size += snprintf(text + size, sizeof(text) - (size_t)size, " of which %s rejected",
                         text_format_count(row->rejected, counts[1]));
    buf_free(&when);
    say(producer, NOTE_SKIPPED, path, text);
}

static uint64_t percent(const struct manifest_source *row)
{
    uint64_t size = row->identity.size, at = row->place.at < size ? row->place.at : size;
    return size ? (uint64_t)((double)at * 100 / (double)size) : 100;
}

static void say_resumed(struct producer *producer, const char *path,
                        const struct manifest_source *row)
{
    char text[200], count[28];
    snprintf(text, sizeof(text),
             "resumes at %" PRIu64
             " %%: %s record%s acknowledged to run %s before it was interrupted",
             percent(row), text_format_count(row->place.records, count),
             row->place.records == 1 ? " was" : "s were", row->run);
    say(producer, NOTE_SOURCE, path, text);
}

static void say_anew(struct producer *producer, const char *path, enum resume_reason reason)
{
    char text[200];
    snprintf(text, sizeof(text), "read anew: it %s", resume_reason_text(reason));
    say(producer, NOTE_SOURCE, path, text);
}

/* ---- one source ---- */

/* So that of a source whose producer is killed it is known that it was not read to its end: its end
 * tells it anew, later. A stream cannot be read again: its begin would be true for ever. */
static void tell_begin(struct producer *producer, struct passage *passage)
{
    struct buf text;
    buf_init(&text, READING_BYTES);
    passage_append_reading(passage, false, clock_unix_ms(), &text);
    (void)producer_tell_reading(producer, bytes_text(passage->run->name), buf_view(&text));
    buf_free(&text);
}

static void read_passage(struct producer *producer, const struct source_file *file,
                         struct passage *passage)
{
    int64_t clock = producer->file_clock.last;
    producer->passage = passage;
    if (passage->remembered)
        producer->file_clock.last = passage->row.start_clock;
    if (!passage->stream)
        tell_begin(producer, passage);
    producer_read_source(producer, file);
    version_observe(&producer->file_clock, clock);
}

void producer_identify(struct producer *producer, const struct source_file *file,
                       struct reading *reading)
{
    struct buf tenant;
    struct bytes plain;
    buf_init(&tenant, TENANT_BYTES);
    if (source_rules_given(&producer->rules, file->path, &tenant, &plain, NULL) != OUT_OK)
        buf_reset(&tenant); /* its records will be told why */
    passage_identify(reading, file->path, buf_view(&tenant), producer->settings->web_origin);
    buf_free(&tenant);
}

static struct passage *new_passage(struct producer *producer, const struct source_file *file)
{
    bool stream = strcmp(file->path, "-") == 0;
    struct passage *passage = passage_new(file->path, stream, producer->own);
    if (!stream)
        producer_identify(producer, file, &passage->reading);
    return passage;
}

/* Of ten thousand small files each would cost more to note than to send again. */
static enum outcome store_begin(struct producer *producer, const struct source_file *file,
                                const struct manifest_source *row, struct error *err)
{
    if (row->identity.size <= SMALL_BYTES)
        return OUT_OK;
    enum outcome outcome = manifest_begin(producer->manifest, err);
    if (outcome == OUT_OK)
        outcome = manifest_store(producer->manifest, file->path, row, err);
    return outcome == OUT_OK ? manifest_commit(producer->manifest, err) : outcome;
}

/* Its row is stored before its first message is sent: whoever ends this process, the next one goes
 * on in this run. A small one that was not acknowledged as a whole is sent again in another. */
static void read_anew(struct producer *producer, const struct source_file *file,
                      const struct resume_now *now, int64_t looked_ns, int64_t told_ms)
{
    struct error err;
    struct passage *passage = new_passage(producer, file);
    passage->remembered = true;
    passage->told_ms = told_ms;
    struct manifest_source *row = &passage->row;
    manifest_source_init(row, now->partitions);
    row->identity = now->identity;
    row->looked_ns = looked_ns;
    row->way = now->way;
    row->finished_ms = told_ms > looked_ns / NS_PER_MS ? told_ms : looked_ns / NS_PER_MS;
    row->start_clock = row->place.clock = producer->file_clock.last;
    memcpy(row->run, producer->own->name, sizeof(row->run));
    size_t size = (size_t)now->partitions * sizeof(int64_t);
    memcpy(row->start_sequences, producer->own->sequences, size);
    memcpy(row->place.sequences, producer->own->sequences, size);
    if (store_begin(producer, file, row, &err) == OUT_OK) {
        read_passage(producer, file, passage);
        return;
    }
    passage_free(passage);
    producer_fail(producer, &err);
}

/* The row becomes the passage's. */
static void go_on(struct producer *producer, const struct source_file *file,
                  struct manifest_source *row, const struct resume_now *now, int64_t looked_ns)
{
    struct producer_run *run = producer_add_run(producer, row->run);
    struct passage *passage = new_passage(producer, file);
    memcpy(run->sequences, row->start_sequences, (size_t)row->partitions * sizeof(int64_t));
    passage->remembered = true;
    passage->run = run;
    row->identity = now->identity; /* it was linked, or moved: its bytes are the same */
    if (row->identity.modified_ns <= row->looked_ns) /* else it is its time (source.c) */
        row->looked_ns = looked_ns;
    passage->row = *row;
    passage->told_ms = row->finished_ms;
    passage->replayed = row->place.records;
    producer->counters.resumed++;
    say_resumed(producer, file->path, row);
    read_passage(producer, file, passage);
}

static void store_row(struct producer *producer, const struct source_file *file,
                      const struct manifest_source *row)
{
    struct error err;
    enum outcome outcome = manifest_begin(producer->manifest, &err);
    if (outcome == OUT_OK)
        outcome = manifest_store(producer->manifest, file->path, row, &err);
    if (outcome == OUT_OK)
        outcome = manifest_commit(producer->manifest, &err);
    if (outcome != OUT_OK)
        producer_fail(producer, &err);
}

/* As of now: what another process told of the source since, which did not end, counts no more. A
 * reading that an older Drover told says from now on which source it is of, and always the same
 * one: the same bytes in another folder are skipped as well. */
static void tell_again(struct producer *producer, const struct source_file *file,
                       struct manifest_source *row)
{
    struct reading reading;
    struct buf text;
    buf_init(&text, READING_BYTES);
    if (reading_parse(row->reading, &reading, NULL) == OUT_OK) {
        bool nameless = !reading.has_source && !reading.stream;
        int64_t now_ms = clock_unix_ms();
        reading.read_ms = row->finished_ms;
        reading.finished_ms = now_ms > row->finished_ms ? now_ms : row->finished_ms + 1;
        if (nameless)
            producer_identify(producer, file, &reading);
        reading_append(&text, &reading);
        (void)producer_tell_reading(producer, bytes_text(row->run), buf_view(&text));
        if (nameless) {
            free((void *)row->reading.data);
            row->reading = bytes_of(mem_text_part(text.data, text.size), text.size);
            store_row(producer, file, row);
        }
    }
    reading_free(&reading);
    buf_free(&text);
}

/* Nothing of it is sent; its reading is told again, as the results topic may have forgotten it. */
static void skip(struct producer *producer, const struct source_file *file,
                 struct manifest_source *row)
{
    struct produce_counters *counters = &producer->counters;
    counters->skipped++;
    counters->skipped_records += row->produced + row->rejected + row->withheld;
    counters->skipped_rejected += row->rejected;
    producer->source_bytes += file->size;
    version_observe(&producer->file_clock, row->place.clock);
    say_skipped(producer, file->path, row);
    tell_again(producer, file, row);
    producer_breathe(producer, 0);
}

static bool goes_on(void *owner)
{
    return !producer_must_stop(owner);
}

/* Whether the source still begins with what was read of it; false also when that cannot be told, or
 * the run must stop. */
static bool begins_with(struct producer *producer, const struct source_file *file,
                        const struct manifest_place *place)
{
    struct error ignored;
    struct digest digest;
    uint64_t read;
    enum outcome outcome = byte_source_digest_of(file->path, place->bytes, goes_on, producer,
                                                 &digest, &read, &ignored);
    return outcome == OUT_OK && read == place->bytes && digest_equal(&digest, &place->digest);
}

/* The same bytes under other times: looked at once. */
static void store_identity(struct producer *producer, const struct source_file *file,
                           struct manifest_source *row, const struct resume_now *now,
                           int64_t looked_ns)
{
    row->identity = now->identity;
    row->looked_ns = looked_ns;
    store_row(producer, file, row);
}

static void produce_known(struct producer *producer, const struct source_file *file,
                          struct manifest_source *row, const struct resume_now *now,
                          int64_t looked_ns)
{
    enum resume_reason reason;
    enum resume what = manifest_resume(row, now, &reason);
    bool same =
        what == RESUME_SKIP || what == RESUME_ANEW || begins_with(producer, file, &row->place);
    if (producer_must_stop(producer)) {
        manifest_source_free(row);
        return;
    }
    if (what == RESUME_GO_ON && same) {
        go_on(producer, file, row, now, looked_ns);
        return;
    }
    if (what == RESUME_COMPARE && same)
        store_identity(producer, file, row, now, looked_ns);
    if (what != RESUME_ANEW && same) {
        skip(producer, file, row);
    } else {
        producer->counters.anew += reason != REASON_ASKED;
        if (reason != REASON_ASKED)
            say_anew(producer, file->path, reason ? reason : REASON_CHANGED);
        read_anew(producer, file, now, looked_ns, row->finished_ms);
    }
    manifest_source_free(row);
}

static void produce_source(struct producer *producer, const struct source_file *file)
{
    struct error err;
    struct manifest_source row;
    struct resume_now now = {.partitions = bus_sender_partitions(producer->sender),
                             .again = producer->settings->again};
    bool known;
    int64_t looked_ns = clock_unix_ms() * NS_PER_MS;
    if (!producer->manifest || file->problem || strcmp(file->path, "-") == 0 ||
        !source_identity_read(file->path, &now.identity)) {
        read_passage(producer, file, new_passage(producer, file));
        return;
    }
    now.way = way_of(producer, file);
    if (manifest_find(producer->manifest, file->path, &known, &row, &err) != OUT_OK)
        producer_fail(producer, &err);
    else if (known)
        produce_known(producer, file, &row, &now, looked_ns);
    else
        read_anew(producer, file, &now, looked_ns, 0);
}

void producer_read_sources(struct producer *producer)
{
    for (size_t i = 0; i < producer->files.count && !producer_must_stop(producer); i++)
        produce_source(producer, &producer->files.items[i]);
}
