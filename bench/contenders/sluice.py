"""Sluice in the same Envoy: with an empty policy, with everything on, and in front of each vendor's dialect."""

import functools
import hashlib
import json
import os
import pathlib
import subprocess

import yaml

from .base import ROOT, Contender, Start, Unavailable, run

SLUICE = ROOT / "target/release/sluice"
MODULE = ROOT / "dist/sluice.wasm"
KEY = "sluice-bench-key"
ENVIRONMENT = {"BENCH_KEY": "sk-bench", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "bench-secret"}

MODELS = {
    "openai": "gpt-4o",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
    "bedrock": "anthropic.claude-3-5-sonnet-20241022-v2:0",
}


@functools.cache
def envoy() -> str:
    """The Envoy that `sluice run` would take."""
    return run(SLUICE, "envoy").strip().splitlines()[-1]


def rendered(folder: pathlib.Path, policy: dict) -> dict:
    """What `sluice render` makes of a policy."""
    path = folder / "policy.json"
    path.write_text(json.dumps(policy))
    return yaml.safe_load(sluice("render", path, "--wasm", MODULE))


def sluice(*arguments: object) -> str:
    done = subprocess.run(
        [str(part) for part in (SLUICE, *arguments)],
        cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if done.returncode:
        raise Unavailable(done.stderr.strip()[:2000] or done.stdout.strip()[:2000])
    return done.stdout


def document(vendor: str, port: int, dialect: str = "openai") -> dict:
    """A policy with nothing in it but a way to one vendor."""
    endpoint = f"http://{vendor}/v1" if dialect == "openai" else f"http://{vendor}"
    provider = {"dialect": dialect, "endpoint": endpoint, "credential": {"env": "BENCH_KEY"}}
    if dialect == "bedrock":
        provider |= {"region": "eu-central-1", "credential": {"aws_env": True}}
    target = {"provider": "vendor", "model": MODELS[dialect]}
    models = {"chat": {"targets": [target]}}
    if dialect == "openai":
        models["embeddings"] = {"targets": [target | {"model": "text-embedding-3-small"}]}
    return {
        "version": 1,
        "listen": {"address": "127.0.0.1", "port": port, "admin_port": 0},
        "providers": {"vendor": provider},
        "models": models,
        "callers": {"anonymous": "allow"},
    }


class Sluice(Contender):
    source = "docs/policy.md"
    dialect = "openai"

    def install(self) -> None:
        for built in (SLUICE, MODULE):
            if not built.exists():
                raise Unavailable(f"{built.relative_to(ROOT)} is not built: `make build`")

    def version(self) -> str:
        digest = hashlib.sha256(MODULE.read_bytes()).hexdigest()
        return f"{run(SLUICE, '--version').strip().removeprefix('sluice ')}, module {digest[:12]}"

    def policy(self, vendor: str, port: int) -> dict:
        return document(vendor, port, self.dialect)

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        from .envoy import start

        return start(folder, rendered(folder, self.policy(vendor, port)), port)


class Empty(Sluice):
    name = "sluice-empty"
    title = "Sluice, empty policy"
    settings = "a provider, a model, anyone may call; access log and metrics as ever; `--concurrency 1`"
    core = True


class Everything(Sluice):
    name = "sluice"
    title = "Sluice, everything on"
    core = True

    @property
    def settings(self) -> str:
        parts = [
            "a hundred keys, ten access rules, ten limits that all hold (requests, tokens, money, calls at a time), prices and cost, metrics, access log",
            *(OPTIONAL_WORDS[name] for name in accepted()),
            *(f"without {name}, which this version doesn't have" for name in OPTIONAL if name not in accepted()),
            "`--concurrency 1`",
        ]
        return "; ".join(parts)

    def policy(self, vendor: str, port: int) -> dict:
        return everything(vendor, port) | {name: OPTIONAL[name] for name in accepted()}

    def headers(self, vendor: str) -> list[str]:
        return [f"authorization: Bearer {KEY}"]


class Redaction(Sluice):
    name = "sluice-redaction"
    title = "Sluice, redaction alone"
    settings = "the empty policy with all packs of redaction, masked in both directions"

    def policy(self, vendor: str, port: int) -> dict:
        return document(vendor, port) | {"redaction": OPTIONAL["redaction"]}


class Translation(Sluice):
    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.name = f"sluice-{dialect}"
        self.title = f"Sluice, OpenAI → {dialect.capitalize()}"
        self.settings = f"the empty policy with a provider of the dialect `{dialect}`"
        # Only OpenAI's vendor is asked for embeddings.
        self.embeddings_path = None


def translations() -> list[Contender]:
    """OpenAI to OpenAI is the empty policy itself."""
    return [Translation(dialect) for dialect in ("anthropic", "gemini", "bedrock")]


def everything(vendor: str, port: int) -> dict:
    """All that every version of this policy format accepts."""

    def digest(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    def limit(number: int, **fields: object) -> dict:
        return {"name": f"limit-{number}", "limit": 1 << 40} | fields

    keys = [{"id": f"key-{number}", "sha256": digest(f"key-{number}"), "team": f"team-{number % 10}"} for number in range(99)]
    keys.append({"id": "bench", "sha256": digest(KEY), "user": "bench", "team": "bench", "roles": ["load"]})
    rules = [{"allow": [f"model-{number}"], "when": {"teams": [f"team-{number}"]}} for number in range(9)]
    rules.append({"allow": ["chat", "embeddings"], "when": {"teams": ["bench"]}})
    return document(vendor, port) | {
        "callers": {"keys": keys},
        "access": rules,
        "limits": [
            limit(0, unit="requests", per="minute", by=["key"]),
            limit(1, unit="requests", per="day", by=["team"]),
            limit(2, unit="tokens", per="minute", by=["team"]),
            limit(3, unit="tokens", per="day", by=["user"]),
            limit(4, unit="input_tokens", per="hour", by=["team", "model"]),
            limit(5, unit="output_tokens", per="hour", by=["team", "model"]),
            limit(6, unit="usd", per="day", by=["team"], limit=1_000_000),
            limit(7, unit="usd", per="month", by=["user"], limit=1_000_000),
            limit(8, unit="concurrent", by=["key"], limit=100_000),
            limit(9, unit="tokens", per="month", by=["provider"]),
        ],
        "prices": {
            "gpt-4o": {"input": 2.5, "output": 10.0, "cached_input": 1.25},
            "text-embedding-3-small": {"input": 0.02, "output": 0.0},
        },
    }


# Sections that a version may not have yet: each is used where `sluice check` takes it.
OPTIONAL = {
    "guards": [
        {"name": "words", "kind": "words", "words": ["project nightingale", "blackbird*"]},
        {"name": "tickets", "kind": "pattern", "pattern": "TICKET-[0-9]+"},
        {"name": "injection", "kind": "prompt_injection", "threshold": 0.5},
        {"name": "size", "kind": "prompt_size", "max_tokens": 1_000_000},
    ],
    "redaction": {"rules": ["pii", "secrets", "gdpr", "hipaa", "pci"], "request": "mask", "response": "mask"},
}
OPTIONAL_WORDS = {
    "guards": "guards (words, pattern, prompt injection, size)",
    "redaction": "all packs of redaction, masked in both directions",
}


@functools.cache
def accepted() -> tuple[str, ...]:
    """The optional sections that this `sluice` takes."""
    names = []
    scratch = ROOT / ".tools/bench/check.json"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    for name, section in OPTIONAL.items():
        scratch.write_text(json.dumps(everything("127.0.0.1:1", 0) | {name: section}))
        try:
            sluice("check", scratch)
        except Unavailable:
            continue
        names.append(name)
    return tuple(names)
