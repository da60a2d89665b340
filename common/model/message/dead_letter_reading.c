#include "common/model/message/dead_letter_reading.h"

#include <string.h>

#include "common/base/text.h"

/* What a header says, by its name. */
enum said {
    SAID_ID,
    SAID_CODE,
    SAID_PATH,
    SAID_ATTEMPTS,
    SAID_REPLAYED_FROM,
    SAID_LOG_VERSION,
    SAID_TRUNCATED,
    SAID_CONNECT_TOPIC,
    SAID_CONNECT_PARTITION,
    SAID_CONNECT_OFFSET,
    SAID_CONNECT_STAGE,
    SAID_CONNECT_CLASS,
    SAID_CONNECT_MESSAGE,
    SAID_CONNECT_STACK,
    SAID_SPRING_TOPIC,
    SAID_SPRING_PARTITION,
    SAID_SPRING_OFFSET,
    SAID_SPRING_CLASS,
    SAID_SPRING_CAUSE,
    SAID_SPRING_MESSAGE,
    SAID_SPRING_STACK,
    SAID_COUNT,
};

static const char *const NAMES[SAID_COUNT] = {
    [SAID_ID] = DEAD_LETTER_ID,
    [SAID_CODE] = DEAD_LETTER_CODE,
    [SAID_PATH] = DEAD_LETTER_PATH,
    [SAID_ATTEMPTS] = DEAD_LETTER_ATTEMPTS,
    [SAID_REPLAYED_FROM] = DEAD_LETTER_REPLAYED_FROM,
    [SAID_LOG_VERSION] = DEAD_LETTER_LOG_VERSION,
    [SAID_TRUNCATED] = DEAD_LETTER_TRUNCATED,
    [SAID_CONNECT_TOPIC] = DEAD_LETTER_PREFIX "topic",
    [SAID_CONNECT_PARTITION] = DEAD_LETTER_PREFIX "partition",
    [SAID_CONNECT_OFFSET] = DEAD_LETTER_PREFIX "offset",
    [SAID_CONNECT_STAGE] = DEAD_LETTER_PREFIX "stage",
    [SAID_CONNECT_CLASS] = DEAD_LETTER_PREFIX "exception.class.name",
    [SAID_CONNECT_MESSAGE] = DEAD_LETTER_PREFIX "exception.message",
    [SAID_CONNECT_STACK] = DEAD_LETTER_PREFIX "exception.stacktrace",
    [SAID_SPRING_TOPIC] = DEAD_LETTER_SPRING "original-topic",
    [SAID_SPRING_PARTITION] = DEAD_LETTER_SPRING "original-partition",
    [SAID_SPRING_OFFSET] = DEAD_LETTER_SPRING "original-offset",
    [SAID_SPRING_CLASS] = DEAD_LETTER_SPRING "exception-fqcn",
    [SAID_SPRING_CAUSE] = DEAD_LETTER_SPRING "exception-cause-fqcn",
    [SAID_SPRING_MESSAGE] = DEAD_LETTER_SPRING "exception-message",
    [SAID_SPRING_STACK] = DEAD_LETTER_SPRING "exception-stacktrace",
};

const char *dead_letter_family_word(enum dead_letter_family family)
{
    static const char *const WORDS[] = {
#define X(family, word) word,
        DEAD_LETTER_FAMILIES(X)
#undef X
    };
    return WORDS[family];
}

static bool begins(struct bytes name, const char *start)
{
    size_t size = strlen(start);
    return name.size >= size && memcmp(name.data, start, size) == 0;
}

bool dead_letter_is_reason(struct bytes name)
{
    if (begins(name, DEAD_LETTER_PREFIX) || begins(name, DEAD_LETTER_SPRING))
        return true;
    for (int i = SAID_ID; i <= SAID_TRUNCATED; i++)
        if (bytes_equal(name, bytes_text(NAMES[i])))
            return true;
    return false;
}

static void find_all(const struct header *headers, size_t count, struct bytes said[SAID_COUNT])
{
    memset(said, 0, SAID_COUNT * sizeof *said);
    for (size_t i = 0; i < count; i++)
        for (int s = 0; s < SAID_COUNT; s++)
            if (bytes_equal(headers[i].name, bytes_text(NAMES[s]))) {
                said[s] = headers[i].value;
                break;
            }
}

