"""All contenders, each started once; one at a time goes on while the others are halted."""

import concurrent.futures
import contextlib
import http.client
import json
import subprocess
import sys
import time

from contenders import Contender, Unavailable

from . import load
from .load import Load, Vendor
from .machine import Cores
from .processes import Running

# Seconds after which what a start has needed, and no longer needs, is given back.
SETTLING = 6


class Session:
    def __init__(self, cores: Cores, contenders: list[Contender]) -> None:
        self.cores = cores
        self.stack = contextlib.ExitStack()
        self.vendor = self.stack.enter_context(Vendor(cores.vendor))
        self.load = self.stack.enter_context(Load(cores.load))
        self.running: dict[str, Running] = {}
        self.about: dict[str, dict] = {}
        self.contenders = contenders

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def start_all(self, installing: dict[str, concurrent.futures.Future]) -> None:
        """Starts and halts each that is installed; one that can't be is told with the reason, and left out of the rest."""
        for contender in self.contenders:
            about = {"title": contender.title, "settings": contender.settings, "source": contender.source}
            self.about[contender.name] = about
            try:
                installing[contender.name].result()
                about["version"] = contender.version()
                tell(f"{contender.title} {about['version']}")
                about["start_seconds"] = self.start(contender)
            except (Unavailable, OSError, ValueError, subprocess.SubprocessError) as reason:
                about["unavailable"] = str(reason)
                tell(f"{contender.title} is left out: {reason}")
        time.sleep(SETTLING)
        for name, running in self.running.items():
            self.about[name]["resident_at_rest"] = running.resident()
            running.halt()

    def start(self, contender: Contender) -> float:
        running = self.stack.enter_context(Running(contender, self.vendor.address, self.cores.contender))
        first_answer(running)
        self.running[contender.name] = running
        return round(time.monotonic() - running.begun, 3)

    @contextlib.contextmanager
    def only(self, name: str):
        """The one that is measured now."""
        running = self.running[name]
        running.go_on()
        try:
            yield running
        finally:
            running.halt()


def first_answer(running: Running, patience: float = 90) -> None:
    """Asks until there is a good answer."""
    contender = running.contender
    body = json.dumps({"model": contender.model} | load.chat(200) | contender.more_fields())
    headers = dict(header.split(": ", 1) for header in contender.headers(running.vendor))
    host, port = running.address.rsplit(":", 1)
    end = time.monotonic() + patience
    while True:
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request("POST", contender.path, body, {"content-type": "application/json"} | headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 200:
                return
            said = f"status {answer.status}: {text[:300].decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            said = repr(error)
        finally:
            connection.close()
        if time.monotonic() > end or running.process.poll() is not None:
            raise Unavailable(f"it started and never answered well: {said} {running.said()}")
        time.sleep(0.005)


def tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)
