#!/usr/bin/env bash
# Makes .venv with everything in it, real Caffe included: installs the Debian packages, then hands over to Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

refuse() {
    echo "error: $1; use Docker instead: see README.md, section \"Docker\"" >&2
    exit 2
}

refuse_other_python() {
    local version
    version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [[ $version == 3.11 ]] || refuse "setup builds for Debian 12's Python 3.11, and /usr/bin/python3 is $version"
}

missing_packages() {
    local wanted
    mapfile -t wanted < <(grep -v -e '^#' -e '^$' caffe_build/debian.txt)
    LC_ALL=C comm -23 <(printf '%s\n' "${wanted[@]}" | LC_ALL=C sort) \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
            sed -n 's/^installed //p' | LC_ALL=C sort)
}

if [[ -e .venv/came-with-the-image ]]; then
    echo "Caffe came with this image: nothing to do"
    exit
fi

[[ $(uname -m) == x86_64 ]] || refuse "setup builds for x86_64, and this is $(uname -m)"
command -v apt-get >/dev/null || refuse "setup builds on Debian 12, and this system has no apt-get"
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
    echo "installing ${#missing[@]} Debian packages (1 to 3 minutes; log: $log): ${missing[*]}"
    # `update` may fail on one of several sources and still be good enough: `install` decides.
    "${as_root[@]}" apt-get update >"$log" 2>&1 || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null || {
        tail -n 15 "$log" >&2
        echo "error: apt-get could not install them; fix what it says above, then run setup again" >&2
        exit 2
    }
    refuse_other_python
fi

exec /usr/bin/python3 -E -m caffe_build
