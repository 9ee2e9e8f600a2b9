#!/usr/bin/env bash
# Makes .venv with everything in it, real Caffe included: installs the system's packages, then hands over to Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

refuse() {
    echo "error: $1; use Docker instead: see README.md, section \"Docker\"" >&2
    exit 2
}

# Finds this machine in systems.txt (sets `codename`, `python` and `name`); refuses it if it is not there.
find_system() {
    local known="" UBUNTU_CODENAME="" DEBIAN_CODENAME="" VERSION_CODENAME="" PRETTY_NAME="another one"
    source <(cat /etc/os-release 2>/dev/null)
    while read -r codename python _ _ _ name; do
        case $codename in
        "" | "#"*) ;;
        "$UBUNTU_CODENAME" | "$DEBIAN_CODENAME" | "$VERSION_CODENAME") return ;;
        *) known+=", $name" ;;
        esac
    done <caffe_build/systems.txt
    refuse "setup builds on ${known:2}, and this system is $PRETTY_NAME"
}

refuse_other_python() {
    local version
    version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [[ $version == "$python" ]] || refuse "setup builds for the Python $python of $name, and /usr/bin/python3 is $version"
}

missing_packages() {
    local wanted
    mapfile -t wanted < <(grep -v -e '^#' -e '^$' caffe_build/packages.txt)
    LC_ALL=C comm -23 <(printf '%s\n' "${wanted[@]}" | LC_ALL=C sort) \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
            sed -n 's/^installed //p' | LC_ALL=C sort)
}

install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "$@" >>"$log" 2>&1 </dev/null || {
        tail -n 15 "$log" >&2
        echo "error: apt-get could not install them; fix what it says above, then run setup again" >&2
        exit 2
    }
}

if [[ -e .venv/came-with-the-image ]]; then
    echo "Caffe came with this image: nothing to do"
    exit
fi

[[ $(uname -m) == x86_64 ]] ||
    refuse "setup builds for x86_64, and this is $(uname -m), which can emulate it (--platform linux/amd64)"
command -v apt-get >/dev/null || refuse "setup builds on Debian and Ubuntu, and this system has no apt-get"
find_system
[[ ! -x /usr/bin/python3 ]] || refuse_other_python

mapfile -t missing < <(missing_packages)
if ((${#missing[@]})); then
    as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            refuse "neither root nor sudo to install what is missing (${missing[*]})"
        as_root=(sudo)
    fi
    mkdir -p .setup
    log=.setup/apt.log
    echo "installing ${#missing[@]} packages (1 to 3 minutes; log: $log): ${missing[*]}"
    # `update` may fail on one of several sources and still be good enough: `install` decides.
    "${as_root[@]}" apt-get update >"$log" 2>&1 || true
    install python3 python3-venv
    refuse_other_python
    # The Python packages come while the system's are installed. If that fails, what follows does it and says why.
    /usr/bin/python3 -E -m caffe_build --packages-only >.setup/packages.log 2>&1 &
    trap 'kill $! 2>/dev/null' EXIT
    install "${missing[@]}"
    wait $! || true
    trap - EXIT
fi

exec /usr/bin/python3 -E -m caffe_build "$codename"
