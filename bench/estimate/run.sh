#!/usr/bin/env bash
# Fits the estimate of tokens to tokenizers, or judges it: run.sh FOLDER fit|judge. FOLDER gets what is installed and counted.
set -euo pipefail
cd "$(dirname "$0")"
folder=$(realpath -m "$1")
command=$2
python=$folder/python/bin/python

mkdir -p "$folder"
../../scripts/install-python.sh "$folder/python" requirements.txt
[ -d node_modules ] || npm ci --no-audit --no-fund --loglevel=error
if [ ! -e "$folder/counted" ]; then
    echo '==> samples and their tokens'
    "$python" samples.py "$folder/samples.jsonl"
    node count.mjs "$folder/samples.jsonl" "$folder/node.jsonl"
    "$python" count.py "$folder/samples.jsonl" "$folder/mistral.jsonl"
    touch "$folder/counted"
fi
counts=("$folder/node.jsonl" "$folder/mistral.jsonl")
if [ "$command" = fit ]; then
    echo '==> the tables'
    "$python" fit.py "$folder/samples.jsonl" "${counts[@]}" >"$folder/table.rs"
    cp "$folder/table.rs" ../../core/src/usage/estimate/table.rs
fi
echo '==> the errors'
(cd ../.. && cargo run --quiet --release -p sluice-core --example estimate) <"$folder/samples.jsonl" >"$folder/estimates"
"$python" judge.py "$folder/estimates" "${counts[@]}"
