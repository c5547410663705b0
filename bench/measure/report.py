"""Results as JSON and as the page docs/benchmarks.md: medians of the rounds, with the least and the most beside them."""

import json
import pathlib
import statistics

from . import goals, workloads

NOTES = pathlib.Path(__file__).resolve().parents[1] / "notes.md"
MIB = 1 << 20


def median(values: list) -> float | None:
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


class Results:
    """What was measured, by contender and workload."""

    def __init__(self, results: dict) -> None:
        self.all = results
        self.contenders = results["contenders"]

    def measured(self) -> list[str]:
        return [name for name, about in self.contenders.items() if "unavailable" not in about]

    def title(self, name: str) -> str:
        return self.contenders[name]["title"]

    def runs(self, contender: str, workload: str, **which: object) -> list[dict]:
        def fits(run: dict) -> bool:
            named = run["contender"] == contender and run["workload"] == workload
            return named and all(run.get(key) == value for key, value in which.items())

        return [run for run in self.all["runs"] if fits(run)]

    def values(self, contender: str, workload: str, *path: str, **which: object) -> list[float]:
        """One figure of each good round; `path` leads to it."""
        found = []
        for run in self.runs(contender, workload, **which):
            value: object = None if run["errors"] else run
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                found.append(value)
        return found

    def median(self, contender: str, workload: str, *path: str, **which: object) -> float | None:
        return median(self.values(contender, workload, *path, **which))

    def errors(self, contender: str, workload: str) -> str:
        """What went wrong in any round, the most frequent first."""
        what: dict[str, int] = {}
        for run in self.runs(contender, workload):
            for text, count in run.get("what", {}).items():
                what[text] = what.get(text, 0) + count
        worst = sorted(what.items(), key=lambda pair: -pair[1])[:1]
        return f"{worst[0][1]} × {worst[0][0][:80]}" if worst else ""


