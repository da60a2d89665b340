"""json_same.py WANT HAVE [OPTIONS]: exit 1 and the first difference when two JSON files differ.

Numbers are compared as decimals, so the digits behind 2^53 count and 2.50 is 2.5; members in any order. jq is no help
here: its versions disagree on the digits it keeps and on what `?` and `|=` do with texts that are no JSON.

  --storage          the files are browsers' storages: a text that is JSON is compared as what it holds, twice deep
  --without NAME     a member of the outermost object that is left out (several times)
  --default NAME=V   a member of a record (an element of an outermost value) with this text in
                     HAVE that WANT may lack: a mapping's default
"""

import argparse
import json
import sys
from decimal import Decimal


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file, parse_float=Decimal, parse_int=Decimal)


def decoded(value):
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        return value


def difference(want, have, defaults, place=""):
    if isinstance(want, dict) and isinstance(have, dict):
        for name in have.keys() - want.keys():
            if place.count("/") != 2 or defaults.get(name, have) != have[name]:
                return "%s/%s: not in the first" % (place, name)
        for name in want:
            if name not in have:
                return "%s/%s: not in the second" % (place, name)
            found = difference(want[name], have[name], defaults, "%s/%s" % (place, name))
            if found:
                return found
        return None
    if isinstance(want, list) and isinstance(have, list):
        for at, (left, right) in enumerate(zip(want, have)):
            found = difference(left, right, defaults, "%s/%d" % (place, at))
            if found:
                return found
        return None if len(want) == len(have) else "%s: %d elements and %d" % (place, len(want), len(have))
    # In Python True == 1.
    if type(want) is type(have) and want == have:
        return None
    return "%s: %r and %r" % (place or "/", want, have)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("want")
    parser.add_argument("have")
    parser.add_argument("--storage", action="store_true")
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--default", action="append", default=[])
    options = parser.parse_args()
    want, have = load(options.want), load(options.have)
    for name in options.without:
        want.pop(name, None)
        have.pop(name, None)
    if options.storage:
        want, have = ({name: decoded(decoded(value)) for name, value in each.items()} for each in (want, have))
    found = difference(want, have, dict(each.split("=", 1) for each in options.default))
    if found:
        print(found)
        return 1
    return 0


sys.exit(main())
