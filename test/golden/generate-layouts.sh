#!/usr/bin/env bash
# Makes test/golden/layouts-<major>.txt: generate-layouts.sh <major> <include directory>...
# An unconfigured source's include directory needs one with a pg_config.h behind it.
set -euo pipefail
major=$1; shift
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
gcc -w "-DPG_MAJOR=$major" "${@/#/-I}" -o "$work/layouts" "$here/layouts.c" -Wl,--unresolved-symbols=ignore-all
"$work/layouts" | sed 's/RelFileNode/RelFileLocator/; s/std\.//' >"$here/layouts-$major.txt"
