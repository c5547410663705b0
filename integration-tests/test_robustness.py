"""Thousands of requests and answers that were damaged at random: whatever comes, the gateway stays well."""

import base64
import collections
import concurrent.futures
import http.client
import json
import random
import time
from urllib.parse import urlsplit

import pytest
from support import cases
from support.gateway import CLIENT_KEY, MODELS, Gateway, policy
from support.mutation import mutated

DIALECTS = list(MODELS)
# How often the requests of these cases are damaged, which use every part of the dialect, and those of all others.
MUTATIONS, FEWER_MUTATIONS = 1000, 100
REQUESTS = [
    "agent", "text", "text-parts", "image-base64", "image-url", "input-audio", "tool-loop", "tool-choice-allowed",
    "response-format-json-schema", "reasoning-effort", "assistant-echo", "stream-tool-call", "several-dropped",
]  # fmt: skip
ANSWERS = [
    "text", "tool-calls-parallel", "usage-cached", "logprobs", "refusal", "error-429", "error-400", "stream-text",
    "stream-tool-calls-parallel", "stream-reasoning", "stream-error-middle", "stream-logprobs",
]  # fmt: skip
ANSWER_MUTATIONS = 200
WORKERS = 4


@pytest.fixture(scope="module")
def sturdy(mock_vendors):
    """A gateway with a model for each vendor; what is unsupported is dropped, so that requests go far."""
    models = {
        name: {"targets": [{"provider": name, "model": MODELS[name]}], "unsupported": "drop"} for name in DIALECTS
    }
    with Gateway(policy(mock_vendors, models), "--concurrency", "2") as gateway:
        yield gateway


def post(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, str, bytes]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {CLIENT_KEY}"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.headers.get("content-type", ""), answer.read()


def send_all(gateway: Gateway, bodies: list[bytes], check) -> collections.Counter:
    """Sends every body over a few connections that are kept alive, checks each answer, and counts statuses."""
    address = urlsplit(gateway.url)

    def work(share: list[bytes]) -> collections.Counter:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        statuses = collections.Counter()
        for body in share:
            status, content_type, content = post(connection, body)
            check(body, status, content_type, content)
            statuses[status] += 1
        connection.close()
        return statuses

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        shares = [bodies[start::WORKERS] for start in range(WORKERS)]
        return sum(pool.map(work, shares), collections.Counter())


def is_well(gateway: Gateway, machines: int) -> None:
    """Envoy lives, no VM died, no VM came anew, and everybody is served."""
    assert gateway.process.poll() is None
    assert gateway.wasm_trouble() == []
    assert gateway.stat("wasm.envoy.wasm.runtime.v8.created") == machines
    for name in DIALECTS:
        assert gateway.chat(name).status_code == 200


def clean(status: int, content_type: str, content: bytes) -> None:
    """An answer of the gateway's own making, which every client can read: JSON, or a stream of JSON."""
    if content_type.startswith("text/event-stream"):
        assert status == 200
        events = cases.events(content)
        assert events
        assert all(isinstance(event, dict) for event in events if event != "[DONE]"), content
        return
    assert content_type.startswith("application/json"), (status, content_type, content[:200])
    body = json.loads(content)
    if status == 200:
        assert isinstance(body, dict) and body["choices"] is not None
    else:
        assert isinstance(body["error"], dict), body


def passed(status: int, content_type: str, content: bytes) -> None:
    """OpenAI's own bytes, which pass as they are as long as they can be what was asked for."""
    if status != 200:
        assert content_type.startswith("application/json")
    elif content_type.startswith("text/event-stream"):
        assert content.endswith((b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r\n")), content[-200:]
    else:
        assert isinstance(json.loads(content), dict)


@pytest.mark.timeout(180)
def test_mutations_of_requests_harm_nothing(sturdy, vendors, tell):
    machines = sturdy.stat("wasm.envoy.wasm.runtime.v8.created")
    requests = {one.case: one.request for one in cases.chat()}
    assert requests.keys() >= set(REQUESTS)
    bodies = []
    for name, request in requests.items():
        rng = random.Random(f"requests {name}")
        renamed = [cases.renamed(request, vendor) for vendor in DIALECTS]
        times = MUTATIONS if name in REQUESTS else FEWER_MUTATIONS
        bodies += [mutated(renamed[number % len(renamed)], rng) for number in range(times)]

    def check(body: bytes, status: int, content_type: str, content: bytes) -> None:
        assert status == 200 or 400 <= status < 500, (status, content, body)
        clean(status, content_type, content)

    started = time.monotonic()
    statuses = send_all(sturdy, bodies, check)
    tell(f"{len(bodies)} mutated requests in {time.monotonic() - started:.1f} s: {dict(sorted(statuses.items()))}")
    assert statuses.total() == len(bodies)
    # Otherwise the mutations are too mild or too wild to say anything.
    assert statuses[200] > len(bodies) / 20 and statuses[400] > len(bodies) / 20
    is_well(sturdy, machines)


@pytest.mark.parametrize("vendor", DIALECTS)
def test_mutations_of_answers_harm_nothing(vendor, sturdy, vendors, tell):
    machines = sturdy.stat("wasm.envoy.wasm.runtime.v8.created")
    started = time.monotonic()
    statuses = collections.Counter()
    for name in ANSWERS:
        found = [one for one in cases.chat() if (one.case, one.provider) == (name, vendor) and one.response]
        for exchange in found:
            statuses += mutate_answers(exchange, sturdy, vendors)
    took = time.monotonic() - started
    tell(f"{statuses.total()} mutated answers of {vendor} in {took:.1f} s: {dict(sorted(statuses.items()))}")
    assert statuses.total() >= 8 * ANSWER_MUTATIONS
    is_well(sturdy, machines)


def mutate_answers(exchange: cases.Exchange, gateway: Gateway, vendors) -> collections.Counter:
    rng = random.Random(f"answers {exchange.name}")
    content_type = "text/event-stream" if exchange.response.stream else "application/json"
    behaviours = []
    for _ in range(ANSWER_MUTATIONS):
        content = mutated(exchange.response.content, rng)
        size = rng.choice((5, 50, 500, 100_000))
        chunks = [content[at : at + size] for at in range(0, len(content), size)]
        behaviours.append(
            {
                "kind": "raw",
                "status": exchange.status,
                "headers": [["content-type", content_type]],
                "chunks": [{"base64": base64.b64encode(chunk).decode()} for chunk in chunks],
            }
        )
    vendors.reset()
    vendors.script_all(exchange.provider, behaviours)

    judge = passed if exchange.provider == "openai" else clean

    def check(_: bytes, status: int, content_type: str, content: bytes) -> None:
        # A stream whose first event has become an error has that error's status.
        assert status in (200, 502, exchange.client_status) or (exchange.response.stream and status >= 400)
        judge(status, content_type, content)

    request = cases.renamed(exchange.request, exchange.provider)
    return send_all(gateway, [request] * ANSWER_MUTATIONS, check)