static int64_t number_of(struct bytes text, int64_t otherwise)
{
    int64_t number;
    return text_parse_int64(text, &number) && number >= 0 ? number : otherwise;
}

/* Java's ByteBuffer wrote it: 4 bytes of an int, 8 of a long. */
static int64_t big_endian(struct bytes bytes, size_t size)
{
    uint64_t number = 0;
    if (bytes.size != size)
        return number_of(bytes, -1);
    for (size_t i = 0; i < size; i++)
        number = number << 8 | (unsigned char)bytes.data[i];
    return number <= (size == 4 ? (uint64_t)INT32_MAX : (uint64_t)INT64_MAX) ? (int64_t)number : -1;
}

static void set_place(struct dead_letter_reading *reading, struct bytes topic, int64_t partition,
                      int64_t offset)
{
    reading->topic = topic;
    reading->has_place = topic.size && partition >= 0 && partition <= INT32_MAX && offset >= 0;
    reading->partition = reading->has_place ? (int32_t)partition : -1;
    reading->offset = reading->has_place ? offset : -1;
}

static void take_code(struct dead_letter_reading *reading, struct bytes text)
{
    char id[16] = "";
    enum error_code code;
    reading->code_text = text;
    if (text.size >= sizeof id)
        return;
    memcpy(id, text.data, text.size);
    if (error_code_find(id, &code))
        reading->code = code;
}

static void take_connect(struct dead_letter_reading *reading, const struct bytes *said)
{
    reading->family = DEAD_LETTER_BY_CONNECT;
    set_place(reading, said[SAID_CONNECT_TOPIC], number_of(said[SAID_CONNECT_PARTITION], -1),
              number_of(said[SAID_CONNECT_OFFSET], -1));
    reading->code_text = said[SAID_CONNECT_CLASS];
    reading->reason = said[SAID_CONNECT_MESSAGE];
    reading->stage = said[SAID_CONNECT_STAGE];
    reading->details = said[SAID_CONNECT_STACK];
}

/* The exception is the listener's, which is the same for all: what caused it says more. */
static void take_spring(struct dead_letter_reading *reading, const struct bytes *said)
{
    reading->family = DEAD_LETTER_BY_SPRING;
    set_place(reading, said[SAID_SPRING_TOPIC], big_endian(said[SAID_SPRING_PARTITION], 4),
              big_endian(said[SAID_SPRING_OFFSET], 8));
    reading->code_text =
        said[SAID_SPRING_CAUSE].size ? said[SAID_SPRING_CAUSE] : said[SAID_SPRING_CLASS];
    reading->reason = said[SAID_SPRING_MESSAGE];
    reading->details = said[SAID_SPRING_STACK];
}

struct dead_letter_reading dead_letter_read_all(const struct header *headers, size_t count)
{
    struct bytes said[SAID_COUNT];
    struct dead_letter_reading reading = {.code = ERR_NONE, .partition = -1, .offset = -1};
    find_all(headers, count, said);
    if (said[SAID_CONNECT_TOPIC].size || said[SAID_CONNECT_CLASS].size)
        take_connect(&reading, said);
    else if (said[SAID_SPRING_TOPIC].size || said[SAID_SPRING_CLASS].size)
        take_spring(&reading, said);
    if (said[SAID_ID].size || said[SAID_CODE].size) {
        reading.family = DEAD_LETTER_BY_DROVER;
        reading.id = said[SAID_ID];
        take_code(&reading, said[SAID_CODE]);
        /* not when Kafka Connect gave up what was a dead letter of Drover's before */
        reading.reason_is_ours =
            reading.code != ERR_NONE && bytes_equal(said[SAID_CONNECT_CLASS], said[SAID_CODE]);
    }
    reading.path = said[SAID_PATH];
    reading.truncated = said[SAID_TRUNCATED];
    reading.replayed_from = said[SAID_REPLAYED_FROM];
    reading.attempts = number_of(said[SAID_ATTEMPTS], 1);
    reading.log_version = number_of(said[SAID_LOG_VERSION], 0);
    return reading;
}
