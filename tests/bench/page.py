#!/usr/bin/env python3
"""The benchmarks' page: page.py RESULTS.jsonl PAGE.md

Reads the lines that the benchmarks wrote, writes PAGE.md, PAGE.json beside it and plots PAGE/*.svg. Standard library only.
A ratio is taken round by round, of figures of the same round; a ratio of medians would mix rounds of different luck.
"""
import json
import os
import sys

HIGHER, LOWER = ">=", "<="
ENOUGH = 1000000 # records of a whole run: with fewer, what is fixed weighs too much for a target to be judged

# What the targets are about: title, (bench, set, who, metric) over (bench, set, who, metric), target. None as a peer: the figure itself.
RATIOS = [
    ("worker, *chat*, against the write ceiling", ("drain", "chat", "drover", "rate"), ("drain", "chat", "ceiling", "rate"), (HIGHER, 0.85)),
    ("worker, *update*, against the write ceiling", ("drain", "update", "drover", "rate"), ("drain", "update", "ceiling", "rate"), None),
    ("worker, *many*, against the write ceiling", ("drain", "many", "drover", "rate"), ("drain", "many", "ceiling", "rate"), None),
    ("worker, *hot*, against the write ceiling", ("drain", "hot", "drover", "rate"), ("drain", "hot", "ceiling", "rate"), None),
    ("worker, *wide*, against the write ceiling", ("drain", "wide", "drover", "rate"), ("drain", "wide", "ceiling", "rate"), None),
    ("worker, *cities*, against the write ceiling", ("drain", "cities", "drover", "rate"), ("drain", "cities", "ceiling", "rate"), None),
    ("*many* (a tenant for every 10 records) against *chat*", ("drain", "many", "drover", "rate"), ("drain", "chat", "drover", "rate"), (HIGHER, 0.6)),
    ("*repeat* (nothing to change) against *chat*", ("drain", "repeat", "drover", "rate"), ("drain", "chat", "drover", "rate"), (HIGHER, 1.5)),
    ("*repeat* right after a load, before any ANALYZE, against *chat*", ("drain", "repeat_at_once", "drover", "rate"), ("drain", "chat", "drover", "rate"), (HIGHER, 1.5)),
    ("bulk load, first record to last index, against the write ceiling", ("bulk", "chat", "drover_bulk", "rate"), ("bulk", "chat", "ceiling", "rate"), (HIGHER, 1.6)),
    ("worker against Debezium's JDBC sink", ("contestants", "chat", "drover", "rate"), ("contestants", "chat", "debezium", "rate"), (HIGHER, 2.8)),
    ("worker against a Python script with COPY, two processes", ("contestants", "chat", "drover", "rate"), ("contestants", "chat", "python", "rate"), (HIGHER, 1.6)),
    ("bulk load against Debezium's JDBC sink", ("contestants", "chat", "drover_bulk", "rate"), ("contestants", "chat", "debezium", "rate"), (HIGHER, 5)),
    ("bulk load against the Python script", ("contestants", "chat", "drover_bulk", "rate"), ("contestants", "chat", "python", "rate"), (HIGHER, 3)),
    ("worker against the seeds' loop (Node)", ("contestants", "chat", "drover", "rate"), ("contestants", "chat", "node", "rate"), None),
    ("`drover run`, files to verified report, against the ceiling's write time", ("run", "chat", "drover", "seconds"), ("run", "chat", "ceiling", "seconds"), (LOWER, 2.2)),
    ("the same with bulk load", ("run", "chat", "drover_bulk", "seconds"), ("run", "chat", "ceiling", "seconds"), (LOWER, 1.5)),
    ("`drover produce`, NDJSON, against `kcat -P -l`", ("produce", "ndjson", "drover", "rate"), ("produce", "chat", "kcat", "rate"), (HIGHER, 0.6)),
    ("`drover produce`, one JSON array, against `kcat -P -l`", ("produce", "array", "drover", "rate"), ("produce", "chat", "kcat", "rate"), (HIGHER, 0.6)),
    ("storage redis against the bare script", ("redis", "redis", "drover", "rate"), ("redis", "redis", "ceiling", "rate"), (HIGHER, 0.9)),
    ("storage hybrid against database", ("redis", "hybrid", "drover", "rate"), ("redis", "database", "drover", "rate"), (HIGHER, 0.85)),
]
FIGURES = [
    ("worker's own CPU a record, all threads, µs", ("cpu", "chat", "drover", "cpu_us"), (LOWER, 1.6)),
    ("`drover verify` against the topic, records a CPU second", ("verify", "topic", "drover", "rate_per_cpu_second"), (HIGHER, 500000)),
    ("the same with `--source`", ("verify", "source", "drover", "rate_per_cpu_second"), (HIGHER, 250000)),
    ("latency at 1,000 records/s, line read to row seen, p50, ms", ("latency", "chat", "drover", "p50_ms"), (LOWER, 2.5)),
    ("latency, p99, ms", ("latency", "chat", "drover", "p99_ms"), (LOWER, 8)),
    ("rows written by *repeat*", ("drain", "repeat", "drover", "rows_written"), (LOWER, 0)),
    ("peak memory, worker at full load, MiB", ("memory", "full", "worker", "peak_mib"), (LOWER, 96)),
    ("peak memory, worker idle, MiB", ("memory", "idle", "worker", "peak_mib"), (LOWER, 20)),
    ("peak memory, verifier, MiB", ("memory", "full", "verifier", "peak_mib"), (LOWER, 256)),
    ("peak memory, producer, an array as a file, MiB", ("memory", "file", "producer", "peak_mib"), (LOWER, 64)),
    ("receipts, bytes a record, 1 tenant", ("receipts", "tenants_1", "drover", "bytes_a_record"), (LOWER, 2)),
    ("receipts, 2,000 tenants", ("receipts", "tenants_2000", "drover", "bytes_a_record"), (LOWER, 4)),
    ("receipts, 100,000 tenants", ("receipts", "tenants_100000", "drover", "bytes_a_record"), (LOWER, 8)),
]
TITLES = {"rate": "records/s", "cpu_us": "CPU a record, µs", "peak_mib": "peak memory, MiB", "seconds": "s",
          "rate_per_cpu_second": "records a CPU second", "bytes_a_record": "bytes a record", "p50_ms": "p50, ms", "p99_ms": "p99, ms",
          "rows_written": "rows written", "failed": "failed", "wrong": "rows of a wrong table", "instructions": "instructions a record"}
