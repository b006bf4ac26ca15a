#!/usr/bin/env bash
# Makes test/golden/layouts-btree-15.txt: generate-layouts-btree.sh [server headers of major 15].
set -euo pipefail
headers=${1:-/usr/include/postgresql/15/server}
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
gcc -w -O1 -I"$headers" -o "$work/layouts" "$here/layouts-btree.c" -no-pie \
  -Wl,--unresolved-symbols=ignore-all
"$work/layouts" >"$here/layouts-btree-15.txt"
