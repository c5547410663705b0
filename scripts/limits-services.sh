#!/usr/bin/env bash
# Makes what the tests of limits that a fleet has together need: limits-services.sh FOLDER
# Redis is the system's; envoyproxy/ratelimit is built where there is Go; the service around limitador everywhere.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(realpath --canonicalize-missing "$1")
# It has no releases; this is its main branch of 2026-01-22.
ratelimit=github.com/envoyproxy/ratelimit/src/service_cmd@v1.4.1-0.20260122083618-3fb702589d36

if ! command -v redis-server >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo '==> Redis'
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server >/dev/null
    else
        echo 'Tests with Redis are skipped. As root: apt-get install redis-server' >&2
    fi
fi
if [ ! -x "$folder/service_cmd" ]; then
    if command -v go >/dev/null; then
        echo '==> envoyproxy/ratelimit'
        GOBIN=$folder go install "$ratelimit"
    else
        echo 'Tests with envoyproxy/ratelimit are skipped: they need Go (https://go.dev)' >&2
    fi
fi
echo '==> the service around limitador'
CARGO_TARGET_DIR=$folder/target cargo build --release --quiet --manifest-path integration-tests/limitador/Cargo.toml
ln -sf target/release/limitador-service "$folder/limitador-service"
