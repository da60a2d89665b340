"""Breaks and repairs records of a followed folder at random, as applications and people do, and says what of it is
wrong now; or compares that with what Drover says.

  follow_rejected.py edit IN MODEL.json SEED
  follow_rejected.py fix IN MODEL.json             all of it is put right
  follow_rejected.py check MODEL.json VERIFY.json STATUS.json
"""

import json
import os
import random
import sys

# Refused at the source; on its way into the topic; by the worker. A record that nobody can identify may be one that is missing,
# so a file with such ones loses none: a dead letter of it would stay as its row would. Those are in other files.
BAD = [["no_id", "no_tenant", "no_text", "large"], ["large", "dead"]]


def text_of(record):
    tenant, name, number = record["tenant"], record["id"], record["n"]
    kind = record["bad"]
    if kind == "no_text":
        return '{"tenant":"%s","id":"%s","n":%d,,}' % (tenant, name, number)
    value = {"tenant": tenant, "id": name, "n": number}
    if kind == "no_id":
        del value["id"]
    elif kind == "no_tenant":
        del value["tenant"]
    elif kind == "large":
        value["pad"] = "x" * 60000
    elif kind == "dead":
        value["n"] = "a word"
    return json.dumps(value)


def content_of(name, records):
    if name.endswith(".ndjson"):
        return "".join(text_of(record) + "\n" for record in records)
    return "[" + ",\n".join(text_of(record) for record in records) + "]\n"


class Folder:
    def __init__(self, folder, model_path, seed):
        self.folder, self.model_path, self.chance = folder, model_path, random.Random(seed)
        try:
            self.model = json.load(open(model_path))
        except OSError:
            self.model = {"files": {}, "made": 0}
        self.files = self.model["files"]

    def save(self):
        with open(self.model_path, "w") as file:
            json.dump(self.model, file)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        beside = os.path.join(os.path.dirname(self.folder), "new")
        if self.chance.random() < 0.7:
            with open(beside, "w") as file:
                file.write(content)
            os.rename(beside, self.path(name))
        else:
            with open(self.path(name), "w") as file:
                file.write(content)

    def put(self, name):
        self.files[name]["cut"] = False
        self.write(name, content_of(name, self.files[name]["records"]))

    def number(self):
        self.model["made"] += 1
        return self.model["made"]

    def bad_kind(self, name):
        kind = self.chance.choice(BAD[self.files[name]["bad"]])
        return "no_id" if kind == "no_text" and not name.endswith(".ndjson") else kind

    def new_record(self, name):
        number = self.number()
        bad = self.bad_kind(name) if self.chance.random() < 0.4 else ""
        return {"tenant": "t%d" % (number % 3), "id": "r%d" % number, "n": number, "bad": bad}

    def new_file(self):
        name = "things-%d.%s" % (self.number(), self.chance.choice(["json", "ndjson"]))
        self.files[name] = {"cut": False, "bad": self.chance.randrange(2), "records": []}
        self.files[name]["records"] = [self.new_record(name) for _ in range(self.chance.randrange(1, 12))]
        self.put(name)

    def whole(self):
        names = [name for name in sorted(self.files) if not self.files[name]["cut"]]
        return self.chance.choice(names) if names else None

    def edit_records(self, name):
        records = self.files[name]["records"]
        for _ in range(self.chance.randrange(1, 4)):
            what = self.chance.choice(["break", "break", "repair", "change", "remove", "add", "add", "swap"])
            record = self.chance.choice(records) if records else None
            if what == "add" or not record:
                records.append(self.new_record(name))
            elif what == "break":
                # what is dead and then too large is both: nothing came behind its dead letter
                record["bad"] = record["bad"] if record["bad"] == "dead" else self.bad_kind(name)
            elif what == "repair":
                record["bad"] = ""
            elif what == "change":
                record["n"] += 1000
            elif what == "swap":
                self.chance.shuffle(records)
            elif len(records) > 1:
                records.remove(record)
        self.put(name)

    def append(self, name):
        record = self.new_record(name)
        self.files[name]["records"].append(record)
        if name.endswith(".ndjson"):
            with open(self.path(name), "a") as file:
                file.write(text_of(record) + "\n")
        else:
            self.put(name)

    def rename(self, name):
        new = "things-%d.%s" % (self.number(), name.split(".")[1])
        os.rename(self.path(name), self.path(new))
        self.files[new] = self.files.pop(name)

    def remove(self, name):
        os.unlink(self.path(name))
        del self.files[name]

    def edit(self):
        for _ in range(self.chance.randrange(1, 5)):
            name = self.whole()
            what = self.chance.choices([self.edit_records, self.append, self.rename, self.remove], [6, 3, 2, 1])[0]
            if name is None or len(self.files) < 4 or self.chance.random() < 0.1:
                self.new_file()
            else:
                what(name)
        for name in sorted(self.files):
            if self.files[name]["cut"] and self.chance.random() < 0.5:
                self.put(name)
        self.save()

    # Half written; alone, so that what it held before was read.
    def cut(self):
        name = self.whole()
        if name is None:
            return
        self.files[name]["cut"] = True
        self.write(name, '[{"tenant":"t0","id":"cu')
        self.save()

    def fix(self):
        for name in sorted(self.files):
            for record in self.files[name]["records"]:
                record["bad"] = ""
            self.put(name)
        self.save()


def check(model_path, verify_path, status_path):
    files = json.load(open(model_path))["files"]
    verify, status = json.load(open(verify_path)), json.load(open(status_path))
    rejected, dead = {}, []
    for name, file in files.items():
        bad = [record["bad"] for record in file["records"] if record["bad"]]
        dead += [record["id"] for record in file["records"] if record["bad"] == "dead"]
        wrong = len(bad) - bad.count("dead")
        if wrong or file["cut"]:
            rejected[name] = [wrong, not file["cut"]]
    cut = any(file["cut"] for file in files.values())
    told = {}
    for source in status["sources"]:
        name = source["uri"].rsplit("/", 1)[1]
        before = told.get(name, [0, True])
        told[name] = [before[0] + source["rejected"], before[1] and source["complete"]]
    told = {name: told[name] for name in told if told[name] != [0, True]}
    if status["sources_left_out"]:  # those told last are shown; the sum is of all
        told = dict(rejected, **told)
    others = [p for p in verify["problems"] if p["verdict"] not in ("rejected", "dead_lettered")]
    wanted = {
        "rejected": sum(count for count, _ in rejected.values()),
        "dead": sorted(dead),
        "open": len(dead),
        "sources": rejected,
        "whole": not cut,
        "others": [],
        "verdict": "discrepancy" if rejected or dead else "match",
    }
    found = {
        "rejected": verify["counts"].get("rejected", 0),
        "dead": sorted(sample["id"] for sample in verify["samples"] if sample["verdict"] == "dead_lettered"),
        "open": status["dead_letters"]["open"],
        "sources": told,
        "whole": verify["whole"],
        "others": others,
        "verdict": verify["verdict"],
    }
    for name in wanted:
        if wanted[name] != found[name]:
            print("%s: wanted %s, found %s" % (name, wanted[name], found[name]))
    return wanted == found


def main():
    what = sys.argv[1]
    if what == "check":
        sys.exit(0 if check(*sys.argv[2:5]) else 1)
    folder = Folder(sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else "0")
    getattr(folder, what)()


main()
