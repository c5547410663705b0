#!/usr/bin/env bash
# Makes a Python environment: install-python.sh FOLDER REQUIREMENTS
set -euo pipefail

folder=$1
requirements=$2
echo '==> the Python SDKs'
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian's python3 comes without them.
    if [ "$(id -u)" != 0 ]; then
        echo 'Python has no venv. As root: apt-get install python3-venv' >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
fi
# One that was left half made has a python and no pip.
"$folder/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
