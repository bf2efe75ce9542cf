# Sourced by the other scripts: install Debian or Ubuntu packages, or say which command would.

stop() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# apt_install REASON PACKAGE...: exits with the exact command where this user may not install.
apt_install() {
    reason=$1
    shift
    command="apt-get install -y --no-install-recommends $*"
    if [ "$(uname)" = Darwin ] || ! command -v apt-get >/dev/null; then
        stop "$reason" "This system has no apt-get; the Debian packages that hold what is missing: $*"
    elif [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        stop "$reason" 'You may not install packages here. Ask for, or run as root:' "    $command" 'Then repeat your make command.'
    fi
    echo "setup: $reason Installing $*"
    log=$(mktemp)
    if ! { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive $command; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        stop "apt-get failed (log: $log). Repair that, or run as root:" "    apt-get update && $command"
    fi
    rm -f "$log"
}
