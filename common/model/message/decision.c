#include "common/model/message/decision.h"

#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "common/base/json_out.h"
#include "common/base/mem.h"
#include "common/model/json/json.h"

static const char *const KIND_NAMES[DECISION_KINDS] = {"discarded", "replayed", "resumed", "landed",
                                                       "source_discarded"};

const char *decision_kind_name(enum decision_kind kind)
{
    return KIND_NAMES[kind];
}

bool decision_has_ids(enum decision_kind kind)
{
    return kind == DECISION_DISCARDED || kind == DECISION_REPLAYED || kind == DECISION_LANDED;
}

static void append_resumed(struct json_out *out, const struct decision *decision)
{
    json_out_verbatim(out, "group", decision->group);
    json_out_int(out, "partition", decision->partition);
    json_out_int(out, "from", decision->from);
    json_out_int(out, "to", decision->to);
    json_out_int(out, "sequence_first", decision->sequence_first);
    json_out_int(out, "sequence_last", decision->sequence_last);
}

static void append_source(struct json_out *out, const struct decision_source *about)
{
    json_out_verbatim(out, "uri", about->uri);
    if (about->has_source)
        json_out_digest(out, "source", &about->source);
    json_out_bool(out, "stream", about->stream);
    if (about->unfinished.size)
        json_out_verbatim(out, "unfinished", about->unfinished);
    if (about->until_ms)
        json_out_int(out, "until_ms", about->until_ms);
}

void decision_append(struct buf *out, const struct decision *decision)
{
    struct json_out json;
    json_out_init(&json, out);
    json_out_object(&json, NULL);
    json_out_text(&json, "kind", "decision");
    json_out_text(&json, "decision", KIND_NAMES[decision->kind]);
    json_out_verbatim(&json, "who", decision->who);
    json_out_verbatim(&json, "why", decision->why);
    json_out_int(&json, "at_ms", decision->at_ms);
    if (decision->run.size)
        json_out_verbatim(&json, "run", decision->run);
    if (decision->kind == DECISION_RESUMED)
        append_resumed(&json, decision);
    if (decision->kind == DECISION_SOURCE)
        append_source(&json, &decision->about);
    if (decision->id_count) {
        json_out_list(&json, "ids");
        for (size_t i = 0; i < decision->id_count && i < DECISION_IDS_MAX; i++)
            json_out_verbatim(&json, NULL, decision->ids[i]);
        json_out_end(&json);
    }
    json_out_end(&json);
}

static int64_t number_of(yyjson_val *root, const char *name, int64_t absent)
{
    yyjson_val *value = yyjson_obj_get(root, name);
    return yyjson_is_int(value) ? yyjson_get_sint(value) : absent;
}

static void parse_source(yyjson_val *root, struct decision_source *about)
{
    about->uri = json_copy_text(yyjson_obj_get(root, "uri"));
    about->has_source = json_get_digest(yyjson_obj_get(root, "source"), &about->source);
    about->stream = yyjson_get_bool(yyjson_obj_get(root, "stream"));
    about->unfinished = json_copy_text(yyjson_obj_get(root, "unfinished"));
    about->until_ms = number_of(root, "until_ms", 0);
}

static void parse(yyjson_val *root, struct decision *decision)
{
    yyjson_val *ids = yyjson_obj_get(root, "ids");
    decision->who = json_copy_text(yyjson_obj_get(root, "who"));
    decision->why = json_copy_text(yyjson_obj_get(root, "why"));
    decision->run = json_copy_text(yyjson_obj_get(root, "run"));
    decision->group = json_copy_text(yyjson_obj_get(root, "group"));
    decision->at_ms = number_of(root, "at_ms", 0);
    decision->partition = (int32_t)number_of(root, "partition", -1);
    decision->from = number_of(root, "from", 0);
    decision->to = number_of(root, "to", 0);
    decision->sequence_first = number_of(root, "sequence_first", -1);
    decision->sequence_last = number_of(root, "sequence_last", -1);
    if (decision->kind == DECISION_SOURCE)
        parse_source(root, &decision->about);
    size_t count = yyjson_arr_size(ids);
    decision->id_count = count < DECISION_IDS_MAX ? count : DECISION_IDS_MAX;
    decision->ids = mem_zeroed(decision->id_count + 1, sizeof *decision->ids);
    for (size_t i = 0; i < decision->id_count; i++)
        decision->ids[i] = json_copy_text(yyjson_arr_get(ids, i));
}

enum outcome decision_parse(struct bytes json, struct decision *decision, struct error *err)
{
    *decision = (struct decision){.kind = DECISION_KINDS, .partition = -1};
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (yyjson_equals_str(yyjson_obj_get(root, "kind"), "decision"))
        for (int kind = 0; kind < DECISION_KINDS; kind++)
            if (yyjson_equals_str(yyjson_obj_get(root, "decision"), KIND_NAMES[kind]))
                decision->kind = (enum decision_kind)kind;
    if (decision->kind != DECISION_KINDS)
        parse(root, decision);
    yyjson_doc_free(doc);
    if (decision->kind == DECISION_KINDS)
        return error_set(err, OUT_REJECT, ERR_ENVELOPE, "the message is no decision");
    return OUT_OK;
}

void decision_free(struct decision *decision)
{
    free((void *)decision->who.data);
    free((void *)decision->why.data);
    free((void *)decision->run.data);
    free((void *)decision->group.data);
    free((void *)decision->about.uri.data);
    free((void *)decision->about.unfinished.data);
    for (size_t i = 0; i < decision->id_count; i++)
        free((void *)decision->ids[i].data);
    free(decision->ids);
    *decision = (struct decision){.partition = -1};
}
