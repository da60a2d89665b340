#ifndef DROVER_MODEL_JSON_STREAM_DETECT_H
#define DROVER_MODEL_JSON_STREAM_DETECT_H

/* Which shape a stream has, told from its first bytes. Part of json_stream. */

#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/model/json/json_stream.h"

#define JSON_DETECT_MAX (64 * 1024)

/* `sample` begins with the first byte that is not white space; at most JSON_DETECT_MAX of it are
 * looked at. `last`: nothing follows it. The answer for a longer sample is the same, once it is
 * not DETECT: more bytes are needed. */
enum json_shape json_detect(struct bytes sample, bool last, const struct json_expected *expected);

/* The encoding's name when the stream begins as one that is not UTF-8, else NULL. At least four
 * bytes, if there are so many. */
const char *json_detect_encoding(struct bytes start);

bool json_is_space(char c);

#endif
