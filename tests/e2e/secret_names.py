"""Makes sources with secrets of random kinds where names stand, and the list of what must be nowhere.

    secret_names.py SEED FOLDER

FOLDER/storage.json is a localStorage payload, FOLDER/records.ndjson records of tests/e2e/data/llm.yaml, FOLDER/forms
parts of each secret, twelve letters a line: half a secret is found as well. The kinds are those of common/base/token_kinds.c; values are made by a reading of their
patterns of its own.
"""
import json, random, re, sys

seed, folder = sys.argv[1:3]
rng = random.Random(seed)
DIGITS, SMALL = "0123456789", "abcdefghijklmnopqrstuvwxyz"
CLASSES = {"d": DIGITS, "a": DIGITS + SMALL + SMALL.upper(), "u": DIGITS + SMALL.upper(), "l": DIGITS + SMALL,
           "x": DIGITS + "abcdef", "h": DIGITS + "ABCDEF", "b": DIGITS + SMALL + SMALL.upper()}
for letter in "wjt":
    CLASSES[letter] = CLASSES["a"] + "_-"
ELEMENT = re.compile(r"(%(.)|\[([^]]*)\]|[()]|.)(?:\{(\d+)(,?)(\d*)\})?")
table = "".join(re.findall(r'"[^"]*"|[{},]|SHAPE_\w+', open("common/base/token_kinds.c").read()))
PATTERNS = re.findall(r'\{"[^"]*","([^"]*)",SHAPE_', table.replace('""', ""))
assert len(PATTERNS) > 120, len(PATTERNS)
forms = []


def value():
    """A value of some kind; the middle of its secret part goes into the list."""
    while True:
        pattern, text, start, stop = rng.choice(PATTERNS), "", 0, None
        own = len(re.match(r"[^%\[(]*", pattern)[0])
        for whole, letter, some, least, endless, most in ELEMENT.findall(pattern):
            if whole == "(":
                start = len(text)
            elif whole == ")":
                stop = len(text)
            else:
                count = int(least or 1)
                if endless:
                    count = rng.randint(count, min(int(most or count + 20), count + 20))
                text += "".join(rng.choice(CLASSES.get(letter) or some or whole) for _ in range(count))
        secret = text[start:stop]
        if own >= 4 and len(secret) >= 24 and sum(c.isdigit() for c in secret[-16:]) >= 2:
            own = max(0, own - start)  # letters that every value of the kind has
            forms.extend(secret[at:at + 12] for at in range(own, len(secret) - 11, 3))
            return text


def name():
    return rng.choice(["{}", "cache_{}", "user/{}", "x {} y", "{}~1", "a.b.{}"]).format(value())


def text(doc):
    return json.dumps(doc)


storage, lines = [], []
for i in range(40):
    kind = i % 8
    if kind == 0:
        storage.append((name(), "hello"))
    elif kind == 1:
        n = name()
        storage.append((f"dup{i}", "{%s:1,%s:2}" % (text(n), text(n))))
    elif kind == 2:
        storage.append((f"ai_agents_{value()}", "[]"))
    elif kind == 3:
        storage.append((f"deep{i}", text({"a": [{name(): {"b": {name(): i}}}]})))
    elif kind == 4:
        storage.append((f"bad{i}", '{%s:"x\\ud800"}' % text(name())))
    elif kind == 5:
        storage.append((f"text{i}", f"please use {value()} for the demo"))
    elif kind == 6:
        storage.append((f"cut{i}", '{"a":{%s:[1,' % text(name())))
    else:
        storage.append((f"tenant_mcp_servers_{value()}", text([{"id": value(), "name": name()}])))
    base = {"id": f"r{i}", "tenant": f"t{i % 2}", "rev": 1}
    if kind == 0:
        lines.append(text({**base, "id": value()}))
    elif kind == 1:
        n = text(name())
        lines.append(text(base)[:-1] + ",%s:1,%s:2}" % (n, n))
    elif kind == 2:
        lines.append(text({**base, "rev": {name(): 1}}))
    elif kind == 3:
        lines.append(text({**base, "deep": {name(): [{name(): True}]}}))
    elif kind == 4:
        lines.append(text(base)[:-1] + ',"x":{%s:"\\ud800"}}' % text(name()))
    elif kind == 5:
        lines.append(text({**base, "tenant": value()}))
    elif kind == 6:
        lines.append(text({**base, "note": [name()]}))
    else:
        lines.append(text(base)[:-1] + ",%s:," % text(name()))
with open(f"{folder}/storage.json", "w") as out:
    out.write("{" + ",".join(f"{text(k)}:{text(v)}" for k, v in storage) + "}")
with open(f"{folder}/records.ndjson", "w") as out:
    out.write("".join(line + "\n" for line in lines))
with open(f"{folder}/forms", "w") as out:
    out.write("".join(form + "\n" for form in forms))
