#!/usr/bin/env bash
# Every test under the address sanitizer, built already by `make sanitize`.
#
# The sanitizer judges, by its reports: of the tests, and of each program that they start. A build with it is several times
# slower and larger, so that figures of time and memory fail in it; which tests did is told, and is for reading only.
set -uo pipefail
cd "$(dirname "$0")/.."

reports=$(mktemp -d "${TMPDIR:-/tmp}/moonquake-sanitize.XXXXXX")
output=$(mktemp "${TMPDIR:-/tmp}/moonquake-sanitize-output.XXXXXX")
trap 'rm -rf "$reports" "$output"' EXIT
# Some programs run as another user.
chmod 1777 "$reports"
# What Swift keeps by tagged pointers looks leaked; memory that is kept back from use again is no growth of ours.
export ASAN_OPTIONS="detect_leaks=0:quarantine_size_mb=1:log_path=$reports/report"

export MOONQUAKE_SKIP_LAB=1 MOONQUAKE_TEST_MODE=--no-parallel MOONQUAKE_TEST_LIMIT=3600
scripts/test.sh --sanitize=address --scratch-path .build-address | tee "$output"

ran=$(grep -c 'Test run with .* tests' "$output")
modules=$(find Tests -mindepth 1 -maxdepth 1 -name '*Tests' | wc -l)
found=$(find "$reports" -type f -size +0 | wc -l)
if [ "$found" -gt 0 ]; then
  cat "$reports"/report*
  echo "FAILED: the address sanitizer has reports of $found programs, above" >&2
  exit 1
fi
if [ "$ran" -lt "$modules" ]; then
  echo "FAILED: of $modules modules only $ran ran to their end" >&2
  exit 1
fi
echo "the address sanitizer has found nothing in $modules modules"
