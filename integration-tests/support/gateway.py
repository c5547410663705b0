"""A gateway: `sluice run` with a policy, on free ports."""

import hashlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import tempfile
import threading

import httpx

from .vendors import KEYS, ROOT, Vendors

SLUICE = ROOT / "target/release/sluice"
# What clients of the tests send.
CLIENT_KEY = "client-key-of-the-tests"
DIALECTS = {"openai": "openai", "anthropic": "anthropic", "gemini": "gemini"}
MODELS = {"openai": "gpt-4o-2024-11-20", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash"}
VARIABLES = {"openai": "TEST_OPENAI_KEY", "anthropic": "TEST_ANTHROPIC_KEY", "gemini": "TEST_GEMINI_KEY"}


def providers(vendors: Vendors) -> dict:
    """A provider for each mock vendor, under the vendor's name."""
    return {
        name: {"dialect": name, "endpoint": vendors.endpoint(name), "credential": {"env": VARIABLES[name]}}
        for name in DIALECTS
    }


def policy(vendors: Vendors, models: dict | None = None, **sections: object) -> dict:
    """A policy over the mock vendors: by default a model for each vendor, and `any`, which tries them in turn."""
    alone = {name: {"targets": [{"provider": name, "model": MODELS[name]}]} for name in DIALECTS}
    every = {"targets": [target for model in alone.values() for target in model["targets"]]}
    document = {
        "version": 1,
        "listen": {"address": "127.0.0.1", "port": 0, "admin_port": 0},
        "providers": providers(vendors),
        "models": alone | {"any": every} if models is None else models,
        "callers": {"keys": [{"id": "tests", "sha256": hashlib.sha256(CLIENT_KEY.encode()).hexdigest(), "team": "qa"}]},
    }
    return document | sections


class Gateway:
    """The real Envoy with the module in it."""

    def __init__(self, document: dict | str, *arguments: str, environment: dict | None = None) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-test-")
        path = pathlib.Path(self.folder.name) / "policy.yaml"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        keys = {VARIABLES[name]: key for name, key in KEYS.items()}
        self.process = subprocess.Popen(
            [SLUICE, "run", path, *arguments],
            cwd=ROOT,
            env=os.environ | keys | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        ready: queue.Queue = queue.Queue()
        self.reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self.reader.start()
        self.url = self._wait(ready, "listening on ")
        self.admin = self._wait(ready, "admin on ")
        self.client = httpx.Client(base_url=self.url, timeout=30, headers={"authorization": f"Bearer {CLIENT_KEY}"})

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.reader.join(5)
        self.folder.cleanup()

    def chat(self, model: str, text: str = "Hello", **fields: object) -> httpx.Response:
        """Posts a chat completion of one user message, over plain HTTP."""
        body = {"model": model, "messages": [{"role": "user", "content": text}]} | fields
        return self.client.post("/v1/chat/completions", json=body)

    def metrics(self) -> str:
        """Envoy's metrics as Prometheus reads them."""
        return httpx.get(f"{self.admin}/stats/prometheus", timeout=10).text

    def stat(self, name: str) -> int:
        """One of Envoy's own counters or gauges."""
        text = httpx.get(f"{self.admin}/stats", params={"filter": f"^{name}$"}, timeout=10).text
        return int(text.split(": ")[1])

    def wasm_trouble(self) -> list[str]:
        """Signs that a VM died or that the module said something; none in a gateway that is well."""
        stats = httpx.get(f"{self.admin}/stats", params={"filter": r"^wasm\.sluice\.vm_reload"}, timeout=10).text
        reloads = [line for line in stats.splitlines() if not line.endswith(": 0")]
        return reloads + [line for line in self.lines if "wasm" in line.lower() and not line.startswith("{")]

    def envoy(self) -> int:
        """The process id of Envoy itself."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def resident(self) -> int:
        """The bytes of memory that Envoy holds."""
        pages = int(pathlib.Path(f"/proc/{self.envoy()}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _read(self, ready: queue.Queue) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(("listening on ", "admin on ")):
                ready.put(line)
        ready.put(None)

    def _wait(self, ready: queue.Queue, start: str) -> str:
        line = ready.get(timeout=60)
        assert line and line.startswith(start), "\n".join(self.lines)
        return line.removeprefix(start).strip()
