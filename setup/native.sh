#!/bin/sh
# Libraries outside Python: Pango and its companions for the PDF reports; with --with-postgres also the
# PostgreSQL server programs, which the tests start for themselves in a temporary folder.
set -eu
cd "$(dirname "$0")/.."
. setup/apt.sh

missing=$(.venv/bin/python - <<'PYTHON'
from ctypes.util import find_library
print(*[name for name in ("pango-1.0", "pangoft2-1.0", "harfbuzz-subset", "fontconfig") if not find_library(name)])
PYTHON
)
if [ -n "$missing" ]; then
    reason="The PDF reports need libraries that are missing ($missing)."
    if [ "$(uname)" = Darwin ]; then
        stop "$reason" 'Run:' '    brew install pango' 'Then repeat your make command.'
    fi
    apt_install "$reason" libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig
fi

[ "${1:-}" = --with-postgres ] || exit 0
if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    exit 0
fi
# Without a server the tests on PostgreSQL skip by name; with CI=true they fail instead.
(apt_install 'The tests on PostgreSQL need its server programs.' postgresql) ||
    echo 'setup: going on without PostgreSQL; its tests will be skipped' >&2
