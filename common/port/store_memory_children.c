#include "common/base/mem.h"
#include "common/port/store_memory_children.h"

#include <stdlib.h>
#include <string.h>

size_t memory_child_size(const struct batch_item *item, const struct envelope *message)
{
    size_t size = sizeof(struct memory_child) + sizeof(struct memory_child *) +
                  item->row.tenant.size + strlen(item->mapping->entity) + message->key.size +
                  message->value.size + message->header_count * sizeof(struct header);
    for (size_t i = 0; i < message->header_count; i++)
        size += message->headers[i].name.size + message->headers[i].value.size;
    return size;
}

void memory_children_add(struct memory_children *children, int32_t partition,
                         const struct batch_item *item, const struct envelope *message,
                         const struct diff_key *own, const struct diff_key *missing_parent)
{
    size_t size = memory_child_size(item, message);
    struct memory_child *child = mem_alloc(size);
    children->items =
        mem_grown(children->items, &children->room, children->count + 1, sizeof *children->items);
    char *at = (char *)&child->headers[message->header_count];
    *child = (struct memory_child){.partition = partition,
                                   .offset = item->offset,
                                   .version = item->row.version,
                                   .generation = item->row.generation,
                                   .digest = item->row.digest,
                                   .own = *own,
                                   .missing_parent = *missing_parent,
                                   .size = size,
                                   .null_value = message->null_value,
                                   .header_count = message->header_count};
    child->tenant = bytes_put(&at, item->row.tenant);
    child->entity = bytes_put(&at, bytes_text(item->mapping->entity));
    child->key = bytes_put(&at, message->key);
    child->value = bytes_put(&at, message->value);
    for (size_t i = 0; i < message->header_count; i++) {
        child->headers[i].name = bytes_put(&at, message->headers[i].name);
        child->headers[i].value = bytes_put(&at, message->headers[i].value);
    }
    children->items[children->count++] = child;
    children->bytes += size;
    children->unsorted = true;
}

void memory_children_cut(struct memory_children *children, size_t count)
{
    while (children->count > count) {
        struct memory_child *child = children->items[--children->count];
        children->bytes -= child->size;
        free(child);
    }
}

static int compare(int32_t partition, int64_t offset, const struct memory_child *other)
{
    if (partition != other->partition)
        return partition < other->partition ? -1 : 1;
    return (offset > other->offset) - (offset < other->offset);
}

static int compare_items(const void *left, const void *right)
{
    const struct memory_child *const *a = left, *const *b = right;
    return compare((*a)->partition, (*a)->offset, *b);
}

void memory_children_sort(struct memory_children *children)
{
    if (children->unsorted && children->count)
        qsort(children->items, children->count, sizeof *children->items, compare_items);
    children->unsorted = false;
}

void memory_children_decide(struct memory_children *children)
{
    size_t left = 0;
    for (size_t i = 0; i < children->count; i++) {
        struct memory_child *child = children->items[i];
        if (!child->decided) {
            children->items[left++] = child;
            continue;
        }
        if (children->decided)
            children->last_decided->next = child;
        else
            children->decided = child;
        children->last_decided = child;
    }
    children->visits += children->count;
    children->count = left;
}

struct memory_child *memory_children_find(struct memory_children *children, int32_t partition,
                                          int64_t offset)
{
    memory_children_sort(children);
    for (size_t first = 0, end = children->count; first < end;) {
        size_t middle = first + (end - first) / 2;
        int order = compare(partition, offset, children->items[middle]);
        if (order == 0)
            return children->items[middle];
        if (order < 0)
            end = middle;
        else
            first = middle + 1;
    }
    return NULL;
}

size_t memory_children_take(struct memory_children *children, int64_t round,
                            struct memory_child **taken)
{
    size_t count = 0;
    for (struct memory_child *child; (child = children->decided) && child->round == round;) {
        children->decided = child->next;
        children->bytes -= child->size;
        taken[count++] = child;
    }
    return count;
}

void memory_child_view(const struct memory_child *child, struct envelope *message)
{
    message->key = child->key;
    message->value = child->value;
    message->null_value = child->null_value;
    message->header_count = child->header_count;
    memcpy(message->headers, child->headers, child->header_count * sizeof *child->headers);
}

void memory_children_free(struct memory_children *children)
{
    memory_children_cut(children, 0);
    for (struct memory_child *child; (child = children->decided);) {
        children->decided = child->next;
        free(child);
    }
    free(children->items);
    free(children->mark_ends);
    *children = (struct memory_children){0};
}
