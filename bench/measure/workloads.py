"""The workloads: what is asked of each contender, and with how many connections or at which rate."""

import dataclasses

from . import load

EVENTS = 200
# What the market quotes: a vendor that takes 73 ms, and rates that rise until it breaks.
MARKET_DELAY_MS = 73
MARKET_RATES = [10, 50, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 12_000, 15_000, 20_000]


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    kind: str
    body: dict = dataclasses.field(hash=False)
    # How the mock behaves.
    vendor: dict = dataclasses.field(default_factory=dict, hash=False)
    options: dict = dataclasses.field(default_factory=dict, hash=False)
    # Only the core contenders: bare Envoy and Sluice without and with everything.
    core_only: bool = False
    # Rounds by default; fewer where one tells enough.
    rounds: int = 3


def closed(size: int, connections: int, **fields: object) -> Workload:
    title = f"chat of {size} KB, {connections} connection{'s' * (connections > 1)}"
    return Workload(f"chat-{size}k-c{connections}", title, "closed", load.chat(size * 1024), options={"connections": connections}, **fields)


def streams(name: str, title: str, gap_us: int, rounds: int, **options: object) -> Workload:
    return Workload(
        name, title, "stream", load.chat(1024, stream=True), {"events": EVENTS, "gap_us": gap_us},
        {"events": EVENTS} | options, rounds=rounds,
    )  # fmt: skip


ALL = [
    closed(1, 16),
    closed(1, 1, core_only=True, rounds=2),
    closed(1, 64, core_only=True, rounds=2),
    closed(1, 256, core_only=True, rounds=2),
    closed(16, 16, rounds=2),
    closed(256, 16, rounds=1),
    streams("stream-fast", f"streams of {EVENTS} events at full speed, 4 connections", 0, 2, connections=4),
    # They begin evenly spread, and out of step with each other's events. The rest is a second's, but for that.
    streams("stream-paced", f"streams of {EVENTS} events, 50 a second, 50 streams at a time", 20_000, 1, connections=50, rest=0.97, seconds=1, warmup=0),
    Workload(
        "embeddings-1m", "embeddings, answers of 1 MB, 4 connections", "closed", load.embeddings(32),
        {"vectors": 32, "dimensions": 1536}, {"connections": 4}, rounds=2,
    ),
]  # fmt: skip

# Named in WORKLOADS= too; `run.py` measures them by itself.
MORE = {
    "half-load": "chat of 1 KB in an open loop, at half of what everything on carries; others at half of what they carry",
    "market": f"a vendor that takes {MARKET_DELAY_MS} ms, and an open loop at rates that rise until it breaks",
    "memory": "memory at rest, under load and with 1,000 open streams",
    "reload": "a changed policy, under load",
    "limits": "cost against limits alone, in more steps; only where it is named",
    "profile": "calls between Envoy and the module for a request, and where the processor's time goes",
    "growth": "cost against body size, rules, keys, limits and models",
}
