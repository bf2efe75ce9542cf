#!/bin/sh
# The Python environment: .venv with exactly what requirements.lock names, and this project in editable form.
# Needs Python 3.11 to 3.13 and the network once; quick when nothing changed. PYTHON names another interpreter.
# pip is used as it is configured on this machine (index, proxy, certificates).
set -eu
cd "$(dirname "$0")/.."
. setup/machine.sh
choose_python

# The stamp holds all that decides what is installed; a moved folder or another Python starts afresh.
place() { pwd && "$python" --version; }
wanted() { place && cat requirements.lock pyproject.toml; }
if wanted | cmp -s - .venv/installed; then
    exit 0
fi
if [ "$(head -n 2 .venv/installed 2>/dev/null)" = "$(place)" ]; then clear=; else clear=--clear; fi

echo 'setup: installing the locked packages into .venv'
"$python" -m venv $clear .venv
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
.venv/bin/python -m pip install --quiet --require-hashes -r requirements.lock
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
wanted >.venv/installed
echo 'setup: ready'
