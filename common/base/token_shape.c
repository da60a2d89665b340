/*
 * What a value is, from where its secrets stand (token_span.h) and what its name says.
 *
 * A text that holds a token among other words is a secret, not a token: sealing keeps the words.
 */

#include "common/base/token_shape.h"

#include "common/base/token_span.h"

static enum shape scan(struct token_scan *scan)
{
    enum shape shape = SHAPE_PLAIN;
    for (struct token_span span; shape != SHAPE_TOKEN && token_scan_next(scan, &span);)
        shape = span.shape;
    return shape == SHAPE_TOKEN && token_shape_has_words(scan->text) ? SHAPE_SECRET : shape;
}

enum shape token_shape_of_value(struct bytes value)
{
    struct token_scan here;
    if (value.size < 8)
        return SHAPE_PLAIN;
    token_scan_init(&here, value);
    return scan(&here);
}

enum shape token_shape_of_member(struct bytes name, struct bytes value)
{
    return token_shape_of_member_known(name, value, token_shape_of_value(value));
}

enum shape token_shape_of_member_known(struct bytes name, struct bytes value, enum shape by_value)
{
    enum shape by_name = token_shape_of_name(name);
    if (by_value == SHAPE_TOKEN || (by_name != SHAPE_PLAIN && token_shape_is_placeholder(value)))
        return by_value;
    if (by_name == SHAPE_PLAIN && by_value == SHAPE_PLAIN)
        by_name = token_shape_of_name_with(name, value);
    if (by_name != SHAPE_PLAIN || by_value != SHAPE_PLAIN)
        return by_name != SHAPE_PLAIN ? by_name : by_value;
    enum shape suspect = token_shape_of_suspect(name);
    return suspect != SHAPE_PLAIN && token_shape_is_random(value) ? suspect : SHAPE_PLAIN;
}
