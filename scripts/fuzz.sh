#!/bin/bash
# Runs each fuzz target for so many seconds, from the test cases and what earlier runs have found worth keeping: fuzz.sh SECONDS [TARGET…]
# With `keep` in the place of SECONDS, reduces what runs have found to the least that reaches as much of the code, and packs it.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=$1
shift
if ! cargo fuzz --version >/dev/null 2>&1 || ! command -v c++ >/dev/null; then
    echo 'This needs cargo-fuzz (cargo install --locked cargo-fuzz) and a C++ compiler (apt-get install g++).' >&2
    exit 1
fi
# The core is safe Rust: what a sanitizer would look for is not there to be found. Without one, the stable toolchain will do.
export RUSTC_BOOTSTRAP=1
cargo run --quiet --release --bin seeds
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo fuzz list | grep -v '^seeds$')
for target in "${targets[@]}"; do
    echo "==> $target"
    kept=kept/$target.tar.xz
    mkdir -p "corpus/$target" kept
    if [ "$seconds" = keep ]; then
        cargo fuzz cmin -s none -O "$target" >/dev/null 2>&1
        # Always the same archive of the same files.
        tar --create --xz --file "$kept" --directory corpus --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner "$target"
        continue
    fi
    if [ -f "$kept" ]; then
        tar --extract --file "$kept" --directory corpus
    fi
    log=$(mktemp)
    if ! cargo fuzz run -s none -O "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "$target failed: see above, and fuzz/artifacts/$target" >&2
        rm "$log"
        exit 1
    fi
    grep -E 'stat::(number_of_executed_units|new_units_added)' "$log"
    rm "$log"
done
