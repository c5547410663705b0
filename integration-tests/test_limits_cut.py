"""Streams that outgrow their limit: a proper end for each client, and a provider that stops."""

import json
import time

import anthropic
import google.genai.errors
import httpx
import openai
import pytest
from support import cases
from support.gateway import MODELS, Gateway
from support.limits import AT_ONCE, Wish, body, crowd, limited, lines, logged, metric, quiet
from support.waiting import until
from test_limits_headers import WORDS, anthropic_sdk, google_sdk, openai_sdk

# Far more than the limit allows, and far longer than a client would wait.
LONG = " ".join(f"word{number}" for number in range(30_000))
LIMIT = 1000


@pytest.fixture(scope="module")
def cutting(mock_vendors):
    common = {"per": "day", "by": ["header:x-run"], "enforce": "mid_stream"}
    limits = [
        {"name": "words", "unit": "output_tokens", "limit": LIMIT, "when": {"headers": {"x-case": "words"}}} | common,
        {"name": "money", "unit": "usd", "limit": "0.001", "when": {"headers": {"x-case": "money"}}} | common,
        {"name": "bystander", "unit": "concurrent", "limit": 5},
    ]
    with Gateway(limited(mock_vendors, limits), "--concurrency", "2", *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture
def endless(vendors):
    """Every vendor talks for half a minute."""
    for vendor in MODELS:
        vendors.script(vendor, {"kind": "content", "text": LONG}, times=0)
    vendors.pace(None, gap_ms=10, pieces=3000)
    return vendors


def stopped(vendors, count: int = 1) -> list[dict]:
    """The vendors' records, once each of them has lost its client."""
    until(lambda: [record for record in vendors.records() if record["disconnected"]], 5)
    records = vendors.records()
    assert len(records) == count and all(record["disconnected"] for record in records)
    return records


@pytest.mark.parametrize("vendor", MODELS)
def test_openais_clients_are_told_and_the_vendor_stops(vendor, cutting, endless):
    run, log = f"openai-{vendor}", logged(cutting)
    client = openai_sdk(cutting, **{"x-case": "words", "x-run": run})
    chunks, started = [], time.monotonic()
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model=vendor, messages=WORDS, stream=True, max_completion_tokens=100):
            chunks.append(chunk)
    assert "The limit 'words' (1000 output tokens per day) is spent." in str(raised.value)
    assert time.monotonic() - started < 15
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert LONG.startswith(said) and len(said.split()) > 100
    assert stopped(endless)[0]["disconnected"]["after_events"] < 1000
    (line,) = lines(cutting, 1, skip=log)
    assert int(line["output_tokens"]) <= LIMIT + 200, "what is in flight, and no more"


@pytest.mark.parametrize("vendor", MODELS)
def test_responses(vendor, cutting, endless):
    client = openai_sdk(cutting, **{"x-case": "words", "x-run": f"responses-{vendor}"})
    with pytest.raises(openai.APIError) as raised:
        events = []
        for event in client.responses.create(model=vendor, input="Hello", stream=True, max_output_tokens=100):
            events.append(event)
            if event.type == "response.failed":
                # The SDK hands this event over and raises nothing.
                raise openai.APIError(event.response.error.message, httpx.Request("POST", cutting.url), body=None)
    assert "The limit 'words'" in str(raised.value)
    stopped(endless)


@pytest.mark.parametrize("vendor", MODELS)
def test_anthropics_clients(vendor, cutting, endless):
    client = anthropic_sdk(cutting, **{"x-case": "words", "x-run": f"anthropic-{vendor}"})
    with pytest.raises(anthropic.APIStatusError) as raised:
        with client.messages.stream(model=vendor, max_tokens=100, messages=WORDS) as stream:
            assert len("".join(stream.text_stream).split()) < 5000
    assert "The limit 'words'" in str(raised.value) and "rate_limit_error" in str(raised.value)
    stopped(endless)


