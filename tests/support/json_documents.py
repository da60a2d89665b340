#!/usr/bin/env python3
"""Checks documents of `--json`: json_documents.py FILE…, one document a line.

Each line must be JSON without a member twice, must fit schemas/json/drover.schema.json, and must name
its members in snake_case; without a line of its own a file is wrong. --lines N: so many in all."""
import json
import os
import re
import sys

import jsonschema

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../schemas/json/drover.schema.json")
SNAKE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
CODE = re.compile(r"^DRV-[A-Z][0-9]{3}$")  # counts by code


def no_twins(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a member twice among " + ", ".join(names))
    for name in names:
        if not SNAKE.match(name) and not CODE.match(name):
            raise ValueError("a member that is not in snake_case: " + name)
    return dict(pairs)


def complaints(validator, line):
    try:
        document = json.loads(line, object_pairs_hook=no_twins)
    except ValueError as error:
        return ["%s" % error]
    found = ["/%s: %s" % ("/".join(str(part) for part in error.absolute_path), error.message[:300])
             for error in validator.iter_errors(document)]
    if isinstance(document, dict) and document.get("schema") != "drover/%s/1" % document.get("kind"):
        found.append("schema %s of kind %s" % (document.get("schema"), document.get("kind")))
    return found


def main(files):
    with open(SCHEMA, encoding="utf-8") as text:
        schema = json.load(text, object_pairs_hook=lambda pairs: dict(pairs))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    wrong = 0
    for name in files:
        with open(name, encoding="utf-8") as text:
            lines = text.read().split("\n")
        if lines.pop() != "" or not lines:
            print("%s: no document, or one that does not end in a newline" % name)
            wrong += 1
        for number, line in enumerate(lines, 1):
            for complaint in complaints(validator, line):
                print("%s:%d: %s\n  %s" % (name, number, complaint, line[:400]))
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
