/* Reading a file into libyaml's document, and saying where it is wrong. */

#include <stdlib.h>
#include <string.h>

#include "common/base/yaml_tree.h"

enum {
    LARGEST_FILE = 1024 * 1024, /* a person wrote it; our own files have a few KiB */
    DEEPEST_OPEN = 32,
    MOST_ANCHORS = 1000,
};

static void set_input(yaml_parser_t *parser, struct bytes text)
{
    const char *start = text.size ? text.data : "";
    yaml_parser_set_input_string(parser, (const unsigned char *)start, text.size);
}

/* Line and column of a byte: the reader knows its errors' offsets only. */
static yaml_mark_t mark_of_offset(struct bytes text, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < text.size; i++) {
        if (text.data[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)text.data[i] & 0xC0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

/* Whether the line has `[]` behind a letter: a type that was to be quoted. */
static bool holds_brackets(struct bytes text, size_t line)
{
    size_t at = 0;
    for (; line > 0 && at < text.size; at++)
        line -= text.data[at] == '\n';
    for (; at + 2 < text.size && text.data[at] != '\n'; at++)
        if (text.data[at] >= 'a' && text.data[at] <= 'z' && text.data[at + 1] == '[' &&
            text.data[at + 2] == ']')
            return true;
    return false;
}

static enum outcome refuse_syntax(const char *name, struct bytes text, const yaml_parser_t *parser,
                                  struct error *err)
{
    if (parser->error == YAML_MEMORY_ERROR)
        abort();
    yaml_mark_t mark = parser->error == YAML_READER_ERROR
                           ? mark_of_offset(text, parser->problem_offset)
                           : parser->problem_mark;
    error_set(err, OUT_FATAL, ERR_CONF_SYNTAX, "not well-formed YAML: %s",
              parser->problem ? parser->problem : "it cannot be read");
    error_where(err, "%s:%zu:%zu", name, mark.line + 1, mark.column + 1);
    if (holds_brackets(text, mark.line))
        error_hint(err, "within { } quote what has brackets or commas of its own, such as "
                        "\"text[]\"");
    if (parser->context)
        error_cause(err, "%s that starts at line %zu", parser->context,
                    parser->context_mark.line + 1);
    return OUT_FATAL;
}

static enum outcome refuse_at(const char *name, yaml_mark_t mark, const char *sentence,
                              struct error *err)
{
    error_set(err, OUT_FATAL, ERR_CONF_SYNTAX, "%s", sentence);
    error_where(err, "%s:%zu:%zu", name, mark.line + 1, mark.column + 1);
    return OUT_FATAL;
}

static enum outcome check_event(const char *name, const yaml_event_t *event, int *open,
                                int *anchors, struct error *err)
{
    const unsigned char *anchor = NULL;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        anchor = event->data.sequence_start.anchor;
    else if (event->type == YAML_MAPPING_START_EVENT)
        anchor = event->data.mapping_start.anchor;
    else if (event->type == YAML_SCALAR_EVENT)
        anchor = event->data.scalar.anchor;

    if (anchor && ++*anchors > MOST_ANCHORS)
        return refuse_at(name, event->start_mark, "the file has more than 1000 anchors", err);
    if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
        ++*open;
    else if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
        --*open;
    if (*open > DEEPEST_OPEN)
        return refuse_at(name, event->start_mark, "the file is nested more than 32 levels deep",
                         err);
    return OUT_OK;
}

/* libyaml 0.2.5 takes quadratic time for open brackets and for anchors: a hostile file of 1 MiB
 * would keep it busy for many minutes. As a stream of events it can be left at once. Malformed
 * text is no matter here: the document's own reading meets the same place. */
static enum outcome check_events(const char *name, struct bytes text, struct error *err)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        abort();
    set_input(&parser, text);
    int open = 0;
    int anchors = 0;
    enum outcome outcome = OUT_OK;
    bool more = true;
    while (more && outcome == OUT_OK) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event))
            break;
        outcome = check_event(name, &event, &open, &anchors, err);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return outcome;
}

/* Nothing, only comments, or a lone null: an empty map, so that callers know one shape. */
static void make_empty_map(yaml_document_t *document)
{
    yaml_document_delete(document);
    if (!yaml_document_initialize(document, NULL, NULL, NULL, 1, 1) ||
        !yaml_document_add_mapping(document, NULL, YAML_BLOCK_MAPPING_STYLE))
        abort();
}

static enum outcome refuse_second_document(struct yaml_file *file, struct bytes text,
                                           yaml_parser_t *parser, struct error *err)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second))
        return refuse_syntax(file->name, text, parser, err);
    bool found = yaml_document_get_root_node(&second) != NULL;
    yaml_mark_t mark = second.start_mark;
    yaml_document_delete(&second);
    if (!found)
        return OUT_OK;
    refuse_at(file->name, mark, "the file holds more than one YAML document", err);
    error_hint(err, "keep one document, without further --- lines");
    return OUT_FATAL;
}

/* On failure the document is empty; deleting it once more is allowed. */
static enum outcome load(struct yaml_file *file, struct bytes text, struct error *err)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        abort();
    set_input(&parser, text);
    enum outcome outcome;
    if (yaml_parser_load(&parser, &file->document)) {
        bool empty = yaml_document_get_root_node(&file->document) == NULL;
        outcome = empty ? OUT_OK : refuse_second_document(file, text, &parser, err);
        if (empty || yaml_is_null(yaml_root(file)))
            make_empty_map(&file->document);
    } else {
        outcome = refuse_syntax(file->name, text, &parser, err);
        memset(&file->document, 0, sizeof(file->document));
    }
    yaml_parser_delete(&parser);
    return outcome;
}

static enum outcome parse_file(const char *name, struct bytes text, struct yaml_file **file,
                               struct error_list *twice, struct error *err)
{
    *file = NULL;
    if (text.size > LARGEST_FILE) {
        error_set(err, OUT_FATAL, ERR_CONF_SYNTAX, "the file is larger than 1 MiB");
        error_where(err, "%s", name);
        error_hint(err, "check that this is the file you meant");
        return OUT_FATAL;
    }
    enum outcome outcome = check_events(name, text, err);
    if (outcome != OUT_OK)
        return outcome;
    struct yaml_file *parsed = calloc(1, sizeof(*parsed));
    if (!parsed || !(parsed->name = strdup(name)))
        abort();
    outcome = load(parsed, text, err);
    if (outcome == OUT_OK)
        outcome = yaml_tree_check(parsed, twice, err);
    if (outcome == OUT_OK)
        *file = parsed;
    else
        yaml_file_free(parsed);
    return outcome;
}

enum outcome yaml_parse(const char *name, struct bytes text, struct yaml_file **file,
                        struct error *err)
{
    return parse_file(name, text, file, NULL, err);
}

enum outcome yaml_parse_all(const char *name, struct bytes text, struct yaml_file **file,
                            struct error_list *mistakes)
{
    struct error err;
    enum outcome outcome = parse_file(name, text, file, mistakes, &err);
    if (outcome != OUT_OK)
        error_list_add(mistakes, &err);
    return outcome;
}

void yaml_file_free(struct yaml_file *file)
{
    if (!file)
        return;
    yaml_document_delete(&file->document);
    free(file->name);
    free(file);
}
