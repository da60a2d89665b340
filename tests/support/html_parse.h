#ifndef DROVER_TESTS_HTML_PARSE_H
#define DROVER_TESTS_HTML_PARSE_H

/* A parser that takes nothing but what a page of the program may hold: its own tags and attributes,
 * nested rightly, and text that is escaped. */

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/bytes.h"

enum { HTML_DEPTH_MAX = 64 };

static bool html_is_one_of(struct bytes name, const char *const *words)
{
    for (; *words; words++)
        if (bytes_equal(name, bytes_text(*words)))
            return true;
    return false;
}

static const char *const HTML_TAGS[] = {
    "html",    "head",       "meta", "title", "style", "body",   "h1",      "h2",
    "h3",      "p",          "div",  "span",  "svg",   "rect",   "ul",      "li",
    "section", "article",    "bdi",  "code",  "b",     "br",     "table",   "tr",
    "th",      "td",         "dl",   "dt",    "dd",    "footer", "details", "summary",
    "figure",  "figcaption", "desc", "path",  NULL};
static const char *const HTML_ATTRIBUTES[] = {"lang",       "charset",
                                              "http-equiv", "content",
                                              "name",       "class",
                                              "id",         "viewBox",
                                              "role",       "x",
                                              "y",          "width",
                                              "height",     "colspan",
                                              "aria-label", "preserveAspectRatio",
                                              "d",          "aria-labelledby",
                                              NULL};

struct html_parser {
    struct bytes text;
    size_t at;
    struct bytes open[HTML_DEPTH_MAX];
    size_t depth;
    const char *fault;
};

static bool html_take(struct html_parser *parser, const char *literal)
{
    size_t size = strlen(literal);
    if (parser->text.size - parser->at < size ||
        memcmp(parser->text.data + parser->at, literal, size) != 0)
        return false;
    parser->at += size;
    return true;
}

static char html_peek(const struct html_parser *parser)
{
    return parser->at < parser->text.size ? parser->text.data[parser->at] : '\0';
}

static struct bytes html_take_name(struct html_parser *parser)
{
    size_t start = parser->at;
    while (isalnum((unsigned char)html_peek(parser)) || html_peek(parser) == '-')
        parser->at++;
    return bytes_of(parser->text.data + start, parser->at - start);
}

static bool html_take_reference(struct html_parser *parser)
{
    static const char *const REFERENCES[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#160;"};
    for (size_t i = 0; i < sizeof REFERENCES / sizeof *REFERENCES; i++)
        if (html_take(parser, REFERENCES[i]))
            return true;
    return false;
}

static bool html_refuse(struct html_parser *parser, const char *fault)
{
    parser->fault = parser->fault ? parser->fault : fault;
    return false;
}

static bool html_take_attribute(struct html_parser *parser)
{
    if (!html_is_one_of(html_take_name(parser), HTML_ATTRIBUTES))
        return html_refuse(parser, "an attribute that no page has");
    if (!html_take(parser, "=\""))
        return html_refuse(parser, "an attribute without a quoted value");
    while (html_peek(parser) != '"') {
        bool taken = html_peek(parser) == '&' && html_take_reference(parser);
        if (!taken && (html_peek(parser) == '&' || html_peek(parser) == '<' || !html_peek(parser)))
            return html_refuse(parser, "a value that is not escaped");
        parser->at += !taken;
    }
    parser->at++;
    return true;
}

static bool html_take_tag(struct html_parser *parser)
{
    if (html_take(parser, "</")) {
        struct bytes name = html_take_name(parser);
        if (!html_take(parser, ">") || !parser->depth ||
            !bytes_equal(parser->open[--parser->depth], name))
            return html_refuse(parser, "an end without its begin");
        return true;
    }
    parser->at++;
    struct bytes name = html_take_name(parser);
    if (!html_is_one_of(name, HTML_TAGS))
        return html_refuse(parser, "a tag that no page has");
    while (html_take(parser, " ") && !html_take(parser, "/>")) {
        if (!html_take_attribute(parser))
            return false;
    }
    if (parser->text.data[parser->at - 1] == '>')
        return true;
    if (!html_take(parser, ">") || parser->depth == HTML_DEPTH_MAX)
        return html_refuse(parser, "a tag that does not end");
    parser->open[parser->depth++] = name;
    while (bytes_equal(name, BYTES_LITERAL("style")) && html_peek(parser) != '<')
        parser->at++; /* the program's own */
    return true;
}

static bool html_parse(struct html_parser *parser)
{
    if (!html_take(parser, "<!DOCTYPE html>\n"))
        return html_refuse(parser, "no doctype");
    while (parser->at < parser->text.size) {
        char c = html_peek(parser);
        if (c == '<' && !html_take_tag(parser))
            return false;
        if (c == '&' && !html_take_reference(parser))
            return html_refuse(parser, "an & that is not escaped");
        if (c == '>' || (c < ' ' && c != '\n' && c >= 0) || c == 0x7f)
            return html_refuse(parser, "a character that is not escaped");
        parser->at += c != '<' && c != '&';
    }
    return parser->depth == 0 || html_refuse(parser, "a begin without its end");
}

#endif
