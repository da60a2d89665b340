#include "control/partition_words.h"

#include <inttypes.h>

#include "common/base/text.h"

enum outcome partition_words_choose(const struct conf_list *words, const char *flag, bool *chosen,
                                    int32_t count, struct error *err)
{
    for (int32_t i = 0; i < count; i++)
        chosen[i] = words->count == 0;
    for (size_t i = 0; i < words->count; i++) {
        int64_t number = -1;
        if (!text_parse_int64(bytes_text(words->items[i]), &number) || number < 0 ||
            number >= count) {
            error_set(err, OUT_FATAL, ERR_USAGE, "the topic has the partitions 0 to %" PRId32,
                      count - 1);
            error_where(err, "%s%.60s", flag, words->items[i]);
            return OUT_FATAL;
        }
        chosen[number] = true;
    }
    return OUT_OK;
}
