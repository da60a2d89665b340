#!/usr/bin/env python3
"""No exported function that only its own file uses: a header is what others may call.

    tests/check/exports.py BUILD FOLDER...   the folders of the product's objects in the build, looked for in all of it

Exit code: 0 none, 1 there are some; each is named with its file. --planted: finds one made for the purpose.
"""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from circles import ROOT, read_symbols


def find(build, folders, root=None):
    defines = read_symbols(folders, root)[0]
    wanted = set().union(*read_symbols([build])[1].values())
    found = [(unit, name) for unit, names in sorted(defines.items()) for name in sorted(names)
             if not name.startswith("_") and name not in wanted]
    for unit, name in found:
        print("%s: %s is used there alone: make it static, or remove it" % (unit, name))
    return found


def planted():
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"one": "int alone(void) { return 1; } int used(void) { return alone(); }",
                           "two": "int used(void); static int two(void) { return used(); } int (*keep)(void) = two; int main(void) { return keep(); }"}.items():
            with open("%s/%s.c" % (folder, name), "w", encoding="utf-8") as out:
                out.write(text)
            subprocess.run(["cc", "-c", "-o", "%s/%s.c.o" % (folder, name), "%s/%s.c" % (folder, name)], check=True)
        return ("one.c", "alone") in find(folder, [folder])


def main():
    if sys.argv[1:] == ["--planted"]:
        sys.exit(0 if planted() else 1)
    sys.exit(1 if find(sys.argv[1], sys.argv[2:], ROOT) else 0)


if __name__ == "__main__":
    main()