WHO = {"drover": "Drover", "ceiling": "write ceiling", "debezium": "Debezium JDBC sink", "debezium_reduced": "the same with use.reduction.buffer", "python": "Python, COPY, two processes",
       "node": "Node, one awaited insert a record", "kcat": "kcat", "drover_upsert": "Drover, upserts", "drover_bulk": "Drover, bulk", "drover_finish": "the finish of a load, of it"}
BEHAVIOURS = {"bad": "a NUL in one text of 20,000", "twice": "each key twice in a batch", "versions": "30 versions of a key, rising",
              "shuffled": "30 versions of a key, in no order"}


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".") if value != int(value) else f"{int(value)}"


def spread(values):
    """median (smallest to largest)"""
    ordered = sorted(values)
    middle = ordered[(len(ordered) - 1) // 2]
    return middle, ordered[0], ordered[-1]


class Results:
    def __init__(self, path):
        self.runs = []
        self.about, self.notes, self.took, self.ended, self.values = {}, [], {}, [], {}
        with open(path, encoding="utf-8") as lines:
            for line in map(json.loads, lines):
                self.take(line)

    def take(self, line):
        if "about" in line:
            self.about = line["about"]
            self.runs.append(line["about"])
        elif "note" in line:
            self.notes.append(line)
        elif "took" in line:
            self.took[line["bench"]] = line["took"]
        elif "ended" in line:
            self.ended.append(line["ended"])
        else:
            name = tuple(line[part] for part in ("bench", "set", "who", "metric"))
            self.values.setdefault(name, {})[line["round"]] = line["value"]

    def ratios(self, ours, theirs):
        ours, theirs = self.values.get(ours, {}), self.values.get(theirs, {})
        return [ours[n] / theirs[n] for n in ours if n in theirs and theirs[n]]


def reached(value, target, is_enough):
    if not target:
        return ""
    kind, limit = target
    sign = "≥" if kind == HIGHER else "≤"
    if not is_enough:
        return f"{sign} {number(limit)}: too few records"
    is_met = value >= limit if kind == HIGHER else value <= limit
    return f"{sign} {number(limit)}: {'reached' if is_met else '**not reached**'}"


def summary(results):
    """The first tables, and the same as rows of the JSON."""
    ratios, figures, rows = [], [], []
    is_enough = min(run["records"] for run in results.runs) >= ENOUGH
    for title, ours, theirs, target in RATIOS:
        values = results.ratios(ours, theirs)
        if values:
            middle, low, high = spread(values)
            ratios.append(f"| {title} | **{middle:.2f}** ({low:.2f} to {high:.2f}) | {reached(middle, target, is_enough)} |")
            rows.append({"what": title, "kind": "ratio", "median": round(middle, 4), "min": round(low, 4), "max": round(high, 4)})
    for title, name, target in FIGURES:
        if name in results.values:
            middle, low, high = spread(results.values[name].values())
            figures.append(f"| {title} | **{number(middle)}** ({number(low)} to {number(high)}) | {reached(middle, target, is_enough)} |")
            rows.append({"what": title, "kind": "figure", "median": middle, "min": low, "max": high})
    text = ["## Ratios", "", "| what | ratio: median (range) | target |", "|---|---|---|"] + ratios if ratios else []
    if figures:
        text += ([""] if text else []) + ["| what | median (range) | target |", "|---|---|---|"] + figures
    return text, rows


def scale(results):
    """The tables of docs/scaling.md, with the figures of this run."""
    def cell(data, who, metric, form="{:.1f}"):
        values = results.values.get(("scale", data, who, metric))
        return form.format(spread(values.values())[0]) if values else "–"

    if not any(name[0] == "scale" for name in results.values):
        return []
    text = ["", "## What a record costs", "", "Processor time a record, in µs, of *chat*:", "",
            "| step | Drover | PostgreSQL | Kafka | records/s | peak memory, MiB |", "|---|---|---|---|---|---|"]
    for step in ("produce", "work", "verify"):
        costs = " | ".join(cell(step, who, "cpu_us") for who in ("drover", "postgresql", "kafka"))
        text.append(f"| `drover {step}` | {costs} | {cell(step, 'drover', 'rate', '{:,.0f}')} | {cell(step, 'drover', 'peak_mib', '{:.0f}')} |")
    disk = {what: cell("chat", what, "bytes_a_record", "{:.0f}") for what in ("source", "topic", "table", "indexes", "wal")}
    return text + ["", "Disk, in bytes a record: source {source}, topic {topic} (LZ4), table {table}, its two indexes {indexes}, write-ahead log {wal}, ".format(**disk)
                   + f"receipts {cell('chat', 'receipts', 'bytes_a_record')}."]


def behaviour(results):
    if not results.ended:
        return []
    who = list(dict.fromkeys(line["who"] for line in results.ended))
    text = ["", "## Behaviour", "", "Run, not claimed: 20,000 records each; the table is compared in SQL with what the source says, a record that no table "
            "can hold left out. *Right* is all of them.", "", "| | " + " | ".join(WHO.get(w, w) for w in who) + " |", "|---" * (len(who) + 1) + "|"]
    for name, title in BEHAVIOURS.items():
        cells = []
        for w in who:
            line = next((e for e in results.ended if e["who"] == w and e["set"] == name), None)
            cells.append("" if not line else (f"**{line['verdict']}**, {number(line['rows'])} of {number(line['wanted'])} rows"
                                              + (f"; {line['said']}" if line["said"] else "")).replace("|", "\\|").replace("\n", " "))
        text.append(f"| {title} | " + " | ".join(cells) + " |")
    return text


def everything(results):
    text = ["", "## All figures", "", "| benchmark | data | who | what | median | smallest | largest | rounds |", "|---|---|---|---|---|---|---|---|"]
    for (bench, data, who, metric), rounds in results.values.items():
        if bench == "behaviour":
            continue
        middle, low, high = spread(rounds.values())
        text.append(f"| {bench} | {data} | {WHO.get(who, who)} | {TITLES.get(metric, metric)} | {number(middle)} | {number(low)} | {number(high)} | {len(rounds)} |")
    return text


def bars(path, title, rows):
    """rows: (label, median, smallest, largest); a bar each, its range as a line."""
    height, left, width = 26, 250, 420
    top = max(row[3] for row in rows) or 1
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{60 + height * len(rows)}" font-family="sans-serif" font-size="13">',
           '<rect width="100%" height="100%" fill="#fff"/>', f'<text x="10" y="24" font-size="15" fill="#222">{escape(title)}</text>']
    for i, (label, middle, low, high) in enumerate(rows):
        y = 42 + i * height
        colour = "#2a6f97" if label.startswith(("Drover", "drover")) else "#9aa5b1"
        out += [f'<text x="{left - 8}" y="{y + 14}" text-anchor="end" fill="#222">{escape(label)}</text>',
                f'<rect x="{left}" y="{y + 2}" width="{middle / top * width:.1f}" height="16" fill="{colour}"/>',
                f'<path d="M{left + low / top * width:.1f} {y + 10}H{left + high / top * width:.1f}" stroke="#111"/>',
                f'<text x="{left + high / top * width + 6:.1f}" y="{y + 14}" fill="#222">{number(middle)}</text>']
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out + ["</svg>"]) + "\n")


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


