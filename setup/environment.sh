#!/bin/sh
# The Python environment: .venv with exactly what requirements.lock names, and this project in editable form.
# Needs Python 3.11 to 3.13 and the network once; quick when nothing changed. PYTHON names the interpreter.
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
pip='.venv/bin/python -m pip'
# uv, from the same lock, takes a sixth of the time, but knows nothing of how pip is configured here: where pip is
# told of another index or a proxy, and wherever uv does not get through, pip installs.
with_uv() {
    ! $pip config list | grep -qE '[.](index-url|no-index|proxy|trusted-host)=' || return 1
    awk '/^[^ ]/ { wanted = /^uv==/ } wanted' requirements.lock >.venv/uv.lock
    $pip install --quiet --no-deps --require-hashes -r .venv/uv.lock &&
        .venv/bin/uv pip install --quiet --system-certs --python .venv/bin/python --require-hashes -r requirements.lock
}
with_uv || {
    echo 'setup: with pip, which takes a minute or two'
    $pip install --quiet --no-compile --require-hashes -r requirements.lock
}
$pip install --quiet --no-deps --no-build-isolation --editable .
# Compiled once, on every core: where Python may not write what it compiles, every command would do it anew, for seconds.
# What cannot be compiled is code for other Pythons that a package carries along.
.venv/bin/python -m compileall -q -j 0 .venv/lib safety_monitor ctcae_v403 migrations >/dev/null || true
wanted >.venv/installed
echo 'setup: ready'
