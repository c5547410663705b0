"""The goals, each beside what was seen."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from .report import Results

MIB = 1 << 20


def section(results: Results, table: object) -> str:
    rows = []
    for goal, seen in judged(results):
        if seen is not None:
            text, met = seen
            rows.append([goal, text, "met" if met else "**missed**"])
    return (
        "## Goals\n\n" + table(["Sluice with everything on, 1 KB chats, one processor", "seen", ""], rows).replace("--:", "---")
        if rows
        else ""
    )


def judged(results: Results) -> list[tuple[str, tuple[str, bool] | None]]:
    """Each goal with what was seen and whether that is enough; `None` where it wasn't measured."""

    def rate(name: str) -> float | None:
        return results.median(name, "chat-1k-c16", "rate")

    def times(other: str, factor: float) -> tuple[str, bool] | None:
        mine, theirs = rate("sluice"), rate(other)
        return (f"{mine / theirs:.2g} times ({mine:,.0f} to {theirs:,.0f})", mine >= factor * theirs) if mine and theirs else None

    def added(workload: str, *path: str, most: float) -> tuple[str, bool] | None:
        at = {run["at"] for run in results.runs("sluice", workload)} if workload == "half-load" else set()
        which = {"at": max(at)} if at else {}
        mine, floor = (results.median(name, workload, *path, **which) for name in ("sluice", "envoy"))
        return (f"{mine - floor:,.0f} µs", mine - floor <= most) if mine and floor else None

    def share() -> tuple[str, bool] | None:
        mine, floor = rate("sluice"), rate("envoy")
        return (f"{mine / floor:.0%}", mine >= 0.6 * floor) if mine and floor else None

    def more_memory() -> tuple[str, bool] | None:
        about = results.contenders
        if not all("resident_at_rest" in about.get(name, {}) for name in ("sluice", "envoy")):
            return None
        more = (about["sluice"]["resident_at_rest"] - about["envoy"]["resident_at_rest"]) / MIB
        return f"{more:.0f} MiB at rest", more <= 60

    def stream_memory() -> tuple[str, bool] | None:
        memory = results.all.get("memory") or {}
        each = {}
        for name in ("sluice", "envoy"):
            if not memory.get(name, {}).get("streams"):
                return None
            each[name] = (memory[name]["with_streams"] - memory[name]["before_streams"]) / memory[name]["streams"] / 1024
        more = each["sluice"] - each["envoy"]
        return f"{each['sluice']:.0f} KiB, of it {more:.0f} over bare Envoy", each["sluice"] <= 24

    def per_event() -> tuple[str, bool] | None:
        mine, floor = (results.median(name, "stream-paced", "event", "p50") for name in ("sluice", "envoy"))
        fast, fast_floor = (results.median(name, "stream-fast", "cpu_us_per_event") for name in ("sluice", "envoy"))
        if None in (mine, floor, fast, fast_floor):
            return None
        return f"{mine - floor:.0f} µs in the middle; {fast - fast_floor:.1f} µs of processor at full speed", mine - floor <= 20

    def in_time() -> tuple[str, bool] | None:
        minutes = results.all.get("minutes")
        return (f"{minutes} minutes", minutes <= 20) if minutes else None

    def flat(*kinds: str) -> tuple[str, bool] | None:
        texts, good = [], True
        for kind in kinds:
            rows = [each for each in results.all.get("growth", []) if each["kind"] == kind and each.get("cpu_us")]
            if len(rows) < 2:
                return None
            first, last = rows[0], rows[-1]
            texts.append(f"{kind}: {first['count']:,} → {last['count']:,}: {first['cpu_us']:.0f} → {last['cpu_us']:.0f} µs")
            good &= last["cpu_us"] <= 1.15 * first["cpu_us"]
        return "; ".join(texts), good

    def linear() -> tuple[str, bool] | None:
        rows = {
            each["count"]: each["cpu_us"]
            for each in results.all.get("growth", [])
            if each["kind"] == "KB of request, Sluice, everything on" and each.get("cpu_us")
        }
        if not {1, 16, 64, 256} <= set(rows):
            return None
        small, large = (rows[64] - rows[16]) / 48, (rows[256] - rows[64]) / 192
        return f"{small:.1f} µs a KB from 16 to 64, {large:.1f} from 64 to 256", large <= 1.3 * small

    return [
        ("at least 60 % of bare Envoy's requests a second", share()),
        ("at most 0.25 ms added at p50 at half load", added("half-load", "latency", "p50", most=250)),
        ("at most 1 ms added at p99 at half load", added("half-load", "latency", "p99", most=1000)),
        ("at least level with TensorZero", times("tensorzero", 1)),
        ("5 times Portkey's requests a second", times("portkey", 5)),
        ("50 times LiteLLM's requests a second", times("litellm", 50)),
        ("at most 0.1 ms added to a stream's first event", added("stream-paced", "first", "p50", most=100)),
        ("at most 20 µs added to an event", per_event()),
        ("at most 60 MB more than bare Envoy", more_memory()),
        ("at most 24 KB an open stream", stream_memory()),
        ("cost linear in the size of bodies", linear()),
        ("flat in keys, limits and models that don't match", flat("keys", "limits for other teams", "models")),
        ("ends within 20 minutes", in_time()),
    ]
