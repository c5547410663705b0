"""Two hundred streams at once on one worker: every event arrives, and memory stays flat."""

import asyncio
import json
import time

import httpx
import pytest
from support import cases
from support.answers import text_of_events
from support.gateway import CLIENT_KEY, MODELS, Gateway, policy

STREAMS = 200
SECONDS = 30
GAP = 0.5
WORDS = " ".join(f"word{number}" for number in range(int(SECONDS / GAP)))
# What buffers may still grow by once every stream has begun.
MARGIN = 8 << 20


class Crowd:
    """Clients that read one stream each, all at the same time."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.begun = 0
        self.longest_gap = 0.0
        self.samples: list[int] = []

    async def read(self, client: httpx.AsyncClient, number: int) -> None:
        model = list(MODELS)[number % len(MODELS)]
        body = {"model": model, "messages": [{"role": "user", "content": f"stream {number}"}], "stream": True}
        content, latest = [], None
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert answer.status_code == 200
            async for piece in answer.aiter_raw():
                now = time.monotonic()
                self.begun += latest is None
                self.longest_gap = max(self.longest_gap, now - (latest or now))
                latest = now
                content.append(piece)
        assert text_of_events(cases.events(b"".join(content))) == WORDS, number

    async def watch(self) -> None:
        """Samples Envoy's memory, from the moment when all streams have begun."""
        while self.begun < STREAMS:
            await asyncio.sleep(0.05)
        while True:
            self.samples.append(self.gateway.resident())
            await asyncio.sleep(0.5)

    async def run(self) -> None:
        headers = {"authorization": f"Bearer {CLIENT_KEY}"}
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self.gateway.url, headers=headers, limits=limits, timeout=30) as client:
            watch = asyncio.create_task(self.watch())
            await asyncio.gather(*(self.read(client, number) for number in range(STREAMS)))
            watch.cancel()


@pytest.mark.timeout(180)
def test_200_streams_of_30_seconds_on_one_worker(mock_vendors, vendors, tell):
    for vendor in MODELS:
        vendors.script(vendor, {"kind": "content", "text": WORDS}, times=0)
    vendors.pace(None, gap_ms=int(GAP * 1000))
    with Gateway(policy(mock_vendors), "--concurrency", "1") as gateway:
        idle = gateway.resident()
        crowd = Crowd(gateway)
        started = time.monotonic()
        asyncio.run(crowd.run())
        took = time.monotonic() - started
        first, most, last = crowd.samples[0], max(crowd.samples), crowd.samples[-1]
        tell(
            f"{STREAMS} streams in {took:.1f} s, longest gap {crowd.longest_gap:.2f} s; memory: {idle >> 10} kB idle, "
            f"{first >> 10} kB with all begun, {most >> 10} kB at most, {last >> 10} kB at the end"
        )
        assert took >= SECONDS - 1
        assert len(crowd.samples) > 20
        assert most - first < MARGIN
        records = vendors.records()
        assert len(records) == STREAMS
        assert [record["index"] for record in records if record["disconnected"]] == []
        lines = [json.loads(line) for line in gateway.lines if line.startswith("{")]
        assert {line["status"] for line in lines} <= {200}
        assert gateway.wasm_trouble() == []
