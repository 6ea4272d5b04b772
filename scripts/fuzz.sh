#!/usr/bin/env bash
# Runs the fuzz targets, each for some seconds, from their seeds and from what earlier runs found. It stops at the first
# finding. What it finds is in fuzz/artifacts/, what it learned in fuzz/corpus/; git ignores both. See docs/fuzzing.md.
#
# usage: scripts/fuzz.sh [SECONDS] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
[ "$#" -gt 0 ] && shift
if ! [[ $seconds =~ ^[0-9]+$ ]]; then
    echo "usage: scripts/fuzz.sh [SECONDS] [TARGET...]" >&2
    exit 2
fi
[ "$#" -gt 0 ] || set -- filter path patch request value policy

command -v c++ >/dev/null || { echo "fuzz: there is no C++ compiler; libFuzzer needs one" >&2; exit 1; }
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked

# Coverage instrumentation is a compiler flag that stable Rust hides. Sanitizers need a nightly standard library, and
# have little to look for where unsafe code is forbidden.
export RUSTC_BOOTSTRAP=1

for target in "$@"; do
    case $target in
        filter | path | value) longest=1024 ;;
        *) longest=8192 ;;
    esac
    mkdir -p "fuzz/corpus/$target"
    printf '\n=== %s, for %d s\n' "$target" "$seconds"
    cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -dict=fuzz/scim.dict "-max_total_time=$seconds" "-max_len=$longest" \
        -rss_limit_mb=2048 -timeout=10 -print_final_stats=1
done
