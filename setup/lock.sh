#!/bin/sh
# Write requirements.lock from pyproject.toml: exact versions with hashes for Python 3.11 to 3.13 on Linux and macOS.
# Versions already locked stay unless UPGRADE=--upgrade.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
[ -x "$uv" ] || uv=uv
"$uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate \
    --no-header ${UPGRADE:-} --group dev --output-file requirements.lock pyproject.toml
