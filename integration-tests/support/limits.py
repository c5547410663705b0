"""Calls by the hundred against limits: who passes, what each is charged, and what the gateway says of it all."""

import asyncio
import collections
import contextlib
import dataclasses
import json
import math
import re
import time
from fractions import Fraction

import httpx

from . import cases
from .gateway import CLIENT_KEY, MODELS, Gateway, policy
from .vendors import Vendors

# US dollars for a million tokens. Some are fractions of a billionth for a token, so that rounding shows.
PRICES = {
    "openai": {"input": "0.15", "output": "0.6", "cached_input": "0.075"},
    "anthropic": {"input": "0.0375", "output": "1.1", "cached_input": "0.0125"},
    "gemini": {"input": "0.1", "output": "0.3333"},
}
# A model of which each token of an answer costs a billionth of a dollar, and nothing else does: a measure for limits in money.
METER = "gpt-4.1-nano"
# Arguments with which Envoy writes its access log at once, and not every ten seconds.
AT_ONCE = ["--", "--file-flush-interval-msec", "50"]
PATH = "/v1/chat/completions"


def limited(vendors: Vendors, limits: list[dict], **sections: object) -> dict:
    """A policy with these limits, the usual models with a price each, and `meter`."""
    usual = policy(vendors)
    models = usual["models"] | {"meter": {"targets": [{"provider": "openai", "model": METER}]}}
    prices = {MODELS[vendor]: price for vendor, price in PRICES.items()} | {METER: {"input": "0", "output": "0.001"}}
    return usual | {"models": models, "prices": prices, "limits": limits} | sections


def cost(vendor: str, used: dict) -> int:
    """What this costs, in billionths of a dollar; `used` as the mocks record it."""
    price = {kind: Fraction(text) for kind, text in PRICES[vendor].items()}
    fresh = used["input"] - used["cached"]
    dollars = fresh * price["input"] + used["cached"] * price.get("cached_input", price["input"])
    dollars += used["output"] * price["output"]
    return math.ceil(dollars * 1000)


def total(used: dict) -> int:
    return used["input"] + used["output"]


def body(model: str, text: str = "Hello", **fields: object) -> dict:
    return {"model": model, "messages": [{"role": "user", "content": text}]} | fields


# ---- what the gateway says


def lines(gateway: Gateway, count: int, seconds: float = 20, skip: int = 0) -> list[dict]:
    """The access log behind the first `skip` lines, once it has so many."""
    until = time.monotonic() + seconds
    while True:
        found = [line for line in list(gateway.lines) if line.startswith("{")][skip:]
        if len(found) >= count:
            return [json.loads(line) for line in found]
        assert time.monotonic() < until, f"{len(found)} of {count} lines were logged"
        time.sleep(0.05)


def all_lines(gateway: Gateway, skip: int = 0) -> list[dict]:
    """The access log behind the first `skip` lines, once nothing is under way."""
    return lines(gateway, logged(gateway) - skip, skip=skip)


def logged(gateway: Gateway) -> int:
    """How many lines the access log has, or will have when Envoy has written them all."""
    quiet(gateway)
    return gateway.stat("http.sluice.downstream_rq_total")


SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\d+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


def metric(gateway: Gateway, name: str, **labels: str) -> int:
    """The sum of a metric over all samples with these labels."""
    found = 0
    for line in gateway.metrics().splitlines():
        sample = SAMPLE.match(line)
        if sample and sample[1] == name:
            has = dict(LABEL.findall(sample[2]))
            if labels.items() <= has.items():
                found += int(sample[3])
    return found


def quiet(gateway: Gateway, seconds: float = 20) -> None:
    """Waits until Envoy has let go of every exchange."""
    until = time.monotonic() + seconds
    while True:
        stats = httpx.get(f"{gateway.admin}/stats", params={"filter": r"rq_active$"}, timeout=10).text
        active = [line for line in stats.splitlines() if not line.endswith(": 0")]
        if not [line for line in active if not line.startswith(("http.admin", "listener.admin"))]:
            return
        assert time.monotonic() < until, active
        time.sleep(0.05)


