#!/usr/bin/env bash
# Installs scim2-server (with its cursors) and gunicorn from PyPI into a folder.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p "$1"
cp server.py "$1"
python3 -m venv "$1/venv"
"$1/venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
