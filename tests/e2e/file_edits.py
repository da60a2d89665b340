"""Edits a file store's folder at random, as people and accidents do, and says what a verification must
find; or compares that with a report.

  file_edits.py edit STORE ENTITY SEED WANTED.json
  file_edits.py check WANTED.json REPORT.json
"""

import json
import os
import random
import sys


def write(path, lines):
    with open(path, "w") as file:
        file.write("".join(lines))


def edit(store, entity, seed, wanted_path):
    chance = random.Random(seed)
    different, missing, files = [], [], {}
    tenants = sorted(t for t in os.listdir(store) if not t.startswith("."))
    chance.shuffle(tenants)

    def path_of(tenant):
        return os.path.join(store, tenant, entity + ".json")

    def ids_of(tenant):
        return [record["id"] for record in json.load(open(path_of(tenant)))]

    def some_records(tenant, what):
        lines = open(path_of(tenant)).readlines()
        at = sorted(chance.sample(range(1, len(lines) - 1), 4))
        for kind, i in zip(chance.sample(["edit", "delete", "copy", "add"], 4), at):
            record = json.loads(lines[i].rstrip(",\n"))
            if kind == "edit":
                record["kind"] = "by hand"
                lines[i] = json.dumps(record) + ("\n" if i == len(lines) - 2 else ",\n")
                different.append([tenant, record["id"]])
            elif kind == "delete":
                lines[i] = "" if i < len(lines) - 2 else lines[i]
                if i < len(lines) - 2:
                    missing.append([tenant, record["id"]])
            elif kind == "copy":
                lines[i] = lines[i].rstrip(",\n") + ",\n" + lines[i]
            else:
                lines[i] = json.dumps(dict(record, id="stranger")) + ",\n" + lines[i]
        write(path_of(tenant), lines)
        files[tenant] = what

    def spelling(tenant):
        records = json.load(open(path_of(tenant)))
        chance.shuffle(records)
        write(path_of(tenant), [json.dumps(records, indent=2)])
        files[tenant] = "edited"

    def cut(tenant):
        content = open(path_of(tenant)).read()
        size = chance.randrange(0, len(content) - 3)
        whole = content[:size].count("\n") - 1 if size else 0
        # the record that is cut may be whole but for what follows it
        last = content[:size].rsplit("\n", 1)[-1].rstrip(",") if size else ""
        try:
            json.loads(last)
            whole += content[:size].count("\n") > 0
        except ValueError:
            pass
        missing.extend([tenant, i] for i in ids_of(tenant)[max(whole, 0):])
        write(path_of(tenant), [content[:size]])
        files[tenant] = "edited"

    def gone(tenant):
        missing.extend([tenant, i] for i in ids_of(tenant))
        os.unlink(path_of(tenant))
        if chance.random() < 0.5:
            os.rmdir(os.path.dirname(path_of(tenant)))
        files[tenant] = "missing"

    def link(tenant):
        missing.extend([tenant, i] for i in ids_of(tenant))
        os.rename(path_of(tenant), path_of(tenant) + ".moved")
        os.symlink(entity + ".json.moved", path_of(tenant))
        files[tenant] = "unowned"

    def folder(tenant):
        missing.extend([tenant, i] for i in ids_of(tenant))
        os.unlink(path_of(tenant))
        os.mkdir(path_of(tenant))
        files[tenant] = "unowned"

    some_records(tenants.pop(), "edited")
    some_records(tenants.pop(), "edited")
    for what in (spelling, cut, cut, gone, link, folder):
        what(tenants.pop())
    one, other = tenants.pop(), tenants.pop()  # swapped: each holds the other's records
    for tenant in (one, other):
        different.extend([tenant, i] for i in ids_of(tenant))
        files[tenant] = "edited"
    os.rename(path_of(one), path_of(one) + ".x")
    os.rename(path_of(other), path_of(one))
    os.rename(path_of(one) + ".x", path_of(other))
    strays = ["more.json", os.path.join(tenants[0], "more.json"), os.path.join("nobody", entity + ".json")]
    os.mkdir(os.path.join(store, "nobody"))
    for stray in strays:
        write(os.path.join(store, stray), ["[]\n"])
    write(os.path.join(store, tenants[0], "notes.txt"), ["no record\n"])
    places = {os.path.join(t, entity + ".json"): state for t, state in files.items()}
    places.update({stray: "unowned" for stray in strays})
    json.dump({"different": sorted(different), "missing": sorted(missing), "files": places}, open(wanted_path, "w"))


def check(wanted_path, report_path):
    wanted, report = json.load(open(wanted_path)), json.load(open(report_path))
    found = {"different": [], "missing": [], "files": sorted(s["file"] for s in report["file_samples"])}
    for sample in report["samples"]:
        found.setdefault(sample["verdict"], []).append([sample["tenant"], sample["id"]])
    for name in ("different", "missing"):
        if sorted(found.pop(name)) != wanted[name]:
            sys.exit("%s: found %s, wanted %s" % (name, [s for s in report["samples"] if s["verdict"] == name][:3], wanted[name][:5]))
    if found.pop("files") != sorted(wanted["files"]):
        sys.exit("files: found %s, wanted %s" % (report["file_samples"], sorted(wanted["files"])))
    if found:
        sys.exit("more was found: %s" % found)
    states = list(wanted["files"].values())
    for state in ("edited", "missing", "unowned"):
        if report["files"][state] != states.count(state):
            sys.exit("%s files: %s, wanted %d" % (state, report["files"], states.count(state)))


if sys.argv[1] == "edit":
    edit(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
else:
    check(sys.argv[2], sys.argv[3])
