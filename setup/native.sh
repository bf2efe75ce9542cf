#!/bin/sh
# What pip cannot bring: ensurepip (Debian ships it apart from Python), and Pango with its companions for the PDF
# reports. With --with-postgres also what only tests need: the PostgreSQL server programs, which they start in a temporary
# folder, a Java for Spark, and an IMAP server, started on the loopback alone.
set -eu
cd "$(dirname "$0")/.."
. setup/machine.sh
choose_python

missing=$("$python" - <<'PYTHON'
import sys
from ctypes.util import find_library

try:
    import ensurepip
except ImportError:
    print("ensurepip")
print(*[name for name in ("pango-1.0", "pangoft2-1.0", "harfbuzz-subset", "fontconfig") if not find_library(name)])
PYTHON
)
packages=
reason=
if [ "$(uname)" = Darwin ] && [ -n "$missing" ]; then
    stop "Missing: $(echo $missing). Run:" '    brew install pango' 'and repeat your make command.'
fi
for name in $missing; do
    case $name in
    ensurepip)
        packages=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        reason='Python here cannot make an environment (no ensurepip).'
        ;;
    *)
        packages="$packages libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig"
        reason="$reason Libraries for the PDF reports are missing."
        break
        ;;
    esac
done

postgres=
if [ "${1:-}" = --with-postgres ] && ! command -v initdb >/dev/null && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    postgres=postgresql
fi
if [ "${1:-}" = --with-postgres ] && ! command -v java >/dev/null; then
    postgres="$postgres default-jre-headless"
fi
if [ "${1:-}" = --with-postgres ] && ! command -v dovecot >/dev/null && [ ! -x /usr/sbin/dovecot ]; then
    postgres="$postgres dovecot-imapd"
fi

if [ -n "$packages" ]; then
    apt_install "$(echo $reason)" $packages $postgres
elif [ -n "$postgres" ]; then
    # Without a server its tests are skipped by name, and with CI=true they fail.
    (apt_install 'The tests on PostgreSQL, Spark and IMAP need: '"$postgres" $postgres) ||
        echo "setup: going on without $postgres; their tests will be skipped" >&2
fi
