/* See the header. */
#include "control/status/status_dead_letters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"

#define CAPACITY_FIRST 256
#define EXAMPLES_OF_ONE 4 /* of one code, as some may be discarded */

void status_dead_letters_free(struct status_dead_letters *dead)
{
    free(dead->items);
    *dead = (struct status_dead_letters){0};
}

/* ---- one by one -------------------------------------------------------------------------- */

static uint64_t hash_id(struct bytes id)
{
    uint64_t hash = hash64(id);
    return hash ? hash : 1;
}

static struct status_dead_letter *place_of(const struct status_dead_letters *dead, uint64_t id)
{
    size_t at = (size_t)id & (dead->capacity - 1); /* the capacity is 2^n */
    while (dead->items[at].id && dead->items[at].id != id)
        at = (at + 1) & (dead->capacity - 1);
    return &dead->items[at];
}

static struct status_dead_letter *find(const struct status_dead_letters *dead, uint64_t id)
{
    struct status_dead_letter *item = dead->count ? place_of(dead, id) : NULL;
    return item && item->id ? item : NULL;
}

static void grow(struct status_dead_letters *dead)
{
    struct status_dead_letters bigger = *dead;
    bigger.capacity = dead->capacity ? dead->capacity * 2 : CAPACITY_FIRST;
    bigger.items = mem_zeroed(bigger.capacity, sizeof *bigger.items);
    for (size_t i = 0; i < dead->capacity; i++)
        if (dead->items[i].id)
            *place_of(&bigger, dead->items[i].id) = dead->items[i];
    free(dead->items);
    dead->items = bigger.items;
    dead->capacity = bigger.capacity;
}

/* NULL: it is known, or beyond those that are kept. */
static struct status_dead_letter *make(struct status_dead_letters *dead, uint64_t id)
{
    if (find(dead, id))
        return NULL;
    if (dead->count == STATUS_DEAD_MAX) {
        dead->beyond++;
        return NULL;
    }
    if ((dead->count + 1) * 4 > dead->capacity * 3)
        grow(dead);
    struct status_dead_letter *item = place_of(dead, id);
    dead->count++;
    *item = (struct status_dead_letter){.id = id};
    return item;
}

static void copy_safe(char *out, size_t size, struct bytes text)
{
    struct buf safe;
    buf_init(&safe, 4096);
    text_append_safe(&safe, text, size / 4);
    snprintf(out, size, "%s", buf_text(&safe));
    buf_free(&safe);
}

static void keep_example(struct status_dead_letters *dead, uint64_t id, enum error_code code,
                         const struct record *record)
{
    size_t max = sizeof dead->examples / sizeof *dead->examples, same = 0;
    for (size_t i = 0; i < dead->example_count; i++)
        same += dead->example_codes[i] == (uint16_t)code;
    if (same == EXAMPLES_OF_ONE || dead->example_count == max)
        return;
    struct status_example *example = &dead->examples[dead->example_count];
    *example = (struct status_example){.id = id};
    copy_safe(example->tenant, sizeof example->tenant, record->tenant);
    copy_safe(example->entity, sizeof example->entity, record->entity);
    if (record->origin.uri.size) {
        char uri[484];
        copy_safe(uri, sizeof uri, record->origin.uri);
        snprintf(example->place, sizeof example->place, "%s:%" PRIu64 ":%" PRIu64, uri,
                 record->origin.line, record->origin.column);
    }
    dead->example_codes[dead->example_count++] = (uint16_t)code;
}

static struct bytes last_header(const struct envelope *message, struct bytes name)
{
    struct bytes value = {0};
    for (size_t i = 0; i < message->header_count; i++)
        if (bytes_equal(message->headers[i].name, name))
            value = message->headers[i].value;
    return value;
}

/* Of the attempts at one record the last counts. */
static void take_chain(struct status_dead_letters *dead, struct bytes first, uint64_t id)
{
    struct status_dead_letter *head = first.size ? find(dead, hash_id(first)) : NULL;
    if (!head)
        return;
    struct status_dead_letter *before = find(dead, head->last ? head->last : head->id);
    if (before && before->id != id)
        before->again = true;
    head->last = id;
}

