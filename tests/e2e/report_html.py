"""report.html against the report.json beside it: well formed, nothing from outside but text, and the same numbers.

    report_html.py FOLDER
"""
import hashlib
import base64
import json
import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "br"}
TAGS = VOID | set("html head title style body h1 h2 h3 p div span svg rect ul li section article bdi code b table tr th td dl dt dd footer "
                  "details summary figure figcaption desc path".split())
ATTRIBUTES = set("lang charset http-equiv content name class id viewbox preserveaspectratio role aria-label x y width height colspan d aria-labelledby".split())


def check(condition, *what):
    if not condition:
        sys.exit("FAILED: report.html: " + " ".join(str(part) for part in what))


class Page(HTMLParser):
    """The page's rows and lines; every tag must be one that the program writes."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.metas, self.style = [], [], ""
        self.sections, self.section = {}, ""
        self.cells = None
        self.items = []  # (section, classes of the element, its text)

    def handle_starttag(self, tag, attrs):
        check(tag in TAGS, "tag", tag, self.getpos())
        for name, value in attrs:
            check(name in ATTRIBUTES, "attribute", name, self.getpos())
            check("//" not in (value or "") and "url(" not in (value or ""), "a reference", value)
        attrs = dict(attrs)
        if tag == "meta":
            self.metas.append(attrs)
        if tag not in VOID:
            self.open.append([tag, attrs.get("class", ""), "", attrs.get("id", "")])
            self.section = attrs["id"] if "id" in attrs else self.section
        if tag == "tr":
            self.cells = []

    def handle_startendtag(self, tag, attrs):
        check(tag in VOID or tag in ("rect", "path"), "an empty", tag)
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        check(self.open and self.open[-1][0] == tag, "end of", tag, "at", self.getpos(), "open:", [o[0] for o in self.open])
        tag, classes, text, _ = self.open.pop()
        if self.open:
            self.open[-1][2] += text
        if tag in ("td", "th"):
            self.cells.append(text.replace("\xa0", " "))
        if tag == "tr":
            self.items.append((self.section, "row " + classes, self.cells))
        elif tag in ("p", "li", "h3", "h1", "dt", "dd", "style"):
            self.items.append((self.section, f"{tag} {classes}", text.replace("\xa0", " ")))

    def handle_data(self, data):
        if self.open:
            self.open[-1][2] += data

    def handle_comment(self, data):
        check(False, "a comment", data)

    def handle_pi(self, data):
        check(False, "an instruction", data)

    def unknown_decl(self, data):
        check(False, "a declaration", data)

    def of(self, section, kind):
        return [what for at, name, what in self.items if at == section and name.split()[0] == kind]

    def by_class(self, name):
        return [what for _, classes, what in self.items if name in classes.split()[1:]]


def number(text):
    return int(text.replace(" ", ""))


def check_policy(page, text):
    policies = [meta["content"] for meta in page.metas if meta.get("http-equiv") == "Content-Security-Policy"]
    check(len(policies) == 1, "policies", policies)
    style = re.search(r"<style>(.*?)</style>", text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    check(policies[0] == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'", policies[0])
    check("url(" not in style and "@import" not in style and "http" not in style, "the style refers to something")


def check_numbers(page, report):
    verdict = {"match": "MATCH", "discrepancy": "NOT EQUAL", "not_verified": "NOT VERIFIED"}[report["verdict"]]
    check(page.by_class("verdict") == [verdict], "verdict", page.by_class("verdict"))
    inside, outside = report["counts"], report["beside"]
    shown = {}
    for item in page.of("reconciliation", "li"):
        words = re.match(r"[a-z -]+", item).group(0)
        shown[words.replace("-", "_").replace(" ", "_")] = item[len(words):]
    counted = {name: count for name, count in inside.items() if count}
    check(set(shown) == set(counted), "legend", shown, counted)
    for name, count in counted.items():
        check(shown[name].startswith(f"{count:,}".replace(",", " ")), name, shown[name], count)
    identity = page.by_class("identity")[0]
    check(number(re.match(r"[\d ]+", identity).group(0)) == report["source_records"], identity)
    check(("(reconciled)" in identity) == report["reconciled"], identity)
    problems = [(number(re.match(r"[\d ]+", head).group(0)), head) for head in page.of("problems", "h3")]
    check([count for count, _ in problems] == [problem["count"] for problem in report["problems"]], problems, report["problems"])
    for (_, head), problem in zip(problems, report["problems"]):
        check(problem["code"] is None or problem["code"] in head, head, problem)
    check_groups(page, report, {**inside, **outside})


def check_groups(page, report, counts):
    rows = page.of("groups", "row")
    names = [name for name, count in counts.items() if count]
    head, rows, total = rows[0], rows[1:-1], rows[-1]
    check(len(head) == 3 + len(names), head, names)
    check(number(total[1]) == report["source_records"], total)
    check(sorted(map(number, total[2:])) == sorted(counts[name] for name in names), total, counts)
    for column in range(1, len(total)):
        check(sum(number(row[column - len(total)]) for row in rows) == number(total[column]), "column", column)
    listed = [row for row in rows if len(row) == len(head)]
    check([number(row[2]) for row in listed] == [group["source_records"] for group in report["groups"]], "groups")


def check_follow(page, report):
    verdict = {"match": "MATCH", "inconclusive": "INCONCLUSIVE", "discrepancy": "NOT EQUAL", "not_verified": "NOT VERIFIED"}[report["verdict"]]
    if report.get("reads_compared", {}).get("enforced") and not report["windows"]["total"]["wrong"] and not report["full_pass"]["problems"]:
        verdict = verdict.replace("NOT EQUAL", "TOO SLOW")
    check(page.by_class("verdict") == [verdict], "verdict", page.by_class("verdict"))
    rows = page.of("windows", "row")[1:]
    for row, name in zip(rows, ["minute", "five_minutes", "hour", "day", "total"], strict=True):
        window = report["windows"][name]
        check([number(row[1]), number(row[2])] == [window["compared"], window["wrong"]], "window", row, window)
    wrong = [number(re.match(r"[\d ]+", head).group(0)) for head in page.of("problems", "h3")]
    check(sum(wrong) == report["windows"]["total"]["wrong"] + report["full_pass"]["problems"], "problems", wrong)


def main(folder):
    with open(f"{folder}/report.html", "rb") as file:
        text = file.read().decode("utf-8")
    with open(f"{folder}/report.json", encoding="utf-8") as file:
        report = json.load(file)
    check(text.startswith("<!DOCTYPE html>\n"), "no doctype")
    check(not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), "a control character")
    page = Page()
    page.feed(text)
    page.close()
    check(not page.open, "open at the end", page.open)
    check_policy(page, text)
    (check_follow if report["kind"] == "follow_report" else check_numbers)(page, report)
    print(json.dumps({"last_line": f"{page.by_class('verdict')[0]}  {page.by_class('reason')[0]}",
                      "sources": page.of("sources", "row"), "scope": page.of("scope", "row"),
                      "warnings": len(page.by_class("warning")), "text": " ".join(str(item[2]) for item in page.items if item[1] != "style ")}))


main(sys.argv[1])
