"""Roots by pymerkle, whom we do not know: roots.py LOG.jsonl SIZE... prints one in Base64 for each."""

import base64
import sys

from pymerkle import InmemoryTree

tree = InmemoryTree(algorithm="sha256")
with open(sys.argv[1], "rb") as log:
    for line in log:
        tree.append_entry(line[:-1])
for size in sys.argv[2:]:
    print(base64.b64encode(tree.get_root(int(size))).decode())
