#include "control/entity_word.h"

enum outcome entity_word_check(const struct mapping_set *mappings, const char *word,
                               struct error *err)
{
    if (!word || mapping_set_find(mappings, bytes_text(word)))
        return OUT_OK;
    const char *nearest = mapping_set_nearest(mappings, bytes_text(word));
    error_set(err, OUT_FATAL, ERR_USAGE, "no mapping has this entity");
    error_where(err, "--entity %.100s", word);
    error_hint(err, nearest ? "did you mean \"%s\"?" : "drover config check lists the mappings%s",
               nearest ? nearest : "");
    return OUT_FATAL;
}
