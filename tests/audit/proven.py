"""Checks commits that were exported with their proofs, by tests/proof/verify.py, which shares no code with us.

    proven.py FILE PUBLIC_KEY

Prints how many there are, and the positions.
"""

import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "proof"))
import verify  # noqa: E402


def main(path, key):
    positions = []
    for line in pathlib.Path(path).read_text().splitlines():
        one = json.loads(line)
        verify.check_proof(one["proof"], one["entry"].encode(), key)
        verify.check(f"\nindex {one['position'] - 1}\n" in one["proof"], "the position")
        verify.check(json.loads(one["entry"])["position"] == one["position"], "the commit")
        positions.append(one["position"])
    print(json.dumps(positions))


main(sys.argv[1], pathlib.Path(sys.argv[2]).read_text().strip())
