#!/usr/bin/env bash
# The test command: everything that must hold before a change is merged. It needs Rust (with rustfmt and clippy), git,
# Python 3 and PostgreSQL (which it installs on Debian and Ubuntu), and the network only for crates.io, PyPI and that. It
# stops at the first failure, or by a signal, with all that it has started. What it builds stays in target/.
#
# usage: scripts/test.sh
set -euo pipefail
cd "$(dirname "$0")/.."

log=${CARGO_TARGET_DIR:-target}/test.log
summary=""
cluster=""
step="looking for tools"
started=$SECONDS

# A step is a process group of its own. With it ends all that it has started: tests, and the servers that they leave alone.
set -m
group=""

finish() {
    local code=$?
    trap '' HUP INT TERM
    if [ -n "$group" ]; then
        kill -- "-$group" 2>/dev/null || true
        wait "$group" 2>/dev/null || true
    fi
    if [ -n "$cluster" ]; then
        rm -f "$cluster/address"
        scripts/postgres.sh stop "$cluster" || true
    fi
    if [ "$code" -ne 0 ]; then
        printf '\nFAILED after %d s, at: %s\n' "$((SECONDS - started))" "$step" >&2 || true
    fi
    exit "$code"
}
trap finish EXIT
for signal in HUP INT TERM; do
    # shellcheck disable=SC2064
    trap "step+=', by SIG$signal'; exit $((128 + $(kill -l "$signal")))" "$signal"
done

need() {
    command -v "$1" >/dev/null && return
    echo "test: there is no \`$1\`; $2" >&2
    exit 1
}

# run WHAT COMMAND...: one step, with its time in the summary.
run() {
    step=$1
    shift
    local before=$SECONDS
    printf '\n=== %s: %s\n' "$step" "$*"
    # A signal is not heard while something is done in the foreground.
    "$@" </dev/null &
    group=$!
    wait "$group"
    group=""
    summary+=$(printf '  %-28s %5d s' "$step" "$((SECONDS - before))")$'\n'
}

skip() {
    printf '\n=== %s: SKIPPED, %s\n' "$1" "$2"
    summary+=$(printf '  %-28s skipped: %s' "$1" "$2")$'\n'
}

tests() {
    mkdir -p "$(dirname "$log")"
    cargo test --workspace --locked 2>&1 | tee "$log"
}

# The tests of the whole server again, on the store for many servers.
tests_on_postgres() {
    SCIM_TEST_STORE=postgres cargo test --package scimd --test it --locked 2>&1 | tee -a "$log"
}

# It ends with this script, whatever ends that.
start_cluster() {
    scripts/postgres.sh lend "$cluster" $$ >"$cluster/address"
}

need git "install it"
need python3 "install Python 3.10 or later"
need cargo "install Rust from https://rustup.rs"
cargo fmt --version >/dev/null 2>&1 || need cargo-fmt "run: rustup component add rustfmt"
cargo clippy --version >/dev/null 2>&1 || need cargo-clippy "run: rustup component add clippy"

run "format" cargo fmt --all --check
run "format of the fuzz targets" cargo fmt --manifest-path fuzz/Cargo.toml --check
run "rules of the tree" cargo xtask tidy
run "python environment" scripts/python-env.sh
run "licences and sources" scripts/cargo-deny.sh
run "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
# They are not run here (docs/fuzzing.md), but they must not fall behind.
if command -v c++ >/dev/null; then
    run "clippy on the fuzz targets" cargo clippy --manifest-path fuzz/Cargo.toml \
        --target-dir "${CARGO_TARGET_DIR:-target}" --all-targets --locked -- -D warnings
else
    skip "clippy on the fuzz targets" "libFuzzer needs a C++ compiler"
fi
# What Cargo.toml promises, where that toolchain is (`rustup toolchain install`); nothing else notices a newer language.
oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
if RUSTUP_AUTO_INSTALL=0 cargo "+$oldest" --version >/dev/null 2>&1; then
    run "check by Rust $oldest" cargo "+$oldest" check --workspace --all-targets --locked
else
    skip "check by Rust $oldest" "there is no such toolchain"
fi
run "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
# What would be published, without building it a second time.
run "packages" cargo package --workspace --exclude xtask --exclude scim-bench --exclude scim-examples --no-verify --locked --allow-dirty --quiet
# Examples, unit, property, conformance and end-to-end tests, and the examples in the documentation.
step="a PostgreSQL cluster"
cluster=$(mktemp -d /tmp/scim-postgres.XXXXXX)
run "a PostgreSQL cluster" start_cluster
SCIM_TEST_POSTGRES=$(<"$cluster/address")
export SCIM_TEST_POSTGRES
run "tests and examples" tests
run "end to end on PostgreSQL" tests_on_postgres

printf '\nSummary\n%s  %-28s %5d s\n\n' "$summary" "together" "$((SECONDS - started))"
grep '^test result' "$log"
# Faults that could not be carried out here count as tests that passed, so they are named.
awk '/fault: .*: NOT RUN/ { sub(/.*fault: /, "fault: "); print; n++ } END { if (n) printf "%d faults not run\n", n }' "$log"
awk '/^test result/ { passed += $4; failed += $6 } END { printf "%d tests passed, %d failed\n", passed, failed }' "$log"
