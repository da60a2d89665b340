#!/usr/bin/env python3
"""same.py DATA: exit 0 when the tables hold what the application's files hold; else the first differences."""
import sys
from world import source_rows, stored_rows

want, have = source_rows(sys.argv[1]), stored_rows()
wrong = [key for key in want.keys() | have.keys() if want.get(key) != have.get(key)]
for key in sorted(wrong)[:5]:
    print(key, "file", want.get(key), "row", have.get(key))
print(f"{len(want)} records, {len(wrong)} differ")
sys.exit(1 if wrong else 0)
