#!/usr/bin/env bash
# What `cmake --install` leaves is a program that starts: from an empty prefix, without the build's folders, after the
# prefix was moved, in an environment that names no library.
. tests/e2e/alone.sh

# Its leaks are looked for where it works, not here.
bare() { env -i PATH=/usr/bin:/bin HOME="$WORK" ASAN_OPTIONS=detect_leaks=0 "$@"; }

say "into an empty prefix, which is then moved"
cmake --install "$(dirname "$DROVER")" --prefix "$WORK/first" > "$WORK/install.log" || fail "$(cat "$WORK/install.log")"
mv "$WORK/first" "$WORK/opt"
installed=$WORK/opt/bin/drover
built=$(dirname "$DROVER")
! readelf -d "$installed" | grep -F -e "$built" -e "$PWD" || fail "the program looks for libraries in the folder it was built in"
! bare ldd "$installed" | grep -F -e 'not found' -e "$PWD" || fail "a library is missing"

say "it starts, and works"
[ "$(bare "$installed" version)" = "$("$DROVER" version)" ] || fail "another version: $(bare "$installed" version 2>&1)"
bare "$installed" --help > "$WORK/help" && [ -s "$WORK/help" ] || fail "no help"
share=$WORK/opt/share/drover/schemas
status=0
(cd "$WORK" && bare "$installed" rehearse --mapping "$share/mappings/ai_progress.yaml" \
  --tenant-path '*ai_progress/{tenant}/*' "$share/samples/ai_progress") > "$WORK/rehearsal" 2>&1 || status=$?
[ "$status" = 5 ] && grep -q '2.000' "$WORK/rehearsal" || fail "exit $status: $(tail -n 5 "$WORK/rehearsal")"
for file in README.md wire.md errors.md; do
  find "$WORK/opt/share" -name "$file" | grep -q . || fail "$file is not installed"
done

say "the links of its documents lead somewhere"
documents=$(dirname "$(find "$WORK/opt/share" -name README.md -path '*doc*' | sort | head -n 1)")
# shellcheck disable=SC2016
python3 -c '
import os, re, sys
root = sys.argv[1]
for folder, _, names in os.walk(root):
    for page in (os.path.join(folder, name) for name in names if name.endswith(".md")):
        for link in re.findall(r"\]\(([^)#\s]+)", open(page).read()):
            if "://" not in link and not os.path.exists(os.path.join(folder, link)):
                print("%s: %s" % (os.path.relpath(page, root), link))
' "$documents" > "$WORK/broken_links"
[ -s "$documents/docs/errors.md" ] && [ ! -s "$WORK/broken_links" ] || fail "links to nothing: $(cat "$WORK/broken_links")"
