"""Adds up every table, every identity and every JSON document of Drover's screens, given as files: rows, columns, sentences.

    sums.py FILE…    says what it added up; exits 1 at the first thing that does not

Knows the form of the screens alone, nothing of Drover's code: a table begins with a line that has a column "records" (what
stands before it are names), its numbers stand two spaces or more apart, and its last row is "total" when there are two or more;
an identity is "N words = a words + b words …"; in JSON each "counts" sums to the "source_records" beside it, those of status and of its partitions to the "messages".
"""
import json
import re
import sys

NUMBER = r"\d{1,3}(?: \d{3})*|\d+"


def number(text):
    return int(text.replace(" ", ""))


def fail(where, text):
    sys.exit("%s: %s" % (where, text))


def sum_identity(where, text):
    """'20 = 3 a + 17 b; besides 2 c   (reconciled)' -> what it sums to"""
    match = re.match(r"(%s) ([^=≠]*?)\s*=\s*(.*)$" % NUMBER, text)
    if not match:
        fail(where, "no sum: " + text)
    parts = match.group(3).split("; besides")[0].replace("(reconciled)", "")
    total = 0
    for part in parts.split(" + "):
        found = re.match(r"\s*(%s)(?: |$)" % NUMBER, part)
        if not found:
            fail(where, "no number in %r of %s" % (part, text))
        total += number(found.group(1))
    if total != number(match.group(1)):
        fail(where, "%d are summed up to %s" % (total, text))
    return total


def identities(where, lines):
    """Sentences may go on in the next lines, which then begin with spaces and +."""
    done, at = 0, 0
    while at < len(lines):
        text = lines[at]
        at += 1
        found = re.search(r"(?:^|\s{2}|: )((?:%s) (?:source records?|records|taken)\s*[=≠].*)$" % NUMBER, text)
        if not found:
            if "≠" in text:
                fail(where, text)
            continue
        sentence = found.group(1)
        while at < len(lines) and re.match(r"\s+(\+|=|;|%s )" % NUMBER, lines[at]) and "(reconciled)" not in sentence:
            sentence += " " + lines[at].strip()
            at += 1
        sum_identity(where, sentence)
        done += 1
    return done


def cells(line):
    return re.split(r"\s{2,}", line.rstrip())


def tables(where, lines):
    done, at = 0, 0
    while at < len(lines):
        head = cells(lines[at])
        at += 1
        if "records" not in head:
            continue
        begin = head.index("records")
        if begin == 0:
            continue
        columns = [c for c in head[begin:] if c not in ("owner", "worst")]
        sums, rows, beside = [0] * len(columns), 0, set(columns.index(c) for c in ("overtaken", "extra", "unexpected", "gone", "elsewhere") if c in columns)
        while at < len(lines):
            row = cells(lines[at])
            numbers = [c for c in row if re.fullmatch(NUMBER, c)]
            # the first name may be a number too
            values = [number(c) for c in numbers[-len(columns):]] if len(numbers) >= len(columns) else None
            if values is None:
                break
            at += 1
            if sum(v for i, v in enumerate(values) if i and i not in beside) != values[0]:
                fail(where, "a row does not add up: " + lines[at - 1])
            if row[0] == "total":
                if values != sums:
                    fail(where, "columns sum to %s, the table says %s" % (sums, values))
                rows = 0
                break
            sums = [a + b for a, b in zip(sums, values)]
            rows += 1
        if rows > 1:
            fail(where, "a table of %d rows has no total: %s" % (rows, head))
        done += 1
    return done


def documents(where, value):
    done = 0
    if isinstance(value, dict):
        if "messages" in value and (value.get("kind") == "status" or "partition" in value):
            # what workers say they say of messages; what a source held back is in none
            counts = value["counts"]
            if sum(counts.values()) - counts["rejected"] - counts["withheld"] != value["messages"]:
                fail(where, "classes do not sum to the messages: %s" % json.dumps(value)[:300])
            done += 1
        elif "source_records" in value and "counts" in value:
            if sum(value["counts"].values()) != value["source_records"]:
                fail(where, "classes sum to %d: %s" % (sum(value["counts"].values()), json.dumps(value)[:300]))
            done += 1
        for name, member in value.items():
            done += documents(where, member)
    elif isinstance(value, list):
        for member in value:
            done += documents(where, member)
    return done


def main(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if path.endswith(".json"):
            counts = 0, 0, documents(path, json.loads(text))
        else:
            lines = text.split("\n")
            counts = tables(path, lines), identities(path, lines), 0
        print("%s: %d tables, %d identities, %d documents" % (path.rsplit("/", 1)[-1], *counts))
        if not any(counts):
            fail(path, "nothing to add up")


main(sys.argv[1:])
