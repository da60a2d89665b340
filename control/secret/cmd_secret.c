/* `drover secret keygen|list|open|rotate|check|sweep`. No value is ever printed but by open. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/text.h"
#include "common/io/key_file.h"
#include "common/io/terminal.h"
#include "common/model/json/json.h"
#include "common/model/message/tenant.h"
#include "control/secret/cmd_secret.h"

enum {
    NAME_BYTES_MAX = 4096,
    PLAIN_MAX = 64 << 20,
    SHOWN_MAX = 64, /* bytes of an id in the list */
};

#define DEFAULT_FILE "drover.key"

/* ---- what the parts share -------------------------------------------------------------------- */

static enum outcome name_tenant(struct secret_run *run, struct error *err)
{
    return settings_append_tenant(run->settings, &run->tenant, err);
}

/* ---- keygen ---------------------------------------------------------------------------------- */

static enum exit_code keygen(struct secret_run *run, const char *file, struct error *err)
{
    const char *set = run->settings->key_file;
    const char *path = file ? file : set && set[0] ? set : DEFAULT_FILE;
    char identity[17];
    (void)sodium_mlock(&run->ring, sizeof run->ring);
    secret_ring_generate(&run->ring);
    secret_ring_identity(&run->ring, identity);
    if (key_file_create(path, &run->ring, err) != OUT_OK)
        return command_fail(err);
    if (run->answer->wanted) {
        struct json_out *out = answer_body(run->answer);
        json_out_text(out, "file", path);
        json_out_text(out, "identity", identity);
        return EXIT_OK;
    }
    printf("wrote %s, identity %s\n\n"
           "Keep a copy where the data's backups are not: without it sealed values are lost.\n"
           "Next, in drover.yaml:\n\n"
           "  secrets:\n"
           "    key_file: %s\n"
           "    identity: \"%s\"\n",
           path, identity, path, identity);
    return EXIT_OK;
}

/* ---- list ------------------------------------------------------------------------------------ */

struct listing {
    struct answer *answer;
    struct buf line;
    uint64_t count;
};

static void answer_row(struct answer *answer, const struct vault_row *row, const char *key)
{
    struct json_out *out = answer_body(answer);
    json_out_object(out, NULL);
    json_out_bytes(out, "reference", row->reference);
    json_out_bytes(out, "tenant", row->tenant);
    json_out_bytes(out, "entity", row->entity);
    json_out_bytes(out, "id", row->id);
    json_out_bytes(out, "field", row->field);
    json_out_text(out, "key_id", key);
    json_out_bytes(out, "created", row->created);
    if (row->rotated.size)
        json_out_bytes(out, "rotated", row->rotated);
    else
        json_out_null(out, "rotated");
    json_out_end(out);
    answer_flush(answer);
}

static void print_row(struct buf *line, const struct vault_row *row, const char *key)
{
    const struct bytes parts[] = {row->reference, row->tenant,     row->entity,  row->id,
                                  row->field,     bytes_text(key), row->created, row->rotated};
    buf_reset(line);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (i)
            buf_append_text(line, "  ");
        text_append_safe(line, parts[i].size ? parts[i] : BYTES_LITERAL("-"), SHOWN_MAX);
    }
    printf("%s\n", buf_text(line));
}

static enum outcome list_row(void *owner, const struct vault_row *row, struct error *err)
{
    struct listing *listing = owner;
    char key[2 * SECRET_KEY_ID_SIZE + 1];
    (void)err;
    sodium_bin2hex(key, sizeof key, (const unsigned char *)row->key_id.data,
                   row->key_id.size == SECRET_KEY_ID_SIZE ? SECRET_KEY_ID_SIZE : 0);
    if (listing->answer->wanted)
        answer_row(listing->answer, row, key);
    else
        print_row(&listing->line, row, key);
    listing->count++;
    return OUT_OK;
}

static enum exit_code list(struct secret_run *run, struct error *err)
{
    struct listing listing = {.answer = run->answer};
    if (pg_vault_open(run->settings, false, &run->reader, err) != OUT_OK)
        return command_fail(err);
    buf_init(&listing.line, PLAIN_MAX);
    if (run->answer->wanted)
        json_out_list(answer_body(run->answer), "secrets");
    else
        printf("reference  tenant  entity  id  field  key  created  rotated\n");
    enum outcome outcome = pg_vault_each(run->reader, buf_view(&run->tenant), (struct bytes){0},
                                         list_row, &listing, err);
    if (!run->answer->wanted)
        printf("%" PRIu64 " %s\n", listing.count, listing.count == 1 ? "secret" : "secrets");
    buf_free(&listing.line);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

/* ---- open ------------------------------------------------------------------------------------ */

struct opening {
    struct secret_run *run;
    bool found;
};

/* A string is printed as its text, everything else as JSON. */
static void print_value(struct bytes json)
{
    yyjson_doc *doc = NULL;
    if (json_parse(json, JSON_UNICODE_REJECT, NULL, &doc, NULL) == OUT_OK) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        if (yyjson_is_str(root))
            json = bytes_of(yyjson_get_str(root), yyjson_get_len(root));
    }
    fwrite(json.data, 1, json.size, stdout);
    putchar('\n');
    fflush(stdout);
    yyjson_doc_free(doc);
}

