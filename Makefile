# Everything that is done with Sluice. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CARGO ?= cargo
# What is built is looked for here, whatever a user's own settings say.
export CARGO_TARGET_DIR := target
# A test that finds no Envoy has to fail, not to skip.
export SLUICE_REQUIRE_ENVOY := 1
TOOLS := .tools
PYTHON := $(TOOLS)/python/bin/python
SLUICE := target/release/sluice
MOCKS := target/release/mock-vendors
MODULE := dist/sluice.wasm

SECONDS_EACH ?= 300
# Not from the environment alone: it is a variable of bash's own.
BENCH = ENVOY="$$($(SLUICE) envoy)" $(TOOLS)/bench/python/bin/python bench/run.py \
	$(if $(CONTENDERS),--contenders "$(CONTENDERS)") $(if $(WORKLOADS),--workloads "$(WORKLOADS)") \
	$(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: rust help run test check build module cli mocks envoy test-core test-module test-envoy format lint deny clean limits-services
.PHONY: fuzz fuzz-keep prices time-zones estimate limits-cost redaction-quality redaction-speed guard-quality bench bench-smoke bench-core

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | column -t -s "$$(printf '\t')"

run: build mocks ## start the gateway on 127.0.0.1:10000 and send it a sample request; mock vendors where no key is set
	@$(SLUICE) envoy >/dev/null
	@python3 scripts/run.py

test: test-core test-module test-envoy ## every test: the core, the module in its own host, the real Envoy with the official SDKs

check: format lint deny test ## what CI runs: format, lints, licences, every test

build: module cli ## dist/sluice.wasm with its sha256, and target/release/sluice

rust:
	@command -v $(CARGO) >/dev/null && command -v cc >/dev/null || \
	{ echo 'This needs Rust (https://rustup.rs) and a C linker (apt-get install gcc libc6-dev).' >&2; exit 1; }

module: rust ## dist/sluice.wasm
	@scripts/build-module.sh

cli: rust ## target/release/sluice
	@echo '==> the command line'
	@$(CARGO) build --release -p sluice

mocks: rust ## target/release/mock-vendors
	@echo '==> the mock vendors'
	@$(CARGO) build --release -p test-harness --no-default-features --bin mock-vendors

envoy: cli ## say which Envoy is used, after fetching one where there is none
	@$(SLUICE) envoy

test-core: envoy ## unit tests and test cases on the native core
	@echo '==> the core, its test cases, the command line'
	@ENVOY="$$($(SLUICE) envoy)" $(CARGO) test -p sluice-core -p test-cases -p sluice

test-module: module ## the built module in the test harness's host, and the mock vendors' own tests
	@echo '==> the module in its own host'
	@$(CARGO) test -p test-harness

test-envoy: build mocks limits-services $(TOOLS)/python.done $(TOOLS)/node.done ## the real Envoy with the official SDKs
	@echo '==> the real Envoy'
	@ENVOY="$$($(SLUICE) envoy)" $(PYTHON) -m pytest integration-tests

limits-services: rust ## the rate-limit services of the tests: envoyproxy/ratelimit where there is Go, and one around limitador
	@scripts/limits-services.sh $(TOOLS)/limits-services

format: ## fail where the code is not formatted
	@$(CARGO) fmt --all --check

lint: ## fail on any warning
	@$(CARGO) clippy --quiet --workspace --exclude sluice-filter --all-targets -- -D warnings
	@scripts/build-module.sh clippy

deny: ## licences, sources and duplicate crates, where cargo-deny is installed
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) fetch --locked --quiet; $(CARGO) deny --offline check bans licenses sources; \
	else echo 'cargo-deny is not installed, so licences are not checked (cargo install --locked cargo-deny)'; fi

fuzz: rust ## run every fuzz target for SECONDS_EACH seconds (300); needs cargo-fuzz and a C++ compiler
	@scripts/fuzz.sh $(SECONDS_EACH)

fuzz-keep: rust ## reduce what fuzzing has found to the least that reaches as much, and pack it into fuzz/kept
	@scripts/fuzz.sh keep

redaction-quality: rust $(TOOLS)/quality.done ## precision and recall of redaction beside Presidio, into docs/redaction-quality.md
	@$(CARGO) build --quiet --release -p sluice-core --example redact_lines
	@$(TOOLS)/quality/bin/python bench/redaction/quality.py --output docs/redaction-quality.md

