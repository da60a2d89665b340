/* See the header. */
#include "common/base/error_list.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/mem.h"
#include "common/base/text.h"

void error_list_init(struct error_list *list)
{
    *list = (struct error_list){0};
}

void error_list_free(struct error_list *list)
{
    free(list->items);
    *list = (struct error_list){0};
}

void error_list_add(struct error_list *list, const struct error *err)
{
    if (list->count == ERROR_LIST_MAX) {
        list->dropped++;
        return;
    }
    list->items = mem_grown(list->items, &list->room, list->count + 1, sizeof *list->items);
    list->items[list->count++] = *err;
}

bool error_list_has(const struct error_list *list, const struct error *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].code == err->code && strcmp(list->items[i].text, err->text) == 0 &&
            strcmp(list->items[i].where, err->where) == 0)
            return true;
    return false;
}

struct place {
    struct bytes file;
    uint64_t line, column;
};

static struct place place_of(const struct error *err)
{
    struct place place = {.file = bytes_text(err->where)};
    uint64_t last, line;
    if (!text_cut_number(&place.file, ":", &last))
        return place;
    place.line = last;
    if (text_cut_number(&place.file, ":", &line)) {
        place.line = line;
        place.column = last;
    }
    return place;
}

static int compare(const void *left, const void *right)
{
    struct place a = place_of(left), b = place_of(right);
    int order = bytes_compare(a.file, b.file);
    if (order == 0)
        order = (a.line > b.line) - (a.line < b.line);
    if (order == 0)
        order = (a.column > b.column) - (a.column < b.column);
    return order ? order
                 : strcmp(((const struct error *)left)->text, ((const struct error *)right)->text);
}

void error_list_sort(struct error_list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof(*list->items), compare);
}
