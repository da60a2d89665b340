#include "common/model/json/members.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/mem.h"

static uint64_t be32(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;
    return (uint64_t)byte[0] << 24 | (uint64_t)byte[1] << 16 | (uint64_t)byte[2] << 8 | byte[3];
}

/* Shorter keys are filled with zeros: that sorts before everything, as the end of a key does. */
static uint64_t prefix_of(const char *key, size_t size)
{
    if (size >= 8)
        return be32(key) << 32 | be32(key + 4);
    if (size >= 4) /* the two overlap, in the same places */
        return be32(key) << 32 | be32(key + size - 4) << (8 * (8 - size));
    uint64_t prefix = 0;
    for (size_t i = 0; i < size; i++)
        prefix |= (uint64_t)(unsigned char)key[i] << (56 - 8 * i);
    return prefix;
}

static int compare(const struct member *a, const struct member *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return bytes_compare(bytes_of(unsafe_yyjson_get_str(a->key), unsafe_yyjson_get_len(a->key)),
                         bytes_of(unsafe_yyjson_get_str(b->key), unsafe_yyjson_get_len(b->key)));
}

static bool is_named(const struct member *member, const struct member_name *name)
{
    return member->prefix == name->prefix &&
           unsafe_yyjson_get_len(member->key) == name->text.size &&
           (name->text.size <= 8 ||
            memcmp(unsafe_yyjson_get_str(member->key), name->text.data, name->text.size) == 0);
}

struct member_name member_name_of(struct bytes text)
{
    return (struct member_name){prefix_of(text.data, text.size), text};
}

yyjson_val *members_find(const struct members *members, const struct member_name *name,
                         uint16_t *hint)
{
    if (*hint < members->count && is_named(&members->list[*hint], name))
        return yyjson_obj_iter_get_val(members->list[*hint].key);
    size_t from = 0, to = members->count; /* the first that is not less */
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const struct member *member = &members->list[middle];
        struct bytes key =
            bytes_of(unsafe_yyjson_get_str(member->key), unsafe_yyjson_get_len(member->key));
        bool less = member->prefix != name->prefix ? member->prefix < name->prefix
                                                   : bytes_compare(key, name->text) < 0;
        from = less ? middle + 1 : from;
        to = less ? to : middle;
    }
    if (from == members->count || !is_named(&members->list[from], name))
        return NULL;
    *hint = (uint16_t)from;
    return yyjson_obj_iter_get_val(members->list[from].key);
}

static int compare_for_qsort(const void *a, const void *b)
{
    return compare(a, b);
}

static void insertion_sort(struct member *list, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct member member = list[i];
        size_t at = i;
        for (; at > 0 && compare(&member, &list[at - 1]) < 0; at--)
            list[at] = list[at - 1];
        list[at] = member;
    }
}

void members_sort(struct members *members, yyjson_val *object)
{
    members->count = 0;
    members->list = members->few;
    size_t count = unsafe_yyjson_get_len(object);
    if (count > MEMBERS_FEW) {
        /* a few times the parsed document, which fitted */
        members->list = mem_alloc(count * sizeof(*members->list));
    }
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        uint64_t prefix = prefix_of(unsafe_yyjson_get_str(key), unsafe_yyjson_get_len(key));
        members->list[members->count++] = (struct member){prefix, key};
    }
    if (count > MEMBERS_FEW)
        qsort(members->list, members->count, sizeof(*members->list), compare_for_qsort);
    else
        insertion_sort(members->list, members->count);
}

/* Puts the members where those of the object before were. False: that is not their order, or two
 * have one name. */
static bool put_as_before(struct members *members, yyjson_val *object)
{
    yyjson_val *keys[MEMBERS_FEW];
    size_t count = 0;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));)
        keys[count++] = key;
    for (size_t i = 0; i < count; i++) {
        yyjson_val *key = keys[members->order[i]];
        struct member *member = &members->few[i];
        *member =
            (struct member){prefix_of(unsafe_yyjson_get_str(key), unsafe_yyjson_get_len(key)), key};
        if (i > 0 && compare(&member[-1], member) >= 0)
            return false;
    }
    members->list = members->few;
    members->count = count;
    return true;
}

/* Where each of the sorted members stands in the object. */
static void note_order(struct members *members, yyjson_val *object)
{
    uint8_t place = 0;
    members->ordered = members->count;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)); place++)
        for (size_t i = 0; i < members->count; i++)
            if (members->list[i].key == key)
                members->order[i] = place;
}

void members_sort_again(struct members *members, yyjson_val *object)
{
    size_t count = unsafe_yyjson_get_len(object);
    members_reset(members);
    if (count > 0 && count == members->ordered && put_as_before(members, object))
        return;
    members_sort(members, object);
    members->ordered = 0;
    if (count <= MEMBERS_FEW)
        note_order(members, object);
}

void members_free(struct members *members)
{
    if (members->list != members->few)
        free(members->list);
}

void members_reset(struct members *members)
{
    members_free(members);
    members->list = members->few;
    members->count = 0;
}

yyjson_val *members_find_duplicate(const struct members *members)
{
    for (size_t i = 1; i < members->count; i++) {
        const struct member *member = &members->list[i];
        if (member->prefix == member[-1].prefix && compare(member, member - 1) == 0)
            return member->key > member[-1].key ? member->key : member[-1].key;
    }
    return NULL;
}