def spread(gateway: Gateway) -> list[int]:
    """How many connections each worker has had."""
    stats = httpx.get(f"{gateway.admin}/stats", params={"filter": r"worker_\d+\.downstream_cx_total"}, timeout=10).text
    return [int(line.split(": ")[1]) for line in stats.splitlines() if "admin" not in line]


# ---- calls


@dataclasses.dataclass
class Call:
    """What became of a call."""

    number: int
    status: int | None = None
    headers: httpx.Headers | None = None
    content: bytes = b""
    # The client has gone, or what it got broke off.
    broken: bool = False

    @property
    def usage(self) -> dict | None:
        """What the answer says that it has used, in OpenAI's form."""
        if self.headers["content-type"].startswith("application/json"):
            return json.loads(self.content).get("usage")
        events = [event for event in cases.events(self.content) if isinstance(event, dict)]
        return next((event["usage"] for event in reversed(events) if event.get("usage")), None)


@dataclasses.dataclass(frozen=True)
class Wish:
    """A call to be made."""

    body: dict
    headers: dict = dataclasses.field(default_factory=dict)
    path: str = PATH
    # When the client goes: after so many seconds, or after so many pieces of the answer.
    patience: float | None = None
    pieces: int | None = None


async def make(client: httpx.AsyncClient, wish: Wish, call: Call) -> None:
    async def read() -> None:
        async with client.stream("POST", wish.path, json=wish.body, headers=wish.headers) as answer:
            call.status, call.headers = answer.status_code, answer.headers
            seen = 0
            async for piece in answer.aiter_raw():
                call.content += piece
                seen += 1
                if wish.pieces is not None and seen >= wish.pieces:
                    call.broken = True
                    return

    try:
        await asyncio.wait_for(read(), wish.patience)
    except (TimeoutError, httpx.TransportError):
        call.broken = True


class Crowd:
    """Clients that all call at the same time, each on a connection of its own."""

    def __init__(self, gateway: Gateway, wishes: list[Wish]) -> None:
        self.gateway = gateway
        self.wishes = wishes
        self.calls = [Call(number) for number in range(len(wishes))]

    async def run(self, meanwhile=None) -> list[Call]:
        """`meanwhile(self)`: a coroutine that runs beside the calls."""
        headers = {"authorization": f"Bearer {CLIENT_KEY}"}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=self.gateway.url, headers=headers, limits=limits, timeout=90) as client:
            making = asyncio.gather(*(make(client, wish, call) for wish, call in zip(self.wishes, self.calls)))
            if meanwhile:
                try:
                    await meanwhile(self)
                except BaseException:
                    making.cancel()
                    raise
            await making
        return self.calls

    def statuses(self) -> dict:
        return dict(collections.Counter(call.status for call in self.calls))


def crowd(gateway: Gateway, wishes: list[Wish]) -> list[Call]:
    return asyncio.run(Crowd(gateway, wishes).run())


def stampede(gateway: Gateway, vendors: Vendors, wishes: list[Wish], vendor: str = "openai", seconds: float = 60) -> list[Call]:
    """Makes all calls while the vendor holds back every answer, so that all of them overlap: whoever passes is under way when the
    last one is decided. Returns once every call has ended."""
    before = len(vendors.records(vendor))

    async def decide(crowd: Crowd) -> None:
        until = time.monotonic() + seconds
        while True:
            passed = len(vendors.records(vendor)) - before
            refused = sum(call.status is not None for call in crowd.calls)
            if passed + refused == len(wishes):
                break
            assert time.monotonic() < until, f"{passed} passed and {refused} were refused of {len(wishes)}"
            await asyncio.sleep(0.05)
        assert not any(call.status == 200 for call in crowd.calls)
        vendors.hold(vendor, False)

    vendors.hold(vendor, True)
    try:
        return asyncio.run(Crowd(gateway, wishes).run(decide))
    finally:
        vendors.hold(vendor, False)


@contextlib.contextmanager
def held(vendors: Vendors, vendor: str = "openai"):
    """While this lasts, the vendor answers nobody."""
    vendors.hold(vendor, True)
    try:
        yield
    finally:
        vendors.hold(vendor, False)
