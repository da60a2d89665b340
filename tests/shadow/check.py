#!/usr/bin/env python3
"""check.py PLANTED REPORT.json: whether the report of a full pass names each damage that was planted, by a right verdict, and nothing else.

Prints a table, one line a kind of damage; exit 1 when one was not found, was called wrong, or something else was found."""
import json
import sys
from collections import defaultdict

GHOST = "moved-from-"
KNOWN_BEFORE = {"dead_lettered", "rejected", "resolved"}  # of the load's bad records: no damage


def findings(report):
    """(where, entity, tenant, id): verdicts."""
    found = defaultdict(set)
    for where, name in (("table", "samples"), ("redis", "redis_samples")):
        for sample in report[name]:
            if sample["verdict"] not in KNOWN_BEFORE:
                found[where, sample["entity"], sample["tenant"], sample.get("id")].add(sample["verdict"])
    return found


def main(planted_file, report_file):
    with open(planted_file, encoding="utf-8") as lines:
        planted_list = [json.loads(line) for line in lines]
    with open(report_file, encoding="utf-8") as text:
        report = json.load(text)
    found, rows, bad = findings(report), defaultdict(lambda: [0, 0, set()]), []
    explained = set()
    for entry in planted_list:
        record = entry["entity"], entry["tenant"], entry["id"]
        verdicts = found.get((entry["where"], *record), set())
        right = bool(verdicts) and verdicts <= set(entry["verdicts"])
        row = rows[entry["kind"]]
        row[0] += 1
        row[1] += right
        row[2] |= verdicts or {"(not found)"}
        # what Redis says of a row that was damaged, and the row under another tenant, are the same damage
        explained |= {(where, *record) for where in ("table", "redis")}
        explained.add(("table", entry["entity"], GHOST + entry["tenant"], entry["id"]))
        if not right:
            bad.append(f"{entry['kind']}: {record} is called {sorted(verdicts)}, not {entry['verdicts']}")
    false = sorted(str((key, sorted(verdicts))) for key, verdicts in found.items() if key not in explained)
    width = max(map(len, rows))
    print(f"{'damage':{width}}  planted  found  called")
    for kind, (planted, seen, verdicts) in rows.items():
        print(f"{kind:{width}}  {planted:7}  {seen:5}  {', '.join(sorted(verdicts))}")
    print(f"{'total':{width}}  {len(planted_list):7}  {sum(row[1] for row in rows.values()):5}  false: {len(false)}")
    for line in bad + [f"false: {line}" for line in false[:10]]:
        print(line)
    return 1 if bad or false else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
