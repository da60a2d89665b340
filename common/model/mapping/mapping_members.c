/*
 * Which members of a record columns read, and which of them may leave it. The rule and why it makes
 * the inverse exact are told in mapping.h and at enum member_fate.
 */

#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/mapping/mapping_value.h"

/* json_at, but tells when an array is passed: its elements cannot be taken out of the record. */
static yyjson_val *follow(yyjson_val *root, const char *pointer, bool *through_array)
{
    *through_array = false;
    yyjson_val *found = json_at(root, bytes_text(pointer));
    if (!found || !strchr(pointer + (*pointer == '/'), '/'))
        return found;
    for (const char *slash = strchr(pointer + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        yyjson_val *parent = json_at(root, bytes_of(pointer, (size_t)(slash - pointer)));
        if (yyjson_is_arr(parent))
            *through_array = true;
    }
    return found;
}

struct found_member column_find(const struct column *column, yyjson_val *root)
{
    struct found_member found = {0};
    for (size_t i = 0; i < column->pointer_count; i++) {
        bool through_array;
        yyjson_val *val = follow(root, column->pointers[i], &through_array);
        if (!val)
            continue;
        if (found.val) {
            found.others = true;
            break;
        }
        found.val = val;
        found.pointer = i;
        found.through_array = through_array;
    }
    return found;
}

/* follow, from the member of the root that the pointer's first part names. Parts without escapes
 * are looked for here; what they do not lead to is looked for by the whole pointer. */
static yyjson_val *follow_on(yyjson_val *root, yyjson_val *first, const char *pointer,
                             bool *through_array)
{
    yyjson_val *val = first;
    const char *at = strchr(pointer + 1, '/');
    while (at && yyjson_is_obj(val)) {
        const char *part = at + 1;
        size_t size = strcspn(part, "/~");
        if (part[size] == '~')
            break;
        val = yyjson_obj_getn(val, part, size);
        at = part[size] ? part + size : NULL;
    }
    *through_array = false;
    return !val || !at ? val : follow(root, pointer, through_array);
}

struct found_member column_find_sorted(const struct column *column, yyjson_val *root,
                                       const struct members *members, uint16_t *hint)
{
    struct found_member found = {0};
    for (size_t i = 0; i < column->pointer_count; i++) {
        const struct first_step *step = &column->steps[i];
        bool through_array = false;
        uint16_t nowhere = UINT16_MAX;
        yyjson_val *val = members_find(members, &step->name, i == 0 ? hint : &nowhere);
        if (val && step->deep)
            val = follow_on(root, val, column->pointers[i], &through_array);
        if (!val)
            continue;
        if (found.val) {
            found.others = true;
            break;
        }
        found = (struct found_member){.val = val, .pointer = i, .through_array = through_array};
    }
    return found;
}

enum member_fate member_fate_of(const struct found_member *found, bool exact, bool respelled)
{
    if (!found->val)
        return MEMBER_ABSENT;
    if (found->pointer != 0 || found->others || found->through_array || !(exact || respelled))
        return MEMBER_KEPT;
    return exact ? MEMBER_TAKEN : MEMBER_RESPELLED;
}

bool pointers_touch(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] && a[i] == b[i])
        i++;
    return (a[i] == '\0' && (b[i] == '\0' || b[i] == '/')) || (b[i] == '\0' && a[i] == '/');
}

/* Two columns give the same member back only when both give exactly what it was. */
static bool is_needed(const struct mapping *mapping, const struct reading *readings, size_t at)
{
    const struct reading *mine = &readings[at];
    const char *pointer = mapping->columns[at].pointers[mine->found.pointer];
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        const struct reading *other = &readings[i];
        if (i == at || !column->shares || other->fate == MEMBER_ABSENT)
            continue;
        if ((other->fate != MEMBER_TAKEN || mine->fate != MEMBER_TAKEN) &&
            pointers_touch(pointer, column->pointers[other->found.pointer]))
            return true;
    }
    return false;
}

void members_settle(const struct mapping *mapping, struct reading *readings)
{
    /* Each round keeps at least one more: as many rounds as columns that share, at most. */
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < mapping->column_count; i++) {
            struct reading *reading = &readings[i];
            if (!mapping->columns[i].shares || reading->fate < MEMBER_TAKEN ||
                !is_needed(mapping, readings, i))
                continue;
            reading->fate = MEMBER_KEPT;
            changed = true;
        }
    }
}

/* ---- who a record is ---- */

static bool has_name(const struct mapping *mapping, struct bytes name)
{
    for (size_t i = 0; i < mapping->identity_count; i++)
        if (bytes_equal(mapping->identity[i], name))
            return true;
    return false;
}

/* A pointer leads through the member that its first part names. */
static void add_identity(struct mapping *mapping, const char *pointer)
{
    if (!pointer)
        return;
    struct bytes name = bytes_text(pointer + (*pointer == '/'));
    const char *slash = name.size ? memchr(name.data, '/', name.size) : NULL;
    if (slash)
        name.size = (size_t)(slash - name.data);
    if (*pointer != '/' || (name.size && memchr(name.data, '~', name.size)))
        mapping->identity_is_whole = true; /* the record itself, or a name that is spelled */
    else if (!has_name(mapping, name))
        mapping->identity[mapping->identity_count++] = name;
}

void members_of_identity(struct mapping *mapping)
{
    size_t max = 2; /* tenant, version */
    for (size_t i = 0; i < mapping->key_count; i++)
        max += mapping->columns[mapping->key[i]].pointer_count;
    mapping->identity = arena_array(&mapping->arena, max, sizeof *mapping->identity);
    mapping->identity_is_whole = !mapping->identity;
    if (!mapping->identity)
        return;
    add_identity(mapping, mapping->tenant_pointer);
    add_identity(mapping, mapping->version_pointer);
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct column *column = &mapping->columns[mapping->key[i]];
        for (size_t p = 0; p < column->pointer_count; p++)
            add_identity(mapping, column->pointers[p]);
    }
}

static bool same_value(yyjson_mut_val *a, yyjson_mut_val *b)
{
    yyjson_doc *left = yyjson_mut_val_imut_copy(a, NULL);
    yyjson_doc *right = yyjson_mut_val_imut_copy(b, NULL);
    bool same =
        left && right && canonical_equal(yyjson_doc_get_root(left), yyjson_doc_get_root(right));
    yyjson_doc_free(left);
    yyjson_doc_free(right);
    return same;
}

bool cells_same(const struct value_type *type, struct cell a, struct cell b, yyjson_mut_doc *doc)
{
    if (a.size < 0 || b.size < 0)
        return a.size < 0 && b.size < 0;
    if (a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, (size_t)a.size) == 0))
        return true;
    yyjson_mut_val *left = value_decode(type, a, doc), *right = value_decode(type, b, doc);
    return left && right && same_value(left, right);
}

bool is_default_of_shared(const struct column *column, struct cell cell)
{
    if (!column->shares || !column->fill)
        return false;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    bool same = cells_same(&column->type, cell, column->fill_cell, doc);
    yyjson_mut_doc_free(doc);
    return same;
}
