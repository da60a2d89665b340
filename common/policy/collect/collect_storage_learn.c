/* The first reading: which tenant each storage is of, which tenants are named, and of each key
 * whether its value is whole JSON. A key whose value does not end is not remembered, so the second
 * reading leaves it alone. */
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/policy/collect/collect_storage_codec.h"

/* ---- slots ---- */

static struct bytes copy_of(struct bytes text)
{
    char *made = malloc(text.size + 1);
    if (!made)
        abort();
    memcpy(made, text.size ? text.data : "", text.size);
    return bytes_of(made, text.size);
}

static void forget(struct bytes *text)
{
    free((void *)(uintptr_t)text->data);
    *text = (struct bytes){0};
}

struct storage_slot *storage_slot_at(struct collect_storage *storage, size_t index)
{
    struct storage_slots *slots = &storage->slots;
    if (index >= slots->count) {
        size_t count = index < 8 ? 8 : index * 2;
        slots->items = reallocarray(slots->items, count, sizeof(*slots->items));
        if (!slots->items)
            abort();
        memset(slots->items + slots->count, 0, (count - slots->count) * sizeof(*slots->items));
        slots->count = count;
    }
    return &slots->items[index];
}

void storage_slots_free(struct storage_slots *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        forget(&slots->items[i].origin);
        forget(&slots->items[i].tenant);
    }
    free(slots->items);
    *slots = (struct storage_slots){0};
}

void storage_slots_settle(struct collect_storage *storage)
{
    struct storage_keys seen = {0};
    struct bytes wanted = bytes_text(storage->config.web_origin);
    for (size_t i = SLOT_ORIGINS; i < storage->slots.count; i++) {
        struct storage_slot *slot = &storage->slots.items[i];
        if (!slot->origin.size)
            continue;
        bool fresh;
        storage_keys_put(&seen, hash64(slot->origin), &fresh);
        slot->repeated = !fresh;
        slot->left_out = wanted.size && !bytes_equal(slot->origin, wanted);
    }
    storage_keys_free(&seen);
}

void storage_learn_origin(struct collect_storage *storage)
{
    struct storage_slot *slot = storage_slot_at(storage, storage->slots.now);
    forget(&slot->origin);
    slot->origin = copy_of(buf_view(&storage->scratch));
}

struct bytes storage_tenant(const struct collect_storage *storage)
{
    if (storage->config.tenant.size)
        return storage->config.tenant;
    return storage->slots.items[storage->slots.now].tenant;
}

/* ---- values ---- */

uint64_t storage_item_hash(const struct collect_storage *storage)
{
    return hash64(buf_view(&storage->item.key)) ^
           (uint64_t)(storage->slots.now + 1) * 0x9E3779B97F4A7C15u;
}

static bool is_tenant_key(const struct collect_storage *storage)
{
    return bytes_equal(buf_view(&storage->item.key), BYTES_LITERAL(STORAGE_TENANT_KEY));
}

void storage_learn_begin(struct collect_storage *storage)
{
    /* also when this value does not end: what is known is the earlier one's */
    struct storage_key *earlier = storage_keys_find(&storage->keys, storage_item_hash(storage));
    if (earlier)
        earlier->repeated = true;
    storage_judge_reset(storage->judge);
    buf_reset(&storage->scratch);
}

static struct storage_key *remember(struct collect_storage *storage)
{
    bool fresh;
    struct storage_key *key = storage_keys_put(&storage->keys, storage_item_hash(storage), &fresh);
    key->repeated |= !fresh;
    storage_learn_tenants(&storage->config, buf_view(&storage->item.key), &storage->tenants);
    return key;
}

void storage_learn_unreadable(struct collect_storage *storage)
{
    remember(storage)->unreadable = true;
}

static void learn_tenant(struct collect_storage *storage)
{
    struct storage_slot *slot = storage_slot_at(storage, storage->slots.now);
    struct bytes tenant = buf_view(&storage->scratch);
    bool fresh;
    if (storage->scratch.failed || !tenant.size || tenant.size > STORAGE_TENANT_MOST)
        return;
    forget(&slot->tenant);
    slot->tenant = copy_of(tenant);
    storage_keys_put(&storage->tenants, hash64(tenant), &fresh);
}

void storage_learn_piece(struct collect_storage *storage, struct bytes text, bool last)
{
    if (is_tenant_key(storage))
        buf_append_bytes(&storage->scratch, text);
    storage_judge_feed(storage->judge, text, last);
    if (!last)
        return;
    struct storage_verdict verdict = storage_judge_finish(storage->judge);
    struct storage_key *key = remember(storage);
    key->form = (uint8_t)verdict.form;
    key->levels = (uint8_t)verdict.levels;
    key->broken_at = verdict.broken_at < UINT32_MAX ? (uint32_t)verdict.broken_at : UINT32_MAX;
    if (is_tenant_key(storage))
        learn_tenant(storage);
}
