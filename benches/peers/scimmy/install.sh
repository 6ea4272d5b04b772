#!/usr/bin/env bash
# Installs SCIMMY, its routers and express from the npm registry into a folder.
set -euo pipefail
cd "$(dirname "$0")"
command -v npm >/dev/null || { echo "there is no npm; install Node.js 20 or later" >&2; exit 1; }
mkdir -p "$1"
cp package.json package-lock.json server.mjs "$1"
cd "$1"
npm ci --silent --no-audit --no-fund
