#!/usr/bin/env bash
# Runs the benchmarks on a release build and prints a table; results go to bench/results.json as well.
# Usage: bench/run.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."
python3 bench/bench.py "${1:-.build/release/moonquake}"
python3 bench/network.py "${1:-.build/release/moonquake}"
python3 bench/names.py "${1:-.build/release/moonquake}"
python3 bench/metrics.py "${1:-.build/release/moonquake}"
