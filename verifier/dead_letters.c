#include "verifier/dead_letters.h"

#include <inttypes.h>

#include "common/model/message/dead_letter.h"
#include "verifier/expected.h"

static enum outcome refuse(const struct verify_run *run, struct error *err)
{
    enum error_code code = run->options.read_once ? ERR_STORE_MEMORY : ERR_VERIFY_MEMORY;
    enum outcome outcome =
        error_set(err, OUT_FATAL, code, "more than %zu dead letters do not fit the memory budget",
                  run->dead.count);
    if (!run->options.read_once)
        error_hint(err, "give --memory %zum", (size_t)(run->settings->verify_memory >> 19));
    return outcome;
}

static enum outcome take_dead_letter(void *owner, const struct bus_message *message,
                                     struct error *err)
{
    struct verify_run *run = owner;
    const struct dead_letter_origin origin = dead_letter_read(&message->envelope);
    if (!origin.has_place || !bytes_equal(origin.topic, bytes_text(run->topics[TOPIC_SOURCE]))) {
        verify_report_warn(&run->report, "%s-%d@%" PRId64 " is no dead letter of this migration",
                           run->topics[TOPIC_DEAD_LETTERS], message->partition, message->offset);
        return OUT_OK;
    }
    struct bus_message as_read = *message;
    as_read.partition = origin.partition;
    as_read.offset = origin.offset;
    expected_dead_letter_pending(run, &as_read, origin.code);
    const struct dead_letter dead_letter = {.offset = origin.offset,
                                            .partition = origin.partition,
                                            .code = origin.code,
                                            .tag = hash64(message->envelope.value)};
    return diff_dead_add(&run->dead, &dead_letter) ? OUT_OK : refuse(run, err);
}

enum outcome dead_letters_read(struct verify_run *run, struct error *err)
{
    return verify_run_read_new(run, TOPIC_DEAD_LETTERS, take_dead_letter, err);
}
