/* See the header. */
#include "verifier/untaken.h"

#include "common/base/text.h"
#include "verifier/history.h"
#include "verifier/samples.h"

/* ---- which record it is ------------------------------------------------------------------ */

/* Of a message that names no record the place of its first attempt stands for it. */
struct diff_key untaken_place_key(const struct verify_run *run, const struct bus_message *message)
{
    int32_t partition = message->partition;
    int64_t offset = message->offset;
    (void)history_first_attempt(run, message, &partition, &offset);
    return diff_untaken_place_key(partition, offset);
}

/* As far as it can be read, by the mapping, or by what the message says of itself. */
static void identify(struct verify_run *run, const struct untaken_message *untaken,
                     struct untaken *item)
{
    const struct record *record = untaken->record;
    item->key = untaken_place_key(run, untaken->message);
    if (untaken->has_key) {
        item->key = untaken->key;
        item->version = untaken->version;
        item->has_version = untaken->has_version;
        return;
    }
    if (!record->tenant.size || !record->entity.size || !record->id.size)
        return;
    struct diff_key key = verify_run_key(run, record->tenant, record->entity, record->id);
    if (run->key.failed)
        return;
    item->key = key;
    item->version = record->version;
    item->has_version = record->has_version;
}

static bool is_discarded(const struct verify_run *run, const struct bus_message *message)
{
    int32_t partition;
    int64_t offset;
    return history_is_discarded(run, message->partition, message->offset) ||
           (history_first_attempt(run, message, &partition, &offset) &&
            history_is_discarded(run, partition, offset));
}

/* ---- taking ------------------------------------------------------------------------------ */

static enum outcome refuse(const struct verify_run *run, struct error *err)
{
    error_set(err, OUT_FATAL, run->options.read_once ? ERR_STORE_MEMORY : ERR_VERIFY_MEMORY,
              "more than %zu dead letters do not fit the memory budget", run->untaken.count);
    if (!run->options.read_once)
        error_hint(err, "give --memory %zum", (size_t)(run->settings->verify_memory >> 19));
    return OUT_FATAL;
}

static void drop_sample(struct verify_run *run, enum verdict verdict, int32_t partition,
                        int64_t offset)
{
    verify_report_drop_sample(&run->report, verdict, partition, offset);
}

static void add_sample(struct verify_run *run, const struct untaken_message *untaken,
                       struct untaken *item)
{
    const struct bus_message *message = untaken->message;
    if (item->resolved || item->discarded || untaken->verdict == VERDICT_WAITING)
        return;
    struct verify_sample *sample = samples_add(
        run, untaken->verdict, untaken->code, untaken->record, message->partition, message->offset);
    item->sampled = sample != NULL;
    if (sample && untaken->code != ERR_NONE)
        samples_reason(run, sample, untaken->code, untaken->path);
}

static bool fits(const struct verify_run *run)
{
    size_t capacity = run->untaken.capacity ? run->untaken.capacity : 64;
    return run->untaken.count * 4 < run->untaken.capacity * 2 ||
           verify_run_fits(run, 2 * capacity * sizeof *run->untaken.items);
}

enum outcome untaken_take(struct verify_run *run, const struct untaken_message *untaken,
                          struct error *err)
{
    const struct bus_message *message = untaken->message;
    const struct verify_listener *listener = run->options.listener;
    struct verify_report *report = &run->report;
    struct untaken_change change;
    struct untaken item = {
        .offset = message->offset,
        .partition = (uint32_t)message->partition & (DIFF_PARTITIONS_MAX - 1),
        .group =
            diff_groups_find(&report->groups, untaken->record->tenant, untaken->record->entity),
        .code = untaken->code,
        .verdict = untaken->verdict,
        .discarded = is_discarded(run, message),
    };
    item.history = history_has(run, message, untaken->record, untaken->is_repeat);
    report->source_count += run->pass == 0 && !item.history;
    if (listener && untaken->verdict != VERDICT_WAITING)
        listener->on_dead_letter(listener->owner, untaken->record, untaken->code, untaken->path);
    identify(run, untaken, &item);
    if (run->pass == 0)
        pass_map_set(&run->pass_map, message->partition, message->offset,
                     diff_pass_of(&item.key, report->passes));
    if (!diff_in_pass(&item.key, run->pass, report->passes))
        return OUT_OK;
    const struct diff_entry *leader = diff_find(&run->table, &item.key);
    if (!fits(run) || !diff_untaken_add(&run->untaken, &item, leader, &change))
        return refuse(run, err);
    report->groups.items[item.group].counts[VERDICT_SUPERSEDED] += change.superseded;
    if (change.was_sampled)
        drop_sample(run, change.verdict, change.partition, change.offset);
    if (change.is_new)
        add_sample(run, untaken, change.kept);
    return OUT_OK;
}

