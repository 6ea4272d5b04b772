#!/usr/bin/env bash
# Installs django-scim2, Django and gunicorn from PyPI into a folder.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p "$1"
cp -r peer "$1"
python3 -m venv "$1/venv"
"$1/venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