PLOTS = [("contestants", "records/s, chat, topic to table", "contestants", "rate", lambda data, who: WHO.get(who, who)),
         ("drain", "records/s by data set", "drain", "rate", lambda data, who: f"{WHO.get(who, who)}, {data.replace('_', ' ')}"),
         ("cpu", "CPU a record, µs, of the program itself", "contestants", "cpu_us", lambda data, who: WHO.get(who, who)),
         ("growth", "Drover, records/s, as things grow", "growth", "rate", lambda data, who: f"{WHO.get(who, who)}, {data.replace('_', ' ')}")]


def plots(results, folder):
    os.makedirs(folder, exist_ok=True)
    text = []
    for name, title, bench, metric, label in PLOTS:
        rows = [(label(n[1], n[2]), *spread(v.values())) for n, v in results.values.items() if n[0] == bench and n[3] == metric]
        if rows:
            bars(os.path.join(folder, name + ".svg"), title, rows)
            text += ["", f"![{title}]({os.path.basename(folder)}/{name}.svg)"]
    return text


def machine(about):
    return (f"Machine: {about['cores']} × {about['processor']}, {about['memory']}, Linux {about['linux']}, PostgreSQL {about['postgresql']}, "
            f"Redis {about['redis']}, Kafka and Connect {about['kafka']}, librdkafka {about['librdkafka']}; Debezium's JDBC sink 3.5.0.Final, "
            f"confluent-kafka 2.16.1, psycopg 3.3.9, pg 8.16.3. {about['date']}, commit {about['commit']}.")


