/* The settings that matter, as `drover config` shows them, and their digest. */

#include "common/io/settings_digest.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/conf.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#define TEXT_MAX (4u << 20)

/* About this machine or about who looks; the mappings count by their content. */
static bool is_left_out(const struct conf_field *field)
{
    static const char *const PATHS[] = {
        "log.",           "mappings",        "state_dir",       "verify.report",
        "verify.reports", "produce.rejects", "secrets.key_file"};
    if (!field->path)
        return true;
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        size_t size = strlen(PATHS[i]);
        bool section = PATHS[i][size - 1] == '.';
        if (section ? strncmp(field->path, PATHS[i], size) == 0
                    : strcmp(field->path, PATHS[i]) == 0)
            return true;
    }
    return false;
}

void settings_digest(const struct settings *settings, const struct mapping_set *mappings,
                     char out[SETTINGS_DIGEST_SIZE])
{
    size_t count, kept = 0;
    const struct conf_field *all = settings_fields(&count);
    struct conf_field *fields = mem_zeroed(count, sizeof *fields);
    struct settings copy = *settings;
    struct digest of_mappings = mapping_set_fingerprint(mappings);
    unsigned char hash[16];
    struct buf text;
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < count; i++)
        if (!is_left_out(&all[i]))
            fields[kept++] = all[i];
    const struct conf conf = {.fields = fields, .field_count = kept, .target = &copy};
    digest_format(&of_mappings, out);
    buf_append_text(&text, out);
    buf_append_char(&text, '\n');
    conf_append_yaml(&conf, false, &text);
    crypto_generichash(hash, sizeof hash, (const unsigned char *)text.data, text.size, NULL, 0);
    sodium_bin2hex(out, SETTINGS_DIGEST_SIZE, hash, sizeof hash);
    buf_free(&text);
    free(fields);
}
