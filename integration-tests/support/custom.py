"""A gateway whose Envoy has more than `sluice render` writes: filters, TLS, whatever a test puts in."""

import json
import os
import pathlib
import queue
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable

import httpx
import yaml

from .gateway import CLIENT_KEY, SLUICE, VARIABLES, Gateway
from .vendors import KEYS, ROOT


# The access log at once, and nothing beside it unless something is wrong.
QUIET = ["--log-level", "warning", "--file-flush-interval-msec", "50"]


def manager_of(bootstrap: dict) -> dict:
    """The connection manager of a rendered configuration."""
    chain = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]
    return chain["filters"][0]["typed_config"]


def render(document: dict, folder: pathlib.Path) -> dict:
    """The configuration that is rendered for a document."""
    (folder / "policy.yaml").write_text(json.dumps(document))
    done = subprocess.run([SLUICE, "render", folder / "policy.yaml"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


class CustomGateway(Gateway):
    """The real Envoy with the configuration that is rendered for a document, changed by `change`."""

    def __init__(self, document: dict, change: Callable[[dict], None], *arguments: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-test-")
        folder = pathlib.Path(self.folder.name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            admin_port = probe.getsockname()[1]
        document = document | {"listen": {"address": "127.0.0.1", "port": 0, "admin_port": admin_port}}
        bootstrap = render(document, folder)
        change(bootstrap)
        (folder / "envoy.yaml").write_text(json.dumps(bootstrap))
        program = subprocess.run([SLUICE, "envoy"], cwd=ROOT, capture_output=True, text=True, timeout=600).stdout.strip()
        self.process = subprocess.Popen(
            [program, "-c", folder / "envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id", *QUIET, *arguments],
            cwd=ROOT,
            env=os.environ | {VARIABLES[name]: key for name, key in KEYS.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, args=(queue.Queue(),), daemon=True)
        self.reader.start()
        self.admin = f"http://127.0.0.1:{admin_port}"
        self.port = self._port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=30, headers={"authorization": f"Bearer {CLIENT_KEY}"})

    def _port(self) -> int:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.admin}/ready", timeout=5).text.strip() == "LIVE":
                    listeners = httpx.get(f"{self.admin}/listeners?format=json", timeout=5).json()
                    return listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"]
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, "\n".join(self.lines)
            time.sleep(0.05)
        raise AssertionError("\n".join(self.lines))
