#!/usr/bin/env bash
# Makes test/golden/layouts-<what>-<major>.txt: generate-layouts-redo.sh <heap, btree…> <major> <include directory>...
# An unconfigured source's include directory needs one with a pg_config.h behind it.
set -euo pipefail
what=$1; major=$2; shift 2
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
# Generated headers an unconfigured source lacks; nothing here needs what is in them.
mkdir "$work/nodes" "$work/utils" && touch "$work/nodes/nodetags.h" "$work/utils/wait_event_types.h"
gcc -w "-DPG_MAJOR=$major" -DPublishGencolsType=char "${@/#/-I}" "-I$work" \
  -o "$work/layouts" "$here/layouts-$what.c" -no-pie -Wl,--unresolved-symbols=ignore-all
"$work/layouts" >"$here/layouts-$what-$major.txt"
