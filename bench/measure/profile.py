"""Where a request's time goes: the calls between Envoy and the module, counted, and the processor's samples, where there is `perf`.

V8's own profiler can't be reached in Envoy, which takes no flags for V8 and keeps no symbols of compiled code: the module's code is one row.
"""

import collections
import pathlib
import re
import shutil
import subprocess
import tempfile

from contenders import Contender, Unavailable

from . import load
from .processes import Running, free_port
from .session import Session, first_answer

# Envoy's trace of a call into the module, or of one out of it.
CALL = re.compile(r"\[(vm->host|host->vm)\] (?:env\.)?(\w+)")


def calls(session: Session, contender: Contender) -> dict:
    """How often which function is called for one request of 1 KB; these don't depend on what else the machine does."""
    with tempfile.TemporaryDirectory(prefix="sluice-calls-") as name:
        folder = pathlib.Path(name)
        start = contender.prepare(folder, session.vendor.address, free_port())
        start.command += ["--component-log-level", "wasm:trace"]
        with Running(contender, session.vendor.address, session.cores.contender, start) as running:
            # What is done once is done.
            for _ in range(3):
                first_answer(running)
            counts = []
            for _ in range(5):
                before = pathlib.Path(running.errors.name).stat().st_size
                session.load.run(running, "closed", load.chat(1024), connections=1, seconds=0.3, warmup=0)
                text = pathlib.Path(running.errors.name).read_bytes()[before:].decode(errors="replace")
                requests = text.count("[host->vm] proxy_on_log")
                found = collections.Counter(f"{way} {function}" for way, function in CALL.findall(text))
                counts.append({key: value / requests for key, value in found.items()} if requests else {})
    # Ticks come now and then and belong to no request.
    merged = {key: sorted(each.get(key, 0) for each in counts)[2] for key in {key for each in counts for key in each}}
    rounded = {key: round(value, 1) for key, value in merged.items() if value >= 0.5}
    return dict(sorted(rounded.items(), key=lambda pair: -pair[1]))


def samples(session: Session, name: str, seconds: float) -> dict | None:
    """Shares of the processor's samples while chats of 1 KB are served, by whose code it was; `None` without `perf`."""
    if not shutil.which("perf"):
        return None
    with tempfile.TemporaryDirectory(prefix="sluice-perf-") as folder, session.only(name) as running:
        data = f"{folder}/perf.data"
        command = ["perf", "record", "-F", "1999", "-o", data, "-p", str(running.process.pid), "--", "sleep", str(seconds)]
        recording = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        session.load.run(running, "closed", load.chat(1024), connections=16, seconds=seconds, warmup=0)
        recording.wait(seconds + 60)
        report = subprocess.run(["perf", "report", "-i", data, "--sort", "dso", "--stdio"], capture_output=True, text=True, timeout=120)
    shares: collections.Counter = collections.Counter()
    for share, whose in re.findall(r"^\s+([\d.]+)%\s+(\S+)", report.stdout, re.M):
        key = (
            "the module's own code"
            if whose.startswith(("[JIT]", "anon", "//anon"))
            else "the kernel"
            if whose.startswith("[k")
            else "Envoy with V8, and libraries"
        )
        shares[key] += float(share)
    return {key: round(value, 1) for key, value in shares.items()} or None


def measure(session: Session, seconds: float) -> dict:
    figures: dict = {"calls": {}, "samples": {}}
    for name in session.running:
        contender = session.running[name].contender
        if name.startswith("sluice") and contender.core:
            try:
                figures["calls"][name] = calls(session, contender)
            except Unavailable as reason:
                figures["calls"][name] = {str(reason)[:200]: 0}
        if contender.core and (shares := samples(session, name, max(2, seconds))):
            figures["samples"][name] = shares
    return figures
