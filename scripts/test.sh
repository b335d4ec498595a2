#!/usr/bin/env bash
# Every test, built already by `make test`: one module after the other, since tests that block threads in one would make
# the clocks of another late, and the end-to-end tests one by one, since they measure times.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
for folder in Tests/*Tests; do
  suite=$(basename "$folder")
  mode=--parallel
  [ "$suite" = EndToEndTests ] && mode=--no-parallel
  echo "== $suite"
  swift test --skip-build "$mode" --filter "$suite\\." 2>&1 || failed+=("$suite")
done

# The suites that need a kernel which has everything, in one boot of the lab.
if command -v qemu-system-x86_64 >/dev/null && command -v mmdebstrap >/dev/null; then
  echo "== lab"
  lab/suites.sh || failed+=(lab)
else
  echo "SKIPPED, NOT TESTED: the lab (netem and the other suites of lab/suites): qemu-system-x86 or mmdebstrap is" \
    "missing; install them with scripts/setup.sh" >&2
fi

if [ ${#failed[@]} -gt 0 ]; then
  echo "FAILED: ${failed[*]}" >&2
  exit 1
fi
echo "all tests passed"