void status_dead_letters_add(struct status_dead_letters *dead, const struct envelope *message)
{
    struct record record;
    const struct dead_letter_origin origin = dead_letter_read(message);
    struct bytes id = origin.id.size ? origin.id : message->value; /* somebody else's */
    struct status_dead_letter *item = make(dead, hash_id(id));
    if (!item)
        return;
    item->code = (uint16_t)origin.code;
    if (envelope_decode(message, &record, NULL) != OUT_OK)
        record = (struct record){0};
    struct bytes first = last_header(message, BYTES_LITERAL(DEAD_LETTER_REPLAYED_FROM));
    const struct status_dead_letter *head = first.size ? find(dead, hash_id(first)) : NULL;
    if (head && head != item) { /* its own run is the replay's, no reading of the source */
        item->uri = head->uri;
        item->run = head->run;
    } else if (!first.size && record.origin.uri.size && record.run.size &&
               !record_run_follows(record.run)) {
        item->uri = diff_key_of(record.origin.uri);
        item->run = hash64(record.run);
    }
    keep_example(dead, item->id, origin.code, &record);
    take_chain(dead, first, item->id);
}

void status_dead_letters_decide(struct status_dead_letters *dead, const struct decision *decision)
{
    for (size_t i = 0; i < decision->id_count; i++) {
        struct status_dead_letter *item = find(dead, hash_id(decision->ids[i]));
        if (item && decision->kind != DECISION_RESUMED)
            item->discarded = decision->kind == DECISION_DISCARDED;
    }
}

/* ---- the sums ---------------------------------------------------------------------------- */

static struct status_code *find_code(struct status_dead_letters *dead, const char *code)
{
    for (size_t i = 0; i < dead->code_count; i++)
        if (strcmp(dead->codes[i].code, code) == 0)
            return &dead->codes[i];
    return NULL;
}

/* In the order of the codes; those that have none come last. There is room. */
static struct status_code *add_code(struct status_dead_letters *dead, const char *code)
{
    size_t at = 0;
    while (at < dead->code_count && strcmp(dead->codes[at].code, code) < 0)
        at++;
    struct status_code *made = &dead->codes[at];
    memmove(made + 1, made, (dead->code_count - at) * sizeof(*made));
    dead->code_count++;
    *made = (struct status_code){.count = 0};
    snprintf(made->code, sizeof(made->code), "%s", code);
    return made;
}

static struct status_code *code_of(struct status_dead_letters *dead, enum error_code code)
{
    static const char OTHER[] = "other";
    const char *name = code == ERR_NONE ? OTHER : error_code_id(code); /* no header is printed */
    struct status_code *found = find_code(dead, name);
    if (!found && dead->code_count + 1 >= STATUS_CODES_MAX) {
        name = OTHER;
        found = find_code(dead, name);
    }
    return found ? found : add_code(dead, name);
}

static bool is_resolved(const struct status_dead_letter *item, const struct readings *readings)
{
    struct readings_entry *entry;
    bool named = item->uri.high || item->uri.low;
    return named && readings_is_earlier(readings, &item->uri, item->run, &entry);
}

static void choose_examples(struct status_dead_letters *dead, const struct readings *readings)
{
    for (size_t i = dead->example_count; i-- > 0;) {
        const struct status_dead_letter *item = find(dead, dead->examples[i].id);
        if (!item || item->discarded || item->again || is_resolved(item, readings))
            continue;
        struct status_code *code = code_of(dead, (enum error_code)item->code);
        code->example = dead->examples[i]; /* the first one is the last to be told */
        code->has_example = true;
    }
}

void status_dead_letters_count(struct status_dead_letters *dead, const struct readings *readings)
{
    dead->code_count = 0;
    dead->open = dead->resolved = dead->discarded = 0;
    for (size_t i = 0; i < dead->capacity; i++) {
        const struct status_dead_letter *item = &dead->items[i];
        if (!item->id || item->again)
            continue;
        if (item->discarded) {
            dead->discarded++;
        } else if (is_resolved(item, readings)) {
            dead->resolved++;
        } else {
            dead->open++;
            code_of(dead, (enum error_code)item->code)->count++;
        }
    }
    if (dead->beyond) {
        dead->open += dead->beyond;
        code_of(dead, ERR_NONE)->count += dead->beyond;
    }
    choose_examples(dead, readings);
}