def main(source, page):
    results = Results(source)
    about = results.about
    table, rows = summary(results)
    stem = page[:-3] if page.endswith(".md") else page
    text = ["# Benchmarks", "",
            "Written by `./dev bench` (`./dev bench --help` says what each is and how long it takes). Everything is of one run on one machine, which broker, "
            "PostgreSQL and clients share: ratios count, figures are for proportion. Contestants take turns; a ratio is taken round by round.", "",
            machine(about), "",
            f"Data: {number(about['records'])} records a set (*wide*: a quarter, *many*: a tenth), random keys, from one seeded generator (`tests/bench/dataset.c`); "
            f"{about['partitions']} partitions, {about['connections']} PostgreSQL connections, {about['rounds']} round{'s' * (about['rounds'] != 1)}. Drover and the write ceiling "
            "(bare libpq, the same statements and rows in the same order, from memory) under forced row level security; the other tools without any, into a "
            "table with the same indexes. A contestant whose table does not end right, compared in SQL, is not counted.", ""]
    if len(results.runs) > 1:
        text += ["Collected from several runs: " + "; ".join(dict.fromkeys(
            f"{number(run['records'])} records, {run['rounds']} round{'s' * (run['rounds'] != 1)}, {run['date']}, commit {run['commit']}" for run in results.runs)) + ".", ""]
    fewest = min(run["records"] for run in results.runs)
    if fewest < ENOUGH:
        text += [f"**{number(fewest)} records are too few for the targets**, which are judged from {number(ENOUGH)} on: starting and ending weigh too much.", ""]
    text += table + scale(results) + plots(results, stem) + behaviour(results) + everything(results)
    if results.notes:
        text += ["", "## Notes", ""] + [f"- {line['bench']}: {line['note']}" for line in results.notes]
    if results.took:
        text += ["", "Time: " + ", ".join(f"{name} {number(took)} s" for name, took in results.took.items()) + "."]
    with open(page, "w", encoding="utf-8") as file:
        file.write("\n".join(text) + "\n")
    with open(stem + ".json", "w", encoding="utf-8") as file:
        json.dump({"about": about, "summary": rows, "behaviour": results.ended, "notes": results.notes,
                   "figures": [{"bench": n[0], "set": n[1], "who": n[2], "metric": n[3], "rounds": list(v.values())} for n, v in results.values.items()],
                   "seconds": results.took}, file, ensure_ascii=False, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
