/* The scan of all sources, and the waiting between two scans. */
#include "producer/follow/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/held_file.h"
#include "common/io/log.h"
#include "common/io/source/source_identity.h"
#include "common/io/watch.h"
#include "producer/follow/follow_files.h"
#include "producer/follow/follow_moves.h"
#include "producer/follow/follow_problem.h"
#include "producer/follow/follow_read.h"
#include "producer/follow/follow_rejected.h"
#include "producer/follow/follow_told.h"

#define WAIT_MS 200 /* reports and signals are looked after so often */
/* Listing many files for one that changes may take a fifth of a core, no more: so many times as
 * long as it took nothing is listed again, but for the scans. */
#define RESTS 4
#define COUNT_RESTS 50
#define END_MS 2000    /* at the end, for Kafka to take what is told of rejections */
#define LIST_WAIT_MS 5 /* something is to be listed as soon as it may be */
#define LIST_TRIES 3   /* folders that come while others are listed are for the next time */

struct follow {
    struct producer *producer;
    const struct conf_list *arguments;
    struct follow_state *state;
    struct follow_rejected *rejected;
    struct follow_reader reader;
    struct watch *watch;
    struct followed_list files;
    struct followed **listed;          /* of this scan, by place in producer->files */
    struct folder_names other_folders; /* where sources' bytes have other names */
    struct error *errors;              /* of the arguments, as last listed */
    bool *said;                        /* that error of an argument */
    size_t unwatched;
    size_t uncovered;          /* files known that are none of the sources' */
    struct followed **noticed; /* of which notices came, in the order of their times */
    size_t noticed_count, noticed_room;
    bool unlisted; /* something came or went, or nobody knows what changed: to be listed anew */
    uint64_t rest_until_ms;
    unsigned waiting_scans; /* in a row, with files whose news could not be read */
    struct follow_told *told;
    uint64_t changed_ms; /* the oldest change that nobody has looked at; 0: none */
    uint64_t records;    /* known when they were counted, */
    uint64_t counted_changes, count_until_ms; /* after so many changes, and not again before */
};

enum outcome follow_collect(struct producer *producer, struct error *err)
{
    const struct conf_list *arguments = &producer->settings->sources;
    for (size_t i = 0; i < arguments->count; i++) {
        if (strcmp(arguments->items[i], "-") != 0)
            continue;
        error_set(err, OUT_FATAL, ERR_USAGE, "standard input cannot be followed");
        error_hint(err, "leave --follow out: it is read as long as something comes");
        return OUT_FATAL;
    }
    struct error *errors = mem_zeroed(arguments->count, sizeof(*errors));
    follow_files_list(arguments, &producer->rules, &producer->files, errors);
    free(errors);
    return OUT_OK;
}

/* ---- the files seen ---- */

