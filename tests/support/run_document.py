#!/usr/bin/env python3
"""Runs the commands of a page as a reader would, and compares what they print with what the page shows.

  run_document.py PAGE.md [--from HEADING] [--until HEADING] [--given 'TEXT=>TEXT']... [--said 'TEXT=>TEXT']...

Blocks of `sh` are run line by line in one shell and must succeed. Blocks of `console` hold `$ command` and what it prints;
there a failing command is right, when the page shows what it says. A line of an ellipsis alone stands for any number of lines,
one at a line's end for the rest of the line. What differs from run to run (times, rates, ports, runs, masked values, dates of
the day) is compared by its form only. `--given 'A=>B'`: where a command of the page says A, B is run; `--said 'A=>B'`: where A is printed, B is read.
A block behind `<!-- not run: REASON -->` is shown and not run. What stands in `<!-- run: COMMANDS -->` is run and not shown: it
makes the case a section is about. It must succeed.
Exit 1 with the first difference, else the number of commands.
"""
import argparse
import os
import re
import subprocess
import sys

FORMS = [
    (r"\x1b\[[0-9;]*m", ""),
    (r"\b\d{8}T\d{6}-[0-9a-f]{8}\b", "RUN"),
    (r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "MOMENT"),
    (r"\bh:[0-9a-f]{8}\b", "h:HASH"),
    (r"\b127\.0\.0\.1:\d+", "HOST"),
    (r"\b\d[\d, ]*(\.\d+)? records/s", "N records/s"),
    (r"\b\d+(\.\d+)? ?(ms|s|min|h|d)\b(?! *=)", "TIME"),
    (r"\btcp TIME, metadata TIME\b", "tcp, metadata"),
    (r"\b\d+\.\d+(\.\d+)? as [a-z_0-9]+@[a-z_0-9]+", "VERSION as ROLE"),
    (r"(HOST · )\d+\.\d+\.\d+", r"\1VERSION"),
    (r"in TIME, N records/s", "in TIME"),
    (r"TIME, N records/s", "TIME"),
    (r"[ \t]+", " "),
    (r" +$", ""),
]


def normal(line):
    for pattern, form in FORMS:
        line = re.sub(pattern, form, line)
    return line.strip()


class Block:
    def __init__(self, kind, lines, number):
        self.kind, self.lines, self.number = kind, lines, number


def blocks_of(text, begin, until):
    blocks, inside, lines, skipped, on = [], None, [], False, begin is None
    for number, line in enumerate(text.split("\n"), 1):
        if inside is None and line.startswith("#"):
            heading = line.lstrip("#").strip()
            if heading == begin:
                on = True
            elif heading == until:
                on = False
        if inside is None and line.startswith("<!-- not run:"):
            skipped = True
        if inside is None and line.startswith("<!-- run:"):
            inside, lines, start = "hidden", [], number
            line = line[len("<!-- run:"):]
        if inside == "hidden":
            lines.append(line.replace("-->", ""))
            if "-->" in line:
                if on:
                    blocks.append(Block("sh", lines, start))
                inside = None
            continue
        fence = re.match(r"```(\w*)\s*$", line)
        if inside is None and fence:
            inside, lines, start = fence.group(1), [], number + 1
        elif inside is not None and line.startswith("```"):
            if on and not skipped and inside in ("sh", "console"):
                blocks.append(Block(inside, lines, start))
            inside, skipped = None, False
        elif inside is not None:
            lines.append(line)
    return blocks


class Shell:
    """One bash for the whole page, so that what a block sets holds for the next."""

    def __init__(self):
        self.marks = 0
        self.process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, command):
        self.marks += 1
        mark = f"--- the end of command {self.marks} {os.getpid()}"
        # </dev/null: no command may read what is meant for the shell
        self.process.stdin.write(f"{{ {command}\n}} </dev/null\n__s=$?; printf '\\n%s %s\\n' '{mark}' $__s; (exit $__s)\n")
        self.process.stdin.flush()
        said = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line.startswith(mark):
                if said and said[-1] == "":
                    said.pop()
                return said, int(line.rsplit(" ", 1)[1])
            said.append(line)
        raise SystemExit(f"the shell ended in: {command}")


def commands_of(block):
    """(command, what it shall print, line number) of a console block."""
    commands, here_end = [], None
    for at, line in enumerate(block.lines):
        if here_end is not None:
            commands[-1][0] += "\n" + line
            here_end = None if line == here_end else here_end
        elif line.startswith("$ "):
            commands.append([line[2:], [], block.number + at])
            here = re.search(r"<<-?'?(\w+)'?", line)
            here_end = here.group(1) if here else None
        elif line.startswith("> ") and commands and not commands[-1][1]:
            commands[-1][0] += "\n" + line[2:]
        elif commands:
            commands[-1][1].append(line)
    return commands


def matches(expected, said):
    """Whether the lines said are those expected, where an ellipsis stands for any number of them."""
    reach = {0}
    for line in expected:
        if line == "…":
            first = min(reach)
            reach = set(range(first, len(said) + 1))
            continue
        if line.endswith("…"):
            fits = lambda text, head=line[:-1].rstrip(): text.startswith(head)
        else:
            fits = lambda text, whole=line: text == whole
        reach = {at + 1 for at in reach if at < len(said) and fits(said[at])}
        if not reach:
            return False
    return len(said) in reach


def compare(page, number, command, expected, said):
    wanted = [normal(line) for line in expected]
    got = [normal(line) for line in said]
    while wanted and wanted[-1] == "":
        wanted.pop()
    while got and got[-1] == "":
        got.pop()
    if matches(wanted, got):
        return
    print(f"{page}:{number}: $ {command}\n--- the page shows")
    print("\n".join(wanted))
    print("--- it printed")
    print("\n".join(said))
    raise SystemExit(1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("page")
    arguments.add_argument("--from", dest="begin")
    arguments.add_argument("--until")
    arguments.add_argument("--given", action="append", default=[])
    arguments.add_argument("--said", action="append", default=[])
    options = arguments.parse_args()
    with open(options.page, encoding="utf-8") as page:
        blocks = blocks_of(page.read(), options.begin, options.until)
    given = [pair.split("=>", 1) for pair in options.given]
    said_so = [pair.split("=>", 1) for pair in options.said]
    shell, count = Shell(), 0
    for block in blocks:
        if block.kind == "sh":
            command = "\n".join(block.lines)
            for old, new in given:
                command = command.replace(old, new)
            said, status = shell.run(f"__bad=0; trap '__bad=$?' ERR; {command}\ntrap - ERR; [ $__bad = 0 ]")
            count += 1
            if status:
                raise SystemExit(f"{options.page}:{block.number}: exit {status} of\n{command}\n" + "\n".join(said))
            continue
        commands = commands_of(block)
        for at, (command, expected, number) in enumerate(commands):
            for old, new in given:
                command = command.replace(old, new)
            said, status = shell.run(command)
            count += 1
            asked = at + 1 < len(commands) and "$?" in commands[at + 1][0]
            if status and not asked and not [line for line in expected if line.strip() not in ("", "…")]:
                raise SystemExit(f"{options.page}:{number}: exit {status} of $ {command}\n" + "\n".join(said))
            for old, new in said_so:
                said = [line.replace(old, new) for line in said]
            compare(options.page, number, command, expected, said)
    if not count:
        raise SystemExit(f"{options.page}: nothing was run")
    print(f"{options.page}: {count} commands ran as the page says")


if __name__ == "__main__":
    main()
