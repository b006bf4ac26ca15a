#!/usr/bin/env bash
# Makes test/golden/layouts-btree-<major>.txt: generate-layouts-btree.sh <major> <include directory>...
# An unconfigured source's include directory needs one with a pg_config.h behind it.
set -euo pipefail
major=$1; shift
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
# Generated headers an unconfigured source lacks; nothing here needs what is in them.
mkdir "$work/nodes" "$work/utils" && touch "$work/nodes/nodetags.h" "$work/utils/wait_event_types.h"
gcc -w "-DPG_MAJOR=$major" -DPublishGencolsType=char "${@/#/-I}" "-I$work" \
  -o "$work/layouts" "$here/layouts-btree.c" -no-pie -Wl,--unresolved-symbols=ignore-all
"$work/layouts" >"$here/layouts-btree-$major.txt"