static enum outcome open_row(void *owner, const struct vault_row *row, struct error *err)
{
    struct opening *opening = owner;
    struct secret_place place = secret_run_place(row);
    struct buf plain;
    opening->found = true;
    buf_init(&plain, PLAIN_MAX);
    enum outcome outcome = secret_box_open(&opening->run->ring, &place, row->box, &plain, err);
    if (outcome == OUT_OK) {
        if (terminal_is(STDOUT_FILENO))
            fprintf(stderr, "the value stays in the terminal's memory: clear it\n");
        print_value(buf_view(&plain));
        sodium_memzero(plain.data, plain.capacity);
    }
    buf_free(&plain);
    return outcome;
}

static enum exit_code open_secret(struct secret_run *run, const char *reference, struct error *err)
{
    struct opening opening = {.run = run};
    if (run->answer->wanted) { /* documents are kept; values must not be in any */
        error_set(err, OUT_FATAL, ERR_USAGE, "drover secret open has no answer in JSON");
        error_hint(err, "leave --json out: the value alone goes to standard output");
        return EXIT_USAGE;
    }
    if (!reference || run->tenant.size == 0) {
        error_set(err, OUT_FATAL, ERR_USAGE, "drover secret open takes a reference and --tenant");
        error_hint(err, "drover secret list names them");
        return EXIT_USAGE;
    }
    enum outcome outcome = secret_run_need_key(run, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_open(run->settings, false, &run->reader, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_each(run->reader, buf_view(&run->tenant), bytes_text(reference),
                                open_row, &opening, err);
    if (outcome == OUT_OK && !opening.found) {
        outcome = error_set(err, OUT_FATAL, ERR_SECRET_OPEN,
                            "the vault has no such reference of this tenant");
        error_hint(err, "drover secret list names them");
    }
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

/* ---- the command ----------------------------------------------------------------------------- */

static int choose(const struct invocation *invocation, struct error *err)
{
    static const char *const WORDS[] = {"keygen", "list", "open", "rotate", "check", "sweep", NULL};
    static const size_t MAX[] = {2, 1, 2, 1, 1, 1};
    const struct conf_list *words = &invocation->words;
    const char *word = words->count ? words->items[0] : "";
    int count = 0;
    for (; WORDS[count]; count++)
        if (strcmp(WORDS[count], word) == 0 && words->count <= MAX[count])
            return count;
    error_set(err, OUT_FATAL, ERR_USAGE, "drover secret takes: %s", invocation->command->words);
    const char *nearest = word[0] ? text_nearest(word, WORDS, (size_t)count) : NULL;
    if (nearest && strcmp(nearest, word) != 0)
        error_hint(err, "did you mean drover secret %s?", nearest);
    return -1;
}

static enum exit_code dispatch(struct secret_run *run, int word, const char *argument,
                               struct error *err)
{
    switch (word) {
    case 0:
        return keygen(run, argument, err);
    case 1:
        return list(run, err);
    case 2:
        return open_secret(run, argument, err);
    case 3:
        return secret_rotate(run, err);
    case 4:
        return secret_check(run, err);
    default:
        return secret_sweep(run, err);
    }
}

enum exit_code secret_command(const struct invocation *invocation, struct error *err)
{
    static struct secret_run run; /* its ring is locked in memory: not on a stack that goes on */
    const struct conf_list *words = &invocation->words;
    int word = choose(invocation, err);
    if (word < 0)
        return EXIT_USAGE;
    answer_name(invocation->answer, "secret", words->items[0]);
    run = (struct secret_run){.settings = &invocation->settings, .answer = invocation->answer};
    buf_init(&run.tenant, NAME_BYTES_MAX);
    enum exit_code code = EXIT_USAGE;
    if (name_tenant(&run, err) == OUT_OK)
        code = dispatch(&run, word, words->count > 1 ? words->items[1] : NULL, err);
    else
        code = command_fail(err);
    pg_vault_close(run.reader);
    pg_vault_close(run.writer);
    secret_ring_wipe(&run.ring);
    buf_free(&run.tenant);
    return code;
}
