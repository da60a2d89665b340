#!/usr/bin/env python3
"""No circles: files that call each other, directly or through others, cannot be understood or tested one by one.

    tests/check/circles.py FOLDER...      folders of a build with its objects

What a file needs of another is what the linker says: symbols that one object lacks and another defines. Prints each circle with
the names that tie it. --planted: finds a circle that is made for the purpose, and exits with 0 when it does.
Exit code: 0 none, 1 there are some.
"""
import collections
import os
import subprocess
import sys
import tempfile


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read_symbols(folders, root=None):
    """(object -> names it defines, object -> names it lacks). `root`: only of sources that are there; a build keeps old objects."""
    defines, lacks = collections.defaultdict(set), collections.defaultdict(set)
    for folder in folders:
        objects = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names if name.endswith(".o")]
        text = subprocess.run(["nm", "-A", "-g", *objects], capture_output=True, text=True, check=True).stdout
        for line in text.splitlines():
            unit, _, rest = line.partition(":")
            words = rest.split()
            unit = os.path.relpath(unit, folder).removesuffix(".o")
            if root and not os.path.exists(os.path.join(root, unit)):
                continue
            (lacks if words[-2] in "Uw" else defines)[unit].add(words[-1])
    return defines, lacks


def needs_of(defines, lacks):
    """object -> object -> names"""
    home = {name: unit for unit, names in defines.items() for name in names}
    needs = collections.defaultdict(lambda: collections.defaultdict(set))
    for unit, names in lacks.items():
        for name in names:
            if home.get(name, unit) != unit:
                needs[unit][home[name]].add(name)
    return needs


def circles(needs):
    """Tarjan's strongly connected components of more than one member, without recursion."""
    index, low, stack, on, out, count = {}, {}, [], set(), [], 0
    for root in sorted(needs):
        work = [(root, None)] if root not in index else []
        while work:
            unit, rest = work.pop()
            if rest is None:
                index[unit] = low[unit] = count
                count += 1
                stack.append(unit)
                on.add(unit)
                rest = iter(sorted(needs[unit])) if unit in needs else iter(())
            for other in rest:
                if other not in index:
                    work += [(unit, rest), (other, None)]
                    break
                if other in on:
                    low[unit] = min(low[unit], low[other], index[other])
            else:
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[unit])
                if low[unit] == index[unit]:
                    members = []
                    while not members or members[-1] != unit:
                        members.append(stack.pop())
                        on.discard(members[-1])
                    if len(members) > 1:
                        out.append(sorted(members))
    return out


def find(folders, root=None):
    needs = needs_of(*read_symbols(folders, root))
    found = circles(needs)
    for members in sorted(found, key=lambda m: (len(m), m)):
        print("circle of %d: %s" % (len(members), " ".join(members)))
        for unit in members:
            for other in sorted(set(needs[unit]) & set(members)):
                print("  %s needs %s: %s" % (unit, other, " ".join(sorted(needs[unit][other]))))
    return found


def planted():
    sources = {"one": "int two(void); int one(void) { return two(); }", "two": "int three(void); int two(void) { return three(); }",
               "three": "int one(void); int three(void) { return one(); }", "four": "int one(void); int four(void) { return one(); }"}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in sources.items():
            with open("%s/%s.c" % (folder, name), "w", encoding="utf-8") as out:
                out.write(text)
            subprocess.run(["cc", "-c", "-o", "%s/%s.c.o" % (folder, name), "%s/%s.c" % (folder, name)], check=True)
        return find([folder]) == [["one.c", "three.c", "two.c"]]


def main():
    if sys.argv[1:] == ["--planted"]:
        sys.exit(0 if planted() else 1)
    if not sys.argv[1:] or not all(os.path.isdir(path) for path in sys.argv[1:]):
        sys.exit("usage: circles.py FOLDER...")
    sys.exit(1 if find(sys.argv[1:], ROOT) else 0)


if __name__ == "__main__":
    main()
