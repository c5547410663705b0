"""The load generator and the mock vendor, as processes on their processors."""

import json
import pathlib
import subprocess
import tempfile
import time
import urllib.request

from contenders.base import ROOT

from .processes import Running

BINARY = ROOT / ".tools/bench/load/release/bench-load"
PROSE = (
    "The committee met on Tuesday to talk about the new library, which was to open in the spring. Nobody could say "
    "when the roof would be finished, so they asked for another estimate and went home early. "
)


class Vendor:
    """The mock vendor."""

    def __init__(self, core: int) -> None:
        command = ["taskset", "--cpu-list", str(core), BINARY, "vendor"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()

    def __enter__(self) -> "Vendor":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def behave(self, **behaviour: int) -> None:
        """How it answers from now on; what isn't named has the default of `bench-load`."""
        query = "&".join(f"{name}={value}" for name, value in behaviour.items())
        with urllib.request.urlopen(f"http://{self.address}/control?{query}", timeout=10) as answer:
            answer.read()


def chat(bytes_of_text: int, **fields: object) -> dict:
    """A conversation whose texts have so many bytes together."""
    messages = [{"role": "system", "content": "Answer briefly."}]
    rest = bytes_of_text
    while rest > 0:
        # Turns of two kilobytes; the last one is the user's.
        role = "user" if rest <= 2048 or len(messages) % 2 else "assistant"
        text = (PROSE * 12)[: min(rest, 2048)]
        messages.append({"role": role, "content": text})
        rest -= len(text)
    return {"max_tokens": 500, "temperature": 0.5, "messages": messages} | fields


def embeddings(texts: int) -> dict:
    return {"input": [f"{number}: {PROSE}" for number in range(texts)], "encoding_format": "float"}


class Load:
    """Runs of load, one at a time."""

    def __init__(self, core: int) -> None:
        self.core = core
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-load-")
        self.count = 0

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()

    def command(self, running: Running, kind: str, body: dict, path: str | None = None, **options: object) -> list:
        contender = running.contender
        is_chat = "messages" in body
        document = {"model": contender.model if is_chat else contender.embeddings_model} | body | contender.more_fields()
        self.count += 1
        file = pathlib.Path(self.folder.name) / f"{self.count}.json"
        file.write_text(json.dumps(document))
        path = path or (contender.path if is_chat else contender.embeddings_path)
        command = ["taskset", "--cpu-list", str(self.core), BINARY, kind, "--address", running.address, "--path", path, "--body", file]
        for header in contender.headers(running.vendor):
            command += ["--header", header]
        for name, value in options.items():
            command += [f"--{name}", value]
        return [str(part) for part in command]

    def run(self, running: Running, kind: str, body: dict, **options: object) -> dict:
        """One run: what the generator says, and what the contender's processes took meanwhile."""
        command = self.command(running, kind, body, **options)
        before = running.busy()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=float(options.get("seconds", 5)) + 60)
            failure = done.stderr.strip() if done.returncode else None
        except subprocess.TimeoutExpired:
            failure = "the load didn't end within a minute"
        took = running.busy() - before
        if failure is not None:
            return {"errors": 1, "what": {failure: 1}, "requests": 0, "rate": 0, "all": 0, "cpu_us": None}
        result = json.loads(done.stdout)
        span = float(options["seconds"]) + float(options.get("warmup", 0.5))
        result["cpu_us"] = round(took / result["all"] * 1e6, 2) if result["all"] else None
        result["cpu_us_per_event"] = round(took / result["events"] * 1e6, 3) if result["events"] else None
        # How much of its processor the contender had: near 1, it was what limits.
        result["cpu_share"] = round(took / span, 3)
        result["resident"] = running.resident()
        return result

    def warm_up(self, running: Running, at_least: float, at_most: float) -> None:
        """Chats, until a second of them carries no more than the one before it did, between so many seconds."""
        begun, before = time.monotonic(), 0.0
        while (spent := time.monotonic() - begun) < at_most:
            rate = self.run(running, "closed", chat(1024), connections=16, seconds=1, warmup=0)["rate"]
            if spent >= at_least and rate <= 1.03 * before:
                break
            before = rate

    def hold(self, running: Running, streams: int, seconds: float, meanwhile: object) -> dict:
        """Opens streams, calls `meanwhile` while they are open, and tells what the generator says."""
        command = self.command(running, "hold", chat(1024, stream=True), streams=streams, seconds=seconds)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            opened = int(process.stdout.readline().removeprefix("open ") or 0)
            seen = meanwhile()
            result = json.loads(process.communicate(timeout=seconds + 20)[0])
        except (ValueError, subprocess.TimeoutExpired) as error:
            opened, seen, result = 0, meanwhile(), {"errors": 1, "what": {str(error): 1}}
        finally:
            process.kill()
            process.wait(10)
        return result | {"opened": opened, "seen": seen}