@pytest.mark.parametrize("vendor", MODELS)
def test_googles_clients(vendor, cutting, endless):
    client = google_sdk(cutting, **{"x-case": "words", "x-run": f"google-{vendor}"})
    with pytest.raises(google.genai.errors.APIError) as raised:
        for _ in client.models.generate_content_stream(model=vendor, contents="Hello", config={"max_output_tokens": 100}):
            pass
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert "The limit 'words'" in raised.value.message
    stopped(endless)


def test_a_client_that_reads_on_is_not_kept(cutting, endless):
    """The error comes whole, then the connection ends: nobody waits for a vendor that has half a minute to go."""
    content, started = b"", time.monotonic()
    wish = {"x-case": "words", "x-run": "raw", "x-sluice-stream-cost": "true"}
    wished = body("openai", stream=True, max_completion_tokens=100)
    with pytest.raises(httpx.RemoteProtocolError):
        with cutting.client.stream("POST", "/v1/chat/completions", json=wished, headers=wish) as answer:
            for piece in answer.iter_raw():
                content += piece
    assert time.monotonic() - started < 15
    *events, error = cases.events(content)
    assert error["error"]["code"] == "rate_limit_exceeded" and all("error" not in event for event in events)
    assert content.rstrip().split(b"\n")[-1].startswith(b": x-sluice-cost-usd=")
    stopped(endless)


def test_a_limit_in_money_cuts_too(cutting, endless):
    log, before = logged(cutting), metric(cutting, "sluice_cost_nanousd_total")
    client = openai_sdk(cutting, **{"x-case": "money", "x-run": "a"})
    with pytest.raises(openai.APIError) as raised:
        for _ in client.chat.completions.create(model="openai", messages=WORDS, stream=True, max_completion_tokens=100):
            pass
    assert "The limit 'money' (0.001 USD per day)" in str(raised.value)
    stopped(endless)
    (line,) = lines(cutting, 1, skip=log)
    nanos = int(line["cost_nanousd"])
    assert 500_000 < nanos < 1_200_000
    assert metric(cutting, "sluice_cost_nanousd_total") - before == nanos


def test_a_stream_within_its_limit_comes_to_its_own_end(cutting, vendors):
    text = " ".join(f"word{number}" for number in range(300))
    vendors.script("openai", {"kind": "content", "text": text})
    wish = {"x-case": "words", "x-run": "short"}
    answer = cutting.client.post("/v1/chat/completions", json=body("openai", stream=True, max_completion_tokens=100), headers=wish)
    assert cases.events(answer.content)[-1] == "[DONE]" and b"error" not in answer.content


def test_many_are_cut_at_once_and_the_gateway_is_well(cutting, endless, tell):
    """Two hundred streams on two workers, among them clients that leave while they are being cut."""
    wish = lambda number: Wish(
        body(list(MODELS)[number % 3], stream=True, max_completion_tokens=50),
        {"x-case": "words", "x-run": f"many-{number % 40}"},
        pieces=number if number % 5 == 0 else None,
    )
    log = logged(cutting)
    ours = [call for turn in range(40) for call in crowd(cutting, [wish(turn * 5 + number) for number in range(5)])]
    quiet(cutting)
    assert {call.status for call in ours} <= {200, 429}
    cut = [call for call in ours if b"The limit 'words'" in call.content and call.status == 200]
    found = lines(cutting, len(ours), skip=log)
    tell(f"{len(ours)} streams, {len(cut)} cut, {sum(call.broken for call in ours)} left or were broken off")
    assert len(cut) > 20
    assert cutting.wasm_trouble() == []
    answer = cutting.chat("openai", max_completion_tokens=5)
    assert answer.status_code == 200
    spent = {}
    for line in found:
        spent.setdefault(line["model"], []).append(int(line["output_tokens"] or 0))
    assert all(max(counts) < LIMIT + 300 for counts in spent.values())
    assert json.dumps(spent)
