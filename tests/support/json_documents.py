#!/usr/bin/env python3
"""Checks documents of `--json`: json_documents.py [--errors] FILE…, one document a line.

Each line must be JSON without a member twice, must fit schemas/json/drover.schema.json (--errors: the
errors in it, as --rejects lists them), and must name its members in snake_case; a file without a line is
wrong. --self-test: documents with planted faults are refused."""
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
    if not isinstance(document, dict):
        return ["no object"]
    found = ["/%s: %s" % ("/".join(str(part) for part in error.absolute_path), error.message[:300])
             for error in validator.iter_errors(document)]
    if "$ref" not in validator.schema and document.get("schema") != "drover/%s/1" % document.get("kind"):
        found.append("schema %s of kind %s" % (document.get("schema"), document.get("kind")))
    return found


def load(errors_alone):
    with open(SCHEMA, encoding="utf-8") as text:
        schema = json.load(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    if errors_alone:
        schema = {"$schema": schema["$schema"], "$ref": "#/$defs/error", "$defs": schema["$defs"]}
    return jsonschema.Draft202012Validator(schema)


GOOD = {"schema": "drover/secret_sweep/1", "kind": "secret_sweep", "version": "0.1.0", "time": "2026-01-01T00:00:00.000Z",
        "removed": 3, "errors": [], "exit_code": 0}
ERROR = {"code": "DRV-J001", "message": "m", "cause": None, "where": {"file": "a", "line": 1}, "try": None, "exit_code": 5}
FAULTS = [{"removed": None}, {"removed": "3"}, {"kind": "secret_swoop"}, {"schema": "drover/secret_check/1"}, {"time": "yesterday"},
          {"unknown": 1}, {"keyId": 1}, {"errors": [{"code": "DRV-J001"}]}, {"errors": ["away"]}, {"exit_code": "0"},
          {"errors": [dict(ERROR, code="J001")]}, {"errors": [dict(ERROR, where="a:1:1")]}, {"errors": [dict(ERROR, at=1)]}]


def self_test():
    validator, wrong = load(False), 0
    for good in GOOD, dict(GOOD, errors=[ERROR], exit_code=5), {k: v for k, v in dict(GOOD, errors=[ERROR]).items() if k != "removed"}:
        for complaint in complaints(validator, json.dumps(good)):
            print("a good document is refused: %s" % complaint)
            wrong += 1
    faults = [json.dumps(dict(GOOD, **fault)) for fault in FAULTS]
    faults += [json.dumps({k: v for k, v in GOOD.items() if k != name}) for name in GOOD]
    for fault in faults + ['{"kind":"error","kind":"error"}', "{}", "[]", "", "x", json.dumps(GOOD) * 2]:
        if not complaints(validator, fault):
            print("a fault is not seen: %s" % fault)
            wrong += 1
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    validator = load(arguments[:1] == ["--errors"])
    files = [name for name in arguments if name != "--errors"]
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
