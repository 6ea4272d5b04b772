#!/usr/bin/env bash
# Becomes the server, on a port of 127.0.0.1, over a new SQLite file.
set -euo pipefail
cd "$1"
rm -f peer.db peer.db-*
export DJANGO_SETTINGS_MODULE=peer.settings
venv/bin/python -m django migrate --run-syncdb --verbosity 0
exec venv/bin/gunicorn --bind "127.0.0.1:$2" --workers 2 --worker-class gthread --threads 64 --keep-alive 60 \
    --log-level error peer.wsgi:application