def number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def spread(values: list[float], digits: int = 0) -> str:
    """The median, and in brackets the least and the most."""
    if not values:
        return ""
    return f"{number(median(values), digits)} ({number(min(values), digits)}–{number(max(values), digits)})"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Text to the left, figures to the right; columns that say nothing are left out."""
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    lines = [[head[index] for index in kept], ["---" if index == 0 else "--:" for index in kept]]
    lines += [[row[index].replace("|", "\\|").replace("\n", " ") for index in kept] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def write(document: dict, path: pathlib.Path) -> None:
    results = Results(document)
    parts = [
        head(document),
        goals.section(results, table),
        throughput(results),
        latency(results),
        sizes(results),
        streams(results),
        embeddings(results),
        market(results),
        memory(results),
        growth(results),
        profile(results),
        NOTES.read_text() if NOTES.exists() else "",
        contenders(results),
        method(document),
    ]
    path.write_text("\n".join(part.strip() + "\n" for part in parts if part))


def head(document: dict) -> str:
    machine = document["machine"]
    left_out = document.get("left_out")
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench` on {document['date']} UTC, in {document['minutes']} minutes: {machine['processor']}, {machine['processors']} processors, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Linux {machine['kernel']}. The figures of each round are in "
        "[bench/results/latest.json](../bench/results/latest.json).\n\n"
        "Each contender has one processor and one worker; load and mock vendor have another one. A cell has the median of the rounds and, in brackets, the least and the most."
        + (f"\n\nNot measured for lack of time: {', '.join(left_out)}." if left_out else "")
        + (
            f"\n\n**The machine was busy with other things** ({machine['busy_before']:.0%} of its processors before the run): take no figure here for more than a sketch."
            if machine["busy_before"] > 0.1
            else ""
        )
    )


def throughput(results: Results) -> str:
    rows = []
    floor = results.median("envoy", "chat-1k-c16", "rate")
    for name in results.measured():
        rates = results.values(name, "chat-1k-c16", "rate")
        share = f"{median(rates) / floor:.0%}" if rates and floor else ""
        rows.append(
            [
                results.title(name),
                spread(rates),
                share,
                spread(results.values(name, "chat-1k-c16", "cpu_us"), 1),
                number((results.median(name, "chat-1k-c16", "cpu_share") or 0) * 100) + " %" if rates else "",
                results.errors(name, "chat-1k-c16"),
            ]
        )
    text = "## Requests a second on one processor\n\nChats of 1 KB, answers of 400 bytes, 16 connections, as fast as they go.\n\n"
    text += table(["", "requests/s", "of bare Envoy", "processor, µs a request", "processor used", "errors"], rows)
    rows = []
    for name in results.measured():
        cells = [spread(results.values(name, f"chat-1k-c{count}", "rate")) for count in (1, 64, 256)]
        if any(cells):
            rows.append([results.title(name), *cells])
    if rows:
        text += "\nRequests a second with other numbers of connections:\n\n" + table(["", "1", "64", "256"], rows)
    return text


def latency(results: Results) -> str:
    rows = []
    for name in results.measured():
        rates = {run["at"] for run in results.runs(name, "half-load", beside=name)}
        for at in sorted(rates):

            def cell(*path: str, at: int = at, name: str = name) -> str:
                return spread(results.values(name, "half-load", *path, at=at))

            def added(quantile: str, at: int = at, name: str = name) -> str:
                mine = results.median(name, "half-load", "latency", quantile, at=at)
                floor = results.median("envoy", "half-load", "latency", quantile, at=at)
                return "" if None in (mine, floor) or name == "envoy" else f"{mine - floor:+,.0f}"

            quantiles = [cell("latency", quantile) for quantile in ("p50", "p90", "p99", "p999")]
            rows.append([results.title(name), number(at), *quantiles, added("p50"), added("p99"), results.errors(name, "half-load")])
    if not rows:
        return ""
    late = median([run["late"]["p50"] for run in results.all["runs"] if run["workload"] == "half-load" and run.get("late")])
    return (
        "## Latency at half load\n\n"
        "Chats of 1 KB in an open loop: a request is due at each step of the clock, and its latency counts from there, so that no wait is omitted. The rate is half of what Sluice carries with "
        "everything on; of gateways outside Envoy half of what each carries, with bare Envoy at that same rate just before. Microseconds; *added* is over bare Envoy at the same rate. The generator "
        f"itself was {number(late)} µs late in the middle, which is in all figures alike.\n\n"
        + table(["", "requests/s", "p50", "p90", "p99", "p99.9", "added p50", "added p99", "errors"], rows)
    )


def sizes(results: Results) -> str:
    rows = []
    for name in results.measured():
        cells = []
        for size in (16, 256):
            workload = f"chat-{size}k-c16"
            cells += [
                spread(results.values(name, workload, "rate")),
                spread(results.values(name, workload, "cpu_us")),
                results.errors(name, workload),
            ]
        if any(cells):
            rows.append([results.title(name), *cells])
    if not rows:
        return ""
    head = ["", "16 KB: requests/s", "µs of processor", "errors", "256 KB: requests/s", "µs of processor", "errors"]
    return "## Larger requests\n\nConversations of turns of 2 KB, 16 connections.\n\n" + table(head, rows)


def streams(results: Results) -> str:
    rows = []
    for name in results.measured():

        def added(workload: str, *path: str, name: str = name) -> str:
            mine, floor = results.median(name, workload, *path), results.median("envoy", workload, *path)
            return "" if None in (mine, floor) or name == "envoy" else f"{mine - floor:+,.0f}"

        fast, paced = "stream-fast", "stream-paced"
        rows.append(
            [
                results.title(name),
                spread(results.values(name, fast, "rate")),
                spread(results.values(name, fast, "cpu_us_per_event"), 2),
                spread(results.values(name, paced, "first", "p50")),
                added(paced, "first", "p50"),
                spread(results.values(name, paced, "event", "p50")),
                added(paced, "event", "p50"),
                spread(results.values(name, paced, "event", "p99")),
                spread(results.values(name, paced, "cpu_us_per_event"), 1),
                results.errors(name, fast) or results.errors(name, paced),
            ]
        )
    if not any(any(row[1:]) for row in rows):
        return ""
    return (
        f"## Streams\n\nStreams of {workloads.EVENTS} events with text. At full speed, 4 at a time: streams a second and the processor's time for an event. At 50 events a second, 50 at a time: the time to the first "
        "event, and from when the vendor wrote an event to when the client had it (its clock stands in the event). Microseconds; *added* is over bare Envoy.\n\n"
        + table(
            [
                "",
                "fast: streams/s",
                "µs of processor an event",
                "paced: first event p50",
                "added",
                "event p50",
                "added",
                "event p99",
                "µs of processor an event",
                "errors",
            ],
            rows,
        )
    )


def embeddings(results: Results) -> str:
    rows = []
    for name in results.measured():
        if results.runs(name, "embeddings-1m"):
            cells = [spread(results.values(name, "embeddings-1m", *path)) for path in (("rate",), ("cpu_us",), ("latency", "p50"))]
            rows.append([results.title(name), *cells, results.errors(name, "embeddings-1m")])
    if not rows:
        return ""
    return "## Embeddings\n\n32 texts; an answer of 1 MB with 32 vectors of 1,536 numbers; 4 connections.\n\n" + table(
        ["", "requests/s", "µs of processor", "p50, µs", "errors"], rows
    )


def market(results: Results) -> str:
    rows = []
    for name in results.measured():
        runs = results.runs(name, "market")
        if not runs:
            continue
        # Of two tries at a rate the last one counts.
        by_rate = {run["at"]: run for run in runs}
        held = [at for at, run in by_rate.items() if holds(run)]

        def cell(at: int, by_rate: dict = by_rate) -> str:
            run = by_rate.get(at)
            if not run or not run.get("latency"):
                return ""
            return f"{run['latency']['p50'] / 1000:.1f} / {run['latency']['p99'] / 1000:.1f}"

        highest = max(held, default=0)
        most = max((run["resident"] for run in runs if run.get("resident")), default=None)
        broke = "not within the rates tried" if runs and holds(runs[-1]) else number(runs[-1]["at"])
        rows.append(
            [
                results.title(name),
                *[cell(at) for at in (10, 50, 200, 300)],
                number(highest),
                cell(highest),
                broke,
                number(most / MIB) if most else "",
            ]
        )
    if not rows:
        return ""
    return (
        f"## The market's shape\n\nA vendor that takes {workloads.MARKET_DELAY_MS} ms (its timer has a step of a millisecond), one processor, an open loop at rising rates. It breaks where p99 is above {2 * workloads.MARKET_DELAY_MS} ms, "
        "requests fail, or fewer than 95 % of them are answered in time. Latencies are p50 / p99 in milliseconds, the vendor's time included. Memory isn't capped at the 1 GB of that shape, but told.\n\n"
        + table(["", "10/s", "50/s", "200/s", "300/s", "highest rate held", "there", "broke at", "memory, MiB"], rows)
    )


def holds(run: dict) -> bool:
    latency = run.get("latency")
    return bool(latency) and not run["errors"] and latency["p99"] <= 2000 * workloads.MARKET_DELAY_MS and run["rate"] >= 0.95 * run["at"]


def memory(results: Results) -> str:
    rows = []
    figures = results.all.get("memory") or {}
    for name in results.measured():
        about, mine = results.contenders[name], figures.get(name, {})
        streams = mine.get("streams")
        each = (mine["with_streams"] - mine["before_streams"]) / streams / 1024 if streams else None
        failed = f"{mine['errors']} × {next(iter(mine['what']), '')}" if mine.get("errors") else ""
        rows.append(
            [
                results.title(name),
                number(about["start_seconds"], 2),
                number(about["resident_at_rest"] / MIB),
                number(mine["each_worker"] / MIB, 1) if mine.get("each_worker") else "",
                number(mine["after_load"] / MIB) if mine else "",
                number(each, 1),
                number(streams),
                failed,
            ]
        )
    text = (
        "## Memory and start\n\nOf all processes of a contender: from its start to the first good answer; resident at rest, with one worker and for each more, after the load above, and for each of the streams that were open at the same time in another process that had had no load.\n\n"
        + table(["", "start, s", "at rest, MiB", "MiB a worker more", "after load, MiB", "KiB an open stream", "streams open", "errors"], rows)
    )
    if module := results.all.get("module"):
        text += f"\nThe module has {module['bytes']:,} bytes, {module['gzip_bytes']:,} when compressed by gzip.\n"
    if reload := results.all.get("reload"):
        took = f"{reload['seconds']:.2f} s" if reload["seconds"] else "more than 15 s"
        text += (
            f"\nA new policy under a running Envoy, by a new file for its listeners (LDS from a file): {took} until it is in force, under load on 4 connections; of {reload['requests']:,} requests "
            f"meanwhile {reload['errors']} failed{' (' + next(iter(reload['what'])) + ')' if reload['errors'] else ''}.\n"
        )
    return text


def growth(results: Results) -> str:
    if not results.all.get("growth"):
        return ""
    rows = [
        [
            each["kind"],
            number(each["count"]),
            number(each.get("cpu_us"), 1),
            number(each.get("rate")),
            number(each.get("start_seconds"), 2),
            number(each["resident"] / MIB) if each.get("resident") else "",
            each.get("unavailable") or (f"{each['errors']} × {next(iter(each['what']), '')}" if each.get("errors") else ""),
        ]
        for each in results.all["growth"]
    ]
    return (
        "## How it grows\n\nChats of 1 KB where nothing else is said, 16 connections; an empty policy, but for what the row says.\n\n"
        + table(["what", "how many", "processor, µs a request", "requests/s", "start, s", "memory, MiB", "errors"], rows)
    )


def profile(results: Results) -> str:
    figures = results.all.get("profile") or {}
    counted, samples = figures.get("calls") or {}, figures.get("samples") or {}
    if not counted and not samples:
        return ""
    text = "## Where the time goes\n\n"
    if samples:
        kinds = ["the kernel", "Envoy with V8, and libraries", "the module's own code"]
        rows = []
        for name, shares in samples.items():
            cost = results.median(name, "chat-1k-c16", "cpu_us")
            cells = [f"{shares.get(kind, 0):.0f} %" + (f", {cost * shares.get(kind, 0) / 100:.0f} µs" if cost else "") for kind in kinds]
            rows.append([results.title(name), *cells])
        text += "The processor's samples under load (`perf`), and what they are of a request's time:\n\n" + table(["", *kinds], rows) + "\n"
    if counted:
        names = list(counted)
        functions = sorted(
            {function for calls in counted.values() for function in calls},
            key=lambda function: (function.startswith("host"), -max(calls.get(function, 0) for calls in counted.values())),
        )
        rows = [
            [f"`{function}`", *[number(counted[name].get(function), 0 if counted[name].get(function, 0) % 1 == 0 else 1) for name in names]]
            for function in functions
        ]
        rows.append(["all", *[number(sum(counted[name].values())) for name in names]])
        text += (
            "Calls between Envoy and the module for one chat of 1 KB, as Envoy traces them (`vm->host` are the module's, `host->vm` Envoy's):\n\n"
            + table(["", *[results.title(name) for name in names]], rows)
        )
    return text


def contenders(results: Results) -> str:
    rows = [
        [about["title"], about.get("version", ""), about["settings"], about["source"]]
        for about in results.contenders.values()
        if "unavailable" not in about
    ]
    text = "## Who was measured, and how each was set\n\n" + table(["", "version", "settings", "after"], rows).replace("--:", "---")
    absent = [about for about in results.contenders.values() if "unavailable" in about]
    if absent:
        text += "\nNot measured:\n\n" + "".join(f"- {about['title']}: {' '.join(about['unavailable'].split())[:500]}\n" for about in absent)
    return text


def method(document: dict) -> str:
    machine = document["machine"]
    return f"""## How it is measured, and how to repeat it

    make bench                                        # all of it; at most 20 minutes
    make bench CONTENDERS="envoy sluice" WORKLOADS="chat-1k-c16 half-load" SECONDS=10 ROUNDS=5

