#!/usr/bin/env bash
# Checks a pack as a stranger would: unpacks it, and runs the commands of the README that is in it, in their
# order. It knows nothing of packs, and must not have our program at hand.
#
#   check.sh PACK.tar NEW_DIRECTORY    unpacks and checks
#   check.sh DIRECTORY                 checks what was unpacked
set -euo pipefail
if command -v tranche; then
    echo "our own program is at hand: that is no check" >&2
    exit 2
fi
if [ $# = 2 ]; then
    mkdir "$2"
    tar -xf "$1" -C "$2"
    shift
fi
cd "$1"
commands=$(mktemp)
trap 'rm -f "$commands"' EXIT
awk '/^```sh$/ {inside = 1; next} /^```$/ {inside = 0} inside' README.md > "$commands"
[ -s "$commands" ] || { echo "the README has no commands" >&2; exit 2; }
bash "$commands"