redaction-speed: rust ## how fast texts are masked, natively
	@$(CARGO) run --quiet --release -p sluice-core --example redaction_speed

bench: build envoy $(TOOLS)/bench/python.done ## measure beside others, into docs/benchmarks.md; CONTENDERS= WORKLOADS= SECONDS= ROUNDS= MINUTES=
	@$(BENCH)

bench-smoke: build envoy $(TOOLS)/bench/python.done ## the load generator's tests, and a moment of `make bench` with a look at its figures
	@$(CARGO) test --quiet --release --locked --manifest-path bench/load/Cargo.toml --target-dir $(TOOLS)/bench/load
	@ENVOY="$$($(SLUICE) envoy)" $(TOOLS)/bench/python/bin/python bench/smoke.py

bench-core: rust ## what single steps cost in the core, natively and in V8 (where there is Node); STEPS= names some of them
	@echo '==> natively'
	@$(CARGO) run --quiet --release -p sluice-bench -- --bench $(STEPS)
	@if command -v node >/dev/null; then echo '==> in V8, as the module is built'; scripts/build-module.sh bench $(STEPS); \
	else echo 'Node is not installed, so nothing is measured in V8.'; fi

guard-quality: rust $(TOOLS)/guards.done ## how well prompt injections are found, into docs/guards-quality.md
	@$(CARGO) build --quiet --release -p sluice-core --example guard_lines
	@$(TOOLS)/guards/bin/python bench/guards/quality.py --output docs/guards-quality.md

limits-cost: build envoy $(TOOLS)/bench/python.done ## what 1 to 1,000 limits cost a request, natively and in Envoy (docs/limits.md)
	@$(CARGO) run --quiet --release -p sluice-core --example limits
	@$(BENCH) --contenders sluice-empty --workloads limits --results target/limits-cost.json --page /dev/stdout

time-zones: ## renew core/data/time-zones.txt from the newest time zone database
	@python3 -m venv $(TOOLS)/time-zones
	@$(TOOLS)/time-zones/bin/python -m pip install --quiet --disable-pip-version-check --upgrade tzdata
	@$(TOOLS)/time-zones/bin/python scripts/time-zones.py

prices: ## renew the built-in rate card from the package genai-prices
	@python3 -m venv $(TOOLS)/prices
	@$(TOOLS)/prices/bin/python -m pip install --quiet --disable-pip-version-check --upgrade genai-prices
	@$(TOOLS)/prices/bin/python scripts/prices.py core/data/rate-card.txt core/data/LICENSE-genai-prices

estimate: $(TOOLS)/node.done ## judge the estimate of tokens against tokenizers (docs/limits-estimates.md)
	@bench/estimate/run.sh target/estimate judge

clean: ## remove everything that was built or installed here
	rm -rf target dist $(TOOLS) .run integration-tests/node/node_modules integration-tests/.pytest_cache
	find integration-tests -name __pycache__ -prune -exec rm -rf {} +

$(TOOLS)/python.done: integration-tests/requirements.txt scripts/install-python.sh
	@scripts/install-python.sh $(TOOLS)/python integration-tests/requirements.txt
	@touch $@

$(TOOLS)/quality.done: bench/redaction/requirements.txt scripts/install-python.sh
	@scripts/install-python.sh $(TOOLS)/quality bench/redaction/requirements.txt
	@touch $@

$(TOOLS)/bench/python.done: bench/requirements.txt
	@python3 -m venv $(TOOLS)/bench/python
	@$(TOOLS)/bench/python/bin/python -m pip install --quiet --disable-pip-version-check --requirement bench/requirements.txt
	@touch $@

$(TOOLS)/guards.done: bench/guards/requirements.txt
	@python3 -m venv $(TOOLS)/guards
	@$(TOOLS)/guards/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement bench/guards/requirements.txt
	@touch $@

$(TOOLS)/node.done: integration-tests/node/package.json integration-tests/node/package-lock.json
	@echo '==> the Node SDK'
	@command -v npm >/dev/null || { echo 'The tests need Node 20 or newer, with npm (https://nodejs.org).' >&2; exit 1; }
	@cd integration-tests/node && npm ci --no-audit --no-fund --loglevel=error
	@mkdir -p $(TOOLS) && touch $@
