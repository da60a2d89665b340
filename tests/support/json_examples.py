#!/usr/bin/env python3
"""The examples of docs/json.md are the golden documents of tests/e2e/golden/json: json_examples.py [--write].

Each is a fenced block behind a line `<!-- golden: NAME -->`. Without --write: fails when one differs, or
when a golden document is shown nowhere."""
import json
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
DOCS = os.path.join(ROOT, "docs/json.md")
GOLDEN = os.path.join(ROOT, "tests/e2e/golden/json")
BLOCK = re.compile(r"<!-- golden: (\w+) -->\n```json\n(.*?)```\n", re.S)
WIDTH = 150


def lay_out(value, indent=0, before=0):
    """In lines of at most WIDTH characters where that can be."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or before + len(flat) <= WIDTH:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        items = [json.dumps(name) + ": " + lay_out(item, indent + 2, indent + len(name) + 6) for name, item in value.items()]
    else:
        items = [lay_out(item, indent + 2, indent + 2) for item in value]
    return "%s\n%s\n%s" % ("[{"[isinstance(value, dict)], ",\n".join(pad + item for item in items),
                           " " * indent + "]}"[isinstance(value, dict)])


def main(write):
    with open(DOCS, encoding="utf-8") as text:
        before = text.read()
    shown = set()

    def example(found):
        shown.add(found.group(1))
        with open(os.path.join(GOLDEN, found.group(1) + ".json"), encoding="utf-8") as text:
            return "<!-- golden: %s -->\n```json\n%s\n```\n" % (found.group(1), lay_out(json.load(text)))

    after = BLOCK.sub(example, before)
    missing = {name[:-5] for name in os.listdir(GOLDEN)} - shown
    if missing:
        print("docs/json.md does not show: %s" % " ".join(sorted(missing)))
    if after != before and write:
        with open(DOCS, "w", encoding="utf-8") as text:
            text.write(after)
    elif after != before:
        print("docs/json.md is not what the golden documents are: tests/check/json_md.sh --write")
    return 1 if missing or (after != before and not write) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--write"]))
