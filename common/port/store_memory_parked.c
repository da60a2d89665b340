#include "common/port/store_memory_parked.h"

#include <stdlib.h>
#include <string.h>

size_t memory_parked_size(const struct batch_item *item, const struct envelope *message)
{
    size_t size = sizeof(struct memory_parked) + sizeof(struct memory_parked *) +
                  item->row.tenant.size + strlen(item->mapping->entity) + message->key.size +
                  message->value.size + message->header_count * sizeof(struct header);
    for (size_t i = 0; i < message->header_count; i++)
        size += message->headers[i].name.size + message->headers[i].value.size;
    return size;
}

/* What is no text stays none: a message without a key is not one with an empty key. */
static struct bytes put(char **at, struct bytes part)
{
    char *start = *at;
    if (part.size)
        memcpy(start, part.data, part.size);
    *at += part.size;
    return bytes_of(part.data ? start : NULL, part.size);
}

void memory_parking_add(struct memory_parking *parking, int32_t partition,
                        const struct batch_item *item, const struct envelope *message,
                        const struct diff_key *lacked)
{
    size_t size = memory_parked_size(item, message);
    struct memory_parked *parked = malloc(size);
    if (parking->count == parking->room) {
        parking->room = parking->room * 2 + 64;
        parking->items = realloc(parking->items, parking->room * sizeof *parking->items);
    }
    if (!parked || !parking->items)
        abort();
    char *at = (char *)&parked->headers[message->header_count];
    *parked = (struct memory_parked){.partition = partition,
                                     .offset = item->offset,
                                     .version = item->row.version,
                                     .lacked = *lacked,
                                     .size = size,
                                     .null_value = message->null_value,
                                     .header_count = message->header_count};
    parked->tenant = put(&at, item->row.tenant);
    parked->entity = put(&at, bytes_text(item->mapping->entity));
    parked->key = put(&at, message->key);
    parked->value = put(&at, message->value);
    for (size_t i = 0; i < message->header_count; i++) {
        parked->headers[i].name = put(&at, message->headers[i].name);
        parked->headers[i].value = put(&at, message->headers[i].value);
    }
    parking->items[parking->count++] = parked;
    parking->bytes += size;
    parking->unsorted = true;
}

void memory_parking_cut(struct memory_parking *parking, size_t count)
{
    while (parking->count > count) {
        struct memory_parked *parked = parking->items[--parking->count];
        parking->bytes -= parked->size;
        free(parked);
    }
}

static int compare(int32_t partition, int64_t offset, const struct memory_parked *other)
{
    if (partition != other->partition)
        return partition < other->partition ? -1 : 1;
    return (offset > other->offset) - (offset < other->offset);
}

static int compare_items(const void *left, const void *right)
{
    const struct memory_parked *const *a = left, *const *b = right;
    return compare((*a)->partition, (*a)->offset, *b);
}

void memory_parking_sort(struct memory_parking *parking)
{
    if (parking->unsorted && parking->count)
        qsort(parking->items, parking->count, sizeof *parking->items, compare_items);
    parking->unsorted = false;
}

struct memory_parked *memory_parking_find(struct memory_parking *parking, int32_t partition,
                                          int64_t offset)
{
    memory_parking_sort(parking);
    for (size_t first = 0, end = parking->count; first < end;) {
        size_t middle = first + (end - first) / 2;
        int order = compare(partition, offset, parking->items[middle]);
        if (order == 0)
            return parking->items[middle];
        if (order < 0)
            end = middle;
        else
            first = middle + 1;
    }
    return NULL;
}

size_t memory_parking_take(struct memory_parking *parking, int64_t round,
                           struct memory_parked **taken)
{
    size_t left = 0, count = 0;
    for (size_t i = 0; i < parking->count; i++) {
        struct memory_parked *parked = parking->items[i];
        if (parked->round != round) {
            parking->items[left++] = parked;
            continue;
        }
        parking->bytes -= parked->size;
        taken[count++] = parked;
    }
    parking->count = left;
    return count;
}

void memory_parked_view(const struct memory_parked *parked, struct envelope *message)
{
    message->key = parked->key;
    message->value = parked->value;
    message->null_value = parked->null_value;
    message->header_count = parked->header_count;
    memcpy(message->headers, parked->headers, parked->header_count * sizeof *parked->headers);
}

void memory_parking_free(struct memory_parking *parking)
{
    memory_parking_cut(parking, 0);
    free(parking->items);
    free(parking->mark_ends);
    *parking = (struct memory_parking){0};
}
