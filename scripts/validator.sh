#!/usr/bin/env bash
# Makes a virtual environment with an independent JSON Schema validator (check-jsonschema, from PyPI), once, and
# prints the path of the program. Tests hold the schemas of this tree against it.
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd)
folder=$tree/.build-validator
program=$folder/bin/check-jsonschema

if [ ! -x "$program" ]; then
  # Two tests may come here at once: the first makes it, the other waits.
  mkdir -p "$tree/.build"
  exec 9>"$tree/.build/validator.lock"
  flock 9
  if [ ! -x "$program" ]; then
    rm -rf "$folder"
    python3 -m venv "$folder" >&2
    "$folder/bin/pip" install --quiet --disable-pip-version-check 'check-jsonschema==0.33.0' >&2
  fi
fi
echo "$program"
