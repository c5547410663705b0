"""Rate-limit services, and the Redis behind one of them, that tests start and kill."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from . import gateway
from .vendors import ROOT

FOLDER = ROOT / ".tools/limits-services"


def program(name: str, variable: str, reason: str) -> str:
    """Where a program is; the test is skipped where it isn't."""
    found = os.environ.get(variable) or shutil.which(name) or FOLDER / name
    if not pathlib.Path(found).exists():
        pytest.skip(f"there is no {name}: {reason}")
    return str(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configuration(document: dict) -> str:
    """What `sluice render` makes of a policy for the service."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(json.dumps(document))
        file.flush()
        done = subprocess.run(
            [gateway.SLUICE, "render", "--format", "ratelimit", file.name], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Server:
    """A process that is reached on one port, and may be killed and started again."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-test-")
        self.path = pathlib.Path(self.folder.name)
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict:
        return {}

    def start(self) -> None:
        # What it says is of interest when a test fails.
        log = (self.path / "log").open("a")
        self.process = subprocess.Popen(
            self.command(), cwd=self.path, env=os.environ | self.environment(), stdout=log, stderr=log
        )
        log.close()
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, (self.path / "log").read_text()
                time.sleep(0.05)

    def kill(self) -> None:
        """At once, with no chance to put anything in order."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait(10)

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.folder.cleanup()


class Redis(Server):
    """Redis that has on disk whatever it has confirmed."""

    def command(self) -> list[str]:
        server = program("redis-server", "REDIS_SERVER", "apt-get install redis-server")
        options = f"--bind 127.0.0.1 --port {self.port} --appendonly yes --appendfsync always --save"
        return [server, *options.split(), ""]

    def total(self, limit: str) -> int:
        """The sum of a limit's counters, asked for in Redis's own protocol."""
        keys = self._ask("KEYS", f"*limit_{limit}_*")
        return sum(int(self._ask("GET", key)) for key in keys)

    def _ask(self, *words: str) -> object:
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(f"*{len(words)}\r\n{parts}".encode())
            return _read(connection.makefile("rb"))


def _read(lines: object) -> object:
    line = lines.readline().rstrip().decode()
    match line[0]:
        case "*":
            return [_read(lines) for _ in range(int(line[1:]))]
        case "$":
            return lines.read(int(line[1:]) + 2)[:-2].decode()
        case ":":
            return int(line[1:])
        case _:
            raise AssertionError(line)


class Ratelimit(Server):
    """envoyproxy/ratelimit over a Redis."""

    def __init__(self, redis: Redis, text: str, tls: tuple[pathlib.Path, pathlib.Path] | None = None) -> None:
        """`tls`: a certificate and its key, where it is to be reached by TLS alone."""
        super().__init__()
        self.redis = redis
        self.tls = tls
        (self.path / "config").mkdir()
        (self.path / "config/sluice.yaml").write_text(text)
        self.ports = [free_port(), free_port()]

    def command(self) -> list[str]:
        return [program("service_cmd", "RATELIMIT", "make limits-services, with Go")]

    def environment(self) -> dict:
        http, debug = self.ports
        certificate, key = self.tls or ("", "")
        names = {"GRPC_SERVER_USE_TLS": "true", "GRPC_SERVER_TLS_CERT": str(certificate), "GRPC_SERVER_TLS_KEY": str(key)}
        return (names if self.tls else {}) | {
            "HOST": "127.0.0.1",
            "PORT": str(http),
            "DEBUG_HOST": "127.0.0.1",
            "DEBUG_PORT": str(debug),
            "GRPC_HOST": "127.0.0.1",
            "GRPC_PORT": str(self.port),
            "USE_STATSD": "false",
            "BACKEND_TYPE": "redis",
            "REDIS_SOCKET_TYPE": "tcp",
            "REDIS_URL": f"127.0.0.1:{self.redis.port}",
            "RUNTIME_ROOT": str(self.path),
            "RUNTIME_SUBDIRECTORY": "",
            "RUNTIME_WATCH_ROOT": "false",
            "LOG_LEVEL": "warn",
        }


class Limitador(Server):
    """The limitador crate's engine, in memory."""

    def __init__(self, text: str) -> None:
        super().__init__()
        (self.path / "limits.yaml").write_text(text)

    def command(self) -> list[str]:
        server = program("limitador-service", "LIMITADOR", "make limits-services")
        return [server, str(self.path / "limits.yaml"), str(self.port)]
