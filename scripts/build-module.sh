#!/usr/bin/env bash
# Builds dist/sluice.wasm and its sha256, with rustup's wasm target or, where rustup can't fetch that, Debian's toolchain.
# With `clippy` as its argument, lints the module instead; with `bench`, measures the core's steps as the module has them.
set -euo pipefail
cd "$(dirname "$0")/.."

command=${1:-build}
target=wasm32-wasip1

has_target() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]
}

# A rustup that can't fetch the target is no error yet: the next toolchain may have it.
add_target() {
    command -v rustup >/dev/null || return 1
    echo "==> rustup target add $target"
    timeout 300 rustup target add "$target"
}

debian_packages=(rustc-web rust-web-src lld-22 wasi-libc)

has_debian_toolchain() {
    dpkg-query --show "${debian_packages[@]}" >/dev/null 2>&1
}

add_debian_toolchain() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" != 0 ]; then
        echo "The wasm target is missing. As root: apt-get install ${debian_packages[*]}" >&2
        return 1
    fi
    echo "==> apt-get install ${debian_packages[*]}"
    apt-get update -qq || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${debian_packages[@]}" >/dev/null
}

# Flags of the user's own would take the place of those in .cargo/config.toml.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
# Where crates lie on this machine is nothing for the module to tell.
remap="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src/="
arguments=()
if has_target || add_target; then
    arguments=(--config "target.$target.rustflags=['$remap']")
elif has_debian_toolchain || add_debian_toolchain; then
    # Debian has no precompiled standard library for this target, so it is built along.
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-22
    export RUSTFLAGS="-L/usr/lib/wasm32-wasi -C link-self-contained=no -C target-feature=+simd128 -C llvm-args=-inline-threshold=40 -C llvm-args=-inlinehint-threshold=275 $remap"
    arguments=(-Zbuild-std=std,panic_abort)
else
    cat >&2 <<MESSAGE
There is no toolchain for $target. Any one of these gives one:
  rustup target add $target
  apt-get install ${debian_packages[*]}       (Debian 12, as root)
MESSAGE
    exit 1
fi

if [ "$command" = clippy ]; then
    if [ -n "${RUSTC:-}" ]; then
        # Debian's compiler has no clippy of its own version.
        echo "Without rustup's target the module is checked, but not linted."
        exec cargo check -p sluice-filter --target "$target" "${arguments[@]}"
    fi
    exec cargo clippy -p sluice-filter --target "$target" -- -D warnings
fi

if [ "$command" = bench ]; then
    shift
    cargo build --quiet -p sluice-bench --target "$target" --profile module "${arguments[@]}"
    exec node --no-warnings bench/steps/run.mjs "${CARGO_TARGET_DIR:-target}/$target/module/sluice-bench.wasm" --bench "$@"
fi

echo '==> the module'
cargo build -p sluice-filter --target "$target" --profile module "${arguments[@]}"
built=${CARGO_TARGET_DIR:-target}/$target/module/sluice_filter.wasm
mkdir -p dist
if ! cmp --silent "$built" dist/sluice.wasm; then
    cp "$built" dist/sluice.wasm.new
    mv dist/sluice.wasm.new dist/sluice.wasm
fi
(cd dist && sha256sum sluice.wasm >sluice.wasm.sha256)
size=$(stat --format %s dist/sluice.wasm)
echo "dist/sluice.wasm: $size bytes"
if [ "$size" -ge 3000000 ]; then
    echo 'The module has to stay under 3,000,000 bytes.' >&2
    exit 1
fi
