#!/usr/bin/env bash
# Becomes the server, on a port of 127.0.0.1.
set -euo pipefail
cd "$1"
NODE_ENV=production exec node server.mjs "$2"
