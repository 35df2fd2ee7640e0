#!/bin/sh
# Fill .venv at the top of the repository: `sh tools/setup.sh lab` installs what
# a student needs, `dev` what the tests need on top of it, `light` what tests without
# PyTorch need. `system` installs programs of Debian and Ubuntu, outside of .venv.
set -eu
cd "$(dirname "$0")/.."
what=${1:-lab}
case $(uname -s) in
MINGW* | MSYS*) python=.venv/Scripts/python ;; # Git's shell on Windows
*) python=.venv/bin/python ;;
esac

die() {
    echo "setup: $*" >&2
    exit 1
}

make_venv() {
    base=${PYTHON:-python3}
    command -v "$base" >/dev/null || die "no $base found; install Python 3.10 or newer"
    "$base" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        die "$base is older than 3.10; name a newer one: make lab PYTHON=python3.12"
    "$base" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$base has no venv module; on Debian and Ubuntu: sudo apt install python3-venv"
    "$base" -m venv .venv
}

has_nvidia_gpu() {
    [ -e /proc/driver/nvidia/version ] || nvidia-smi -L >/dev/null 2>&1 ||
        /usr/lib/wsl/lib/nvidia-smi -L >/dev/null 2>&1
}

uv_torch() {
    grep -E '^torch(vision)?[<>=]' requirements.txt |
        "$python" -m uv pip install --no-config --python "$python" --no-deps \
            --torch-backend=cpu "$@" -r -
}

# On Linux, pip's own torch brings 6 GB of CUDA. PyTorch's CPU wheels have
# an index of their own, and uv knows where. Ask it once, with little patience;
# if it answers, install from it with the usual patience.
install_cpu_torch() {
    "$python" -m pip install --quiet uv || return 1
    UV_HTTP_CONNECT_TIMEOUT=5 UV_HTTP_TIMEOUT=5 UV_HTTP_RETRIES=0 \
        uv_torch --dry-run >/dev/null 2>&1 || return 1
    uv_torch
}

install_lab() {
    if [ "$(uname -s)" = Linux ] && ! "$python" -c 'import torch' 2>/dev/null && ! has_nvidia_gpu; then
        echo "setup: no NVIDIA GPU here, asking for PyTorch's CPU wheels"
        install_cpu_torch || echo "setup: no answer, pip takes its own torch instead"
    fi
    echo "setup: installing into .venv; the first time this takes a few minutes"
    "$python" -m pip install --quiet -r requirements.txt
    "$python" -m pip install --quiet -e .
    "$python" tools/hints.py
}

install_dev() {
    echo "setup: adding what the tests need"
    "$python" -m pip install --quiet -e '.[dev]'
}

install_light() {
    echo "setup: installing what the tests without PyTorch need"
    grep -vE '^(#|d2l|torch)' requirements.txt >.venv/light.txt
    "$python" -m pip install --quiet -r .venv/light.txt hypothesis pytest pytest-xdist
    "$python" -m pip install --quiet --no-deps -e .
}

install_system() {
    command -v apt-get >/dev/null || die "'system' needs apt-get, of Debian or Ubuntu"
    set --
    browser=
    for name in chromium chromium-browser google-chrome chrome; do # Ubuntu has its own names
        if command -v "$name" >/dev/null; then browser=$name; fi
    done
    [ -n "$browser" ] || set -- "$@" chromium fonts-dejavu-core
    [ -d /usr/share/datasets/fashion-mnist ] || set -- "$@" dataset-fashion-mnist
    command -v bwrap >/dev/null || set -- "$@" bubblewrap
    /sbin/ldconfig -p | grep -q libseccomp.so.2 || set -- "$@" libseccomp2
    if [ $# -gt 0 ]; then
        sudo=$([ "$(id -u)" = 0 ] || echo sudo)
        $sudo apt-get update -q
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    fi
}

case $what in
system)
    install_system
    exit
    ;;
lab | dev | light) ;;
*) die "unknown argument '$what': lab, dev, light or system" ;;
esac
[ -x "$python" ] || make_venv
"install_$what"
touch ".venv/.$what"
