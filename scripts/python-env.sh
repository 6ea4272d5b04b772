#!/usr/bin/env bash
# Makes the Python environment of the outside SCIM clients that the tests run, and prints its interpreter's path.
# It lives in target/python-env and is made anew only when crates/scimd/tests/python/requirements.txt changes.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=crates/scimd/tests/python/requirements.txt
venv=${CARGO_TARGET_DIR:-$PWD/target}/python-env

if cmp -s "$wanted" "$venv/requirements.txt" && "$venv/bin/python" -c 'import scim2_tester' 2>/dev/null; then
    echo "$venv/bin/python"
    exit 0
fi

fail() {
    echo "python-env: $*" >&2
    exit 1
}

command -v python3 >/dev/null || fail "there is no python3; install Python 3.10 or later"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$(python3 --version) is too old; Python 3.10 or later is needed"

# Debian and Ubuntu keep what `python3 -m venv` needs in a package of its own.
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "python-env: installing python3-venv" >&2
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } >&2 ||
            fail "could not install python3-venv"
    else
        fail "python3 has no ensurepip; on Debian or Ubuntu run: sudo apt-get install python3-venv"
    fi
fi

echo "python-env: making $venv" >&2
mkdir -p "$(dirname "$venv")"
rm -rf "$venv"
python3 -m venv "$venv" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" >&2 ||
    fail "pip could not install $wanted; is PyPI reachable?"
cp "$wanted" "$venv/requirements.txt"
echo "$venv/bin/python"
