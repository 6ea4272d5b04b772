#!/usr/bin/env bash
# Holds the dependencies to deny.toml: licences, sources, and crates that are not wanted. cargo-deny is built once, which takes
# a minute or two, and stays in target/. Advisories change by the day and come from the network; before a release:
#
#   scripts/cargo-deny.sh advisories
#
# usage: scripts/cargo-deny.sh [CHECK]...
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools=${CARGO_TARGET_DIR:-target}/tools
if ! "$tools/bin/cargo-deny" --version 2>/dev/null | grep -qx "cargo-deny $version"; then
    cargo install --quiet --debug --locked --root "$tools" --version "$version" cargo-deny
fi
[ $# -gt 0 ] || set -- licenses bans sources
exec "$tools/bin/cargo-deny" --all-features check --hide-inclusion-graph "$@"
