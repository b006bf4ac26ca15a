#!/usr/bin/env bash
# Makes test/golden/page-items.txt.gz: generate-page-items.sh <Postgres 15 source> [server headers].
set -euo pipefail
source=$1 headers=${2:-/usr/include/postgresql/15/server}
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
gcc -w -O1 -I"$headers" -o "$work/page-items" "$here/page-items.c" \
  "$source/src/backend/storage/page/bufpage.c" -no-pie -Wl,--unresolved-symbols=ignore-all
"$work/page-items" | gzip -9n >"$here/page-items.txt.gz"
