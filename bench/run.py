#!/usr/bin/env python3
"""Installs, starts and measures the contenders, and writes docs/benchmarks.md and bench/results/latest.json: `make bench`.

Each contender has one processor to itself (the last one), with one worker; load and mock vendor have the first one, or one each where
there are more than two. All contenders are started once and halted; one at a time goes on and is measured, round by round, so that
whatever else the machine does meets all of them alike.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from contenders import ALL as CONTENDERS  # noqa: E402
from contenders.base import ROOT, Unavailable  # noqa: E402
from contenders.sluice import MODULE  # noqa: E402
from measure import growth, load, machine, profile, report, workloads  # noqa: E402
from measure.processes import Running, free_port  # noqa: E402
from measure.session import SETTLING, Session, first_answer, tell  # noqa: E402

RESULTS = ROOT / "bench/results/latest.json"
PAGE = ROOT / "docs/benchmarks.md"
# With which what a worker takes is measured.
WORKERS = 4


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [each.name for each in CONTENDERS]
    parser.add_argument("--contenders", default="", help=f"some of: {' '.join(names)}")
    known = [each.name for each in workloads.ALL] + list(workloads.MORE)
    parser.add_argument("--workloads", default="", help=f"some of: {' '.join(known)}")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each run is measured")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of every workload; by default 3 or 2")
    parser.add_argument("--minutes", type=float, default=18, help="after how many nothing new is begun; what is left out is listed")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--page", type=pathlib.Path, default=PAGE)
    parser.add_argument("--only-page", action="store_true", help="writes the page again from the results")
    options = parser.parse_args()
    options.contenders = options.contenders.replace(",", " ").split() or names
    options.workloads = options.workloads.replace(",", " ").split() or [name for name in known if name != "limits"]
    if "half-load" in options.workloads and workloads.ALL[0].name not in options.workloads:
        # What half is, that says.
        options.workloads.append(workloads.ALL[0].name)
    for given, allowed in ((options.contenders, names), (options.workloads, known)):
        if unknown := set(given) - set(allowed):
            parser.error(f"unknown: {' '.join(unknown)}; there are {' '.join(allowed)}")
    return options


class Run:
    """One run of everything that was asked for."""

    def __init__(self, options: argparse.Namespace, session: Session) -> None:
        self.options, self.session = options, session
        self.end = time.monotonic() + options.minutes * 60
        self.runs: list[dict] = []
        self.left_out: list[str] = []

    def late(self, what: str) -> bool:
        if time.monotonic() < self.end:
            return False
        if what not in self.left_out:
            self.left_out.append(what)
            tell(f"no time is left for {what}")
        return True

    def asked(self, name: str) -> bool:
        return name in self.options.workloads and not self.late(name)

    def record(self, contender: str, workload: str, number: int, result: dict, **more: object) -> None:
        self.runs.append(
            {"contender": contender, "workload": workload, "round": number, "load_average": machine.load_average()} | more | result
        )

    def measure(self, name: str, workload: workloads.Workload, number: int, **more: object) -> dict:
        options = {"seconds": self.options.seconds, "warmup": 0.4} | workload.options
        with self.session.only(name) as running:
            result = self.session.load.run(running, workload.kind, workload.body, **options)
        self.record(name, workload.name, number, result, **more)
        return result

    def takes(self, name: str, workload: workloads.Workload) -> bool:
        contender = self.session.running[name].contender
        if workload.core_only and not contender.core:
            return False
        return "input" not in workload.body or contender.embeddings_path is not None

    def rounds(self, workload: workloads.Workload) -> None:
        tell(workload.title)
        self.session.vendor.behave(**workload.vendor)
        for number in range(self.options.rounds or workload.rounds):
            for name in self.session.running:
                if self.takes(name, workload) and not self.late(f"{workload.name}, round {number + 1}"):
                    self.measure(name, workload, number)

    def warm_up(self) -> None:
        """Code is compiled, and compiled better, as it runs."""
        tell("warming up")
        for name in self.session.running:
            with self.session.only(name) as running:
                self.session.load.warm_up(running, at_least=4, at_most=8)
                self.session.load.run(
                    running,
                    "stream",
                    load.chat(1024, stream=True),
                    connections=4,
                    seconds=min(0.5, self.options.seconds),
                    warmup=0,
                    events=workloads.EVENTS,
                )

    def half_load(self) -> None:
        """Latency in an open loop. Sluice in all its forms has one rate; each other its own; bare Envoy has each of these rates too."""
        tell("half load")
        self.session.vendor.behave()
        carried = {
            name: report.median([run["rate"] for run in self.runs if run["contender"] == name and run["workload"] == "chat-1k-c16"])
            for name in self.session.running
        }
        everything = carried.get("sluice") or carried.get("sluice-empty") or max(filter(None, carried.values()), default=0)
        for number in range(self.options.rounds or 3):
            for name in self.session.running:
                envoys = name.startswith(("sluice", "envoy"))
                rate = (everything if envoys else carried[name] or 0) / 2
                if rate < 1 or self.late(f"half-load, round {number + 1}"):
                    continue
                pair = [name] if envoys or "envoy" not in self.session.running else ["envoy", name]
                for one in pair:
                    workload = self.open_loop("half-load", round(rate), 64)
                    self.measure(one, workload, number, at=round(rate), beside=name)

    def open_loop(self, name: str, rate: int, connections: int) -> workloads.Workload:
        """Chats of 1 KB at a rate; a low one for longer, or there would be nothing to take a percentile of."""
        options = {"rate": rate, "connections": connections, "seconds": max(self.options.seconds, min(2.0, 150 / rate))}
        return workloads.Workload(name, "", "open", load.chat(1024), options=options)

    def market(self) -> None:
        tell(f"a vendor that takes {workloads.MARKET_DELAY_MS} ms")
        self.session.vendor.behave(delay_us=workloads.MARKET_DELAY_MS * 1000)
        for name in self.session.running:
            if name.startswith(("sluice-", "envoy-")):
                continue
            for rate in workloads.MARKET_RATES:
                if self.late("market"):
                    break
                workload = self.open_loop("market", rate, max(64, rate // 5))
                # Once is no proof: something else may have had the machine.
                if not any(report.holds(self.measure(name, workload, number, at=rate) | {"at": rate}) for number in range(2)):
                    break
        self.session.vendor.behave()

    def memory(self) -> dict:
        """After the load before; and what a thousand streams take that have an event a second, of processes that have had no load."""
        figures = {}
        with contextlib.ExitStack() as stack:
            fresh = self.start_again(stack)
            more_workers = {name: self.with_workers(stack, name) for name in fresh if fresh[name].contender.core}
            time.sleep(SETTLING)
            self.session.vendor.behave(events=1000, gap_us=1_000_000)
            for name, running in fresh.items():
                if self.late("memory"):
                    break
                tell(f"1,000 open streams: {name}")
                before = running.resident()
                result = self.session.load.hold(running, 1000, 2, running.resident)
                more = more_workers[name].resident() - before if name in more_workers else None
                figures[name] = {
                    "each_worker": more and more // (WORKERS - 1),
                    "after_load": self.session.running[name].resident(),
                    "before_streams": before,
                    "with_streams": result["seen"],
                    "streams": result["opened"],
                    "errors": result["errors"],
                    "what": result["what"],
                }
        self.session.vendor.behave()
        return figures

    def start_again(self, stack: contextlib.ExitStack) -> dict[str, Running]:
        fresh = {}
        self.session.vendor.behave()
        for name, known in self.session.running.items():
            # What is translated or how little is on makes no difference to a stream that waits.
            if name.startswith(("sluice-", "envoy-")) and name != "sluice-empty" or self.late("memory"):
                continue
            tell(f"once more: {name}")
            try:
                running = Running(known.contender, self.session.vendor.address, self.session.cores.contender)
                stack.enter_context(running)
                first_answer(running)
            except Unavailable as reason:
                tell(f"{name}: {reason}")
                continue
            self.session.load.run(running, "stream", load.chat(1024, stream=True), connections=4, seconds=0.3, warmup=0, events=workloads.EVENTS)
            fresh[name] = running
        return fresh

    def with_workers(self, stack: contextlib.ExitStack, name: str) -> Running:
        """The same Envoy with more workers."""
        contender, vendor = self.session.running[name].contender, self.session.vendor.address
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-workers-")))
        start = contender.prepare(folder, vendor, free_port())
        start.command[start.command.index("--concurrency") + 1] = str(WORKERS)
        tell(f"{WORKERS} workers: {name}")
        running = stack.enter_context(Running(contender, vendor, self.session.cores.contender, start))
        first_answer(running)
        return running


def build_load() -> None:
    """The load generator is built by the command, out of the way of what is measured."""
    manifest = ROOT / "bench/load/Cargo.toml"
    target = ROOT / ".tools/bench/load"
    command = ["cargo", "build", "--release", "--quiet", "--locked", "--manifest-path", str(manifest), "--target-dir", str(target)]
    subprocess.run(command, check=True, timeout=900)


def main() -> None:
    options = arguments()
    if options.only_page:
        report.write(json.loads(options.results.read_text()), options.page)
        return
    begun = time.monotonic()
    contenders = [each for each in CONTENDERS if each.name in options.contenders]
    tell("building the load generator, and whatever isn't installed")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        built = pool.submit(build_load)
        installing = {each.name: pool.submit(each.install) for each in contenders}
    built.result()
    cores = machine.cores()
    results: dict = {
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "machine": machine.describe() | {"cores": dataclasses.asdict(cores), "busy_before": machine.busy()},
        "seconds": options.seconds,
    }
    with Session(cores, contenders) as session:
        session.start_all(installing)
        run = Run(options, session)
        run.end = begun + options.minutes * 60
        run.warm_up()
        for workload in workloads.ALL[:1]:
            if run.asked(workload.name):
                run.rounds(workload)
        if run.asked("half-load"):
            run.half_load()
        for workload in workloads.ALL[1:]:
            if run.asked(workload.name):
                run.rounds(workload)
        # What follows leaves some contenders with work for a while, so it comes after everything that is timed.
        if run.asked("market"):
            run.market()
        profiles = profile.measure(session, options.seconds) if run.asked("profile") else {}
        reload = growth.reload(session, 3) if run.asked("reload") else None
        growths = growth.measure(session, min(options.seconds, 1.5), run.late) if run.asked("growth") else []
        memory = run.memory() if run.asked("memory") else {}
        if run.asked("limits"):
            growths += growth.variants(session, options.seconds, growth.LIMITS, run.late)
        results |= {
            "contenders": session.about,
            "memory": memory,
            "reload": reload,
            "profile": profiles,
            "growth": growths,
            "runs": run.runs,
        }
        results["left_out"] = run.left_out
    if MODULE.exists():
        module = MODULE.read_bytes()
        results["module"] = {"bytes": len(module), "gzip_bytes": len(gzip.compress(module, 9))}
    results["minutes"] = round((time.monotonic() - begun) / 60, 1)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(report.dumps(results))
    report.write(results, options.page)
    tell(f"{options.results} and {options.page}, after {results['minutes']} minutes")


if __name__ == "__main__":
    main()