- The contender has processor {machine["cores"]["contender"]}, the load generator {machine["cores"]["load"]}, the mock vendor {machine["cores"]["vendor"]}. Each run is measured for {document["seconds"]} seconds after a moment to warm up.
- Contenders are started once, warmed up, and halted while another one is measured (`SIGSTOP`), in turn, round by round.
- The processor's time is that of all of a contender's processes in `/proc/<pid>/stat`, over all requests that were answered. It says what a request costs where requests a second are limited by the generator; *processor used* tells where that is so.
- Generator and vendor ([bench/load](../bench/load)) speak HTTP/1.1 with keep-alive. The vendor answers in the wire formats of OpenAI, Anthropic, Gemini and Bedrock, each answer made once; clients speak OpenAI's.
- All in Envoy write the same access log, to `/dev/null`.
- Tools: {machine["rustc"]}; Python {machine["python"]}; Node {machine["node"]}.

What single steps cost in the core, natively and in V8: `make bench-core`.
"""


def dumps(document: dict) -> str:
    """JSON with one run a line, so that two results can be compared."""
    runs = document["runs"]
    outer = json.dumps(document | {"runs": ["@"]}, indent=1, ensure_ascii=False)
    lines = ",\n".join("  " + json.dumps(run, ensure_ascii=False) for run in runs)
    return outer.replace('  "@"', lines) + "\n"
