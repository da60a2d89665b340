/*
 * `drover rebuild files`: the tenants' files of storage file, made anew from the store's records
 * where they are missing or different. What somebody edited, or put in a file's place, is left and
 * named, unless --replace-edited says otherwise; then it is kept beside under another name.
 */

#include <inttypes.h>
#include <stdio.h>

#include "common/base/text.h"
#include "common/io/filestore/file_store.h"
#include "common/io/mappings.h"
#include "control/cmd_rebuild.h"

#define SHOWN 50 /* files named one by one; all are counted */

struct rebuild_files {
    const struct settings *settings;
    uint64_t counts[FILE_REBUILT_COUNT];
    uint64_t shown;
    struct error left; /* the first */
};

static const char *const NAMES[FILE_REBUILT_COUNT] = {"same", "written", "kept", "left"};

static void on_file(void *owner, struct bytes path, enum file_rebuilt how, const struct error *err)
{
    struct rebuild_files *rebuild = owner;
    if (how == FILE_REBUILT_LEFT && rebuild->counts[how] == 0)
        rebuild->left = *err;
    rebuild->counts[how]++;
    if (how == FILE_REBUILT_SAME || rebuild->settings->quiet || rebuild->settings->json ||
        rebuild->shown++ >= SHOWN)
        return;
    struct buf line;
    buf_init(&line, 4096);
    buf_append_format(&line, "%-8s ", NAMES[how]);
    text_append_safe(&line, path, 1000);
    if (err)
        buf_append_format(&line, "  %s %s%s%s", error_code_id(err->code), err->text,
                          err->cause[0] ? ": " : "", err->cause);
    printf("%s\n", buf_text(&line));
    buf_free(&line);
}

static void answer(const struct rebuild_files *rebuild, struct json_out *out)
{
    for (int i = 0; i < FILE_REBUILT_COUNT; i++)
        json_out_count(out, NAMES[i], rebuild->counts[i]);
    json_out_bool(out, "dry_run", rebuild->settings->dry_run);
}

static void print(const struct rebuild_files *rebuild)
{
    if (rebuild->shown > SHOWN)
        printf("… and %" PRIu64 " more\n", rebuild->shown - SHOWN);
    for (int i = 0; i < FILE_REBUILT_COUNT; i++)
        printf("%-12s %" PRIu64 "%s\n", NAMES[i], rebuild->counts[i],
               rebuild->settings->dry_run && i != FILE_REBUILT_SAME && rebuild->counts[i]
                   ? "   (dry run: nothing was changed)"
                   : "");
}

static enum exit_code judge(struct rebuild_files *rebuild, struct error *err)
{
    uint64_t left = rebuild->counts[FILE_REBUILT_LEFT];
    if (left == 0)
        return EXIT_OK;
    *err = rebuild->left;
    if (left > 1)
        error_set(err, OUT_REJECT, rebuild->left.code,
                  "%" PRIu64 " files were left as they are, the first: %s", left,
                  rebuild->left.text);
    error_where(err, "%s", rebuild->left.where);
    error_cause(err, "%s", rebuild->left.cause);
    return command_fail(err);
}

enum exit_code rebuild_files_run(const struct invocation *invocation, struct error *err)
{
    const struct settings *settings = &invocation->settings;
    struct rebuild_files rebuild = {.settings = settings};
    struct mapping_set mappings = {0};
    enum outcome outcome = mapping_set_load(settings, &mappings, err);
    if (outcome == OUT_OK)
        outcome = file_store_rebuild(settings, &mappings, settings->replace_edited,
                                     settings->dry_run, on_file, &rebuild, err);
    mapping_set_free(&mappings);
    if (outcome != OUT_OK)
        return command_fail(err);
    if (invocation->answer->wanted)
        answer(&rebuild, answer_body(invocation->answer));
    else if (!settings->quiet)
        print(&rebuild);
    return judge(&rebuild, err);
}
