#!/usr/bin/env python3
"""Plants a fault: copies a source file with one of its lines changed. The simulation linked with the
copy must find it.

    plant.py NAME FOLDER      writes FOLDER/NAME.c, from the file that PLANTS names
    plant.py --list           the names, one a line
"""
import os
import sys

# name: (file, what stands there, what a careless hand would have written)
PLANTS = {
    "no_fence": (
        "common/port/store_memory.c",
        "    enum outcome outcome = ask_epoch(store, fence, err);\n    if (outcome == OUT_OK &&\n",
        "    enum outcome outcome = ask_epoch(store, fence, err);\n    outcome = OUT_OK;\n    if (false &&\n",
    ),
    "no_version_guard": (
        "common/port/store_memory.c",
        "    item->decided = true;\n    if (exists && is_held(exists, &item->row)) {\n",
        "    item->decided = true;\n    if (exists && false) {\n",
    ),
    "no_generation_guard": (
        "common/policy/apply/batch.c",
        "return stored_generation >= row->generation || !has_digest(row, stored_digest);\n",
        "return stored_generation == row->generation || !has_digest(row, stored_digest);\n",
    ),
    "newer_mapping_writes_other_content": (
        "common/policy/apply/batch.c",
        "return stored_generation >= row->generation || !has_digest(row, stored_digest);\n",
        "(void)stored_digest;\n    return stored_generation >= row->generation;\n",
    ),
    "commit_before_dead_letter": (
        "common/policy/apply/batch_gate.c",
        "    if (batch->dead_letters_pending)\n        return OUT_RETRY;\n    return unsafe ?",
        "    unsafe = NULL;\n    return unsafe ?",
    ),
    "dropped_resume": (
        "worker/membership.c",
        "    bus_consumer_resume(all->consumer, places.numbers, places.count);\n",
        "",
    ),
    "unchanged_from_xmin": (
        "common/policy/apply/batch.c",
        "    if (!has_digest(row, stored_digest))\n        return CLASS_CONFLICT;\n",
        "    /* its xmin is not this transaction's */\n"
        "    if (stored_digest.size && stored_version == row->version)\n"
        "        return CLASS_UNCHANGED;\n",
    ),
}


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(PLANTS))
        return
    name, folder = sys.argv[1:]
    path, there, planted = PLANTS[name]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = file.read()
    if text.count(there) != 1:
        sys.exit(f"plant.py: {path} does not have once what {name} changes: {there!r}")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name + ".c"), "w", encoding="utf-8") as file:
        file.write(text.replace(there, planted))


if __name__ == "__main__":
    main()
