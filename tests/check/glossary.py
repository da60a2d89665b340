#!/usr/bin/env python3
"""The field's words: no private one is left in names of the code, files, settings, screens and documents.

    tests/check/glossary.py [TREE]

A name is judged by its parts ("pg_lane_new" has a lane), text by phrases: in a sentence "look", "found" or "good" are English.
Prints FILE:LINE: WORD -> what to say instead. --planted: finds each of those that are planted, and exits with 0 when it does.
Exit code: 0 none, 1 there are some.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIP = re.compile(r"^(schemas/samples|tests/data|LICENSE|tests/check/glossary\.py|build|\.deps)")

# What a name may not have as a part, what it has instead, and the names (or the files) in which the part is another word.
PARTS = [
    (r"letters?", "dead_letter", r"(?i:dead_letter)|^(?:letters?|is_letter|\w*LETTERS\w*|letters_of_its_own|count_letters|load_letters)$", ""),
    (r"bury|buried|dlq", "dead_letter", r"^(?:CMD_DLQ|DLQ|dlq|dlq_command|DROVER_CONTROL_CMD_DLQ_H)$", ""),
    (r"progress", "checkpoint", r"^(?:progress_fd|produce_counters_append_progress)$", r"producer/|verifier/(?!snapshot)|control/|worker/(report|life|work)\.|io/settings|tests/unit/test_(produce|export|settings)"),
    (r"lanes?", "connection", "", r"json_scan\.c"),
    (r"careful|halv\w*|lack\w*", "savepoint pass, bisect, missing parent", "", ""),
    (r"(?:un)?park(?:s|ed|ing)?", "pending", "", ""),
    (r"cutoff", "cancel", "", ""),
    (r"survey", "status", "", ""),
    (r"ledger", "counters", "", ""),
    (r"foreign", "unowned (keys), unexpected (tenants)", r"foreign_key", ""),
    (r"most|least", "max, min", r"", ""),
    (r"mend\w*|slip", "fix, typo", "", ""),
    (r"storage", "localstorage (of browsers), store", r"^(storage|storage_name|\w+_storage|STORAGES?|ERR_STORAGE_MIXED|storage_is_chosen_by_the_environment)$", ""),
]
# Whole names.
NAMES = [
    (r"\w*second_look\w*|\w*last_word(?!s)\w*|look_until|only_look|PHASE_LOOK|look_(?:chunk|extra|item|stores|again|name|sql|identity|verdict|judge\w*)|(?:file|follow|judge)_look\w*|survey_look\w*", "scan, classify, redelivered, recheck"),
    (r"pg_parents\w*|parents_\w+|PARENTS_\w+|rehearse_parents\w*", "pending (children), sweep"),
    (r"claims_read|batch_claim|cut_(?:read|take)\w*|beside_\w+|verify_beside\w*|VERDICT_BESIDE|fetch_(?:rows|cells|key)|actual_judge|rows_take",
     "receipts, snapshot, side checks, row lookup, judge, row content"),
    (r"FOUND_\w+|found_kind|COLLECT_FOUND|(?:export|json|on|make|write)_piece\w*|JSON_STREAM_PIECE|stored_(?:reader|ops)|(?:pg|redis|file|memory)_stored\w*", "source item, record text, store reader"),
    (r"VERDICT_NEWER|REDIS_(?:OLDER|NEWER)|FINDING_GOOD|bytes_there|good|there|fine", "superseded, target newer; OK, exists, PASS"),
]
FILES = [
    (r"(?:^|/)(?:[\w]*_)?(?:letters|survey\w*|lane|cutoff|careful|ledger)\.(?:c|h|sh)$", "dead_letters, status, connection, cancel, savepoint, counters", r"dead_letters?\.|dead_letter"),
    (r"^common/(?:port|io)/.*progress\w*\.[ch]$", "checkpoint", ""),
    (r"^(?:common|worker|verifier|control)/.*(?:parents|_look|/look\w*|/claims|/cut|/beside|_beside|/rows|/fetch|actual_judge|_stored|/stored)\.[ch]$",
     "pending, recheck, receipts, snapshot, side_checks, row_content, row_lookup, judge, store_reader", ""),
    (r"_(?:parts|codec|core|take)\.h$", "_internal.h", ""),
    (r"^tests/check/floors\.sh$|^tests/e2e/test_storages\.sh$", "layers, stores", ""),
    (r"collect_storage\w*\.[ch]$|export_storage\.c$|export_piece\.[ch]$", "localstorage, record text", ""),
]
# Comments, strings and documents: (phrase, instead, paths on which it is not asked).
PHRASES = [
    (r"\blanes?\b(?!\")", "connection", r"json_scan\.c|docs/configuration|CHANGELOG|tests/(unit/test_conf|e2e/test_config)|io/settings\.c"),
    (r"\bwaiting room\b|\bpark(?:s|ed|ing)\b", "pending (children)", ""),
    (r"\bsecond look\b|\bin the snapshot of the cut\b|\b(?:at one|a later|the later) cut\b", "recheck, redelivery, snapshot", ""),
    (r"\bstored progress\b|\bprogress (?:row|port)\b|\bprogress\.lost\b", "checkpoint", ""),
    (r"\b(?:survey|ledger)\b", "status, counters", ""),
    (r"(?<!\$)\bforeign (?:rows|keys are|headers|producer)\b", "unexpected tenants, unowned keys, others", ""),
    (r"\bmend(?:s|ed|ing)?\b|\b[Aa] slip\b|\b[Tt]he last word\b|\b[Tt]he way back\b|\bclean bill\b", "fix, typo, verdict, export / rollback, clean result", ""),
    (r"\b[Tt]he (?:pure )?floors\b|\b(?:pure|I/O) floors?\b|\b[Oo]ne door\b", "layers, the entry point", ""),
]
SETTING = re.compile(r"^\s*\{\"(?:[\w.]*[._])?(?:lanes?|most|least|letters?)\"")
SEGMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|^[ \t]*#[ \t]*include[^\n]*', re.S | re.M)
IDENT = re.compile(r"[A-Za-z_]\w*")


def judge_name(name, path):
    for pattern, instead in NAMES:
        if re.fullmatch(pattern, name):
            return instead
    if re.fullmatch(r"DROVER_\w+_H", name):
        return None  # a guard is its file's name
    for part, instead, names, paths in PARTS:
        if re.search(r"(?:^|_)(?:%s)(?:_|$)" % part, name, re.I) and not (names and re.search(names, name)) and not (paths and re.search(paths, path)):
            return instead
    return None


def judge_text(text, path):
    for pattern, instead, paths in PHRASES:
        if not (paths and re.search(paths, path)):
            for match in re.finditer(pattern, text):
                yield match.start(), match.group(0), instead


def judge_c(path, text):
    at = 0
    code = list(text)
    for match in SEGMENT.finditer(text):
        code[match.start():match.end()] = [c if c == "\n" else " " for c in match.group(0)]
        if "include" not in match.group(0)[:12]:
            for place, said, instead in judge_text(match.group(0), path):
                yield match.start() + place, said, instead
    for match in IDENT.finditer("".join(code)):
        instead = judge_name(match.group(0), path)
        if instead:
            yield match.start(), match.group(0), instead
    if path.endswith("io/settings.c"):
        for line in text.splitlines(True):
            if SETTING.search(line):
                yield at, line.strip(), "a setting's name"
            at += len(line)


def find(tree, paths):
    """(path, line, what is said, what to say)"""
    out = []
    for path in paths:
        if SKIP.search(path):
            continue
        for pattern, instead, keep in FILES:
            if re.search(pattern, path) and not (keep and re.search(keep, path)):
                out.append((path, 0, os.path.basename(path), instead))
        if not re.search(r"(\.[ch]|\.md|\.sh|\.py|CMakeLists\.txt|\.bash)$|^dev$", path):
            continue
        with open(os.path.join(tree, path), encoding="utf-8") as file:
            text = file.read()
        for at, said, instead in (judge_c if re.search(r"\.[ch]$", path) else lambda p, t: judge_text(t, p))(path, text):
            out.append((path, text.count("\n", 0, at) + 1, said, instead))
    return out


PLANTED = {
    "worker/one.c": "struct pg_lane *a;\nint letters_send(void);\nint BATCH_MOST;\n/* a second look */\nint at(int most);\n",
    "worker/letters.c": "/* its dead letters */\n", "common/io/redis/redis_parts.h": "/* good, found, look, there, most: English */\n",
    "common/io/settings.c": '    {"database.lanes", "lanes", 0},\n    {"database.connections", "connections", "database.lanes"},\n',
    "docs/one.md": "A child goes to the waiting room.\nIt has the last word.\nLook there: a good one is found.\n",
}
EXPECTED = {("worker/one.c", n) for n in range(1, 6)} | {("worker/letters.c", 0), ("common/io/redis/redis_parts.h", 0), ("common/io/settings.c", 1),
                                                         ("docs/one.md", 1), ("docs/one.md", 2)}


def planted():
    with tempfile.TemporaryDirectory() as folder:
        for path, text in PLANTED.items():
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "w", encoding="utf-8") as out:
                out.write(text)
        found = {(path, line) for path, line, _, _ in find(folder, PLANTED)}
    for path, line in sorted(found ^ EXPECTED):
        print("%s:%d: %s" % (path, line, "not found" if (path, line) in EXPECTED else "found by mistake"))
    return found == EXPECTED


def main():
    if sys.argv[1:] == ["--planted"]:
        sys.exit(0 if planted() else 1)
    tree = sys.argv[1] if len(sys.argv) > 1 else ROOT
    listed = subprocess.run(["git", "-C", tree, "ls-files"], capture_output=True, text=True, check=True).stdout
    found = find(tree, [path for path in listed.splitlines() if os.path.isfile(os.path.join(tree, path))])
    for path, line, said, instead in found:
        print("%s:%d: %s -> %s" % (path, line, said, instead))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
