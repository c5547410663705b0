#!/usr/bin/env python3
"""A moment of `make bench` with bare Envoy and Sluice, to see that the driver works and its figures make sense: `make bench-smoke`."""

import json
import pathlib
import subprocess
import sys
import tempfile

RUN = pathlib.Path(__file__).with_name("run.py")
WORKLOADS = ["chat-1k-c16", "half-load", "stream-fast"]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-smoke-") as name:
        results, page = pathlib.Path(name) / "results.json", pathlib.Path(name) / "page.md"
        command = [
            sys.executable,
            RUN,
            "--contenders",
            "envoy sluice",
            "--workloads",
            " ".join(WORKLOADS),
            "--seconds",
            "0.5",
            "--rounds",
            "1",
        ]
        subprocess.run([*command, "--results", results, "--page", page], check=True, timeout=600)
        document, text = json.loads(results.read_text()), page.read_text()
    for contender in ("envoy", "sluice"):
        about = document["contenders"][contender]
        assert "unavailable" not in about, about
        assert about["resident_at_rest"] > 10 << 20, about
        runs = {run["workload"]: run for run in document["runs"] if run["contender"] == contender}
        assert set(runs) == set(WORKLOADS), runs.keys()
        for run in runs.values():
            assert run["errors"] == 0, run
            # What was measured is part of all that was answered, and has a latency each.
            assert 0 < run["requests"] <= run["all"], run
            assert run["latency"]["count"] == run["requests"], run
            assert sum(count for _, count in run["latency"]["histogram"]) == run["requests"], run
            assert 0 < run["latency"]["p50"] <= run["latency"]["p99"] <= run["latency"]["max"], run
            assert run["cpu_us"] > 1, run
        # Every stream was read to its end.
        stream = runs["stream-fast"]
        assert stream["events"] == 200 * stream["all"], stream
        half = runs["half-load"]
        assert abs(half["requests"] - half["at"] * half["seconds"]) <= 1, half
        assert about["title"] in text
    # The module costs something: were the same thing measured twice, these would be alike.
    costs = {run["contender"]: run["cpu_us"] for run in document["runs"] if run["workload"] == "chat-1k-c16"}
    assert costs["sluice"] > 1.2 * costs["envoy"], costs
    print(f"the driver works: {costs['envoy']:.0f} µs of processor a request in bare Envoy, {costs['sluice']:.0f} with Sluice")


if __name__ == "__main__":
    main()
