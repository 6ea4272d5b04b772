#!/usr/bin/env bash
# Becomes the server, on a port of 127.0.0.1. One process, since its memory is its store; threads, so that connections
# are kept.
set -euo pipefail
cd "$1"
exec venv/bin/gunicorn --bind "127.0.0.1:$2" --workers 1 --worker-class gthread --threads 128 --keep-alive 60 \
    --log-level error server:application