/* What the message resolves just now, by its record or by whose attempt it is; else NULL. */
static struct untaken *resolve(struct verify_run *run, const struct bus_message *message,
                               struct diff_source *source, int64_t offset)
{
    int32_t partition = source->partition;
    int64_t first = offset;
    bool is_attempt =
        run->untaken.count && message && history_first_attempt(run, message, &partition, &first);
    struct untaken *found = diff_untaken_resolve(&run->untaken, &source->key, source->version,
                                                 source->partition, offset, is_attempt);
    if (!is_attempt || (found && (found->version != source->version || !found->contested)))
        return found;
    if (!found) {
        struct diff_key key = diff_untaken_place_key(partition, first);
        found = diff_untaken_find(&run->untaken, &key);
        if (!found || found->resolved)
            return NULL;
        found->resolved = true;
    }
    /* it is that record: what became of it is what becomes of the message */
    source->history = source->history && found->history;
    found->history = true;
    return found;
}

void untaken_resolve(struct verify_run *run, const struct bus_message *message,
                     struct diff_source *source, int64_t offset)
{
    struct untaken *found = resolve(run, message, source, offset);
    if (!found) {
        /* a dead letter that landed when it was read again */
        bool landed = message && !history_find_dead(run, message) &&
                      diff_dead_find(&run->dead, message->partition, message->offset);
        run->report.groups.items[source->group].counts[VERDICT_RESOLVED] += landed;
        return;
    }
    if (found->sampled)
        drop_sample(run, (enum verdict)found->verdict, (int32_t)found->partition, found->offset);
    found->sampled = false;
}

void untaken_drop_waiting(struct verify_run *run, const struct diff_key *key, int64_t version)
{
    struct untaken *found = diff_untaken_find(&run->untaken, key);
    if (found && found->verdict == VERDICT_WAITING && version >= found->version)
        found->resolved = true;
}

static struct untaken *find_open(const struct verify_run *run, const struct diff_key *key)
{
    struct untaken *found = diff_untaken_find(&run->untaken, key);
    return found && !found->resolved ? found : NULL;
}

bool untaken_lags(struct verify_run *run, const struct bus_message *message,
                  const struct diff_key *key, enum diff_lags lags)
{
    const struct diff_key place = untaken_place_key(run, message);
    struct untaken *found = find_open(run, key);
    if (!found)
        found = find_open(run, &place);
    if (!found)
        return false;
    if (lags > found->lags)
        found->lags = lags & 3;
    return true;
}

/* ---- counting ---------------------------------------------------------------------------- */

/* Of one whose example had no room while others did that count no more: whose it is, and where. */
static void sample_late(struct verify_run *run, const struct untaken *item)
{
    const struct diff_group *group = &run->report.groups.items[item->group];
    const struct record record = {.tenant = group->tenant, .entity = group->entity};
    struct verify_sample *sample =
        samples_add(run, (enum verdict)item->verdict, (enum error_code)item->code, &record,
                    (int32_t)item->partition, item->offset);
    if (!sample)
        return;
    sample->key = item->key;
    if (item->code != ERR_NONE)
        samples_reason(run, sample, (enum error_code)item->code, "");
}

/* One that was made good: when it is a record the row stands for it, unless that stands for another
 * one of the key. */
static void count_resolved(struct verify_run *run, const struct untaken *item)
{
    uint64_t *counts = run->report.groups.items[item->group].counts;
    struct diff_entry *leader = diff_find(&run->table, &item->key);
    counts[VERDICT_RESOLVED] += item->verdict == VERDICT_DEAD;
    if (!item->history && !(leader && diff_stand_in(leader)))
        counts[VERDICT_SUPERSEDED]++;
}

/* What is sent anew and not applied yet is what becomes of the record. */
static enum verdict verdict_of(const struct untaken *item)
{
    if (item->lags == LAGS_HISTORY)
        return VERDICT_LAGGING;
    return item->discarded ? VERDICT_DISCARDED : (enum verdict)item->verdict;
}

static void count_open(struct verify_run *run, const struct untaken *item)
{
    struct verify_report *report = &run->report;
    enum verdict verdict = verdict_of(item);
    bool told = item->lags == LAGS_HISTORY || (item->lags == LAGS_RECORD && item->history);
    if (told && item->sampled)
        drop_sample(run, (enum verdict)item->verdict, (int32_t)item->partition, item->offset);
    if (item->lags == LAGS_RECORD && item->history)
        return;
    report->groups.items[item->group].counts[verdict]++;
    report->source_count += item->history;
    if (told || item->discarded || verdict == VERDICT_WAITING)
        return;
    verify_report_count_code(report, verdict, (enum error_code)item->code, 1);
    if (!item->sampled)
        sample_late(run, item);
}

void untaken_count(struct verify_run *run)
{
    size_t at = 0;
    for (struct untaken *item; (item = diff_untaken_next(&run->untaken, &at));) {
        if (item->resolved)
            count_resolved(run, item);
        else
            count_open(run, item);
    }
}

bool untaken_has(const struct verify_run *run, const struct diff_key *key)
{
    return find_open(run, key) != NULL;
}
