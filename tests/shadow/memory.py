#!/usr/bin/env python3
"""memory.py SAMPLES: what each part of a shadow took, from lines "SECONDS ROLE PID KIB" of its resident memory.

Prints a line a role: the most of the first half and of the second half, in MiB. A part that was started anew counts from
then on as the same one: what it grows to is what is asked for."""
import sys
from collections import defaultdict


def main(samples):
    with open(samples, encoding="utf-8") as lines:
        rows = [line.split() for line in lines]
    rows = [(int(at), role, int(kib)) for at, role, _, kib in rows]
    middle = (rows[0][0] + rows[-1][0]) / 2
    most = defaultdict(lambda: [0, 0])
    for at, role, kib in rows:
        half = most[role]
        half[at > middle] = max(half[at > middle], kib)
    print("role       MiB, first half   second half")
    for role, (first, second) in sorted(most.items()):
        print(f"{role:9}  {first / 1024:15.1f}   {second / 1024:11.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
