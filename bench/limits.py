#!/usr/bin/env python3
"""What limits cost a request in Envoy: `make limits-cost`, with `wrk` on the path (Debian: apt-get install wrk).

One worker of Envoy with the module, a mock vendor that answers at once, 32 connections of wrk. What is told is the processor's time
that Envoy takes for a request, which does not depend on what else the machine does, and wrk's requests a second, which do. The first
row has no limit at all; `header` are limits for other values of a header, `none` limits for other teams. Prints a table.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
KEY = "key-of-the-bench"
SECONDS = int(os.environ.get("SECONDS", "6"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))


# For which calls limits hold.
WHEN = {
    "none": lambda number: {"when": {"teams": [f"team-{number}"]}},
    "header": lambda number: {"when": {"headers": {"x-tenant": f"tenant-{number}"}}},
    "all": lambda number: {},
}


def document(endpoint: str, count: int, holds: str) -> dict:
    def limit(number: int) -> dict:
        unit = "requests" if number % 2 else "tokens"
        return {"name": f"limit-{number}", "unit": unit, "per": "day", "limit": 1 << 50} | WHEN[holds](number)

    return {
        "version": 1,
        "listen": {"address": "127.0.0.1", "port": 0, "admin_port": 0},
        "providers": {"openai": {"dialect": "openai", "endpoint": endpoint, "credential": {"env": "BENCH_KEY"}}},
        "models": {"m": {"targets": [{"provider": "openai", "model": "gpt-4o"}]}},
        "callers": {"keys": [{"id": "bench", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "team": "bench"}]},
        "limits": [limit(number) for number in range(count)],
    }


def started(process: subprocess.Popen, begin: str) -> str:
    for line in process.stdout:
        if line.startswith(begin):
            return line.removeprefix(begin).strip()
    sys.exit(f"{process.args[0]} did not start")


def busy(process: int) -> float:
    """The seconds that a process has kept processors busy."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def served(admin: str) -> int:
    with urllib.request.urlopen(f"{admin}/stats?filter=http.sluice.downstream_rq_completed", timeout=10) as answer:
        return int(answer.read().split(b": ")[1])


SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer {key}"
wrk.headers["x-tenant"] = "tenant"
wrk.body = [[{{"model":"m","max_tokens":100,"messages":[{{"role":"user","content":"Say something in a sentence or two."}}]}}]]
"""


def measure(folder: pathlib.Path, endpoint: str, count: int, holds: str) -> tuple[float, float]:
    """Microseconds of processor time for a request, and requests a second."""
    policy = folder / "policy.json"
    policy.write_text(json.dumps(document(endpoint, count, holds)))
    script = folder / "post.lua"
    script.write_text(SCRIPT.format(key=KEY))
    command = [ROOT / "target/release/sluice", "run", policy, "--concurrency", "1", "--log-level", "error"]
    gateway = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"BENCH_KEY": "sk-bench"}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        url, admin = started(gateway, "listening on "), started(gateway, "admin on ")
        # The access log goes to the pipe: somebody has to read it.
        drain = subprocess.Popen(["cat"], stdin=gateway.stdout, stdout=subprocess.DEVNULL)
        envoy = int(pathlib.Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()[0])
        wrk = ["wrk", "-t1", "-c32", "-s", script, f"{url}/v1/chat/completions"]
        subprocess.run([*wrk, "-d1"], capture_output=True, timeout=60, check=True)
        before, requests = busy(envoy), served(admin)
        done = subprocess.run([*wrk, f"-d{SECONDS}"], capture_output=True, text=True, timeout=SECONDS + 60, check=True)
        if "Non-2xx" in done.stdout:
            sys.exit(done.stdout)
        spent = busy(envoy) - before
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])
        return spent / (served(admin) - requests) * 1e6, rate
    finally:
        gateway.terminate()
        gateway.wait(20)
        drain.wait(10)


def main() -> None:
    if not shutil.which("wrk"):
        sys.exit("This needs wrk (apt-get install wrk).")
    mocks = subprocess.Popen([ROOT / "target/release/mock-vendors"], stdout=subprocess.PIPE, text=True)
    try:
        endpoint = json.loads(mocks.stdout.readline())["openai"] + "/v1"
        rows = [(0, "none")] + [(count, holds) for count in (1, 10, 100, 1000) for holds in WHEN]
        best: dict = {}
        with tempfile.TemporaryDirectory() as folder:
            # Round by round, so that what else the machine does hits all rows alike.
            for _ in range(ROUNDS):
                for row in rows:
                    took, rate = measure(pathlib.Path(folder), endpoint, *row)
                    known = best.get(row, (took, rate))
                    best[row] = min(known[0], took), max(known[1], rate)
        print("limits  matching  processor time, µs  of it for limits  requests/s")
        for (count, holds), (took, rate) in best.items():
            word = holds if count else ""
            print(f"{count:6}  {word:>8}  {took:18.1f}  {took - best[0, 'none'][0]:16.1f}  {rate:10.0f}")
    finally:
        mocks.terminate()
        mocks.wait(10)


if __name__ == "__main__":
    main()