static size_t place_of(const struct follow *follow, const char *path)
{
    size_t low = 0, high = follow->files.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(follow->files.items[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Takes `path`. */
static struct followed *followed_get(struct follow *follow, char *path)
{
    size_t at = place_of(follow, path);
    if (at < follow->files.count && strcmp(follow->files.items[at]->path, path) == 0) {
        free(path);
        return follow->files.items[at];
    }
    struct followed *file = mem_new(sizeof(*file));
    follow->files.items =
        mem_resize(follow->files.items, follow->files.count + 1, sizeof(*follow->files.items));
    memmove(&follow->files.items[at + 1], &follow->files.items[at],
            (follow->files.count - at) * sizeof(*follow->files.items));
    file->path = path;
    follow->files.items[at] = file;
    follow->files.count++;
    return file;
}

static void say_lost(struct follow *follow)
{
    for (size_t i = 0; i < follow->files.count; i++)
        if (!follow->files.items[i]->listed)
            follow_problem_end(follow->producer, follow->files.items[i], FOLLOW_PROBLEM_GONE);
}

/* Forgets what was seen of files that are neither there nor known. */
static void forget_lost(struct follow *follow)
{
    size_t kept = 0;
    for (size_t i = 0; i < follow->files.count; i++) {
        if (follow->files.items[i]->listed) {
            follow->files.items[kept++] = follow->files.items[i];
            continue;
        }
        free(follow->files.items[i]->path);
        free(follow->files.items[i]);
    }
    follow->files.count = kept;
}

/* ---- a scan ---- */

static void report_arguments(struct follow *follow)
{
    for (size_t i = 0; i < follow->arguments->count; i++) {
        bool bad = follow->errors[i].code != ERR_NONE;
        if (bad && !follow->said[i])
            producer_reject_source(follow->producer, follow->arguments->items[i],
                                   &follow->errors[i]);
        if (!bad && follow->said[i])
            follow_problem_over(follow->producer, follow->arguments->items[i],
                                "the source is there again");
        follow->said[i] = bad;
    }
}

/* Whether there are some that were not watched when the files were listed. */
static bool watch_folders(struct follow *follow)
{
    bool more;
    struct folder_names names;
    folder_names_free(&follow->other_folders);
    follow_files_folders(follow->arguments, &follow->producer->files, &names,
                         &follow->other_folders);
    size_t unwatched =
        watch_set_folders(follow->watch, (const char *const *)names.items, names.count, &more);
    if (unwatched > follow->unwatched)
        log_line(LOG_WARN, "follow.unwatched", "folders=%zu scan_ms=%" PRIu64, unwatched,
                 follow->producer->settings->scan_ms);
    follow->unwatched = unwatched;
    folder_names_free(&names);
    return more;
}

/* With their folders watched before, so that whatever changes from now on is told. */
static void list_files(struct follow *follow)
{
    bool more = true;
    for (int tries = 0; more && tries < LIST_TRIES; tries++) {
        watch_look(follow->watch);
        watch_forget(follow->watch);
        source_files_free(&follow->producer->files);
        follow_files_list(follow->arguments, &follow->producer->rules, &follow->producer->files,
                          follow->errors);
        more = watch_folders(follow);
    }
    follow->unlisted = more;
}

static void find_listed(struct follow *follow)
{
    const struct source_files *files = &follow->producer->files;
    follow->listed = mem_resize(follow->listed, files->count + 1, sizeof(*follow->listed));
    for (size_t i = 0; i < files->count; i++) {
        follow->listed[i] = followed_get(follow, follow_files_absolute(files->items[i].path));
        follow->listed[i]->listed = follow->listed[i]->has_source = true;
        follow->listed[i]->source = i;
    }
}

/* First: who has another name now keeps what is known of it. */
static void find_moves(struct follow *follow)
{
    struct error err;
    if (follow_moves_keep(follow->state, follow->arguments, &follow->files, &err) != OUT_OK)
        producer_fail(follow->producer, &err);
}

/* Files in the order of their times, so that what is newer gets the greater version. */
static void take_turn(struct follow *follow, enum scan_turn turn, bool scan)
{
    struct source_files *files = &follow->producer->files;
    for (size_t i = 0; i < files->count && !producer_must_stop(follow->producer); i++)
        follow_read_file(&follow->reader, follow->listed[i], &files->items[i], turn, scan);
    follow_read_end(&follow->reader);
}

static void scan_files(struct follow *follow, bool scan)
{
    take_turn(follow, TURN_NEWS, scan);
    follow->reader.unread = 0;
    for (size_t i = 0; i < follow->files.count; i++)
        follow->reader.unread += follow->files.items[i]->listed && follow->files.items[i]->unread;
    take_turn(follow, TURN_LOSSES, scan);
}

/* Names that lead to a file which has another name among the sources: links, or an argument that
 * reaches it by a shorter way. */
static void mark_repeats(struct follow *follow)
{
    const struct source_files *files = &follow->producer->files;
    for (size_t i = 0; i < files->repeat_count; i++) {
        char *path = follow_files_absolute(files->repeats[i].path);
        size_t at = place_of(follow, path);
        if (at < follow->files.count && strcmp(follow->files.items[at]->path, path) == 0)
            follow->files.items[at]->kept = files->repeats[i].kept;
        free(path);
    }
}

static void find_missing(struct follow *follow)
{
    mark_repeats(follow);
    struct error err;
    char **paths = NULL;
    enum outcome outcome = follow_state_paths(follow->state, &paths, &err);
    for (size_t i = 0; paths && paths[i]; i++) {
        struct followed *file = followed_get(follow, paths[i]);
        bool gone = outcome == OUT_OK && !producer_must_stop(follow->producer) && !file->listed &&
                    follow_files_cover(follow->arguments, file->path);
        if (gone)
            follow_read_away(&follow->reader, file);
        file->listed = true; /* known: what was seen of it is kept */
    }
    free(paths);
    if (outcome != OUT_OK)
        producer_fail(follow->producer, &err);
}

/* A file that changes all the time must not keep what others lost for ever. */
static void count_waiting(struct follow *follow)
{
    struct follow_reader *reader = &follow->reader;
    follow->waiting_scans = reader->unread > 0 ? follow->waiting_scans + 1 : 0;
    bool waited = follow->waiting_scans >= SCAN_TRIES_MAX;
    if (waited && !reader->waited)
        log_line(LOG_WARN, "follow.deletes_not_kept_waiting", "unread=%zu scans=%u", reader->unread,
                 follow->waiting_scans);
    reader->waited = waited;
}

/* ---- what is rejected -------------------------------------------------------------------- */

static enum rejected_fate fate_of(void *owner, const char *path)
{
    struct follow *follow = owner;
    size_t at = place_of(follow, path);
    const struct followed *file = at < follow->files.count ? follow->files.items[at] : NULL;
    if (file && file->listed && strcmp(file->path, path) == 0) {
        bool is_read = file->has_source && file->done_at == follow_state_generation(follow->state);
        return is_read ? REJECTED_WHOLE : REJECTED_STAYS;
    }
    bool is_there = access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
    return is_there && follow_files_cover(follow->arguments, path) ? REJECTED_STAYS : REJECTED_GONE;
}

/* After a periodic scan. */
static void keep_rejected(struct follow *follow)
{
    struct error err;
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < follow->files.count && outcome == OUT_OK; i++) {
        struct followed *file = follow->files.items[i];
        if (file->broken && file->has_source)
            outcome = follow_rejected_broken(follow->rejected, file->path,
                                             &follow->producer->files.items[file->source], &err);
    }
    if (outcome == OUT_OK)
        outcome = follow_rejected_tidy(follow->rejected, fate_of, follow, &err);
    if (outcome != OUT_OK)
        producer_fail(follow->producer, &err);
}

static bool tell_rejected(struct follow *follow, bool ends)
{
    struct error err;
    bool more = false;
    if (follow_rejected_tell(follow->rejected, ends, &more, &err) != OUT_OK)
        producer_fail(follow->producer, &err);
    return more;
}

/* What nobody could be told of any more the next follower tells. */
static void end_rejected(struct follow *follow)
{
    while (follow->rejected && !follow->producer->failed && tell_rejected(follow, true))
        if (!bus_sender_flush(follow->producer->results, END_MS))
            break;
    follow_rejected_close(follow->rejected);
}

static void scan_sources(struct follow *follow, bool scan)
{
    uint64_t began_ms = follow->reader.scan_began_ms = clock_monotonic_ms(),
             read_before = follow->reader.reading_ms;
    follow->noticed_count = 0;
    list_files(follow);
    for (size_t i = 0; i < follow->files.count; i++) {
        follow->files.items[i]->listed = follow->files.items[i]->has_source = false;
        follow->files.items[i]->kept = NULL;
        follow->files.items[i]->noticed = false;
    }
    if (scan)
        report_arguments(follow);
    find_listed(follow);
    find_moves(follow);
    scan_files(follow, scan);
    if (scan && !producer_must_stop(follow->producer)) {
        find_missing(follow);
        say_lost(follow);
        forget_lost(follow);
        keep_rejected(follow);
        count_waiting(follow);
    }
    uint64_t ended_ms = clock_monotonic_ms();
    uint64_t listed_ms = ended_ms - began_ms - (follow->reader.reading_ms - read_before);
    follow->rest_until_ms = ended_ms + RESTS * listed_ms;
}

/* ---- notices ---- */

static void take_file(struct follow *follow, struct followed *file)
{
    if (file->noticed)
        return;
    file->noticed = true;
    follow->noticed = mem_grown(follow->noticed, &follow->noticed_room, follow->noticed_count + 1,
                                sizeof *follow->noticed);
    follow->noticed[follow->noticed_count++] = file;
}

/* Takes the path. Most names that nobody follows are those under which a file is written before it
 * gets its own. */
static void take_change(struct follow *follow, const struct watch_change *change)
{
    char *path = change->path;
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) : 0;
    char *absolute = follow_files_absolute(path);
    size_t at = place_of(follow, absolute);
    struct followed *file = at < follow->files.count ? follow->files.items[at] : NULL;
    bool is_followed = file && file->has_source && strcmp(file->path, absolute) == 0;
    if (is_followed) {
        take_file(follow, file);
        follow->unlisted |= change->left; /* for a folder that is not watched, perhaps */
    } else if (folder_names_has(&follow->other_folders, path, folder) ||
               follow_files_may_take(follow->arguments, absolute)) {
        follow->unlisted = true;
    }
    free(absolute);
    free(path);
}

static void take_notices(struct follow *follow)
{
    struct watch_change change;
    while ((change = watch_take_change(follow->watch)).path)
        take_change(follow, &change);
    follow->unlisted |= watch_take_lost(follow->watch);
}

static int compare_times(const void *left, const void *right)
{
    const struct followed *a = *(struct followed *const *)left,
                          *b = *(struct followed *const *)right;
    if (a->noticed_ns != b->noticed_ns)
        return a->noticed_ns < b->noticed_ns ? -1 : 1;
    return strcmp(a->path, b->path);
}

/* Those that are there, to the front; one that went away is for the next listing. */
static size_t find_there(struct follow *follow)
{
    struct scan_identity identity;
    size_t kept = 0;
    for (size_t i = 0; i < follow->noticed_count; i++) {
        struct followed *file = follow->noticed[i];
        file->noticed = false;
        if (!source_identity_read(file->path, &identity)) {
            follow->unlisted = true;
            continue;
        }
        file->noticed_ns = identity.modified_ns;
        follow->noticed[kept++] = file;
    }
    return follow->noticed_count = kept;
}

/* As in a scan those of an older time first. What is noticed meanwhile stands behind them. */
static void read_noticed(struct follow *follow)
{
    size_t count = find_there(follow);
    if (count)
        qsort(follow->noticed, count, sizeof *follow->noticed, compare_times);
    follow->reader.scan_began_ms = clock_monotonic_ms();
    follow->reader.noticed = true;
    for (size_t i = 0; i < count && !producer_must_stop(follow->producer); i++)
        follow_read_file(&follow->reader, follow->noticed[i],
                         &follow->producer->files.items[follow->noticed[i]->source], TURN_NEWS,
                         false);
    follow_read_end(&follow->reader);
    follow->reader.noticed = false;
    follow->noticed_count -= count;
    if (follow->noticed_count)
        memmove(follow->noticed, follow->noticed + count,
                follow->noticed_count * sizeof *follow->noticed);
}

static bool names_came(void *owner)
{
    struct follow *follow = owner;
    watch_look(follow->watch);
    take_notices(follow);
    return follow->unlisted;
}

/* ---- what is known and no source covers ---- */

static void name_uncovered(struct follow *follow, const char *path)
{
    struct error err;
    struct origin place = {.uri = bytes_text(path)};
    error_set(&err, OUT_OK, ERR_NONE,
              "no source covers this file any more: what only it held stays as it is");
    rejects_note(&follow->producer->rejects, NOTE_RECORD, &place, &err);
}

/* The arguments are the same for the whole run, so this is found once, and said once. */
static enum outcome unfollow(struct follow *follow, struct error *err)
{
    char **paths = NULL;
    enum outcome outcome = follow_state_paths(follow->state, &paths, err);
    for (size_t i = 0; paths && paths[i]; i++) {
        if (outcome == OUT_OK && !follow_files_cover(follow->arguments, paths[i])) {
            outcome = follow_state_unfollow(follow->state, paths[i], false, err);
            name_uncovered(follow, paths[i]);
            follow->uncovered++;
        }
        free(paths[i]);
    }
    free(paths);
    return outcome;
}

/* After the first scan: what moved is known by then. */
static void say_uncovered(struct follow *follow)
{
    struct error err;
    uint64_t records;
    if (!follow->uncovered || producer_must_stop(follow->producer))
        return;
    if (follow_state_unfollowed(follow->state, &records, &err) != OUT_OK)
        producer_fail(follow->producer, &err);
    else
        log_line(LOG_WARN, "follow.not_covered", "files=%zu records_only_there=%" PRIu64,
                 follow->uncovered, records);
}

/* ---- what the user says is gone for good ---- */

static void note_of(struct follow *follow, const char *path, const char *text)
{
    struct error note;
    struct origin place = {.uri = bytes_text(path)};
    error_set(&note, OUT_OK, ERR_NONE, "%s", text);
    rejects_note(&follow->producer->rejects, NOTE_RECORD, &place, &note);
}

static void forget_below(struct follow *follow, const char *given)
{
    struct error err;
    char **paths = NULL;
    char *folder = follow_files_absolute(given);
    size_t known = 0;
    enum outcome outcome = follow_state_paths(follow->state, &paths, &err);
    for (size_t i = 0; paths && paths[i]; i++) {
        if (outcome == OUT_OK && follow_files_is_below(paths[i], folder) &&
            !producer_must_stop(follow->producer)) {
            struct followed file = {.path = paths[i]};
            known++;
            if (!follow_forget(&follow->reader, &file))
                note_of(follow, paths[i], "it is there, or cannot be looked at: not forgotten");
        }
        free(paths[i]);
    }
    free(paths);
    if (outcome != OUT_OK)
        producer_fail(follow->producer, &err);
    else if (known == 0)
        note_of(follow, given, "nothing is known of it that could be forgotten");
    free(folder);
}

static void forget_given(struct follow *follow)
{
    const struct conf_list *given = &follow->producer->settings->forget;
    for (size_t i = 0; i < given->count && !producer_must_stop(follow->producer); i++)
        forget_below(follow, given->items[i]);
}

/* ---- what is told ---- */

/* Counting looks at every record: only when some changed, and for a small share of the time. */
static void count_records(struct follow *follow)
{
    struct error err;
    uint64_t began_ms = clock_monotonic_ms();
    uint64_t changes = follow->reader.upserts + follow->reader.deletes + 1;
    if (changes == follow->counted_changes || began_ms < follow->count_until_ms)
        return;
    if (follow_state_count(follow->state, &follow->records, &err) != OUT_OK)
        producer_fail(follow->producer, &err);
    follow->counted_changes = changes;
    uint64_t now_ms = clock_monotonic_ms();
    follow->count_until_ms = now_ms + COUNT_RESTS * (now_ms - began_ms);
}

static void tell(struct follow *follow, bool ended)
{
    uint64_t unread = 0, now_ms = clock_monotonic_ms();
    struct follow_problems problems = {0};
    for (size_t i = 0; i < follow->arguments->count; i++)
        if (follow->said[i])
            follow_problems_add(&problems, follow->arguments->items[i], follow->errors[i].code);
    for (size_t i = 0; i < follow->files.count; i++) {
        const struct followed *file = follow->files.items[i];
        if (file->reported)
            follow_problems_add(&problems, file->path, file->problem);
        unread += file->unread;
    }
    const struct follow_standing standing = {
        .files = follow->producer->files.count,
        .records = follow->records,
        .upserts = follow->reader.upserts,
        .deletes = follow->reader.deletes,
        .unread = unread,
        .problems = &problems,
        .behind_ms = follow->changed_ms ? now_ms - follow->changed_ms : 0,
        .last_change_ms = follow->reader.last_change_ms,
        .ended = ended,
    };
    follow_told_say(follow->told, &standing);
}

/* In the middle of a reading the records are as they were counted before it. */
static void on_breath(void *owner)
{
    struct error err;
    struct follow *follow = owner;
    if (!producer_must_stop(follow->producer) &&
        follow_state_check_place(follow->state, &err) != OUT_OK)
        producer_fail(follow->producer, &err);
    if (follow_told_is_due(follow->told))
        tell(follow, false);
}

static void on_late(void *owner, const struct origin *origin, enum error_code code)
{
    struct follow *follow = owner;
    follow_read_late(&follow->reader, origin, code);
}

static void open_told(struct follow *follow)
{
    follow->told = follow_told_open(follow->producer);
    follow->changed_ms = clock_monotonic_ms(); /* the first scan is to come */
    follow->producer->on_breath = on_breath;
    follow->producer->on_late = on_late;
    follow->producer->breath_owner = follow;
}

static void close_told(struct follow *follow)
{
    follow->producer->on_breath = NULL;
    follow->producer->on_late = NULL;
    if (follow->told) {
        follow->count_until_ms = 0;
        count_records(follow);
        tell(follow, true);
    }
    follow_told_close(follow->told);
}

/* ---- start and end ---- */

static void run(struct follow *follow)
{
    struct producer *producer = follow->producer;
    scan_sources(follow, true); /* first: who holds what may have moved */
    follow->changed_ms = 0;
    forget_given(follow);
    say_uncovered(follow);
    log_line(LOG_INFO, "follow.waiting", "files=%zu scan_ms=%" PRIu64, producer->files.count,
             producer->settings->scan_ms);
    while (!producer_must_stop(producer)) {
        bool is_busy = tell_rejected(follow, false) || follow->unlisted;
        enum watch_wake wake = watch_wait(follow->watch, is_busy ? LIST_WAIT_MS : WAIT_MS);
        producer_rest(producer);
        if (wake == WATCH_CHANGED && !follow->changed_ms)
            follow->changed_ms = clock_monotonic_ms();
        take_notices(follow);
        bool due = follow->unlisted && clock_monotonic_ms() >= follow->rest_until_ms;
        if ((wake == WATCH_SCAN || due) && !producer_must_stop(producer))
            scan_sources(follow, wake == WATCH_SCAN);
        else if (follow->noticed_count > 0)
            read_noticed(follow);
        if (!follow->unlisted)
            follow->changed_ms = 0;
        count_records(follow);
        on_breath(follow);
        log_flush();
    }
    log_line(LOG_INFO, "follow.stopped", "upserts=%" PRIu64 " deletes=%" PRIu64,
             follow->reader.upserts, follow->reader.deletes);
}

/* Who holds it may just be ending. */
static enum outcome open_state(struct follow *follow, struct error *err)
{
    const struct settings *settings = follow->producer->settings;
    struct held_wait wait = {0};
    enum outcome outcome;
    do
        outcome = follow_state_open(settings->state_dir, settings->migration, &follow->state, err);
    while (outcome == OUT_RETRY && held_wait_turn(&wait, err));
    return outcome;
}

void follow_sources(struct producer *producer)
{
    struct error err;
    const struct settings *settings = producer->settings;
    struct follow follow = {.producer = producer, .arguments = &settings->sources};
    follow.errors = mem_zeroed(follow.arguments->count, sizeof(*follow.errors));
    follow.said = mem_zeroed(follow.arguments->count, sizeof(*follow.said));
    enum outcome outcome = open_state(&follow, &err);
    if (outcome == OUT_OK)
        outcome = watch_open(settings->scan_ms, &follow.watch, &err);
    if (outcome == OUT_OK) {
        outcome = follow_rejected_open(producer, follow.state, &follow.rejected, &err);
        version_observe(&producer->file_clock, follow_state_bound(follow.state));
        open_told(&follow);
        follow_reader_init(&follow.reader, producer, follow.state, follow.rejected);
        follow.reader.names_came = names_came;
        follow.reader.owner = &follow;
    }
    if (outcome == OUT_OK)
        outcome = follow_state_mapped(follow.state, &producer->mappings, &err);
    if (outcome == OUT_OK)
        outcome = unfollow(&follow, &err);
    if (outcome == OUT_OK)
        run(&follow);
    else
        producer_fail(producer, &err);
    end_rejected(&follow);
    close_told(&follow);
    follow_reader_free(&follow.reader);
    for (size_t i = 0; i < follow.files.count; i++)
        follow.files.items[i]->listed = false;
    forget_lost(&follow);
    free(follow.files.items);
    free(follow.listed);
    free(follow.noticed);
    folder_names_free(&follow.other_folders);
    free(follow.errors);
    free(follow.said);
    watch_close(follow.watch);
    follow_state_close(follow.state);
}
