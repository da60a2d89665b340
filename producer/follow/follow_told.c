#include "producer/follow/follow_told.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/state_teller.h"
#include "producer/follow/follow_files.h"

#define NAME_BYTES 400

struct follow_told {
    const struct producer *producer;
    struct state_teller *teller;
};

/* The same after a restart; of two followers on one host each has its own. */
static void make_id(const struct producer *producer, char id[STATE_ENTRY_ID_MAX + 1])
{
    char host[64];
    char *folder = follow_files_absolute(producer->settings->state_dir);
    state_teller_host(host, sizeof host);
    snprintf(id, STATE_ENTRY_ID_MAX + 1, "%s-%08x", host, (unsigned)hash64(bytes_text(folder)));
    free(folder);
}

struct follow_told *follow_told_open(struct producer *producer)
{
    char id[STATE_ENTRY_ID_MAX + 1];
    struct follow_told *told = mem_zeroed(1, sizeof *told);
    told->producer = producer;
    make_id(producer, id);
    told->teller = state_teller_open(producer->settings, producer->bus, STATE_FOLLOW, id);
    return told;
}

/* Ten names that may be long must not be more than an entry may have. */
static void append_problems(struct json_out *out, const struct follow_problems *problems)
{
    json_out_count(out, "problems", problems->count);
    json_out_list(out, "problem_sources");
    for (size_t i = 0; i < problems->named; i++) {
        struct buf name;
        buf_init(&name, 4096);
        text_append_safe(&name, bytes_text(problems->items[i].path), NAME_BYTES);
        json_out_object(out, NULL);
        json_out_text(out, "code", error_code_id(problems->items[i].code));
        json_out_text(out, "source", buf_text(&name));
        json_out_end(out);
        buf_free(&name);
    }
    json_out_end(out);
}

bool follow_told_is_due(const struct follow_told *told)
{
    return state_teller_is_due(told->teller);
}

void follow_told_say(struct follow_told *told, const struct follow_standing *standing)
{
    struct json_out *out = state_teller_begin(told->teller);
    json_out_verbatim(out, "run", bytes_text(told->producer->run));
    json_out_count(out, "files", standing->files);
    json_out_count(out, "records", standing->records);
    json_out_count(out, "upserts", standing->upserts);
    json_out_count(out, "deletes", standing->deletes);
    json_out_count(out, "unread", standing->unread);
    append_problems(out, standing->problems);
    json_out_seconds(out, "behind_seconds", standing->behind_ms);
    json_out_time(out, "last_change", standing->last_change_ms);
    json_out_bool(out, "ended", standing->ended);
    state_teller_send(told->teller);
}

void follow_told_close(struct follow_told *told)
{
    if (told)
        state_teller_close(told->teller);
    free(told);
}
