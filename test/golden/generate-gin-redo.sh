#!/usr/bin/env bash
# Makes test/golden/gin-redo.txt.gz: generate-gin-redo.sh <Postgres 15 source> [server headers].
set -euo pipefail
source=$1 headers=${2:-/usr/include/postgresql/15/server}
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
gin=$source/src/backend/access/gin
gcc -w -O1 -I"$headers" -I"$gin" -o "$work/gin-redo" "$here/gin-redo.c" \
  "$gin/ginpostinglist.c" "$gin/gindatapage.c" "$gin/ginutil.c" \
  "$source/src/backend/storage/page/bufpage.c" -no-pie -Wl,--unresolved-symbols=ignore-all
"$work/gin-redo" | gzip -9n >"$here/gin-redo.txt.gz"
