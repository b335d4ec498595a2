#!/usr/bin/env bash
# Every test, built already by `make test`: the modules' tests in parallel, then the end-to-end tests one by one, since
# they measure times.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
swift test --skip-build --disable-xctest --parallel --skip EndToEndTests || failed+=("the modules' tests")
swift test --skip-build --disable-xctest --no-parallel --filter EndToEndTests || failed+=("the end-to-end tests")

if [ ${#failed[@]} -gt 0 ]; then
  printf 'FAILED: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "all tests passed"
