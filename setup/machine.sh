# Sourced by the other scripts: which Python, and how Debian or Ubuntu packages get here.

stop() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# Sets $python: the interpreter that PYTHON names, or the first that is new enough; one that was compiled without optimization
# (pyenv does so, unless told otherwise) only where there is no other: it takes a third longer for everything.
choose_python() {
    for wanted in optimized any; do
        for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
            if "$python" - "$wanted" 2>/dev/null <<'END'
import ensurepip, sys, sysconfig, venv
source_built = sys.base_prefix != "/usr" and "--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or "")
sys.exit(not (3, 11) <= sys.version_info < (3, 14) or (sys.argv[1] == "optimized" and source_built))
END
            then
                return
            fi
        done
    done
    stop "Python 3.11, 3.12 or 3.13 with venv is needed; ${PYTHON:-python3} is: $("${PYTHON:-python3}" --version 2>&1 || true)" \
        'Install one (Debian: python3 and python3-venv) and name it, for example: make setup PYTHON=python3.12'
}

# apt_install REASON PACKAGE...: ends with the exact command where this user may not install.
apt_install() {
    reason=$1
    shift
    command="apt-get install -y --no-install-recommends $*"
    if ! command -v apt-get >/dev/null; then
        stop "$reason" "There is no apt-get here to get them with; what Debian calls the packages: $*"
    elif [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        stop "$reason" 'You may not install packages here. Have root run:' "    apt-get update && $command" \
            'and repeat your make command.'
    fi
    echo "setup: $reason Installing $*"
    log=$(mktemp)
    if ! { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive $command; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        stop "apt-get failed (all it said: $log). Repair that, or have root run:" "    apt-get update && $command"
    fi
    rm -f "$log"
}
