"""What `make run` starts once all is built: the gateway on its own ports, a sample request, a clean end."""

import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import openai
import pytest
from support.vendors import ROOT

PORTS = (10000, 9901)
KEY = "sluice-demo-key"
VARIABLES = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"}


def taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


@pytest.fixture(autouse=True)
def _free_ports():
    for port in PORTS:
        if taken(port):
            pytest.skip(f"port {port}, which `make run` needs, is taken")


class Demo:
    """`scripts/run.py` in a session of its own, without keys, so that mock vendors answer."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "scripts/run.py"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.arrived: queue.Queue = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Demo":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.members():
            os.kill(process, signal.SIGKILL)
        self.process.wait(10)

    def read_until(self, start: str) -> str:
        """Everything that was printed up to the line that starts so."""
        if not self.reader.is_alive():
            self.reader.start()
        while True:
            line = self.arrived.get(timeout=60)
            assert line is not None, "\n".join(self.lines)
            if line.startswith(start):
                return "\n".join(self.lines)

    def members(self) -> list[int]:
        """The processes of the session that still run."""
        members = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(session) == self.process.pid and state != "Z":
                members.append(int(stat.parent.name))
        return members

    def wait_for_the_end(self) -> int:
        """The status, once the last process of the session has gone."""
        status = self.process.wait(20)
        until = time.monotonic() + 5
        while left := self.members():
            assert time.monotonic() < until, f"{len(left)} processes are left"
            time.sleep(0.02)
        return status

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self.arrived.put(self.lines[-1])
        self.arrived.put(None)


def interrupt(demo: Demo) -> None:
    """As Ctrl-C in a terminal does: the signal goes to each process."""
    os.killpg(demo.process.pid, signal.SIGINT)


def terminate(demo: Demo) -> None:
    demo.process.terminate()


@pytest.mark.parametrize("stop", [interrupt, terminate])
def test_it_answers_a_sample_serves_and_ends_cleanly(stop):
    with Demo() as demo:
        printed = demo.read_until("answered by ")
        assert "listening on http://127.0.0.1:10000\nadmin on http://127.0.0.1:9901\n" in printed
        assert "answered by openai" in printed
        answer = json.loads(printed[printed.index("\n{\n") : printed.rindex("\n}\n") + 2])
        assert answer["choices"][0]["message"]["content"].startswith("This is OpenAI.")

        with openai.OpenAI(base_url="http://127.0.0.1:10000/v1", api_key=KEY, max_retries=0, timeout=20) as client:
            messages = [{"role": "user", "content": "Hello"}]
            for model, name in {"chat": "OpenAI", "claude": "Anthropic", "gemini": "Gemini"}.items():
                answer = client.chat.completions.create(model=model, messages=messages)
                assert answer.choices[0].message.content == f'This is {name}. You said: "Hello".'
        assert httpx.get("http://127.0.0.1:9901/ready", timeout=10).text == "LIVE\n"

        stop(demo)
        assert demo.wait_for_the_end() == 0
        assert not any(taken(port) for port in PORTS)
        assert "Traceback" not in "\n".join(demo.lines)


@pytest.mark.parametrize("port", PORTS)
def test_a_taken_port_is_said(port):
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        with Demo() as demo:
            demo.read_until("Envoy refused to start")
            assert demo.wait_for_the_end() != 0
            demo.reader.join(5)
            printed = "\n".join(demo.lines)
            assert f"127.0.0.1:{port}" in printed
            assert "Address already in use" in printed
            assert "Traceback" not in printed


def test_nothing_is_left_when_nobody_reads_what_it_prints():
    with Demo() as demo:
        # As `make run | head -1` does.
        demo.process.stdout.readline()
        demo.process.stdout.close()
        assert demo.wait_for_the_end() != 0
        assert not any(taken(port) for port in PORTS)
